//! What a run counts.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::cdc::{Event, Op, Record, Resent, Violation};
use crate::tables::{SourceRow, Table};
use crate::validate::Warning;

/// Rejections that are logged one by one; the rest is only counted.
const LOGGED: u64 = 10;

/// Counters of a run. Every term is counted by the code that did it.
#[derive(Debug, Default)]
pub struct Totals {
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
    resent: Resent,
    logged: u64,
    logged_warnings: u64,
}

impl Totals {
    /// Records rejected.
    pub fn rejected(&self) -> u64 {
        self.rejected_by_rule.values().sum()
    }

    /// Counts events that the connector sent again.
    pub fn look_for_resent<T: Table>(&mut self, records: &[Record<'_>], events: &[Event<'_, T>]) {
        for (record, event) in records.iter().zip(events) {
            if let Event::Change(change) = event
                && change.head.op != Op::Read
                && let Some(sequence) = change.head.source.sequence
            {
                let change_hash = xxh3_64_with_seed(change.row.key_text().as_bytes(), change.head.op as u64);
                self.resent.look(record.partition, sequence, change_hash);
            }
        }
    }

    /// Logs a rejection, unless there were many already.
    pub fn log_rejected(&mut self, topic: &str, record: &Record<'_>, key: &str, violation: &Violation) {
        self.logged += 1;
        let Violation { rule, detail } = violation;
        if self.logged <= LOGGED {
            tracing::warn!("{}: {detail}: SKIP write, quarantined as {rule}", place(topic, record, key));
        } else if self.logged == LOGGED + 1 {
            tracing::warn!(
                "more records are rejected; they are counted in the summary and kept in northwind_ops.rejected"
            );
        }
    }

    /// Logs a warning, unless there were many already.
    pub fn log_warned(&mut self, topic: &str, record: &Record<'_>, warning: &Warning) {
        self.logged_warnings += 1;
        let Violation { rule, detail } = &warning.violation;
        if self.logged_warnings <= LOGGED {
            tracing::warn!("{}: {detail}: written all the same, warned as {rule}", place(topic, record, &warning.key));
        } else if self.logged_warnings == LOGGED + 1 {
            tracing::warn!("more warnings; they are counted in the summary and kept in northwind_ops.warnings");
        }
    }

    /// Writes the counters into a summary.
    pub fn describe(&self, put: &mut impl FnMut(&str, Value) -> Option<Value>) {
        put("written", json!(self.written));
        put("rejected", json!(self.rejected()));
        put("rejected_by_rule", json!(self.rejected_by_rule));
        put("warned_by_rule", json!(self.warned_by_rule));
        put("tombstones", json!(self.tombstones));
        put("truncates", json!(self.truncates));
        put("truncated_rows", json!(self.truncated_rows));
        put("gaps", json!(self.gaps));
        put("resent", json!(self.resent.count()));
        put("resolved", json!(self.resolved));
        put("windows", json!(self.windows));
        put("remaining", json!(self.remaining));
    }
}

fn place(topic: &str, record: &Record<'_>, key: &str) -> String {
    format!("{topic}, partition {}, offset {}, key {key:?}", record.partition, record.offset)
}
