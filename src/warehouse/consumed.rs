//! Who has taken up which window of the ledger. A consumer follows the ledger by an anti-join on (consumer, token), never by a
//! high mark of time, sequence or version: windows are closed by many jobs, side by side, and older offsets are read again.

use anyhow::Result;
use chrono::Utc;
use clickhouse::Row;
use serde::{Deserialize, Serialize};

use crate::warehouse::{Warehouse, quote};

/// A window that a consumer takes up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Row, Deserialize)]
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
    /// TRUNCATE events in it: they touch rows that stand at other offsets.
    pub truncates: u64,
}

/// The source table of a window. An ingest job knows its table whatever its topic is called; for all others the topic's last part
/// says it.
const SOURCE: &str =
    "if(startsWith(job, 'ingest-'), replaceAll(substring(job, 8), '-', '_'), splitByChar('.', topic)[-1])";

#[derive(Row, Serialize)]
struct ConsumedRow {
    consumer: String,
    token: String,
    run_id: String,
    consumed_at: i64,
}

impl Warehouse {
    /// The windows of some source tables that `consumer` has not taken up.
    ///
    /// # Errors
    /// The server is gone, or `migrate` has not run.
    pub fn open_windows(&self, consumer: &str, sources: &[&str]) -> Result<Vec<OpenWindow>> {
        let taken_up = format!("SELECT token FROM {}.consumed WHERE consumer = {}", self.ops, quote(consumer));
        self.windows_that(&format!("token NOT IN ({taken_up})"), sources)
    }

    /// The windows of some source tables that were closed after a moment, in milliseconds since the epoch.
    ///
    /// # Errors
    /// The server is gone, or `migrate` has not run.
    pub fn windows_since(&self, closed_after_ms: i64, sources: &[&str]) -> Result<Vec<OpenWindow>> {
        self.windows_that(&format!("closed_at > fromUnixTimestamp64Milli({closed_after_ms})"), sources)
    }

    /// Rows of mode origin and reset are no windows.
    fn windows_that(&self, condition: &str, sources: &[&str]) -> Result<Vec<OpenWindow>> {
        let sources: Vec<String> = sources.iter().map(|source| quote(source)).collect();
        let sql = format!(
            "SELECT token, {SOURCE} AS source, partition, start_offset, end_offset, truncates
             FROM {}.windows
             WHERE mode IN ('plan', 'range', 'replay', 'repair') AND source IN ({}) AND {condition}
             ORDER BY source, partition, start_offset",
            self.ops,
            sources.join(", "),
        );
        self.rows("looking for windows of the ledger", &sql)
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
