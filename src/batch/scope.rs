//! What ingest and replay have in common once a record is judged: what its rows' token stands for, the rows that the books
//! get, the look at truncates, the log.

use anyhow::Result;
use chrono::Utc;
use xxhash_rust::xxh3::Xxh3;

use crate::cdc::{Event, Generation, Record, Truncate, Violation};
use crate::cli::SideBySideArgs;
use crate::exit::needs_person;
use crate::ledger::{Kin, MarkAt, Mixed, TruncateRow, Written};
use crate::quarantine::WarningRow;
use crate::old::{RowOf, SourceRow, Table};
use crate::tables::Table;
use crate::validate::Warning;
use crate::warehouse::Warehouse;

/// Records that are logged one by one; the rest is only counted.
const LOGGED: u64 = 10;

/// Where records stand, and which run lands them.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub topic: &'a str,
    pub topic_id: &'a str,
    pub generation: Generation,
    /// The table's generations, as the topic sees them.
    pub kin: &'a Kin,
    pub partition: i32,
    /// First offset.
    pub start: i64,
    pub run: &'a str,
}

/// Stands for exactly these rows: every record's bytes and verdict, the row's layout, and what was carried forward.
pub fn fingerprint<T: Table>(records: &[Record<'_>], events: &[Event<'_, T>], carried: Option<u128>) -> u128 {
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
    if let Some(carried) = carried {
        hash.update(&carried.to_le_bytes());
    }
    hash.digest128()
}

/// The rows with their keys, for the look at truncates.
pub fn written<T: Table>(rows: &[&RowOf<'_, T>]) -> Vec<Written> {
    rows.iter().map(|row| (row.key_text().into_owned(), row.standing())).collect()
}

impl Place<'_> {
    /// The warnings, as they are stored.
    pub fn warning_rows<'r, T: Table>(
        &'r self,
        records: &[Record<'_>],
        warnings: &'r [Warning],
    ) -> Vec<WarningRow<'r>> {
        let now_ms = Utc::now().timestamp_millis();
        let row = |warning: &'r Warning| WarningRow {
            table: T::SOURCE,
            topic: self.topic,
            topic_id: self.topic_id,
            partition: self.partition,
            offset: records[warning.index].offset,
            row_key: &warning.key,
            rule: warning.violation.rule,
            detail: &warning.violation.detail,
            run_id: self.run,
            warned_at: now_ms,
        };
        warnings.iter().map(row).collect()
    }

    /// A truncate that cannot tell its topic's rows from those of another one is refused before anything of its window is written.
    ///
    /// # Errors
    /// Exit 78, with what to do.
    pub fn refuse_mixed<T: Table>(
        &self,
        warehouse: &Warehouse,
        records: &[Record<'_>],
        events: &[Event<'_, T>],
    ) -> Result<()> {
        let truncate = records.iter().zip(events).find(|(_, event)| matches!(event, Event::Truncate(_)));
        let Some((record, _)) = truncate else { return Ok(()) };
        for Mixed { generation, topics } in &self.kin.mixed {
            if warehouse.shows_generation(T::TARGET, *generation)? {
                return Err(needs_person(format!(
                    "{}, partition {}, offset {}: a TRUNCATE, but rows of {} in generation {generation} are from {}, and which are whose is not known: \
                     older books gave them one number. Nothing of this window was written. Either make the table anew: rename it, remove its rows \
                     from northwind_ops.generations, `migrate`, then read its topics with --from-beginning. Or, if all of them may pass for the first \
                     topic's: ALTER TABLE northwind_ops.generations DELETE WHERE target = '{}' AND generation = {generation} AND former",
                    self.topic,
                    record.partition,
                    record.offset,
                    T::TARGET,
                    topics.join(" and from "),
                    T::TARGET,
                )));
            }
        }
        Ok(())
    }

    /// The truncates, as they are stored.
    pub fn truncate_rows<T: Table>(&self, records: &[Record<'_>], events: &[Event<'_, T>]) -> Vec<TruncateRow> {
        let row = |(record, event): (&Record<'_>, &Event<'_, T>)| match event {
            Event::Truncate(truncate) => Some(TruncateRow {
                table: T::SOURCE.to_owned(),
                topic: self.topic.to_owned(),
                topic_id: self.topic_id.to_owned(),
                generation: self.generation,
                partition: record.partition,
                offset: record.offset,
                lsn: truncate.lsn,
                ts_ms: truncate.ts_ms,
                run_id: self.run.to_owned(),
                stored_at: Utc::now().timestamp_millis(),
            }),
            _ => None,
        };
        records.iter().zip(events).filter_map(row).collect()
    }

    /// After every insert: marks those of the rows just written that stored truncates remove, wherever and whenever these were read;
    /// and, if this very window has stored one, the rows of the whole table. Returns how many rows are gone.
    ///
    /// # Errors
    /// The warehouse is gone or refuses.
    pub fn mark_truncated<T: Table>(
        &self,
        warehouse: &Warehouse,
        beside: &SideBySideArgs,
        written: &[Written],
        stored: &[TruncateRow],
    ) -> Result<u64> {
        let table = TableFacts::of::<T>();
        let truncates =
            warehouse.truncates(&table, self.topic_id, self.generation, |other| beside.has(self.topic, other))?;
        let at = MarkAt { partition: self.partition, offset: self.start, now_ms: Utc::now().timestamp_millis() };
        let of_written = warehouse.mark_written(&table, &truncates, written, at)?;
        let Some(newest) = stored.last() else { return Ok(of_written) };
        let newest = Truncate { lsn: newest.lsn, ts_ms: newest.ts_ms };
        warehouse.mark_table::<T>(&truncates, self.kin, newest, at)
    }
}

/// Logs the first records that are refused or warned of; the rest is only counted.
#[derive(Debug, Default)]
pub struct Logged {
    rejected: u64,
    warned: u64,
}

impl Logged {
    /// A record that is not written.
    pub fn rejected(&mut self, topic: &str, record: &Record<'_>, key: &str, violation: &Violation) {
        self.rejected += 1;
        let Violation { rule, detail } = violation;
        if self.rejected <= LOGGED {
            tracing::warn!("{}: {detail}: SKIP write, quarantined as {rule}", place(topic, record, key));
        } else if self.rejected == LOGGED + 1 {
            tracing::warn!(
                "more records are rejected; they are counted in the summary and kept in northwind_ops.rejected"
            );
        }
    }

    /// A record that is written though it breaks a rule.
    pub fn warned(&mut self, topic: &str, record: &Record<'_>, warning: &Warning) {
        self.warned += 1;
        let Violation { rule, detail } = &warning.violation;
        if self.warned <= LOGGED {
            tracing::warn!("{}: {detail}: written all the same, warned as {rule}", place(topic, record, &warning.key));
        } else if self.warned == LOGGED + 1 {
            tracing::warn!("more warnings; they are counted in the summary and kept in northwind_ops.warnings");
        }
    }
}

fn place(topic: &str, record: &Record<'_>, key: &str) -> String {
    format!("{topic}, partition {}, offset {}, key {key:?}", record.partition, record.offset)
}
