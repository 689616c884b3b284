//! PostgreSQL's catalogue: what a table looks like now, and what rows have in columns that are younger than they are.

use anyhow::{Context, Result};
use postgres::Client;
use serde_json::Value;

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

/// `attmissingval` is the value that rows show without having it. Debezium sends some types otherwise than PostgreSQL writes
/// them: a time of at most three digits in ms, any other in µs; and its month has 30.4375 days, where `extract` takes 30.
const COLUMNS: &str = concat!("
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
       CASE
           WHEN missing.text IN ('infinity', '-infinity') THEN NULL
           WHEN r.base = 'date'::regtype THEN to_json(missing.text::date - DATE '1970-01-01')
           WHEN r.base = 'timestamp'::regtype THEN to_json((extract(epoch FROM missing.text::timestamp) * per_second)::int8)
           WHEN r.base = 'timestamptz'::regtype
               THEN to_json(to_char(missing.text::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'))
           WHEN r.base = 'time'::regtype THEN to_json((extract(epoch FROM missing.text::time) * per_second)::int8)
           WHEN r.base = 'interval'::regtype
               THEN to_json(((extract(epoch FROM missing.text::interval) + extract(month FROM missing.text::interval) * 0.4375 * 86400) * 1000000)::int8)
           WHEN r.base = 'bytea'::regtype THEN to_json(translate(encode(missing.text::bytea, 'base64'), chr(10), ''))
           WHEN r.base = 'numeric'::regtype THEN to_json(missing.text)
           WHEN r.base IN ('json'::regtype, 'jsonb'::regtype) THEN to_json(missing.json::text)
           ELSE missing.json
       END::text,
       ", is_long!("r.base"), "
FROM pg_attribute a
JOIN resolved r ON r.type = a.atttypid
CROSS JOIN LATERAL (
    SELECT array_to_json(a.attmissingval) -> 0 AS json, array_to_json(a.attmissingval) ->> 0 AS text,
           CASE WHEN coalesce(r.modifier, a.atttypmod) BETWEEN 0 AND 3 THEN 1000 ELSE 1000000 END AS per_second
) AS missing
WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum");

/// Reads a table's columns; `None` if there is no such table in schema `public`. SELECT on it is all that is needed.
///
/// # Errors
/// PostgreSQL is gone, refuses, or somebody is altering the table for too long.
pub fn catalogue(client: &mut Client, table: &str) -> Result<Option<SourceTable>> {
    read(client, table).with_context(|| format!("reading the columns of public.{table} from PostgreSQL's catalogue"))
}

fn read(client: &mut Client, table: &str) -> Result<Option<SourceTable>> {
    let name = format!("public.\"{}\"", table.replace('"', "\"\""));
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
    let rows = transaction.query(COLUMNS, &[&name])?;
    transaction.commit()?;
    let columns = rows.iter().map(column).collect::<Result<_>>()?;
    Ok(Some(SourceTable { columns, lsn: lsn.unsigned_abs(), whole_row }))
}

fn column(row: &postgres::Row) -> Result<SourceColumn> {
    let missing: Option<String> = row.get(7);
    Ok(SourceColumn {
        name: row.get(0),
        source_type: SourceType { is_enum: row.get(2), ..SourceType::parse(row.get(1)) },
        in_key: row.get(3),
        not_null: row.get(4),
        generated: row.get(5),
        has_default: row.get(6),
        missing: missing.map(|json| serde_json::from_str(&json)).transpose()?,
        long: row.get(8),
    })
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
