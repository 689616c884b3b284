//! Writing a batch. The order is that of the module's diagram: a record leaves the quarantine when its row is in the warehouse, and
//! the quarantine is told last.

use anyhow::Result;
use chrono::Utc;

use crate::batch::scope::BatchScope;
use crate::batch::{Batch, Sending};
use crate::exit::{Exit, fault};
use crate::jobs::replay::batch::Replayed;
use crate::jobs::replay::counts::ReplayCounts;
use crate::jobs::replay::run::Replay;
use crate::jobs::replay::windows::Group;
use crate::kafka::Span;
use crate::ledger::Kin;
use crate::quarantine::{Kept, RejectedRow, WarningRow};
use crate::rows::Event;
use crate::source;

impl Replay {
    /// Writes what the batch's records came to, and closes them.
    ///
    /// # Errors
    /// The accounts do not close; a server is gone or refuses. Nothing is closed then.
    pub fn write(&mut self, replayed: &Replayed<'_>) -> Result<()> {
        let counts = self.count(replayed)?;
        if !self.args.dry_run {
            let groups = replayed.landed_groups();
            let hash = replayed.batch.fingerprint();
            let token = self.token(replayed, replayed.span, hash);
            self.land(replayed, &groups, &token)?;
            self.enter(replayed, &groups, hash)?;
            self.close_records(replayed, &token)?;
        }
        self.totals.add(&counts);
        Ok(())
    }

    /// The rows; then store, then mark, as the ingest jobs do. The marks stand at an offset that the ledger tells of.
    fn land(&mut self, replayed: &Replayed<'_>, groups: &[Group], token: &str) -> Result<()> {
        let (range, batch) = (replayed.range, &replayed.batch);
        let lineages = self.warehouse.lineages(batch.table.target)?;
        let kin = Kin::of(&lineages, &range.topic, &range.topic_id, range.generation, &self.args.beside);
        let scope = BatchScope {
            at: range.topic_partition(),
            kin: &kin,
            start: groups.first().map_or(replayed.span.start, |group| group.span.start),
            run: &self.run.id,
        };
        scope.refuse_mixed(&self.warehouse, batch)?;
        self.insert(batch, &scope, token)?;
        self.failpoint("rows-inserted");
        let truncates = scope.truncate_rows(batch);
        self.warehouse.store_truncates(&truncates, token)?;
        self.failpoint("truncates-stored");
        let mut written = replayed.landed_rows();
        written.extend(batch.written());
        let marked = scope.mark_truncated(&self.warehouse, batch.table, &self.args.beside, &written, &truncates)?;
        self.totals.truncated_rows += marked;
        self.failpoint("truncates-applied");
        Ok(())
    }

    /// The ledger rows, if something landed: all in one insert.
    fn enter(&mut self, replayed: &Replayed<'_>, groups: &[Group], hash: u128) -> Result<()> {
        if !groups.is_empty() {
            source::still_held(&mut self.source)?;
            self.warehouse.write_windows(&self.window_rows(replayed, groups, hash))?;
        }
        self.failpoint("ledger-written");
        Ok(())
    }

    /// The point of no return: one insert for all records of the batch.
    fn close_records(&mut self, replayed: &Replayed<'_>, token: &str) -> Result<()> {
        source::still_held(&mut self.source)?;
        let rows = self.closing_rows(replayed);
        let token = format!("{token}/quarantine");
        self.warehouse.insert::<RejectedRow<'static>>(&self.warehouse.ops, "rejected", &token, rows.iter())?;
        self.failpoint("closed");
        Ok(())
    }

    /// Counts, and logs the first refusals and warnings. Every record is accounted for, or the run fails.
    fn count(&mut self, replayed: &Replayed<'_>) -> Result<ReplayCounts> {
        let mut counts = ReplayCounts {
            landed: replayed.landed.len() as u64,
            superseded: replayed.superseded.len() as u64,
            ..ReplayCounts::default()
        };
        let (topic, batch) = (&replayed.range.topic, &replayed.batch);
        for (record, event) in batch.records.iter().zip(&batch.events) {
            match event {
                Event::Change(_) => counts.written += 1,
                Event::Truncate(_) => counts.truncates += 1,
                Event::Rejected(violation, key) => {
                    *counts.refused.entry(violation.rule).or_default() += 1;
                    self.totals.logged.rejected(topic, record, key.as_deref().unwrap_or_default(), violation);
                }
                Event::ToastIncomplete(_) | Event::Tombstone => {}
            }
        }
        for warning in &batch.warnings {
            *counts.warned.entry(warning.violation.rule).or_default() += 1;
            self.totals.logged.warned(topic, &batch.records[warning.index], warning);
        }
        let records = replayed.all().count() as u64;
        if counts.records() == records {
            return Ok(counts);
        }
        let place = format!("{topic}, partition {}, offsets {}", replayed.range.partition, replayed.span);
        Err(fault(
            Exit::Bug,
            format!(
                "{place}: the accounts do not close: {records} records, but {counts:?}; nothing of this batch is written; please report \
                 this with the records (`rejected --show`)"
            ),
        ))
    }

    /// Warnings first: once the rows are in the warehouse, nobody judges them again.
    fn insert(&self, batch: &Batch<'_>, scope: &BatchScope<'_>, token: &str) -> Result<()> {
        if !batch.warnings.is_empty() {
            let rows = scope.warning_rows(batch);
            let token = format!("{token}/warnings");
            self.warehouse.insert::<WarningRow<'static>>(&self.warehouse.ops, "warnings", &token, rows.iter())?;
        }
        let failpoint = |point: &str| self.failpoint(point);
        let to_send = Sending { batch, failpoint: &failpoint, sent: &|_| {} };
        if let Some(in_flight) = to_send.send(&self.warehouse, token)? {
            in_flight.acknowledged(&self.warehouse)?;
        }
        Ok(())
    }

    /// As in the ingest jobs; and with this run's id, so that a repair is never swallowed.
    pub fn token(&self, replayed: &Replayed<'_>, span: Span, hash: u128) -> String {
        let range = replayed.range;
        let place = format!("{}/{}/{}/{span}", range.topic_id, range.generation, range.partition);
        format!("{}/{place}/{hash:032x}/{}", self.run.job, self.run.id)
    }

    /// Every record of the batch as it lies in quarantine from now on. What stays open keeps the time when it was first refused.
    fn closing_rows<'r>(&'r self, replayed: &'r Replayed<'_>) -> Vec<RejectedRow<'r>> {
        let now_ms = Utc::now().timestamp_millis();
        let next = |kept: &'r Kept| RejectedRow { attempt: kept.attempt + 1, run_id: &self.run.id, ..kept.row() };
        let closed = |kept: &'r Kept, status| RejectedRow { status, rejected_at: now_ms, ..next(kept) };
        let mut rows: Vec<RejectedRow<'r>> =
            replayed.superseded.iter().map(|kept| closed(kept, "superseded")).collect();
        rows.extend(replayed.landed.iter().map(|kept| closed(kept, "resolved")));
        for (kept, event) in replayed.kept.iter().zip(&replayed.batch.events) {
            rows.push(match event {
                Event::Rejected(violation, key) => RejectedRow {
                    rule: violation.rule,
                    detail: violation.detail.clone(),
                    row_key: key.clone().unwrap_or_else(|| kept.row_key.clone()),
                    ..next(kept)
                },
                _ => closed(kept, "resolved"),
            });
        }
        rows
    }
}

impl Replayed<'_> {
    fn all(&self) -> impl Iterator<Item = &Kept> {
        [&self.kept, &self.superseded, &self.landed].into_iter().flatten().copied()
    }
}
