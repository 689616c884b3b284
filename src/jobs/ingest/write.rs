//! Writing a window: rejected records first, rows second, so that a record is never in neither place.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use chrono::Utc;
use xxhash_rust::xxh3::Xxh3;

use crate::cdc::{Event, Record, Version};
use crate::cli::{Exit, fault};
use crate::jobs::ingest::begin::{Plan, Planned};
use crate::jobs::ingest::run::Run;
use crate::jobs::ingest::settle::Pending;
use crate::stream::{Committed, Window};
use crate::tables::{RowOf, SourceRow, Table};
use crate::warehouse::{Bytes, Mode, Quarantined, RejectedRow, TruncateRow, WindowRow};

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
        records: &[Record<'m>],
        events: &[Event<'m, T>],
        carried: &[String],
    ) -> Result<Option<Pending>> {
        let token = self.token::<T>(plan, planned, window, records, events, carried);
        let mut counts = Counts { gaps: window.gaps, ..Counts::default() };
        for (record, event) in records.iter().zip(events) {
            match event {
                Event::Tombstone => counts.tombstones += 1,
                Event::Truncate(_) => counts.truncates += 1,
                Event::Bad(violation, key) => {
                    *counts.rejected.entry(violation.rule).or_default() += 1;
                    self.totals.log_rejected(
                        &self.topic,
                        record,
                        key.as_deref().unwrap_or_default(),
                        violation.rule,
                        &violation.detail,
                    );
                }
                Event::Change(_) | Event::Partial(_) => {}
            }
        }
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
        let rejected = self.rejected_rows::<T>(plan, window, records, events, &earlier)?;
        if !rejected.is_empty() {
            self.warehouse.insert::<RejectedRow<'static>>(
                &self.warehouse.ops,
                "rejected",
                &format!("{token}/rejected"),
                rejected.iter(),
            )?;
        }
        self.passes("rejected-inserted");
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
        records: &[Record<'_>],
        events: &[Event<'_, T>],
        carried: &[String],
    ) -> String {
        let mut hash = Xxh3::new();
        for column in <T::Row as clickhouse::Row>::COLUMN_NAMES {
            hash.update(column.as_bytes());
            hash.update(b",");
        }
        for (record, event) in records.iter().zip(events) {
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
        for value in carried {
            hash.update(value.as_bytes());
        }
        // The run that made the plan, however often the plan is continued: a repetition is recognized. But a range that is
        // read again, explicitly or after a reset, repairs: it must write though the same rows were written, and deleted, before.
        let planned_by = planned.mark.as_ref().map_or(&self.id, |mark| &mark.run);
        let place = format!("{}/{}/{}/{}", plan.topic_id, plan.generation, window.partition, window.span);
        format!("{}/{place}/{:032x}/{planned_by}", self.job, hash.digest128())
    }

    fn rejected_rows<'r, T: Table>(
        &'r self,
        plan: &'r Plan,
        window: &Window<'_>,
        records: &[Record<'r>],
        events: &[Event<'_, T>],
        earlier: &HashMap<i64, Quarantined>,
    ) -> Result<Vec<RejectedRow<'r>>> {
        let now_ms = Utc::now().timestamp_millis();
        let mut rows = Vec::new();
        for (i, (record, event)) in records.iter().zip(events).enumerate() {
            let Event::Bad(violation, row_key) = event else { continue };
            let attempt = match earlier.get(&record.offset) {
                None => 1,
                Some(before) if before.status == "open" => before.attempt,
                Some(closed) => closed.attempt + 1,
            };
            rows.push(RejectedRow {
                table: T::SOURCE,
                topic: &self.topic,
                topic_id: &plan.topic_id,
                partition: record.partition,
                offset: record.offset,
                key: Bytes(record.key.unwrap_or_default()),
                row_key: row_key.clone().unwrap_or_default(),
                payload: Bytes(record.value.unwrap_or_default()),
                headers: window.headers(i),
                record_ts: record.timestamp_ms.unwrap_or_default(),
                version: Version::of(plan.generation, record.offset)?.get(),
                lsn: crate::cdc::lsn_of(record),
                rule: violation.rule,
                detail: violation.detail.clone(),
                run_id: &self.id,
                attempt,
                status: "open",
                rejected_at: now_ms,
            });
        }
        Ok(rows)
    }

    fn truncate_rows<T: Table>(
        &self,
        plan: &Plan,
        records: &[Record<'_>],
        events: &[Event<'_, T>],
    ) -> Vec<TruncateRow> {
        let row = |(record, event): (&Record<'_>, &Event<'_, T>)| match event {
            Event::Truncate(lsn) => Some(TruncateRow {
                table: T::SOURCE.to_owned(),
                topic: self.topic.clone(),
                topic_id: plan.topic_id.clone(),
                generation: plan.generation,
                partition: record.partition,
                offset: record.offset,
                lsn: *lsn,
                run_id: self.id.clone(),
                stored_at: Utc::now().timestamp_millis(),
            }),
            _ => None,
        };
        records.iter().zip(events).filter_map(row).collect()
    }

    fn window_row(
        &self,
        plan: &Plan,
        planned: &Planned,
        window: &Window<'_>,
        counts: &Counts,
        token: &str,
    ) -> WindowRow {
        WindowRow {
            group_id: self.group.clone(),
            topic: self.topic.clone(),
            topic_id: plan.topic_id.clone(),
            partition: window.partition,
            generation: plan.generation,
            mode: plan.mode.name().to_owned(),
            seq: if plan.mode == Mode::Plan { planned.seq } else { 0 },
            start_offset: window.span.start,
            end_offset: window.span.end,
            written: counts.written,
            rejected: counts.rejected.values().sum(),
            tombstones: counts.tombstones,
            truncates: counts.truncates,
            gaps: counts.gaps,
            partitions: plan.partitions,
            token: token.to_owned(),
            job: self.job.clone(),
            run_id: self.id.clone(),
            reason: String::new(),
            closed_at: 0,
        }
    }
}

/// What the offsets of a window came to.
#[derive(Debug, Default)]
pub struct Counts {
    pub written: u64,
    pub rejected: BTreeMap<&'static str, u64>,
    pub tombstones: u64,
    pub truncates: u64,
    pub gaps: u64,
}

impl Counts {
    /// Every offset is written, rejected, or counted with a reason; else the run fails and the window stays open.
    fn close(&self, topic: &str, window: &Window<'_>) -> Result<()> {
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
