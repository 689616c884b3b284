//! Writing a window: rejected records first, rows second, so that a record is never in neither place.

use std::cell::RefCell;
use std::collections::HashSet;

use anyhow::Result;

use crate::batch::rows::Rows;
use crate::batch::scope::{self, Place};
use crate::cdc::Event;
use crate::jobs::ingest::judged::Judged;
use crate::jobs::ingest::pending::Pending;
use crate::jobs::ingest::plan::{Plan, Planned};
use crate::jobs::ingest::run::Run;
use crate::jobs::ingest::shown::Shown;
use crate::kafka::{Committed, Window};
use crate::quarantine::{RejectedRow, WarningRow};
use crate::old::{RowOf, Table};

impl Run {
    /// Writes what the window's records came to; returns before the rows are acknowledged. `None` for a dry run.
    ///
    /// # Errors
    /// The accounts do not close; a server is gone or refuses.
    pub fn write<'m, T: Table>(
        &mut self,
        plan: &Plan,
        planned: &Planned,
        window: &Window<'_>,
        judged: &Judged<'_, 'm, T>,
    ) -> Result<Option<Pending>> {
        let Judged { records, events, .. } = judged;
        let token = self.token::<T>(plan, planned, window, judged);
        let mut counts = self.count::<T>(window, judged);
        let rows: Vec<&RowOf<'m, T>> = events
            .iter()
            .filter_map(|event| if let Event::Change(change) = event { Some(&change.row) } else { None })
            .collect();
        counts.written = rows.len() as u64;
        counts.close(&self.topic, window)?;
        let place = Place {
            topic: &self.topic,
            topic_id: &plan.topic_id,
            generation: plan.number_of(window),
            kin: &self.kin,
            partition: window.partition,
            start: window.span.start,
            run: &self.id,
        };
        place.refuse_mixed::<T>(&self.warehouse, records, events)?;
        if self.args.dry_run {
            self.totals.add(&counts);
            return Ok(None);
        }
        let earlier = self.warehouse.quarantined(&self.topic, &plan.topic_id, window.partition, window.span)?;
        let rejected = self.rejected_rows::<T>(plan, window, judged, &earlier)?;
        if !rejected.is_empty() {
            self.warehouse.insert::<RejectedRow<'static>>(
                &self.warehouse.ops,
                "rejected",
                &format!("{token}/rejected"),
                rejected.iter(),
            )?;
        }
        self.passes("rejected-inserted");
        if !judged.warnings.is_empty() {
            // A token of this run: what is warned of may differ when the window is done again, and the newest word counts.
            let token = format!("{token}/warnings/{}", self.id);
            let warnings = place.warning_rows::<T>(records, &judged.warnings);
            self.warehouse.insert::<WarningRow<'static>>(&self.warehouse.ops, "warnings", &token, warnings.iter())?;
        }
        let shown = RefCell::new(Shown::default());
        let sent = |row: &RowOf<'_, T>| if self.args.verify { shown.borrow_mut().take_in::<T>(row) } else { Ok(()) };
        let passes = |point: &str| self.passes(point);
        let to_send = Rows {
            records,
            events,
            carried: &judged.carried,
            generation: plan.number_of(window),
            passes: &passes,
            sent: &sent,
        };
        let in_flight = to_send.send(&self.warehouse, &token)?;
        let rejected_offsets: HashSet<i64> = rejected.iter().map(|row| row.offset).collect();
        let still_open = earlier.values().filter(|q| q.status == "open").map(|q| q.offset);
        let mut resolved: Vec<i64> = still_open.filter(|offset| !rejected_offsets.contains(offset)).collect();
        resolved.sort_unstable();
        Ok(Some(Pending {
            partition: window.partition,
            span: window.span,
            generation: plan.number_of(window),
            topic_id: plan.topic_id.clone(),
            in_flight,
            truncates: place.truncate_rows::<T>(records, events),
            written: scope::written::<T>(&rows),
            resolved,
            verify: shown.into_inner(),
            rejected_offsets,
            ledger: self.window_row(plan, planned, window, &counts, &token),
            commit: planned
                .mark
                .clone()
                .map(|mark| Committed { offset: window.span.end, plan: (window.span.end < mark.end).then_some(mark) }),
            token,
            counts,
        }))
    }

    /// Same token ⇔ same rows, by construction; and it says who planned it. A weaker token loses rows: ClickHouse answers 200 and drops a *different* answer
    /// to the same span, or rows that were deleted since.
    fn token<T: Table>(
        &self,
        plan: &Plan,
        planned: &Planned,
        window: &Window<'_>,
        judged: &Judged<'_, '_, T>,
    ) -> String {
        // The run that made the plan, however often the plan is continued: a repetition is recognized. But a range that is
        // read again, explicitly or after a reset, repairs: it must write though the same rows were written, and deleted, before.
        let planned_by = planned.mark.as_ref().map_or(&self.id, |mark| &mark.run);
        let place = format!("{}/{}/{}/{}", plan.topic_id, plan.number_of(window), window.partition, window.span);
        let hash = scope::fingerprint(judged.records, judged.events, judged.carried.hash);
        format!("{}/{place}/{hash:032x}/{planned_by}", self.job)
    }
}
