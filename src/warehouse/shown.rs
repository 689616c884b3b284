//! The rows that a table shows, whole.

use std::collections::HashMap;

use anyhow::Result;
use clickhouse::Row;
use serde::Deserialize;

use crate::tables::Table;
use crate::warehouse::{Warehouse, identifier, key_in, key_names, key_text};

/// System columns that are shown. The others are times of writing, and the same time twice.
const SYSTEM: [&str; 9] =
    ["op", "_version", "_deleted", "_source_ts_ms", "_lsn", "_tx_id", "_partition", "_offset", "_extra"];

/// A row that a table shows.
#[derive(Debug, Clone)]
pub struct ShownRow {
    /// `_version`.
    pub version: u64,
    /// `_partition`.
    pub partition: i32,
    /// The values of [`shown_names`], as canonical texts.
    pub texts: Vec<Option<String>>,
}

/// The columns that are shown: those of the source, then those of the system as [`crate::rows::System::texts`] has them.
pub fn shown_names(table: &Table) -> impl Iterator<Item = &'static str> {
    table.source_columns().chain(SYSTEM)
}

#[derive(Row, Deserialize)]
struct RowAnswer {
    #[serde(rename = "__key")]
    shown_key: String,
    #[serde(rename = "__version")]
    version: u64,
    #[serde(rename = "__partition")]
    partition: i32,
    #[serde(rename = "__texts")]
    texts: Vec<Option<String>>,
}

/// The newest row of each of these keys, a run of `chunks::of_keys`: delete markers too.
///
/// # Errors
/// The server is gone or refuses.
pub fn newest_rows(warehouse: &Warehouse, table: &Table, keys: &[&str]) -> Result<HashMap<String, ShownRow>> {
    let own = table.columns().iter().map(|column| column.column_type.in_clickhouse(&identifier(&column.name)));
    let system = SYSTEM.iter().map(|name| format!("toNullable(toString({name}))"));
    let texts: Vec<String> = own.chain(system).collect();
    let sql = format!(
        "SELECT {key} AS __key, _version AS __version, _partition AS __partition, [{texts}] AS __texts FROM {db}.{target} WHERE {key_in}
         ORDER BY {order}, _version DESC LIMIT 1 BY {order}",
        key = key_text(&table.key),
        texts = texts.join(", "),
        db = warehouse.db,
        target = table.target,
        key_in = key_in(&table.key, keys),
        order = key_names(&table.key),
    );
    let answers: Vec<RowAnswer> = warehouse.rows("looking at the rows that are shown", &sql)?;
    let row = |answer: RowAnswer| {
        let RowAnswer { shown_key, version, partition, mut texts } = answer;
        for (column, text) in table.columns().iter().zip(&mut texts) {
            // What its type cannot have written is shown as it is.
            let canonical = text.as_ref().and_then(|text| column.column_type.canonical(text).ok());
            *text = canonical.or(text.take());
        }
        (shown_key, ShownRow { version, partition, texts })
    };
    Ok(answers.into_iter().map(row).collect())
}
