//! Debezium: from the bytes of a Kafka record to a change of a row.
//!
//! Reference: Debezium manual, PostgreSQL connector, "Data change events".

mod envelope;
mod lsn;
#[cfg(test)]
pub(crate) mod message;
mod placeholder;
mod redelivered;
mod topic_partition;
mod truncate;
mod version;

pub use envelope::{EventMeta, Fields, Op, RawEnvelope, Sequence, Source, is_about, key_object};
pub use lsn::Lsn;
pub use placeholder::{UNAVAILABLE, UNAVAILABLE_BASE64, forms, is_placeholder};
pub use redelivered::Redelivered;
pub use topic_partition::TopicPartition;
pub use truncate::{CLOCK_SLACK_MS, Standing, Truncate, Truncates};
pub use version::{Generation, MAX_GENERATION, Version};

/// One Kafka record, wherever its bytes live: in librdkafka's buffer or in the quarantine.
#[derive(Debug, Clone, Copy)]
pub struct Record<'m> {
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// The record's timestamp, milliseconds since the epoch, if it has one.
    pub timestamp_ms: Option<i64>,
    /// Message key.
    pub key: Option<&'m [u8]>,
    /// Message value; `None` is a tombstone.
    pub value: Option<&'m [u8]>,
}

/// The name of the rule that a record breaks when it cannot be decoded.
pub const DECODE: &str = "decode";
/// The name of the rule that a number breaks which is none.
pub const NOT_FINITE: &str = "not-finite";

/// Why a record is not written: the rule that it breaks, and the sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Rule name.
    pub rule: &'static str,
    /// What is wrong, with column and value.
    pub detail: String,
}

impl Violation {
    /// A violation of `rule`.
    pub fn new(rule: &'static str, detail: impl Into<String>) -> Violation {
        Violation { rule, detail: detail.into() }
    }
}

/// The LSN of a record, as far as it can be read; for the quarantine.
pub fn lsn_of(record: &Record<'_>) -> Option<Lsn> {
    source_of(record)?.lsn()
}

/// When the source committed a record, milliseconds since the epoch, as far as it can be read.
pub fn committed_at(record: &Record<'_>) -> Option<i64> {
    source_of(record).and_then(|source| source.ts_ms).or(record.timestamp_ms)
}

fn source_of(record: &Record<'_>) -> Option<envelope::Source> {
    envelope::RawEnvelope::parse(record.value?).ok()?.source
}
