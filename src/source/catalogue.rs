//! PostgreSQL's catalogue: what a table looks like now, and what rows have in columns that are younger than they are.

use anyhow::{Context, Result};
use postgres::types::PgLsn;
use postgres::{Client, Transaction};
use serde_json::Value;

use crate::cdc::Lsn;
use crate::types::{AddedType, Connector, SourceType};

/// A table as PostgreSQL has it.
#[derive(Debug, Clone, Default)]
pub struct SourceTable {
    /// Its columns, in order.
    pub columns: Vec<SourceColumn>,
    /// A position in the log at which the table looked like this.
    pub lsn: Lsn,
    /// Is the whole old row written to the log with every change (REPLICA IDENTITY FULL)?
    pub whole_row: bool,
    /// What makes its rows unique besides the primary key: the columns of each such index.
    pub unique: Vec<Vec<String>>,
}

/// A column as PostgreSQL has it.
#[derive(Debug, Clone, Default)]
pub struct SourceColumn {
    /// Name.
    pub name: String,
    /// Type, and whether it may be NULL; a domain's is the one it is made of.
    pub source_type: SourceType,
    /// Is it part of the primary key?
    pub in_key: bool,
    /// Is it computed from other columns? PostgreSQL 15 does not publish such a column.
    pub generated: bool,
    /// Is a value made up where none is given: by a default, or as identity?
    pub has_default: bool,
    /// What rows have that are older than the column, as Debezium would send it.
    pub missing: Option<Value>,
    /// Can it hold values that are stored apart from their row (TOAST)? A change that does not touch such a value leaves it out.
    pub long: bool,
    /// Is its type an enum?
    pub is_enum: bool,
}

impl SourceColumn {
    /// Does Debezium (3.7.0) say of a value of this type that it was left out? Of the others it sends null.
    pub fn has_placeholder(&self) -> bool {
        let base = self.source_type.base.as_str();
        if self.source_type.is_array { PLACEHOLDER_IN_ARRAY.contains(&base) } else { !SENT_AS_NULL.contains(&base) }
    }
}

/// Elements of the arrays for which there is a placeholder.
const PLACEHOLDER_IN_ARRAY: [&str; 11] =
    ["text", "character varying", "character", "bpchar", "json", "jsonb", "bytea", "integer", "bigint", "date", "uuid"];
/// Types for which there is none.
const SENT_AS_NULL: [&str; 9] =
    ["path", "polygon", "bit varying", "bit", "geometry", "geography", "vector", "halfvec", "sparsevec"];

/// SQL for "this column (`a` of `pg_attribute`, its base type `$base`) can hold values that are stored apart from their row". The rule of
/// `src/pipeline/source.sql`: whatever has no bound on its length, or one above 500 letters. (A bpchar without one holds keys of a few
/// letters; what PostgreSQL tries to keep in the row, as numeric, is short.)
macro_rules! is_long {
    ($base:literal) => {
        concat!(
            "(a.attlen = -1 AND a.attstorage IN ('x', 'e') AND ",
            $base,
            " <> 'bpchar'::regtype AND NOT (",
            $base,
            " IN ('varchar'::regtype, 'varbit'::regtype, 'bit'::regtype) AND a.atttypmod BETWEEN 0 AND 504))"
        )
    };
}
/// For a query about tables as a whole.
pub const HAS_LONG_COLUMN: &str = concat!(
    "EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND ",
    is_long!("a.atttypid"),
    ")"
);

/// `attmissingval` is the value that rows show without having it, in an array of one.
const COLUMNS: &str = concat!(
    "
WITH RECURSIVE resolved AS (
    SELECT oid AS type, oid AS base, NULL::int4 AS modifier FROM pg_type WHERE typtype <> 'd'
    UNION ALL
    SELECT t.oid, r.base, coalesce(r.modifier, nullif(t.typtypmod, -1))
    FROM pg_type t JOIN resolved r ON t.typbasetype = r.type
    WHERE t.typtype = 'd'
)
SELECT a.attname::text,
       format_type(r.base, coalesce(r.modifier, a.atttypmod)),
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY(i.indkey)),
       a.attnotnull,
       a.attgenerated <> '',
       a.atthasdef OR a.attidentity <> '',
       array_to_string(a.attmissingval, ''),
       ",
    is_long!("r.base"),
    ",
       EXISTS (SELECT FROM pg_type e WHERE e.oid = r.base AND e.typtype = 'e')
FROM pg_attribute a
JOIN resolved r ON r.type = a.atttypid
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum"
);

/// Unique indexes of columns over all rows.
const UNIQUE: &str = "
SELECT ARRAY(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = i.indrelid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))
FROM pg_index i
WHERE i.indrelid = $1::text::regclass AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL";

/// Reads the columns of a table (its name as SQL); `None` if there is no such table. SELECT on it is all that is needed.
///
/// # Errors
/// PostgreSQL is gone, refuses, or somebody is altering the table for too long.
pub fn catalogue(client: &mut Client, relation: &str, connector: &Connector) -> Result<Option<SourceTable>> {
    read(client, relation, connector)
        .with_context(|| format!("reading the columns of {relation} from PostgreSQL's catalogue"))
}

fn read(client: &mut Client, name: &str, connector: &Connector) -> Result<Option<SourceTable>> {
    if client.query_one("SELECT to_regclass($1) IS NULL", &[&name])?.get(0) {
        return Ok(None);
    }
    let mut transaction = client.transaction()?;
    // While nobody can alter the table, its columns and the log's position belong together.
    transaction.batch_execute(&format!("LOCK TABLE {name} IN ACCESS SHARE MODE"))?;
    let lsn: PgLsn = transaction
        .query_one(
            "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END",
            &[],
        )?
        .get(0);
    let whole_row = transaction
        .query_one("SELECT relreplident = 'f' FROM pg_class WHERE oid = $1::text::regclass", &[&name])?
        .get(0);
    let unique = transaction.query(UNIQUE, &[&name])?.iter().map(|row| row.get(0)).collect();
    let mut found = Vec::new();
    for (column, missing) in columns(&mut transaction, name)? {
        let missing =
            missing.map(|text| as_sent(&mut transaction, &column.source_type, connector, &text)).transpose()?;
        found.push(SourceColumn { missing, ..column });
    }
    transaction.commit()?;
    Ok(Some(SourceTable { columns: found, lsn: lsn.into(), whole_row, unique }))
}

/// The columns of a table, as a transaction sees them; each with what rows have that are older, as PostgreSQL writes it.
pub(super) fn columns(
    transaction: &mut Transaction<'_>,
    relation: &str,
) -> Result<Vec<(SourceColumn, Option<String>)>> {
    let oid: u32 = transaction.query_one("SELECT $1::text::regclass::oid", &[&relation])?.get(0);
    columns_of(transaction, oid)
}

/// As [`columns`], of a table by its number: that may be asked by who may not use its schema.
pub(super) fn columns_of(transaction: &mut Transaction<'_>, oid: u32) -> Result<Vec<(SourceColumn, Option<String>)>> {
    let rows = transaction.query(COLUMNS, &[&oid])?;
    Ok(rows.iter().map(|row| (column(row), row.get(6))).collect())
}

fn column(row: &postgres::Row) -> SourceColumn {
    let must_have_value: bool = row.get(3);
    SourceColumn {
        name: row.get(0),
        source_type: SourceType::of_catalogue(row.get(1), !must_have_value),
        in_key: row.get(2),
        generated: row.get(4),
        has_default: row.get(5),
        missing: None,
        long: row.get(7),
        is_enum: row.get(8),
    }
}

/// A value, given as PostgreSQL writes it, as Debezium would send it.
fn as_sent(
    transaction: &mut Transaction<'_>,
    source_type: &SourceType,
    connector: &Connector,
    text: &str,
) -> Result<Value> {
    let form = AddedType::of(source_type, connector).sent("value").unwrap_or_else(|| "value".to_owned());
    let sql = format!("SELECT to_json({form})::text FROM (SELECT $1::text::{} AS value) AS missing", source_type.text);
    let json: String = transaction.query_one(&sql, &[&text])?.get(0);
    Ok(serde_json::from_str(&json)?)
}
