//! What the warehouse already has for a key.

use std::collections::HashMap;

use anyhow::Result;
use clickhouse::Row;
use serde::Deserialize;

use crate::cdc::Carried;
use crate::tables::{KEY_SEPARATOR, KeyColumn, Table};
use crate::warehouse::{Warehouse, quote};

/// Keys per query: far below `max_query_size`.
const CHUNK: usize = 1_000;

#[derive(Row, Deserialize)]
struct Newest {
    key: String,
    newest: u64,
}

/// The newest version of each of these keys; keys that the table never had are left out.
///
/// # Errors
/// The server is gone or refuses.
pub fn newest_versions(
    warehouse: &Warehouse,
    target: &str,
    key: &[KeyColumn],
    keys: &[&str],
) -> Result<HashMap<String, u64>> {
    let mut newest = HashMap::new();
    for chunk in keys.chunks(CHUNK) {
        let sql = format!(
            "SELECT {} AS key, max(_version) AS newest FROM {}.{} WHERE {} GROUP BY key",
            key_text(key),
            warehouse.db,
            target,
            key_in(key, chunk)
        );
        let rows: Vec<Newest> = warehouse.rows("looking up newest versions", &sql)?;
        newest.extend(rows.into_iter().map(|row| (row.key, row.newest)));
    }
    Ok(newest)
}

#[derive(Row, Deserialize)]
struct Columns {
    key: String,
    columns: Vec<Option<String>>,
}

/// Columns of the live rows with these keys, as text, by key.
///
/// # Errors
/// The server is gone or refuses.
pub fn newest_columns(
    warehouse: &Warehouse,
    target: &str,
    key: &[KeyColumn],
    columns: &[&str],
    keys: &[&str],
) -> Result<HashMap<String, Vec<Option<String>>>> {
    let mut newest = HashMap::new();
    let texts = columns.iter().map(|column| format!("toNullable(toString({column}))")).collect::<Vec<_>>().join(", ");
    for chunk in keys.chunks(CHUNK) {
        let sql = format!(
            "SELECT {} AS key, [{texts}] AS columns FROM {}.{target} FINAL WHERE {}",
            key_text(key),
            warehouse.db,
            key_in(key, chunk)
        );
        let rows: Vec<Columns> = warehouse.rows("looking up newest rows", &sql)?;
        newest.extend(rows.into_iter().map(|row| (row.key, row.columns)));
    }
    Ok(newest)
}

/// What has to be known of a line; the line itself is the row.
#[derive(Deserialize)]
struct CarriedLine {
    state_key: String,
    #[serde(rename = "_version")]
    version: u64,
    #[serde(rename = "_deleted")]
    deleted: u8,
    newer_rejected: u8,
}

/// For unchanged TOAST values: the state of each key before the version beside it, unless the key has an open quarantine
/// record between the two.
///
/// A window that was inserted before a crash may have replaced that state by its own rows (a merge keeps the newest alone).
/// Then the key's newest row stands in for it: the rerun's events up to that row cannot win against it, and what comes
/// after it builds on it.
///
/// # Errors
/// The server is gone or refuses.
pub fn carried_rows<T: Table>(
    warehouse: &Warehouse,
    topic: &str,
    topic_id: &str,
    keys: &[(String, u64)],
) -> Result<HashMap<String, Carried>> {
    let mut carried = HashMap::new();
    let (db, ops) = (&warehouse.db, &warehouse.ops);
    for chunk in keys.chunks(CHUNK) {
        let belows: HashMap<&str, u64> = chunk.iter().map(|(key, below)| (key.as_str(), *below)).collect();
        let chunk: Vec<&str> = chunk.iter().map(|(key, _)| key.as_str()).collect();
        let texts = chunk.iter().map(|key| quote(key)).collect::<Vec<_>>().join(", ");
        let versions = chunk.iter().map(|key| belows[key].to_string()).collect::<Vec<_>>().join(", ");
        let below = |key: &str| format!("transform({key}, [{texts}], [{versions}], toUInt64(0))");
        let sql = format!(
            "WITH state AS (
                 SELECT {key} AS state_key, * FROM {db}.{target} WHERE {key_in}
                 ORDER BY _version < {below_state} DESC, _version DESC LIMIT 1 BY state_key
             ), newest_rejected AS (
                 SELECT row_key, max(version) AS newest FROM {ops}.rejected FINAL
                 WHERE topic = {topic} AND topic_id = {topic_id} AND status = 'open' AND row_key IN ({texts}) AND version < {below_rejected}
                 GROUP BY row_key
             )
             SELECT state.*, newest_rejected.newest > state._version AS newer_rejected
             FROM state LEFT JOIN newest_rejected ON newest_rejected.row_key = state.state_key
             SETTINGS output_format_json_quote_64bit_integers = 0",
            key = key_text(T::KEY),
            target = T::TARGET,
            key_in = key_in(T::KEY, &chunk),
            topic = quote(topic),
            topic_id = quote(topic_id),
            below_state = below("state_key"),
            below_rejected = below("row_key"),
        );
        let lines = warehouse.json_lines("looking up rows to carry TOAST values from", &sql)?;
        for json in lines.lines() {
            let line: CarriedLine = serde_json::from_str(json)?;
            if line.newer_rejected != 0 {
                carried.insert(line.state_key, Carried::Quarantined);
            } else if line.deleted == 0 || line.version >= belows[line.state_key.as_str()] {
                carried.insert(line.state_key, Carried::Row(json.to_owned()));
            }
        }
    }
    Ok(carried)
}

/// SQL for the canonical text of a key.
pub fn key_text(key: &[KeyColumn]) -> String {
    let parts: Vec<String> = key.iter().map(|column| format!("toString({})", column.name)).collect();
    parts.join(" || char(31) || ")
}

/// SQL for the order of the key.
pub fn key_order(key: &[KeyColumn]) -> String {
    key.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
}

/// SQL for "the key is one of these"; literals, so that the primary index is used.
pub fn key_in(key: &[KeyColumn], texts: &[&str]) -> String {
    let names = key.iter().map(|column| column.name).collect::<Vec<_>>().join(", ");
    let tuple = |text: &&str| {
        let parts: Vec<String> = text.splitn(key.len(), KEY_SEPARATOR).map(quote).collect();
        if parts.len() == 1 { parts[0].clone() } else { format!("({})", parts.join(", ")) }
    };
    format!("({names}) IN ({})", texts.iter().map(tuple).collect::<Vec<_>>().join(", "))
}

/// SQL for "the key comes behind the first one, and is the last one or before it" (canonical texts); without one, there is no bound. The bound
/// on the first column alone is for the primary index.
pub fn key_between(key: &[KeyColumn], first: Option<&String>, last: Option<&String>) -> String {
    let names = key.iter().map(|column| column.name).collect::<Vec<_>>().join(", ");
    let mut conditions = vec!["true".to_owned()];
    for (text, leading, all) in [(first, ">=", ">"), (last, "<=", "<=")] {
        let Some(text) = text else { continue };
        let literal = |(column, part): (&KeyColumn, &str)| match column.source_type {
            "text" | "bpchar" => quote(part),
            _ => format!("toInt64({})", quote(part)),
        };
        let parts: Vec<String> = key.iter().zip(text.splitn(key.len(), KEY_SEPARATOR)).map(literal).collect();
        conditions.push(format!("{} {leading} {}", key[0].name, parts[0]));
        conditions.push(format!("tuple({names}) {all} tuple({})", parts.join(", ")));
    }
    conditions.join(" AND ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_keys_has_an_open_beginning_and_a_closed_end() {
        let key = [KeyColumn { name: "a", source_type: "int8" }, KeyColumn { name: "b", source_type: "bpchar" }];
        let (first, last) = ("1\u{1f}x'".to_owned(), "7\u{1f}y".to_owned());
        assert_eq!(key_between(&key, None, None), "true");
        assert_eq!(
            key_between(&key, Some(&first), Some(&last)),
            r"true AND a >= toInt64('1') AND tuple(a, b) > tuple(toInt64('1'), 'x\'') AND a <= toInt64('7') AND tuple(a, b) <= tuple(toInt64('7'), 'y')"
        );
    }

    #[test]
    fn composite_keys_become_tuples() {
        let key = [KeyColumn { name: "a", source_type: "int8" }, KeyColumn { name: "b", source_type: "bpchar" }];
        assert_eq!(key_in(&key, &["1\u{1f}x'"]), r"(a, b) IN (('1', 'x\''))");
        assert_eq!(key_in(&key[1..], &["x", "y\u{1f}z"]), "(b) IN ('x', 'y\u{1f}z')");
        assert_eq!(key_text(&key), "toString(a) || char(31) || toString(b)");
    }
}
