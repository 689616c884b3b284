//! Which source the last windows were closed beside.

use std::collections::BTreeMap;

use anyhow::Result;
use clickhouse::Row;
use serde::Deserialize;

use crate::warehouse::{Warehouse, quote};

#[derive(Row, Deserialize)]
struct SourceId {
    source_id: String,
}

impl Warehouse {
    /// The sources of these ledger rows of a group's topic (partition, sequence number), as far as they are known.
    ///
    /// # Errors
    /// The server is gone, or `migrate` has not run.
    pub fn sources_of(&self, group: &str, topic: &str, rows: &BTreeMap<i32, u64>) -> Result<Vec<String>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<String> = rows.iter().map(|(partition, seq)| format!("({partition}, {seq})")).collect();
        let sql = format!(
            "SELECT DISTINCT source_id FROM {}.windows
             WHERE group_id = {} AND topic = {} AND (partition, seq) IN ({}) AND source_id != ''
             ORDER BY source_id",
            self.ops,
            quote(group),
            quote(topic),
            rows.join(", ")
        );
        let found: Vec<SourceId> = self.rows("asking which source was read", &sql)?;
        Ok(found.into_iter().map(|row| row.source_id).collect())
    }
}
