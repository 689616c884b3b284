//! The quarantine: what was refused, with its bytes and the reason.

use std::collections::HashMap;

use anyhow::Result;
use clickhouse::Row;
use serde::{Deserialize, Serialize};

use crate::kafka::Span;
use crate::warehouse::{Warehouse, chunks, quote};

/// A row of `{ops}.rejected`.
#[derive(Debug, Row, Serialize)]
#[allow(missing_docs)]
pub struct RejectedRow<'a> {
    pub table: &'a str,
    pub topic: &'a str,
    pub topic_id: &'a str,
    pub partition: i32,
    pub offset: i64,
    #[serde(with = "serde_bytes")]
    pub key: &'a [u8],
    pub row_key: String,
    #[serde(with = "serde_bytes")]
    pub payload: &'a [u8],
    pub headers: String,
    pub record_ts: i64,
    pub version: u64,
    pub lsn: Option<u64>,
    pub rule: &'a str,
    pub detail: String,
    pub run_id: &'a str,
    pub attempt: u32,
    pub status: &'a str,
    pub rejected_at: i64,
}

/// A row of `{ops}.warnings`.
#[derive(Debug, Row, Serialize)]
#[allow(missing_docs)]
pub struct WarningRow<'a> {
    pub table: &'a str,
    pub topic: &'a str,
    pub topic_id: &'a str,
    pub partition: i32,
    pub offset: i64,
    pub row_key: &'a str,
    pub rule: &'a str,
    pub detail: &'a str,
    pub run_id: &'a str,
    pub warned_at: i64,
}

/// What the quarantine has at an offset.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct Quarantined {
    /// Offset.
    pub offset: i64,
    /// Attempts so far.
    pub attempt: u32,
    /// open, resolved or superseded.
    pub status: String,
}

#[derive(Row, Deserialize)]
struct NewestQuarantined {
    row_key: String,
    newest: u64,
}

impl Warehouse {
    /// What the quarantine has of a span, by offset.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn quarantined(
        &self,
        topic: &str,
        topic_id: &str,
        partition: i32,
        span: Span,
    ) -> Result<HashMap<i64, Quarantined>> {
        let sql = format!(
            "SELECT `offset`, attempt, status FROM {}.rejected FINAL WHERE {}",
            self.ops,
            in_span(topic, topic_id, partition, span)
        );
        let rows: Vec<Quarantined> = self.rows("reading the quarantine", &sql)?;
        Ok(rows.into_iter().map(|row| (row.offset, row)).collect())
    }

    /// The newest version that lies in quarantine, of each of these rows.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn newest_quarantined(&self, topic: &str, row_keys: &[&str]) -> Result<HashMap<String, u64>> {
        let mut newest = HashMap::new();
        for chunk in chunks::of_keys(row_keys, 1) {
            let texts = chunk.iter().map(|key| quote(key)).collect::<Vec<_>>().join(", ");
            let sql = format!(
                "SELECT row_key, max(version) AS newest FROM {}.rejected FINAL
                 WHERE topic = {} AND status = 'open' AND row_key IN ({texts}) GROUP BY row_key",
                self.ops,
                quote(topic)
            );
            let rows: Vec<NewestQuarantined> = self.rows("looking for rows in the quarantine", &sql)?;
            newest.extend(rows.into_iter().map(|row| (row.row_key, row.newest)));
        }
        Ok(newest)
    }

    /// Closes quarantine records that were accepted this time: as many as one statement takes ([`crate::warehouse::chunks::of_offsets`]). No token: a
    /// status row that is written twice is the same row. (`status` alone would be the new one: ClickHouse prefers an alias to a column.)
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn close_quarantine(
        &self,
        topic: &str,
        topic_id: &str,
        partition: i32,
        offsets: &[i64],
        status: &str,
        run_id: &str,
    ) -> Result<()> {
        let list = offsets.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
        let sql = format!(
            "INSERT INTO {ops}.rejected
             SELECT * REPLACE (attempt + 1 AS attempt, {status} AS status, {run} AS run_id, now64(3, 'UTC') AS rejected_at)
             FROM {ops}.rejected FINAL
             WHERE topic = {topic} AND topic_id = {topic_id} AND partition = {partition} AND `offset` IN ({list}) AND rejected.status = 'open'",
            ops = self.ops,
            status = quote(status),
            run = quote(run_id),
            topic = quote(topic),
            topic_id = quote(topic_id),
        );
        self.execute("closing quarantine records", &sql)
    }
}

pub(super) fn in_span(topic: &str, topic_id: &str, partition: i32, span: Span) -> String {
    format!(
        "topic = {} AND topic_id = {} AND partition = {partition} AND `offset` >= {} AND `offset` < {}",
        quote(topic),
        quote(topic_id),
        span.start,
        span.end
    )
}
