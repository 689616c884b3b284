//! Writing a batch. The order is that of the module's diagram: a record leaves the quarantine when its row is in the warehouse, and
//! the quarantine is told last.

use std::collections::BTreeMap;

use anyhow::Result;
use chrono::Utc;

use crate::cdc::Event;
use crate::cli::{Exit, fault};
use crate::jobs::landing::{self, Place};
use crate::jobs::replay::batch::Batch;
use crate::jobs::replay::run::Replay;
use crate::jobs::rows::Rows;
use crate::source;
use crate::tables::Table;
use crate::warehouse::{Kept, Mode, RejectedRow, WarningRow, WindowRow};

/// What the records of a batch came to.
#[derive(Debug, Default)]
pub struct Counts {
    pub written: u64,
    pub truncates: u64,
    /// In the warehouse already.
    pub landed: u64,
    pub superseded: u64,
    /// Refused again, by rule.
    pub refused: BTreeMap<&'static str, u64>,
    /// Written though they break a rule of severity `warn`, by rule.
    pub warned: BTreeMap<&'static str, u64>,
}

impl Counts {
    /// Records that are refused again.
    pub fn refused(&self) -> u64 {
        self.refused.values().sum()
    }

    /// Records that leave the quarantine.
    pub fn resolved(&self) -> u64 {
        self.written + self.truncates + self.landed
    }

    /// Everything.
    pub fn records(&self) -> u64 {
        self.resolved() + self.superseded + self.refused()
    }
}

impl Replay {
    /// Writes what the batch's records came to, and closes them.
    ///
    /// # Errors
    /// The accounts do not close; a server is gone or refuses. Nothing is closed then.
    pub fn write<T: Table>(&mut self, batch: &Batch<'_, T>) -> Result<()> {
        let counts = self.count(batch)?;
        if !self.args.dry_run {
            let token = self.token(batch);
            self.land(batch, &token)?;
            self.enter(batch, &counts, &token)?;
            self.close_records(batch, &token)?;
        }
        self.totals.add(&counts);
        Ok(())
    }

    /// The rows; then store, then mark, as the ingest jobs do.
    fn land<T: Table>(&mut self, batch: &Batch<'_, T>, token: &str) -> Result<()> {
        let shelf = batch.shelf;
        let place = Place {
            topic: &shelf.topic,
            topic_id: &shelf.topic_id,
            generation: shelf.generation,
            partition: shelf.partition,
            start: batch.span.start,
            run: &self.id,
        };
        self.insert(batch, &place, token)?;
        self.passes("rows-inserted");
        let truncates = place.truncate_rows(&batch.records, &batch.events);
        self.warehouse.store_truncates(&truncates, token)?;
        self.passes("truncates-stored");
        let landed = batch.landed.iter().map(|kept| kept.lsn.unwrap_or(0)).min();
        let oldest = landing::oldest_lsn(&batch.events).into_iter().chain(landed).min();
        self.totals.truncated_rows += place.mark_truncated::<T>(&self.warehouse, oldest, !truncates.is_empty())?;
        self.passes("truncates-applied");
        Ok(())
    }

    /// The ledger row, if something landed.
    fn enter<T: Table>(&mut self, batch: &Batch<'_, T>, counts: &Counts, token: &str) -> Result<()> {
        if counts.resolved() > 0 {
            source::still_held(&mut self.source)?;
            self.warehouse.write_windows(&[self.window_row(batch, counts, token)])?;
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
        let rows = Rows { records, events, carried, generation: shelf.generation, passes: &passes };
        if let Some(in_flight) = rows.send(&self.warehouse, token)? {
            in_flight.acknowledged(&self.warehouse)?;
        }
        Ok(())
    }

    /// As in the ingest jobs; and with this run's id, so that a repair is never swallowed.
    fn token<T: Table>(&self, batch: &Batch<'_, T>) -> String {
        let shelf = batch.shelf;
        let place = format!("{}/{}/{}/{}", shelf.topic_id, shelf.generation, shelf.partition, batch.span);
        let hash = landing::fingerprint(&batch.records, &batch.events, batch.carried.hash);
        format!("{}/{place}/{hash:032x}/{}", self.job, self.id)
    }

    /// The ledger row: whoever follows the warehouse by the ledger sees these rows, too. It moves no group.
    fn window_row<T: Table>(&self, batch: &Batch<'_, T>, counts: &Counts, token: &str) -> WindowRow {
        let offsets = || batch.all().map(|kept| kept.offset);
        WindowRow {
            topic: batch.shelf.topic.clone(),
            topic_id: batch.shelf.topic_id.clone(),
            partition: batch.shelf.partition,
            generation: batch.shelf.generation,
            mode: Mode::Replay.name().to_owned(),
            start_offset: offsets().min().unwrap_or(batch.span.start),
            end_offset: offsets().max().map_or(batch.span.end, |last| last + 1),
            written: counts.written + counts.landed,
            rejected: counts.refused(),
            truncates: counts.truncates,
            token: token.to_owned(),
            job: self.job.clone(),
            run_id: self.id.clone(),
            closed_at: Utc::now().timestamp_millis(),
            ..WindowRow::default()
        }
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

impl<T: Table> Batch<'_, T> {
    fn all(&self) -> impl Iterator<Item = &Kept> {
        [&self.kept, &self.superseded, &self.landed].into_iter().flatten().copied()
    }
}
