//! A window on its way: its rows are sent, and it does not count yet.

use std::collections::HashSet;

use crate::cdc::{Generation, TopicPartition};
use crate::jobs::ingest::counts::WindowCounts;
use crate::jobs::ingest::fingerprints::Fingerprints;
use crate::kafka::{Committed, Span};
use crate::ledger::{TruncateRow, WindowRow, Written};
use crate::warehouse::InFlight;

/// A window whose rows are sent and which does not count yet.
pub struct Pending {
    pub partition: i32,
    pub span: Span,
    pub generation: Generation,
    pub topic_id: String,
    pub token: String,
    pub counts: WindowCounts,
    pub in_flight: Option<InFlight>,
    pub truncates: Vec<TruncateRow>,
    /// What truncates may remove of it.
    pub written: Vec<Written>,
    /// Offsets that lie in quarantine and were accepted this time.
    pub resolved: Vec<i64>,
    /// With `--verify`: the row that is to be shown, per key.
    pub verify: Fingerprints,
    pub rejected_offsets: HashSet<i64>,
    pub ledger: WindowRow,
    /// `None` for a backfill: the group does not move.
    pub commit: Option<Committed>,
}

impl Pending {
    /// The partition that it stands in, of this topic.
    pub fn topic_partition<'a>(&'a self, topic: &'a str) -> TopicPartition<'a> {
        TopicPartition { topic, topic_id: &self.topic_id, generation: self.generation, partition: self.partition }
    }
}
