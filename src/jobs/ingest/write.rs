//! Writing a window: rejected records first, rows second, so that a record is never in neither place.

use std::cell::RefCell;
use std::collections::HashSet;

use anyhow::Result;

use crate::batch::scope::BatchScope;
use crate::batch::{Batch, Sending};
use crate::jobs::ingest::fingerprints::Fingerprints;
use crate::jobs::ingest::pending::Pending;
use crate::jobs::ingest::plan::{Planned, ReadPlan};
use crate::jobs::ingest::run::Run;
use crate::kafka::{Committed, Window};
use crate::quarantine::{RejectedRow, WarningRow};
use crate::rows::Row;

impl Run {
    /// Writes what the window's records came to; returns before the rows are acknowledged. `None` for a dry run.
    ///
    /// # Errors
    /// The accounts do not close; a server is gone or refuses.
    pub fn write(
        &mut self,
        plan: &ReadPlan,
        planned: &Planned,
        window: &Window<'_>,
        batch: &Batch<'_>,
    ) -> Result<Option<Pending>> {
        let token = self.token(plan, planned, window, batch);
        let mut counts = self.count(window, batch);
        counts.written = batch.changes().count() as u64;
        counts.close(&self.topic, window)?;
        let scope = BatchScope {
            at: plan.topic_partition(&self.topic, window),
            kin: &self.kin,
            start: window.span.start,
            run: &self.run.id,
        };
        scope.refuse_mixed(&self.warehouse, batch)?;
        if self.args.dry_run {
            self.totals.add(&counts);
            return Ok(None);
        }
        let earlier = self.warehouse.quarantined(scope.at, window.span)?;
        let rejected = self.rejected_rows(plan, window, batch, &earlier)?;
        if !rejected.is_empty() {
            self.warehouse.insert::<RejectedRow<'static>>(
                &self.warehouse.ops,
                "rejected",
                &format!("{token}/rejected"),
                rejected.iter(),
            )?;
        }
        self.failpoint("rejected-inserted");
        if !batch.warnings.is_empty() {
            // A token of this run: what is warned of may differ when the window is done again, and the newest word counts.
            let token = format!("{token}/warnings/{}", self.run.id);
            let warnings = scope.warning_rows(batch);
            self.warehouse.insert::<WarningRow<'static>>(&self.warehouse.ops, "warnings", &token, warnings.iter())?;
        }
        let fingerprints = RefCell::new(Fingerprints::default());
        let sent = |row: Row<'_>| {
            if self.args.verify {
                fingerprints.borrow_mut().take_in(self.table, row);
            }
        };
        let failpoint = |point: &str| self.failpoint(point);
        let to_send = Sending { batch, failpoint: &failpoint, sent: &sent };
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
            truncates: scope.truncate_rows(batch),
            written: batch.written(),
            resolved,
            verify: fingerprints.into_inner(),
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
    fn token(&self, plan: &ReadPlan, planned: &Planned, window: &Window<'_>, batch: &Batch<'_>) -> String {
        // The run that made the plan, however often the plan is continued: a repetition is recognized. But a range that is
        // read again, explicitly or after a reset, repairs: it must write though the same rows were written, and deleted, before.
        let planned_by = planned.mark.as_ref().map_or(&self.run.id, |mark| &mark.run);
        let place = format!("{}/{}/{}/{}", plan.topic_id, plan.number_of(window), window.partition, window.span);
        format!("{}/{place}/{:032x}/{planned_by}", self.run.job, batch.fingerprint())
    }
}
