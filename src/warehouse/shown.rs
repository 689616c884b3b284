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

/// The newest row of each of these keys, one of [`key_chunks`], as JSON: delete markers too; `src_ts` and `_updated_at` are left out.
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

/// Keys in pieces that fit into a query.
pub fn key_chunks<'k, 's>(keys: &'k [&'s str]) -> impl Iterator<Item = &'k [&'s str]> {
    let mut rest = keys;
    std::iter::from_fn(move || {
        let (chunk, more) = rest.split_at_checked(chunk_length(rest)).filter(|(chunk, _)| !chunk.is_empty())?;
        rest = more;
        Some(chunk)
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_cut_by_number_and_by_bytes_and_lose_nothing() {
        let (short, long) = ("k".to_owned(), "k".repeat(60_000));
        let lengths = |keys: &[&str]| key_chunks(keys).map(<[&str]>::len).collect::<Vec<_>>();
        assert_eq!(lengths(&vec![short.as_str(); 2_500]), [1_000, 1_000, 500]);
        assert_eq!(lengths(&[&long, &long, &short, &long]), [1, 2, 1]);
        assert!(lengths(&[]).is_empty());
    }
}
