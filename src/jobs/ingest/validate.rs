//! What stands between decoding a window and writing it: values that were not sent, the verdict, the reject ratio.

use anyhow::Result;
use typed_arena::Arena;

use crate::batch::Batch;
use crate::cdc::{Record, Truncates, Violation};
use crate::exit::{Exit, fault};
use crate::jobs::ingest::plan::ReadPlan;
use crate::jobs::ingest::run::Run;
use crate::kafka::Window;
use crate::rows::Event;
use crate::validate::{Servers, is_orphan};
use crate::warehouse::carried_rows;

/// The reject ratio says nothing about fewer records than this.
const RATIO_FROM: u64 = 100;

impl Run {
    /// Turns every change that must not be written into a rejection, and notes the warnings about those that are.
    ///
    /// # Errors
    /// A server is gone, refuses or is late.
    pub fn validate(&mut self, batch: &mut Batch<'_>) -> Result<()> {
        let servers = Servers { source: &mut self.source, look_ups: &mut self.look_ups, warehouse: &self.warehouse };
        self.validator.validate(servers, batch, &Truncates::default())
    }

    /// Completes changes whose unchanged TOAST values were not sent. The insert in flight is acknowledged by now.
    ///
    /// # Errors
    /// The warehouse is gone or refuses.
    pub fn carry<'m>(
        &self,
        plan: &ReadPlan,
        window: &Window<'_>,
        batch: &mut Batch<'m>,
        arena: &'m Arena<String>,
    ) -> Result<()> {
        let below = plan.numbers.version(window.partition, window.span.start)?.get();
        let missing = batch.missing(|_| below);
        let carried = carried_rows(&self.warehouse, self.table, plan.topic_partition(&self.topic, window), &missing)?;
        batch.complete(missing, carried, arena)
    }

    /// Ends the run before it writes this window, if too many records are bad. Rows that are gone, or reference rows that are gone, do
    /// not count: they are what happens when the source moves on.
    ///
    /// # Errors
    /// Exit 65.
    pub fn within_reject_ratio(&mut self, batch: &Batch<'_>) -> Result<()> {
        let bad = || bad_records(batch);
        self.totals.judged += batch.records.len() as u64;
        self.totals.judged_bad += bad().count() as u64;
        let Some(limit) = self.args.max_reject_ratio else { return Ok(()) };
        let ratio = self.totals.judged_bad as f64 / self.totals.judged.max(1) as f64;
        if self.totals.judged < RATIO_FROM || ratio <= limit {
            return Ok(());
        }
        let example = bad().next().map(|(Violation { rule, detail }, record)| {
            format!("partition {}, offset {}: {rule}: {detail}", record.partition, record.offset)
        });
        Err(fault(
            Exit::TooManyRejects,
            format!(
                "{} of {} records would be rejected, more than --max-reject-ratio {limit} allows; this window was not written, finished \
                 windows stay; for example {}; look at the source, or go on with a higher ratio",
                self.totals.judged_bad,
                self.totals.judged,
                example.unwrap_or_default()
            ),
        ))
    }
}

/// Records that are rejected for another reason than a missing row.
fn bad_records<'b, 'm>(batch: &'b Batch<'m>) -> impl Iterator<Item = (&'b Violation, &'b Record<'m>)> {
    batch.events.iter().zip(&batch.records).filter_map(|(event, record)| match event {
        Event::Rejected(violation, _) if !is_orphan(batch.table, violation) => Some((violation, record)),
        _ => None,
    })
}
