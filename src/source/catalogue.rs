//! PostgreSQL's catalogue: what a table looks like now, and what rows have in columns that are younger than they are.

use anyhow::{Context, Result};
use postgres::{Client, Transaction};
use serde_json::Value;

use crate::source::sent_as;

/// A table as PostgreSQL has it.
#[derive(Debug, Clone, Default)]
pub struct SourceTable {
    /// Its columns, in order.
    pub columns: Vec<SourceColumn>,
    /// A position in the log at which the table looked like this.
    pub lsn: u64,
    /// Is the whole old row written to the log with every change (REPLICA IDENTITY FULL)?
    pub whole_row: bool,
}

/// A column as PostgreSQL has it.
#[derive(Debug, Clone, Default)]
pub struct SourceColumn {
    /// Name.
    pub name: String,
    /// Type; a domain's is the one it is made of.
    pub source_type: SourceType,
    /// Is it part of the primary key?
    pub in_key: bool,
    /// Must it have a value?
    pub not_null: bool,
    /// Is it computed from other columns? PostgreSQL 15 does not publish such a column.
    pub generated: bool,
    /// Is a value made up where none is given: by a default, or as identity?
    pub has_default: bool,
    /// What rows have that are older than the column, as Debezium would send it.
    pub missing: Option<Value>,
    /// Can it hold values that are stored apart from their row (TOAST)? A change that does not touch such a value leaves it out.
    pub long: bool,
}

impl SourceColumn {
    /// Does Debezium (3.7.0) say of a value of this type that it was left out? Of the others it sends null.
    pub fn has_placeholder(&self) -> bool {
        match self.source_type.base.strip_suffix("[]") {
            Some(element) => PLACEHOLDER_IN_ARRAY.contains(&element),
            None => !SENT_AS_NULL.contains(&self.source_type.base.as_str()),
        }
    }
}

/// Elements of the arrays for which there is a placeholder.
const PLACEHOLDER_IN_ARRAY: [&str; 11] =
    ["text", "character varying", "character", "bpchar", "json", "jsonb", "bytea", "integer", "bigint", "date", "uuid"];
/// Types for which there is none.
const SENT_AS_NULL: [&str; 9] =
    ["path", "polygon", "bit varying", "bit", "geometry", "geography", "vector", "halfvec", "sparsevec"];

/// A type as PostgreSQL writes it, `numeric(10,2)`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceType {
    /// As it is written.
    pub text: String,
    /// Without its modifiers: `numeric`.
    pub base: String,
    /// The modifiers: 10, 2.
    pub modifiers: Vec<i64>,
    /// Is it an enum?
    pub is_enum: bool,
}

impl SourceType {
    /// Reads what `format_type` wrote.
    pub fn parse(text: &str) -> SourceType {
        let (before, rest) = text.split_once('(').unwrap_or((text, ""));
        let (modifiers, after) = rest.split_once(')').unwrap_or(("", rest));
        let base = format!("{before}{after}");
        // `interval day to second` is stored as any other.
        let base = if base.starts_with("interval ") && !base.ends_with("[]") { "interval".to_owned() } else { base };
        let modifiers = modifiers.split(',').filter_map(|modifier| modifier.parse().ok()).collect();
        SourceType { text: text.to_owned(), base, modifiers, is_enum: false }
    }

    /// The type of an array's elements.
    pub fn element(&self) -> Option<SourceType> {
        let base = self.base.strip_suffix("[]")?;
        Some(SourceType { base: base.to_owned(), is_enum: false, ..self.clone() })
    }

    /// Does Debezium send a time of this type in ms, because it has no more digits? Else in µs.
    pub fn is_in_millis(&self) -> bool {
        matches!(self.modifiers.as_slice(), [0..=3])
    }
}

/// SQL for "this column (`a` of `pg_attribute`, its base type `$base`) can hold values that are stored apart from their row". The rule of
/// `postgres/init/02_replication_user.sql`: whatever has no bound on its length, or one above 500 letters. (A bpchar without one holds keys of a few
/// letters; what PostgreSQL tries to keep in the row, as numeric, is short.)
macro_rules! is_long {
    ($base:literal) => {
        concat!(
            "(a.attlen = -1 AND a.attstorage IN ('x', 'e') AND ",
            $base,
            " <> 'bpchar'::regtype AND NOT (",
            $base,
            " IN ('varchar'::regtype, 'varbit'::regtype) AND a.atttypmod BETWEEN 0 AND 504))"
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
       (SELECT typtype = 'e' FROM pg_type WHERE oid = r.base),
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY(i.indkey)),
       a.attnotnull,
       a.attgenerated <> '',
       a.atthasdef OR a.attidentity <> '',
       array_to_string(a.attmissingval, ''),
       ",
    is_long!("r.base"),
    "
FROM pg_attribute a
JOIN resolved r ON r.type = a.atttypid
WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum"
);

/// Reads the columns of a table (its name as SQL); `None` if there is no such table. SELECT on it is all that is needed.
///
/// # Errors
/// PostgreSQL is gone, refuses, or somebody is altering the table for too long.
pub fn catalogue(client: &mut Client, relation: &str) -> Result<Option<SourceTable>> {
    read(client, relation).with_context(|| format!("reading the columns of {relation} from PostgreSQL's catalogue"))
}

fn read(client: &mut Client, name: &str) -> Result<Option<SourceTable>> {
    if client.query_one("SELECT to_regclass($1) IS NULL", &[&name])?.get(0) {
        return Ok(None);
    }
    let mut transaction = client.transaction()?;
    // While nobody can alter the table, its columns and the log's position belong together.
    transaction.batch_execute(&format!("LOCK TABLE {name} IN ACCESS SHARE MODE"))?;
    let lsn: i64 = transaction
        .query_one(
            "SELECT ((CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END) - '0/0'::pg_lsn)::int8",
            &[],
        )?
        .get(0);
    let whole_row = transaction
        .query_one("SELECT relreplident = 'f' FROM pg_class WHERE oid = $1::text::regclass", &[&name])?
        .get(0);
    let mut found = Vec::new();
    for (column, missing) in columns(&mut transaction, name)? {
        let missing = missing.map(|text| as_sent(&mut transaction, &column.source_type, &text)).transpose()?;
        found.push(SourceColumn { missing, ..column });
    }
    transaction.commit()?;
    Ok(Some(SourceTable { columns: found, lsn: lsn.unsigned_abs(), whole_row }))
}

/// The columns of a table, as a transaction sees them; each with what rows have that are older, as PostgreSQL writes it.
pub(super) fn columns(
    transaction: &mut Transaction<'_>,
    relation: &str,
) -> Result<Vec<(SourceColumn, Option<String>)>> {
    let rows = transaction.query(COLUMNS, &[&relation])?;
    Ok(rows.iter().map(|row| (column(row), row.get(7))).collect())
}

fn column(row: &postgres::Row) -> SourceColumn {
    SourceColumn {
        name: row.get(0),
        source_type: SourceType { is_enum: row.get(2), ..SourceType::parse(row.get(1)) },
        in_key: row.get(3),
        not_null: row.get(4),
        generated: row.get(5),
        has_default: row.get(6),
        missing: None,
        long: row.get(8),
    }
}

/// A value, given as PostgreSQL writes it, as Debezium would send it.
fn as_sent(transaction: &mut Transaction<'_>, source_type: &SourceType, text: &str) -> Result<Value> {
    let form = sent_as(source_type, "value").unwrap_or_else(|| "value".to_owned());
    let sql = format!("SELECT to_json({form})::text FROM (SELECT $1::text::{} AS value) AS missing", source_type.text);
    let json: String = transaction.query_one(&sql, &[&text])?.get(0);
    Ok(serde_json::from_str(&json)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modifiers_are_told_from_the_type() {
        let read = |text| {
            let SourceType { base, modifiers, .. } = SourceType::parse(text);
            (base, modifiers)
        };
        assert_eq!(read("numeric(10,-2)"), ("numeric".to_owned(), vec![10, -2]));
        assert_eq!(read("timestamp(3) without time zone"), ("timestamp without time zone".to_owned(), vec![3]));
        assert_eq!(read("character varying(40)[]"), ("character varying[]".to_owned(), vec![40]));
        assert_eq!(read("interval day to second(3)"), ("interval".to_owned(), vec![3]));
        assert_eq!(read("integer"), ("integer".to_owned(), vec![]));
    }
}
