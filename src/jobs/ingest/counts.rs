//! The accounts of a window.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::batch::Batch;
use crate::exit::{Exit, fault};
use crate::jobs::ingest::run::Run;
use crate::kafka::{Span, Window};
use crate::rows::Event;

/// What the offsets of a window came to.
#[derive(Debug, Default)]
pub struct WindowCounts {
    pub written: u64,
    pub rejected: BTreeMap<&'static str, u64>,
    pub tombstones: u64,
    pub truncates: u64,
    pub gaps: u64,
    /// Where these are, and of which partition.
    pub gap_spans: (i32, Vec<Span>),
    /// Rows written that break a rule of severity `warn`, by rule.
    pub warned: BTreeMap<&'static str, u64>,
}

impl WindowCounts {
    /// Every offset is written, rejected, or counted with a reason; else the run fails and the window stays open.
    ///
    /// # Errors
    /// Exit 1: the sums do not close.
    pub fn close(&self, topic: &str, window: &Window<'_>) -> Result<()> {
        let rejected: u64 = self.rejected.values().sum();
        let sum = self.written + rejected + self.tombstones + self.truncates + self.gaps;
        if sum == window.span.len() {
            return Ok(());
        }
        Err(fault(
            Exit::Bug,
            format!(
                "{topic}, partition {}, offsets {}: the accounts do not close: {} offsets, but {} written + {rejected} rejected + {} tombstones + \
                 {} truncates + {} gaps = {sum}; nothing of this window counts; please report this with the topic's bytes",
                window.partition,
                window.span,
                window.span.len(),
                self.written,
                self.tombstones,
                self.truncates,
                self.gaps
            ),
        ))
    }
}

impl Run {
    /// Counts everything but the rows, and logs the first rejections and warnings.
    pub fn count(&mut self, window: &Window<'_>, batch: &Batch<'_>) -> WindowCounts {
        let mut counts = WindowCounts {
            gaps: window.gaps.iter().map(Span::len).sum(),
            gap_spans: (window.partition, window.gaps.clone()),
            ..WindowCounts::default()
        };
        for (record, event) in batch.records.iter().zip(&batch.events) {
            match event {
                Event::Tombstone => counts.tombstones += 1,
                Event::Truncate(_) => counts.truncates += 1,
                Event::Rejected(violation, key) => {
                    *counts.rejected.entry(violation.rule).or_default() += 1;
                    let key = key.as_deref().unwrap_or_default();
                    self.totals.logged.rejected(&self.topic, record, key, violation);
                }
                Event::Change(_) | Event::ToastIncomplete(_) => {}
            }
        }
        for warning in &batch.warnings {
            *counts.warned.entry(warning.violation.rule).or_default() += 1;
            self.totals.logged.warned(&self.topic, &batch.records[warning.index], warning);
        }
        counts
    }
}
