//! What stands between decoding a window and writing it: values that were not sent, the verdict, the reject ratio.

use anyhow::Result;
use typed_arena::Arena;

use crate::cdc::{self, Completion, Decoder, Event, Missing, Record, Truncates, Violation};
use crate::exit::{Exit, fault};
use crate::jobs::ingest::plan::Plan;
use crate::jobs::ingest::run::Run;
use crate::kafka::Window;
use crate::old::Table;
use crate::validate::{Servers, Warning, is_orphan};
use crate::warehouse::carried_rows;

/// The reject ratio says nothing about fewer records than this.
const RATIO_FROM: u64 = 100;

impl Run {
    /// Turns every change that must not be written into a rejection; returns the warnings about those that are.
    ///
    /// # Errors
    /// A server is gone, refuses or is late.
    pub fn judge<T: Table>(&mut self, events: &mut [Event<'_, T>]) -> Result<Vec<Warning>> {
        let servers = Servers { source: &mut self.source, look_ups: &mut self.look_ups, warehouse: &self.warehouse };
        self.validator.judge::<T>(servers, events, &Truncates::default())
    }

    /// Completes changes whose unchanged TOAST values were not sent. The insert in flight is acknowledged by now.
    ///
    /// # Errors
    /// The warehouse is gone or refuses.
    pub fn carry<'m, T: Table>(
        &self,
        plan: &Plan,
        window: &Window<'_>,
        events: &mut [Event<'m, T>],
        records: &[Record<'m>],
        decoder: &Decoder<'m, T>,
        arena: &'m Arena<String>,
    ) -> Result<Completion<'m>> {
        let below = plan.numbers.version(window.partition, window.span.start)?.get();
        let missing = Missing::of(events, |_| below);
        let carried = carried_rows::<T>(&self.warehouse, &self.topic, &plan.topic_id, &missing)?;
        let completion = cdc::resolve(events, records, decoder, plan.number_of(window), carried, arena)?;
        Ok(Completion { missing, ..completion })
    }

    /// Ends the run before it writes this window, if too many records are bad. Rows that are gone, or point at rows that are gone, do
    /// not count: they are what happens when the source moves on.
    ///
    /// # Errors
    /// Exit 65.
    pub fn within_reject_ratio<T: Table>(&mut self, records: &[Record<'_>], events: &[Event<'_, T>]) -> Result<()> {
        let bad =
            || events.iter().zip(records).filter_map(|(event, record)| bad_violation(event).map(|bad| (bad, record)));
        self.totals.judged += records.len() as u64;
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

fn bad_violation<'e, T: Table>(event: &'e Event<'_, T>) -> Option<&'e Violation> {
    match event {
        Event::Bad(violation, _) if !is_orphan::<T>(violation) => Some(violation),
        _ => None,
    }
}
