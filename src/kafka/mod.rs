//! Kafka: topics, ranges of offsets, windows, commits.

mod backfill;
mod commit;
mod consumer;
pub(crate) mod gaps;
mod poll;
mod reader;
mod topic;
mod topic_setting;

use std::fmt;

pub use backfill::{Backfill, OffsetRange, parse_time};
pub use commit::{Committed, PlanMark, commit, committed};
pub use consumer::{Consumer, complaint, connect};
pub use reader::{LogReader, Reading, Window, WindowLimits};
pub use topic::{TopicInfo, describe, each_log_span, log_spans, offsets_at};
pub use topic_setting::topic_setting;

/// How long one request to the brokers may take.
pub const REQUEST_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// A half-open range of offsets of one partition: `start` is the next to read, `end` is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First offset.
    pub start: i64,
    /// One above the last offset.
    pub end: i64,
}

impl Span {
    /// Number of offsets, whether they hold a record or not.
    pub fn len(&self) -> u64 {
        u64::try_from(self.end - self.start).unwrap_or(0)
    }

    /// Nothing in it?
    pub fn is_empty(&self) -> bool {
        self.end <= self.start
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}
