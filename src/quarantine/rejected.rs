//! The quarantine: what was refused, with its bytes and the reason.

use std::collections::HashMap;

use anyhow::Result;
use clickhouse::Row;
use serde::{Deserialize, Serialize};

use crate::cdc::{Lsn, TopicPartition};
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
    pub lsn: Option<Lsn>,
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
    pub fn quarantined(&self, at: TopicPartition<'_>, span: Span) -> Result<HashMap<i64, Quarantined>> {
        let sql =
            format!("SELECT `offset`, attempt, status FROM {}.rejected FINAL WHERE {}", self.ops, in_span(at, span));
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
    pub fn close_quarantine(&self, at: TopicPartition<'_>, offsets: &[i64], status: &str, run_id: &str) -> Result<()> {
        let list = offsets.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
        let sql = format!(
            "INSERT INTO {ops}.rejected
             SELECT * REPLACE (attempt + 1 AS attempt, {status} AS status, {run} AS run_id, now64(3, 'UTC') AS rejected_at)
             FROM {ops}.rejected FINAL
             WHERE {here} AND `offset` IN ({list}) AND rejected.status = 'open'",
            ops = self.ops,
            status = quote(status),
            run = quote(run_id),
            here = is_at(at),
        );
        self.execute("closing quarantine records", &sql)
    }
}

/// SQL for "of this partition": whatever its number is, its offsets are its own.
fn is_at(at: TopicPartition<'_>) -> String {
    format!("topic = {} AND topic_id = {} AND partition = {}", quote(at.topic), quote(at.topic_id), at.partition)
}

/// SQL for "of this span of a partition".
pub(super) fn in_span(at: TopicPartition<'_>, span: Span) -> String {
    format!("{} AND `offset` >= {} AND `offset` < {}", is_at(at), span.start, span.end)
}
