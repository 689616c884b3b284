//! The rows that a table shows, whole.

use std::collections::HashMap;

use anyhow::Result;
use clickhouse::Row;
use serde::Deserialize;

use crate::old::Table;
use crate::warehouse::{PLAIN_NUMBERS, Warehouse, key_in, key_order, key_text};

#[derive(Deserialize)]
struct Keyed {
    shown_key: String,
}

/// The newest row of each of these keys, a run of `chunks::of_keys`, as JSON: delete markers too; `src_ts` and `_updated_at` are left out.
///
/// # Errors
/// The server is gone or refuses.
pub fn newest_rows<T: Table>(warehouse: &Warehouse, keys: &[&str]) -> Result<HashMap<String, String>> {
    let columns: Vec<&str> = <T::Row as Row>::COLUMN_NAMES
        .iter()
        .copied()
        .filter(|column| !["src_ts", "_updated_at"].contains(column))
        .collect();
    let sql = format!(
        "SELECT {key} AS shown_key, {columns} FROM {db}.{target} WHERE {key_in}
         ORDER BY {order}, _version DESC LIMIT 1 BY {order} {PLAIN_NUMBERS}",
        key = key_text(T::KEY),
        columns = columns.join(", "),
        db = warehouse.db,
        target = T::TARGET,
        key_in = key_in(T::KEY, keys),
        order = key_order(T::KEY),
    );
    let lines = warehouse.json_lines("looking at the rows that are shown", &sql)?;
    let row = |line: &str| Ok((serde_json::from_str::<Keyed>(line)?.shown_key, line.to_owned()));
    lines.lines().map(row).collect()
}
