//! What there is in a database: every table that could be captured, with what decides whether it can. The catalogue alone is read, no row of a table.

use anyhow::{Context, Result};
use postgres::{Client, Transaction};
use serde::Deserialize;

use super::SourceColumn;
use super::catalogue::columns_of;

/// A database.
#[derive(Debug)]
pub struct Survey {
    /// The server, and the database as a whole.
    pub server: SurveyedServer,
    /// Its tables, by schema and name; leaves of partitioned tables are not told apart from their roots.
    pub tables: Vec<SurveyedTable>,
}

/// What capturing asks of a server.
#[derive(Debug, Deserialize)]
pub struct SurveyedServer {
    /// The database's name.
    pub database: String,
    /// Its encoding.
    pub encoding: String,
    /// `wal_level`.
    pub wal_level: String,
    /// 150018.
    pub version: i32,
    /// Is it a standby?
    pub standby: bool,
}

/// A table.
#[derive(Debug, Clone, Deserialize)]
pub struct SurveyedTable {
    /// Schema.
    pub schema: String,
    /// Name.
    pub table: String,
    /// `r` a table, `p` a partitioned one, `f` a foreign one, `m` a materialized view.
    pub kind: String,
    /// `p` permanent, `u` unlogged, `t` temporary.
    pub persistence: String,
    /// Do policies decide which rows a role sees?
    pub row_security: bool,
    /// Does it inherit from another table?
    pub inherits: bool,
    /// Do other tables inherit from it, so that a SELECT from it shows their rows too?
    pub inherited: bool,
    /// The extension that it belongs to.
    pub extension: Option<String>,
    /// Its number in the catalogue.
    pub oid: u32,
    /// Rows, as the planner estimates them.
    pub rows: f64,
    /// What its owner has written about it.
    pub comment: Option<String>,
    /// What its owner has written about its columns, and which of them have a collation that takes different texts for equal.
    pub column_notes: Vec<ColumnNote>,
    /// What makes its rows unique: the primary key first.
    pub keys: Vec<UniqueKey>,
    /// What its rows point to.
    pub foreign_keys: Vec<ForeignKey>,
    /// Its columns.
    #[serde(skip)]
    pub columns: Vec<SourceColumn>,
}

/// More about a column.
#[derive(Debug, Clone, Deserialize)]
pub struct ColumnNote {
    /// Its name.
    pub name: String,
    /// What its owner has written about it.
    pub comment: Option<String>,
    /// Are equal texts the same bytes?
    pub deterministic: bool,
}

/// A unique index of columns, over all rows.
#[derive(Debug, Clone, Deserialize)]
pub struct UniqueKey {
    /// Its name.
    pub name: String,
    /// Is it the primary key?
    pub primary: bool,
    /// Is it looked at with each row, and not first at the end of a statement or transaction?
    pub immediate: bool,
    /// May one of its columns be NULL? Then it makes nothing unique.
    pub nullable: bool,
    /// Its columns, in its order.
    pub columns: Vec<String>,
}

/// A foreign key.
#[derive(Debug, Clone, Deserialize)]
pub struct ForeignKey {
    /// Its name.
    pub name: String,
    /// Schema of the table that it leads to.
    pub schema: String,
    /// That table.
    pub table: String,
    /// Has PostgreSQL looked at the rows that are older than it?
    pub validated: bool,
    /// Its columns.
    pub columns: Vec<String>,
    /// The columns of the other table, one for each.
    pub to: Vec<String>,
}

const SERVER: &str = "
SELECT json_build_object(
    'database', current_database(), 'encoding', pg_encoding_to_char(encoding), 'wal_level', current_setting('wal_level'),
    'version', current_setting('server_version_num')::int, 'standby', pg_is_in_recovery())::text
FROM pg_database WHERE datname = current_database()";

/// A leaf says nothing that its root does not; a constraint with a parent was made by PostgreSQL itself, for a partition.
const TABLES: &str = "
SELECT json_build_object(
    'oid', c.oid::int8, 'schema', n.nspname, 'table', c.relname, 'kind', c.relkind, 'persistence', c.relpersistence, 'row_security', c.relrowsecurity,
    'inherits', EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid),
    'inherited', c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits WHERE inhparent = c.oid),
    'extension', (SELECT e.extname FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e' LIMIT 1),
    'rows', (SELECT coalesce(sum(greatest(l.reltuples, 0)), 0) FROM pg_class l
             WHERE l.oid = c.oid OR l.oid IN (SELECT relid FROM pg_partition_tree(c.oid))),
    'comment', obj_description(c.oid, 'pg_class'),
    'column_notes', (
        SELECT coalesce(json_agg(json_build_object(
            'name', a.attname, 'comment', col_description(c.oid, a.attnum), 'deterministic', coalesce(l.collisdeterministic, true))), '[]')
        FROM pg_attribute a LEFT JOIN pg_collation l ON l.oid = a.attcollation
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
    'keys', (
        SELECT coalesce(json_agg(json_build_object(
            'name', x.relname, 'primary', i.indisprimary, 'immediate', i.indimmediate, 'nullable', k.nullable, 'columns', k.columns)
            ORDER BY i.indisprimary DESC, i.indimmediate DESC, i.indnkeyatts, x.relname), '[]')
        FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
        CROSS JOIN LATERAL (
            SELECT bool_or(NOT a.attnotnull) AS nullable, json_agg(a.attname ORDER BY p.place) AS columns
            FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS p (attnum, place)
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = p.attnum
            WHERE p.place <= i.indnkeyatts) AS k
        WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL),
    'foreign_keys', (
        SELECT coalesce(json_agg(json_build_object(
            'name', f.conname, 'schema', tn.nspname, 'table', t.relname, 'validated', f.convalidated, 'columns', k.columns, 'to', k.referred)
            ORDER BY f.conname), '[]')
        FROM pg_constraint f JOIN pg_class t ON t.oid = f.confrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace
        CROSS JOIN LATERAL (
            SELECT json_agg(a.attname ORDER BY p.place) AS columns, json_agg(b.attname ORDER BY p.place) AS referred
            FROM unnest(f.conkey, f.confkey) WITH ORDINALITY AS p (own, other, place)
            JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = p.own
            JOIN pg_attribute b ON b.attrelid = f.confrelid AND b.attnum = p.other) AS k
        WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.conparentid = 0)
)::text
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f', 'm') AND NOT c.relispartition
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp_|toast_temp_)'
ORDER BY n.nspname, c.relname";

/// Reads what there is.
///
/// # Errors
/// PostgreSQL is gone or refuses.
pub fn survey(client: &mut Client) -> Result<Survey> {
    let mut transaction = client.transaction()?;
    let survey = read(&mut transaction).context("reading PostgreSQL's catalogue")?;
    transaction.commit()?;
    Ok(survey)
}

fn read(transaction: &mut Transaction<'_>) -> Result<Survey> {
    let server: String = transaction.query_one(SERVER, &[])?.get(0);
    let mut tables = Vec::new();
    for row in transaction.query(TABLES, &[])? {
        let mut table: SurveyedTable = serde_json::from_str(row.get(0))?;
        // By its name, only who may use its schema could ask.
        table.columns = columns_of(transaction, table.oid)?.into_iter().map(|(column, _)| column).collect();
        tables.push(table);
    }
    Ok(Survey { server: serde_json::from_str(&server)?, tables })
}
