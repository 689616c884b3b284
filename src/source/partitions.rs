//! Partitioned tables: which keys no partition takes any more. What goes with a partition that is dropped or detached is told by no event.

use anyhow::{Context, Result};
use postgres::Client;
use postgres::types::ToSql;

use super::is_possible;
use super::snapshot::key_parts;
use crate::sql::postgres::identifier;
use crate::tables::Table;

/// What each leaf takes: its own bounds and those of the partitions above it. No row: the table is not partitioned, or has no partition yet.
const BOUNDS: &str = "
SELECT coalesce(pg_get_partition_constraintdef(relid), 'true') FROM pg_partition_tree($1::text::regclass) WHERE isleaf AND relid <> $1::text::regclass";

/// Those of some keys (canonical texts) that no partition of the table takes. None, if it is not partitioned.
///
/// # Errors
/// PostgreSQL is gone or refuses.
pub fn without_partition(client: &mut Client, table: &Table, keys: &[&str]) -> Result<Vec<String>> {
    let what = || format!("asking PostgreSQL for the partitions of {}", table.relation);
    let is_partitioned = "SELECT relkind = 'p' FROM pg_class WHERE oid = $1::text::regclass";
    if !client.query_one(is_partitioned, &[&table.relation]).with_context(what)?.get::<_, bool>(0) {
        return Ok(Vec::new());
    }
    let bounds: Vec<String> =
        client.query(BOUNDS, &[&table.relation]).with_context(what)?.iter().map(|row| row.get(0)).collect();
    let keys: Vec<String> = keys.iter().filter(|key| is_possible(key)).map(ToString::to_string).collect();
    if bounds.is_empty() {
        return Ok(keys);
    }
    let columns = table.key.iter().enumerate().map(|(i, column)| {
        let source_type = &column.column_type.source().text;
        format!("unnest(${}::text[])::{source_type} AS {}", i + 1, identifier(column.name))
    });
    let sql = format!(
        "SELECT _key FROM (SELECT {}, unnest(${}::text[]) AS _key) AS asked WHERE NOT coalesce({}, false)",
        columns.collect::<Vec<_>>().join(", "),
        table.key.len() + 1,
        bounds.iter().map(|bound| format!("({bound})")).collect::<Vec<_>>().join(" OR "),
    );
    let mut parts = key_parts(&table.key, &keys);
    parts.push(keys.iter().map(String::as_str).collect());
    let parameters: Vec<&(dyn ToSql + Sync)> = parts.iter().map(|part| part as &(dyn ToSql + Sync)).collect();
    Ok(client.query(&sql, &parameters).with_context(what)?.iter().map(|row| row.get(0)).collect())
}
