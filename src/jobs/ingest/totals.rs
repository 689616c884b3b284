//! What a run counts.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::batch::Batch;
use crate::batch::scope::Logged;
use crate::cdc::{Op, Redelivered};
use crate::kafka::gaps::GapList;
use crate::rows::Event;

/// Counters of a run. Every term is counted by the code that did it.
#[derive(Debug, Default)]
pub struct IngestTotals {
    /// Rows inserted.
    pub written: u64,
    /// Records rejected, by rule.
    pub rejected_by_rule: BTreeMap<&'static str, u64>,
    /// Rows written that break a rule of severity `warn`, by rule.
    pub warned_by_rule: BTreeMap<&'static str, u64>,
    /// Null values.
    pub tombstones: u64,
    /// TRUNCATE events.
    pub truncates: u64,
    /// Rows marked as deleted because of them.
    pub truncated_rows: u64,
    /// Offsets without a record.
    pub gaps: u64,
    /// Where.
    pub gap_spans: GapList,
    /// Windows finished.
    pub windows: u64,
    /// Quarantine records that were accepted this time.
    pub resolved: u64,
    /// Offsets of the plan that are left.
    pub remaining: u64,
    /// Records judged so far, also those of windows not yet settled.
    pub judged: u64,
    /// Of these the ones rejected for another reason than a missing row.
    pub judged_bad: u64,
    /// What is logged of them.
    pub logged: Logged,
    redelivered: Redelivered,
}

impl IngestTotals {
    /// Records rejected.
    pub fn rejected(&self) -> u64 {
        self.rejected_by_rule.values().sum()
    }

    /// Counts events that the connector sent again.
    pub fn count_redelivered(&mut self, batch: &Batch<'_>) {
        for (record, event) in batch.records.iter().zip(&batch.events) {
            if let Event::Change(change) = event
                && change.meta.op != Op::Read
                && let Some(sequence) = change.meta.source.sequence
            {
                let change_hash = xxh3_64_with_seed(batch.key(change).as_bytes(), change.meta.op as u64);
                self.redelivered.see(record.partition, sequence, change_hash);
            }
        }
    }

    /// The counters, for a summary.
    pub fn counted(&self) -> Counted<'_> {
        Counted {
            written: self.written,
            rejected: self.rejected(),
            rejected_by_rule: &self.rejected_by_rule,
            warned_by_rule: &self.warned_by_rule,
            tombstones: self.tombstones,
            truncates: self.truncates,
            truncated_rows: self.truncated_rows,
            gaps: self.gaps,
            gap_spans: json!(self.gap_spans.listed()),
            gap_spans_more: json!(self.gap_spans.more()),
            redelivered: json!(self.redelivered.count()),
            resolved: self.resolved,
            windows: self.windows,
            remaining: self.remaining,
        }
    }
}

/// What a summary says of a run's counters.
#[derive(Serialize)]
pub struct Counted<'t> {
    written: u64,
    rejected: u64,
    rejected_by_rule: &'t BTreeMap<&'static str, u64>,
    warned_by_rule: &'t BTreeMap<&'static str, u64>,
    tombstones: u64,
    truncates: u64,
    truncated_rows: u64,
    gaps: u64,
    gap_spans: Value,
    gap_spans_more: Value,
    redelivered: Value,
    resolved: u64,
    windows: u64,
    remaining: u64,
}
