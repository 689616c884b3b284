//! The quarantine, read again: where records lie, and what they are, byte by byte.

use std::collections::HashMap;

use anyhow::Result;
use clickhouse::Row;
use serde::{Deserialize, Serialize};

use crate::cdc::{Generation, Lsn, Record, TopicPartition};
use crate::kafka::{Span, WindowLimits};
use crate::quarantine::rejected::{RejectedRow, in_span};
use crate::quarantine::selection::Selection;
use crate::warehouse::{Warehouse, chunks, quote};

/// Where records of one topic id, generation and partition lie.
#[derive(Debug, Clone, Row, Deserialize)]
#[allow(missing_docs)]
pub struct QuarantineRange {
    pub topic: String,
    pub topic_id: String,
    pub generation: Generation,
    pub partition: i32,
    /// First offset.
    pub start: i64,
    /// One above the last offset.
    pub end: i64,
    /// How many records lie between them.
    pub records: u64,
}

impl QuarantineRange {
    /// The partition that they stand in.
    pub fn topic_partition(&self) -> TopicPartition<'_> {
        let QuarantineRange { topic, topic_id, generation, partition, .. } = self;
        TopicPartition { topic, topic_id, generation: *generation, partition: *partition }
    }

    /// SQL for "lies here".
    pub(super) fn sql(&self, span: Span) -> String {
        let place = in_span(self.topic_partition(), span);
        format!("{place} AND bitShiftRight(version, 52) = {}", self.generation)
    }
}

/// A record of the quarantine, whole.
#[derive(Debug, Clone, Row, Deserialize)]
#[allow(missing_docs)]
pub struct Kept {
    pub table: String,
    pub topic: String,
    pub topic_id: String,
    pub partition: i32,
    pub offset: i64,
    #[serde(with = "serde_bytes")]
    pub key: Vec<u8>,
    pub row_key: String,
    #[serde(with = "serde_bytes")]
    pub payload: Vec<u8>,
    pub headers: String,
    pub record_ts: i64,
    pub version: u64,
    pub lsn: Option<Lsn>,
    pub rule: String,
    pub detail: String,
    pub run_id: String,
    pub attempt: u32,
    pub status: String,
    pub rejected_at: i64,
}

impl Kept {
    /// The Kafka record that it was. A tombstone is never refused, so there always was a value; a key that is empty is none.
    pub fn record(&self) -> Record<'_> {
        Record {
            partition: self.partition,
            offset: self.offset,
            timestamp_ms: Some(self.record_ts),
            key: (!self.key.is_empty()).then_some(self.key.as_slice()),
            value: Some(&self.payload),
        }
    }

    /// As it is stored.
    pub fn row(&self) -> RejectedRow<'_> {
        RejectedRow {
            table: &self.table,
            topic: &self.topic,
            topic_id: &self.topic_id,
            partition: self.partition,
            offset: self.offset,
            key: &self.key,
            row_key: self.row_key.clone(),
            payload: &self.payload,
            headers: self.headers.clone(),
            record_ts: self.record_ts,
            version: self.version,
            lsn: self.lsn,
            rule: &self.rule,
            detail: self.detail.clone(),
            run_id: &self.run_id,
            attempt: self.attempt,
            status: &self.status,
            rejected_at: self.rejected_at,
        }
    }
}

/// A record of the quarantine, for a list.
#[derive(Debug, Clone, Row, Deserialize, Serialize)]
#[allow(missing_docs)]
pub struct Listed {
    pub table: String,
    pub partition: i32,
    pub offset: i64,
    pub row_key: String,
    pub rule: String,
    pub detail: String,
    pub attempt: u32,
    pub status: String,
    pub rejected_at: i64,
}

/// How many records of a table broke a rule.
#[derive(Debug, Clone, Row, Deserialize)]
#[allow(missing_docs)]
pub struct RuleCount {
    pub table: String,
    pub rule: String,
    pub records: u64,
}

#[derive(Row, Deserialize)]
struct Count {
    records: u64,
}

#[derive(Row, Deserialize)]
struct Size {
    offset: i64,
    bytes: u64,
}

#[derive(Row, Deserialize)]
struct OpenVersion {
    row_key: String,
    offset: i64,
    version: u64,
}

impl Warehouse {
    /// Where the selected records lie, older generations first: so a key's versions rise on the way through.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn ranges(&self, selection: &Selection) -> Result<Vec<QuarantineRange>> {
        let sql = format!(
            "SELECT topic, topic_id, toUInt16(bitShiftRight(version, 52)) AS generation, partition,
                    min(rejected.`offset`) AS start, max(rejected.`offset`) + 1 AS end, count() AS records
             FROM {}.rejected FINAL WHERE {}
             GROUP BY topic, topic_id, generation, partition
             ORDER BY generation, topic, topic_id, partition",
            self.ops,
            selection.sql()
        );
        self.rows("reading the quarantine", &sql)
    }

    /// How many of the selected records lie in a range.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn count_in(&self, selection: &Selection, range: &QuarantineRange) -> Result<u64> {
        let span = Span { start: range.start, end: range.end };
        let sql = format!(
            "SELECT count() AS records FROM {}.rejected FINAL WHERE {} AND {}",
            self.ops,
            range.sql(span),
            selection.sql()
        );
        let rows: Vec<Count> = self.rows("counting quarantine records", &sql)?;
        Ok(rows.first().map_or(0, |row| row.records))
    }

    /// The beginning of `rest` whose selected records fit into `limits`.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn first_batch(
        &self,
        selection: &Selection,
        range: &QuarantineRange,
        rest: Span,
        limits: WindowLimits,
    ) -> Result<Span> {
        let sql = format!(
            "SELECT rejected.`offset` AS offset, length(key) + length(payload) + length(headers) AS bytes
             FROM {}.rejected FINAL WHERE {} AND {} ORDER BY rejected.`offset` LIMIT {}",
            self.ops,
            range.sql(rest),
            selection.sql(),
            limits.records
        );
        let sizes: Vec<Size> = self.rows("measuring quarantine records", &sql)?;
        let mut bytes = 0;
        for (i, size) in sizes.iter().enumerate() {
            bytes += size.bytes;
            if i + 1 == limits.records || bytes >= limits.bytes as u64 {
                return Ok(Span { start: rest.start, end: size.offset + 1 });
            }
        }
        Ok(rest)
    }

    /// The selected records of a span, in the log's order.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn kept(&self, selection: &Selection, range: &QuarantineRange, span: Span) -> Result<Vec<Kept>> {
        let place = range.sql(span);
        self.kept_where(&format!("{place} AND {} ORDER BY rejected.`offset`", selection.sql()))
    }

    /// At most `limit` of the selected records, whole.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn kept_of(&self, selection: &Selection, limit: u64) -> Result<Vec<Kept>> {
        self.kept_where(&format!("{} ORDER BY version DESC LIMIT {limit}", selection.sql()))
    }

    fn kept_where(&self, condition: &str) -> Result<Vec<Kept>> {
        let columns: Vec<String> = Kept::COLUMN_NAMES.iter().map(|column| format!("`{column}`")).collect();
        let sql = format!("SELECT {} FROM {}.rejected FINAL WHERE {condition}", columns.join(", "), self.ops);
        self.rows("reading quarantine records", &sql)
    }

    /// Open records of a range's span with these keys: offset and version, by key.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn open_versions(
        &self,
        range: &QuarantineRange,
        span: Span,
        keys: &[&str],
    ) -> Result<HashMap<String, Vec<(i64, u64)>>> {
        let mut open: HashMap<String, Vec<(i64, u64)>> = HashMap::new();
        for chunk in chunks::of_keys(keys, 1) {
            let list = chunk.iter().map(|key| quote(key)).collect::<Vec<_>>().join(", ");
            let sql = format!(
                "SELECT row_key, rejected.`offset` AS offset, version FROM {}.rejected FINAL
                 WHERE {} AND status = 'open' AND row_key IN ({list})",
                self.ops,
                range.sql(span)
            );
            for row in self.rows::<OpenVersion>("looking for open records of the same keys", &sql)? {
                open.entry(row.row_key).or_default().push((row.offset, row.version));
            }
        }
        Ok(open)
    }

    /// The newest of the selected records.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn list_rejected(&self, selection: &Selection, limit: u64) -> Result<Vec<Listed>> {
        let columns: Vec<String> = Listed::COLUMN_NAMES.iter().map(|column| format!("`{column}`")).collect();
        let sql = format!(
            "SELECT {} FROM {}.rejected FINAL WHERE {} ORDER BY rejected_at DESC, topic, partition, rejected.`offset` DESC LIMIT {limit}",
            columns.join(", "),
            self.ops,
            selection.sql()
        );
        self.rows("listing the quarantine", &sql)
    }

    /// How many of the selected records there are, by table and rule.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn count_rejected(&self, selection: &Selection) -> Result<Vec<RuleCount>> {
        let sql = format!(
            "SELECT `table`, rule, count() AS records FROM {}.rejected FINAL WHERE {} GROUP BY `table`, rule ORDER BY `table`, rule",
            self.ops,
            selection.sql()
        );
        self.rows("counting quarantine records", &sql)
    }
}
