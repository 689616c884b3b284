//! What ingest and replay have in common once a record is judged: the rows that the books get, the look at truncates, the log.

use anyhow::Result;
use chrono::Utc;

use crate::batch::{Batch, Warning};
use crate::cdc::{Record, TopicPartition, Truncate, Violation};
use crate::cli::SideBySideArgs;
use crate::exit::needs_person;
use crate::ledger::{Kin, MarkAt, Mixed, TruncateRow, Written};
use crate::quarantine::WarningRow;
use crate::rows::Event;
use crate::tables::Table;
use crate::warehouse::Warehouse;

/// Records that are logged one by one; the rest is only counted.
const LOGGED: u64 = 10;

/// Where records stand, and which run lands them.
#[derive(Debug, Clone, Copy)]
pub struct BatchScope<'a> {
    pub at: TopicPartition<'a>,
    /// The table's generations, as the topic sees them.
    pub kin: &'a Kin,
    /// First offset.
    pub start: i64,
    pub run: &'a str,
}

impl BatchScope<'_> {
    /// The warnings, as they are stored.
    pub fn warning_rows<'r>(&'r self, batch: &'r Batch<'_>) -> Vec<WarningRow<'r>> {
        let now_ms = Utc::now().timestamp_millis();
        let row = |warning: &'r Warning| WarningRow {
            table: batch.table.name,
            topic: self.at.topic,
            topic_id: self.at.topic_id,
            partition: self.at.partition,
            offset: batch.records[warning.index].offset,
            row_key: &warning.key,
            rule: warning.violation.rule,
            detail: &warning.violation.detail,
            run_id: self.run,
            warned_at: now_ms,
        };
        batch.warnings.iter().map(row).collect()
    }

    /// A truncate that cannot tell its topic's rows from those of another one is refused before anything of its window is written.
    ///
    /// # Errors
    /// Exit 78, with what to do.
    pub fn refuse_mixed(&self, warehouse: &Warehouse, batch: &Batch<'_>) -> Result<()> {
        let table = batch.table;
        let records = batch.records.iter().zip(&batch.events);
        let truncate = records.into_iter().find(|(_, event)| matches!(event, Event::Truncate(_)));
        let Some((record, _)) = truncate else { return Ok(()) };
        for Mixed { generation, topics } in &self.kin.mixed {
            if warehouse.shows_generation(table.target, *generation)? {
                return Err(needs_person(format!(
                    "{}, partition {}, offset {}: a TRUNCATE, but rows of {} in generation {generation} are from {}, and which are whose is not known: \
                     older books gave them one number. Nothing of this window was written. Either make the table anew: rename it, remove its rows \
                     from {ops}.generations, `migrate`, then read its topics with --from-beginning. Or, if all of them may pass for the first \
                     topic's: ALTER TABLE {ops}.generations DELETE WHERE target = '{}' AND generation = {generation} AND former",
                    self.at.topic,
                    record.partition,
                    record.offset,
                    table.target,
                    topics.join(" and from "),
                    table.target,
                    ops = warehouse.ops,
                )));
            }
        }
        Ok(())
    }

    /// The truncates, as they are stored.
    pub fn truncate_rows(&self, batch: &Batch<'_>) -> Vec<TruncateRow> {
        let row = |(record, event): (&Record<'_>, &Event<'_>)| match event {
            Event::Truncate(truncate) => Some(TruncateRow {
                table: batch.table.name.to_owned(),
                topic: self.at.topic.to_owned(),
                topic_id: self.at.topic_id.to_owned(),
                generation: self.at.generation,
                partition: record.partition,
                offset: record.offset,
                lsn: truncate.lsn,
                ts_ms: truncate.ts_ms,
                run_id: self.run.to_owned(),
                stored_at: Utc::now().timestamp_millis(),
            }),
            _ => None,
        };
        batch.records.iter().zip(&batch.events).filter_map(row).collect()
    }

    /// After every insert: marks those of the rows just written that stored truncates remove, wherever and whenever these were read;
    /// and, if this very window has stored one, the rows of the whole table. Returns how many rows are gone.
    ///
    /// # Errors
    /// The warehouse is gone or refuses.
    pub fn mark_truncated(
        &self,
        warehouse: &Warehouse,
        table: &Table,
        beside: &SideBySideArgs,
        written: &[Written],
        stored: &[TruncateRow],
    ) -> Result<u64> {
        let TopicPartition { topic, topic_id, generation, partition } = self.at;
        let truncates = warehouse.truncates(table, topic_id, generation, |other| beside.has(topic, other))?;
        let at = MarkAt { partition, offset: self.start, now_ms: Utc::now().timestamp_millis() };
        let of_written = warehouse.mark_written(table, &truncates, written, at)?;
        let Some(newest) = stored.last() else { return Ok(of_written) };
        let newest = Truncate { lsn: newest.lsn, ts_ms: newest.ts_ms };
        warehouse.mark_table(table, &truncates, self.kin, newest, at)
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
                "more records are rejected; they are counted in the summary and kept in quarantine (lockstep rejected)"
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
            tracing::warn!("more warnings; they are counted in the summary and kept in the table `warnings`");
        }
    }
}

fn place(topic: &str, record: &Record<'_>, key: &str) -> String {
    format!("{topic}, partition {}, offset {}, key {key:?}", record.partition, record.offset)
}
