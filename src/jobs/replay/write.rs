//! Writing a batch. The order is that of the module's diagram: a record leaves the quarantine when its row is in the warehouse, and
//! the quarantine is told last.

use anyhow::Result;
use chrono::Utc;

use crate::batch::rows::Rows;
use crate::batch::scope::{self, Place};
use crate::cdc::Event;
use crate::exit::{Exit, fault};
use crate::jobs::replay::batch::Batch;
use crate::jobs::replay::counts::Counts;
use crate::jobs::replay::run::Replay;
use crate::jobs::replay::windows::Group;
use crate::kafka::Span;
use crate::ledger::Kin;
use crate::quarantine::{Kept, RejectedRow, WarningRow};
use crate::source;
use crate::old::{RowOf, Table};

impl Replay {
    /// Writes what the batch's records came to, and closes them.
    ///
    /// # Errors
    /// The accounts do not close; a server is gone or refuses. Nothing is closed then.
    pub fn write<T: Table>(&mut self, batch: &Batch<'_, T>) -> Result<()> {
        let counts = self.count(batch)?;
        if !self.args.dry_run {
            let groups = batch.landed_groups();
            let hash = scope::fingerprint(&batch.records, &batch.events, batch.carried.hash);
            let token = self.token(batch, batch.span, hash);
            self.land(batch, &groups, &token)?;
            self.enter(batch, &groups, hash)?;
            self.close_records(batch, &token)?;
        }
        self.totals.add(&counts);
        Ok(())
    }

    /// The rows; then store, then mark, as the ingest jobs do. The marks stand at an offset that the ledger tells of.
    fn land<T: Table>(&mut self, batch: &Batch<'_, T>, groups: &[Group], token: &str) -> Result<()> {
        let shelf = batch.shelf;
        let lineages = self.warehouse.lineages(T::TARGET)?;
        let kin = Kin::of(&lineages, &shelf.topic, &shelf.topic_id, shelf.generation, &self.args.beside);
        let place = Place {
            topic: &shelf.topic,
            topic_id: &shelf.topic_id,
            generation: shelf.generation,
            kin: &kin,
            partition: shelf.partition,
            start: groups.first().map_or(batch.span.start, |group| group.span.start),
            run: &self.id,
        };
        place.refuse_mixed(&self.warehouse, &batch.records, &batch.events)?;
        self.insert(batch, &place, token)?;
        self.passes("rows-inserted");
        let truncates = place.truncate_rows(&batch.records, &batch.events);
        self.warehouse.store_truncates(&truncates, token)?;
        self.passes("truncates-stored");
        let mut written = batch.landed_rows();
        written.extend(scope::written::<T>(&rows_of(batch)));
        let marked = place.mark_truncated::<T>(&self.warehouse, &self.args.beside, &written, &truncates)?;
        self.totals.truncated_rows += marked;
        self.passes("truncates-applied");
        Ok(())
    }

    /// The ledger rows, if something landed: all in one insert.
    fn enter<T: Table>(&mut self, batch: &Batch<'_, T>, groups: &[Group], hash: u128) -> Result<()> {
        if !groups.is_empty() {
            source::still_held(&mut self.source)?;
            self.warehouse.write_windows(&self.window_rows(batch, groups, hash))?;
        }
        self.passes("ledger-written");
        Ok(())
    }

    /// The point of no return: one insert for all records of the batch.
    fn close_records<T: Table>(&mut self, batch: &Batch<'_, T>, token: &str) -> Result<()> {
        source::still_held(&mut self.source)?;
        let rows = self.closing_rows(batch);
        let token = format!("{token}/quarantine");
        self.warehouse.insert::<RejectedRow<'static>>(&self.warehouse.ops, "rejected", &token, rows.iter())?;
        self.passes("closed");
        Ok(())
    }

    /// Counts, and logs the first refusals and warnings. Every record is accounted for, or the run fails.
    fn count<T: Table>(&mut self, batch: &Batch<'_, T>) -> Result<Counts> {
        let mut counts = Counts {
            landed: batch.landed.len() as u64,
            superseded: batch.superseded.len() as u64,
            ..Counts::default()
        };
        let topic = &batch.shelf.topic;
        for (record, event) in batch.records.iter().zip(&batch.events) {
            match event {
                Event::Change(_) => counts.written += 1,
                Event::Truncate(_) => counts.truncates += 1,
                Event::Bad(violation, key) => {
                    *counts.refused.entry(violation.rule).or_default() += 1;
                    self.totals.logged.rejected(topic, record, key.as_deref().unwrap_or_default(), violation);
                }
                Event::Partial(_) | Event::Tombstone => {}
            }
        }
        for warning in &batch.warnings {
            *counts.warned.entry(warning.violation.rule).or_default() += 1;
            self.totals.logged.warned(topic, &batch.records[warning.index], warning);
        }
        let records = batch.all().count() as u64;
        if counts.records() == records {
            return Ok(counts);
        }
        let place = format!("{topic}, partition {}, offsets {}", batch.shelf.partition, batch.span);
        Err(fault(
            Exit::Bug,
            format!(
                "{place}: the accounts do not close: {records} records, but {counts:?}; nothing of this batch is written; please report \
                 this with the records (`rejected --show`)"
            ),
        ))
    }

    /// Warnings first: once the rows are in the warehouse, nobody judges them again.
    fn insert<T: Table>(&self, batch: &Batch<'_, T>, place: &Place<'_>, token: &str) -> Result<()> {
        if !batch.warnings.is_empty() {
            let rows = place.warning_rows::<T>(&batch.records, &batch.warnings);
            let token = format!("{token}/warnings");
            self.warehouse.insert::<WarningRow<'static>>(&self.warehouse.ops, "warnings", &token, rows.iter())?;
        }
        let Batch { records, events, carried, shelf, .. } = batch;
        let passes = |point: &str| self.passes(point);
        let rows = Rows { records, events, carried, generation: shelf.generation, passes: &passes, sent: &|_| Ok(()) };
        if let Some(in_flight) = rows.send(&self.warehouse, token)? {
            in_flight.acknowledged(&self.warehouse)?;
        }
        Ok(())
    }

    /// As in the ingest jobs; and with this run's id, so that a repair is never swallowed.
    pub fn token<T: Table>(&self, batch: &Batch<'_, T>, span: Span, hash: u128) -> String {
        let shelf = batch.shelf;
        let place = format!("{}/{}/{}/{span}", shelf.topic_id, shelf.generation, shelf.partition);
        format!("{}/{place}/{hash:032x}/{}", self.job, self.id)
    }

    /// Every record of the batch as it lies in quarantine from now on. What stays open keeps the time when it was first refused.
    fn closing_rows<'r, T: Table>(&'r self, batch: &'r Batch<'_, T>) -> Vec<RejectedRow<'r>> {
        let now_ms = Utc::now().timestamp_millis();
        let next = |kept: &'r Kept| RejectedRow { attempt: kept.attempt + 1, run_id: &self.id, ..kept.row() };
        let closed = |kept: &'r Kept, status| RejectedRow { status, rejected_at: now_ms, ..next(kept) };
        let mut rows: Vec<RejectedRow<'r>> = batch.superseded.iter().map(|kept| closed(kept, "superseded")).collect();
        rows.extend(batch.landed.iter().map(|kept| closed(kept, "resolved")));
        for (kept, event) in batch.kept.iter().zip(&batch.events) {
            rows.push(match event {
                Event::Bad(violation, key) => RejectedRow {
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

/// The rows that are written.
fn rows_of<'b, 'k, T: Table>(batch: &'b Batch<'k, T>) -> Vec<&'b RowOf<'k, T>> {
    let row = |event: &'b Event<'k, T>| if let Event::Change(change) = event { Some(&change.row) } else { None };
    batch.events.iter().filter_map(row).collect()
}

impl<T: Table> Batch<'_, T> {
    fn all(&self) -> impl Iterator<Item = &Kept> {
        [&self.kept, &self.superseded, &self.landed].into_iter().flatten().copied()
    }
}
