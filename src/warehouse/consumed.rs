//! Who has taken up which window of the ledger. A consumer follows the ledger by an anti-join on (consumer, token), never by a
//! high mark of time, sequence or version: windows are closed by many jobs, side by side, and older offsets are read again.

use anyhow::Result;
use chrono::Utc;
use clickhouse::Row;
use serde::{Deserialize, Serialize};

use crate::warehouse::{Warehouse, quote};

/// A window that a consumer has not taken up yet.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct OpenWindow {
    /// Deduplication token, the window's name.
    pub token: String,
    /// Source table.
    pub source: String,
    /// Kafka partition.
    pub partition: i32,
    /// First offset.
    pub start_offset: i64,
    /// One behind the last offset.
    pub end_offset: i64,
}

#[derive(Row, Serialize)]
struct ConsumedRow {
    consumer: String,
    token: String,
    run_id: String,
    consumed_at: i64,
}

impl Warehouse {
    /// The windows of some source tables that `consumer` has not taken up. Rows of mode origin and reset are no windows.
    ///
    /// An ingest job knows its table whatever its topic is called; for all others the topic's last part says it.
    ///
    /// # Errors
    /// The server is gone, or `migrate` has not run.
    pub fn open_windows(&self, consumer: &str, sources: &[&str]) -> Result<Vec<OpenWindow>> {
        let sources: Vec<String> = sources.iter().map(|source| quote(source)).collect();
        let sql = format!(
            "SELECT token, if(startsWith(job, 'ingest-'), replaceAll(substring(job, 8), '-', '_'), splitByChar('.', topic)[-1]) AS source,
                    partition, start_offset, end_offset
             FROM {ops}.windows
             WHERE mode IN ('plan', 'range', 'replay', 'repair') AND source IN ({sources})
               AND token NOT IN (SELECT token FROM {ops}.consumed WHERE consumer = {consumer})
             ORDER BY source, partition, start_offset",
            ops = self.ops,
            sources = sources.join(", "),
            consumer = quote(consumer),
        );
        self.rows("looking for windows that were not taken up yet", &sql)
    }

    /// Notes down that `consumer` has taken up these windows: all in one insert.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn consume(&self, consumer: &str, run_id: &str, windows: &[OpenWindow]) -> Result<()> {
        if windows.is_empty() {
            return Ok(());
        }
        let consumed_at = Utc::now().timestamp_millis();
        let row = |window: &OpenWindow| ConsumedRow {
            consumer: consumer.to_owned(),
            token: window.token.clone(),
            run_id: run_id.to_owned(),
            consumed_at,
        };
        let rows: Vec<ConsumedRow> = windows.iter().map(row).collect();
        self.insert::<ConsumedRow>(&self.ops, "consumed", &format!("{run_id}/{consumer}"), rows.iter())
    }
}
