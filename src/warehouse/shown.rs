//! The rows that a table shows, whole.

use std::collections::HashMap;

use anyhow::Result;
use clickhouse::Row;
use serde::Deserialize;

use crate::tables::Table;
use crate::warehouse::{PLAIN_NUMBERS, Warehouse, key_in, key_order, key_text};

/// Keys per query, and their bytes: far below `max_query_size`.
const MOST_KEYS: usize = 1_000;
const MOST_BYTES: usize = 100_000;

#[derive(Deserialize)]
struct Keyed {
    shown_key: String,
}

/// The newest row of each of these keys as JSON, delete markers too; `src_ts` and `_updated_at` are left out.
///
/// # Errors
/// The server is gone or refuses.
pub fn newest_rows<T: Table>(warehouse: &Warehouse, keys: &[&str]) -> Result<HashMap<String, String>> {
    let columns: Vec<&str> = <T::Row as Row>::COLUMN_NAMES
        .iter()
        .copied()
        .filter(|column| !["src_ts", "_updated_at"].contains(column))
        .collect();
    let mut rows = HashMap::new();
    let mut rest = keys;
    while !rest.is_empty() {
        let (chunk, more) = rest.split_at(chunk_length(rest));
        rest = more;
        let sql = format!(
            "SELECT {key} AS shown_key, {columns} FROM {db}.{target} WHERE {key_in}
             ORDER BY {order}, _version DESC LIMIT 1 BY {order} {PLAIN_NUMBERS}",
            key = key_text(T::KEY),
            columns = columns.join(", "),
            db = warehouse.db,
            target = T::TARGET,
            key_in = key_in(T::KEY, chunk),
            order = key_order(T::KEY),
        );
        for line in warehouse.json_lines("looking at the rows that are shown", &sql)?.lines() {
            let Keyed { shown_key } = serde_json::from_str(line)?;
            rows.insert(shown_key, line.to_owned());
        }
    }
    Ok(rows)
}

/// How many of the keys fit into one query; at least one.
fn chunk_length(keys: &[&str]) -> usize {
    let mut bytes = 0;
    let fits = |key: &&&str| {
        bytes += key.len();
        bytes <= MOST_BYTES
    };
    keys.iter().take(MOST_KEYS).take_while(fits).count().max(1)
}
