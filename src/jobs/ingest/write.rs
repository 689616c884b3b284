//! Writing a window: rejected records first, rows second, so that a record is never in neither place.

use std::collections::BTreeMap;

use anyhow::Result;
use xxhash_rust::xxh3::Xxh3;

use crate::cdc::{Event, Record};
use crate::jobs::ingest::begin::{Plan, Planned};
use crate::jobs::ingest::run::Run;
use crate::jobs::ingest::settle::Pending;
use crate::stream::{Committed, Window};
use crate::tables::{RowOf, SourceRow, Table};
use crate::validate::Warning;
use crate::warehouse::{RejectedRow, WarningRow};

/// The records of a window, and what became of them.
pub struct Judged<'e, 'm, T: Table> {
    /// As they were read.
    pub records: &'e [Record<'m>],
    /// As they were decoded and judged.
    pub events: &'e [Event<'m, T>],
    /// Rules that rows break though they are written.
    pub warnings: Vec<Warning>,
    /// Values that were carried forward.
    pub carried: Vec<String>,
}

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
            let (warnings, token) = (self.warning_rows::<T>(plan, judged), format!("{token}/warnings/{}", self.id));
            self.warehouse.insert::<WarningRow<'static>>(&self.warehouse.ops, "warnings", &token, warnings.iter())?;
        }
        let in_flight = match rows.is_empty() {
            true => None,
            false => Some(self.warehouse.begin_insert::<T::Row>(
                &self.warehouse.db,
                T::TARGET,
                &token,
                rows.iter().copied(),
            )?),
        };
        let accepted_now = |offset: &i64| !rejected.iter().any(|row| row.offset == *offset);
        let resolved: Vec<i64> =
            earlier.values().filter(|q| q.status == "open").map(|q| q.offset).filter(accepted_now).collect();
        let verify = if self.args.verify { newest_by_key::<T>(&rows) } else { BTreeMap::new() };
        Ok(Some(Pending {
            partition: window.partition,
            span: window.span,
            generation: plan.generation,
            topic_id: plan.topic_id.clone(),
            in_flight,
            truncates: self.truncate_rows::<T>(plan, records, events),
            oldest_lsn: oldest_lsn::<T>(events),
            resolved,
            verify,
            rejected_offsets: rejected.iter().map(|row| row.offset).collect(),
            ledger: self.window_row(plan, planned, window, &counts, &token),
            commit: planned
                .mark
                .clone()
                .map(|mark| Committed { offset: window.span.end, plan: (window.span.end < mark.end).then_some(mark) }),
            token,
            counts,
        }))
    }

    /// Same token ⇔ same rows, by construction: it covers every record's bytes and verdict, the row's layout, and what was
    /// carried forward; and who planned it. A weaker token loses rows: ClickHouse answers 200 and drops a *different* answer
    /// to the same span, or rows that were deleted since.
    fn token<T: Table>(
        &self,
        plan: &Plan,
        planned: &Planned,
        window: &Window<'_>,
        judged: &Judged<'_, '_, T>,
    ) -> String {
        let mut hash = Xxh3::new();
        for column in <T::Row as clickhouse::Row>::COLUMN_NAMES {
            hash.update(column.as_bytes());
            hash.update(b",");
        }
        for (record, event) in judged.records.iter().zip(judged.events) {
            hash.update(&record.offset.to_le_bytes());
            hash.update(
                match event {
                    Event::Change(_) | Event::Partial(_) => "written",
                    Event::Bad(violation, _) => violation.rule,
                    Event::Tombstone => "tombstone",
                    Event::Truncate(_) => "truncate",
                }
                .as_bytes(),
            );
            for bytes in [record.key, record.value] {
                let bytes = bytes.unwrap_or_default();
                hash.update(&(bytes.len() as u64).to_le_bytes());
                hash.update(bytes);
            }
        }
        for value in &judged.carried {
            hash.update(value.as_bytes());
        }
        // The run that made the plan, however often the plan is continued: a repetition is recognized. But a range that is
        // read again, explicitly or after a reset, repairs: it must write though the same rows were written, and deleted, before.
        let planned_by = planned.mark.as_ref().map_or(&self.id, |mark| &mark.run);
        let place = format!("{}/{}/{}/{}", plan.topic_id, plan.generation, window.partition, window.span);
        format!("{}/{place}/{:032x}/{planned_by}", self.job, hash.digest128())
    }
}

/// The lowest LSN among the rows; 0 if one has none. `None` without rows.
fn oldest_lsn<T: Table>(events: &[Event<'_, T>]) -> Option<u64> {
    let lsn = |event: &Event<'_, T>| match event {
        Event::Change(change) => Some(change.head.source.lsn.unwrap_or(0)),
        _ => None,
    };
    events.iter().filter_map(lsn).min()
}

fn newest_by_key<T: Table>(rows: &[&RowOf<'_, T>]) -> BTreeMap<String, u64> {
    // Offsets rise within a window, so the last row of a key is its newest.
    rows.iter().map(|row| (row.key_text().into_owned(), row.version())).collect()
}
