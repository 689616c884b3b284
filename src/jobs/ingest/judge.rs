//! Look-ups first, all at once; then the verdict on every record. A bad row is rejected and the run goes on; a bad world
//! (PostgreSQL gone) is an error and the window stays open: never "all of them are missing".

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use typed_arena::Arena;

use crate::cdc::{self, Decoder, Event, Op, Record, Version, Violation};
use crate::cli::{Exit, fault};
use crate::jobs::ingest::begin::Plan;
use crate::jobs::ingest::run::Run;
use crate::source::{Existence, missing_keys};
use crate::stream::Window;
use crate::tables::{SourceRow, Table};
use crate::warehouse::{carried_rows, newest_versions};

/// The name of the rule that every table has: the row itself exists in the source.
pub const NOT_IN_POSTGRES: &str = "not-in-postgres";

/// The reject ratio says nothing about fewer records than this.
const RATIO_FROM: u64 = 100;

/// Judges the windows of a run.
#[derive(Debug, Default)]
pub struct Judge {
    existence: Existence,
}

impl Judge {
    /// Turns every change that must not be written into a rejection.
    ///
    /// # Errors
    /// A server is gone or refuses.
    pub fn judge<T: Table>(&mut self, run: &mut Run, events: &mut [Event<'_, T>]) -> Result<()> {
        let missing = self.missing::<T>(run, events)?;
        if missing.is_empty() {
            return Ok(());
        }
        let held: HashMap<String, u64> =
            newest_versions::<T>(&run.warehouse, &missing.iter().map(String::as_str).collect::<Vec<_>>())?;
        let mut deleted_later: HashSet<String> = HashSet::new();
        let mut truncated_later: Option<u64> = None;
        for event in events.iter_mut().rev() {
            if let Event::Truncate(lsn) = event {
                truncated_later = truncated_later.max(Some(*lsn));
            }
            let Event::Change(change) = event else { continue };
            let key = change.row.key_text();
            let is_truncated =
                truncated_later.is_some_and(|truncate| change.head.source.lsn.is_none_or(|lsn| lsn < truncate));
            if change.head.op == Op::Delete {
                if missing.contains(key.as_ref()) {
                    deleted_later.insert(key.into_owned());
                }
                continue;
            }
            // A row that the warehouse has at this version or a newer one cannot win: writing it changes nothing.
            let cannot_win = held.get(key.as_ref()).is_some_and(|newest| *newest >= change.row.version());
            let is_gone_later = is_truncated || deleted_later.contains(key.as_ref());
            if missing.contains(key.as_ref()) && !is_gone_later && !cannot_win {
                let detail = format!("{} {key:?} is NOT in Postgres", T::SOURCE);
                let key = key.into_owned();
                *event = Event::Bad(Violation::new(NOT_IN_POSTGRES, detail), Some(key));
            }
        }
        Ok(())
    }

    /// Keys of rows that PostgreSQL does not have (any more, or yet).
    fn missing<T: Table>(&mut self, run: &mut Run, events: &[Event<'_, T>]) -> Result<HashSet<String>> {
        let mut seen = HashSet::new();
        let mut wanted = Vec::new();
        let keys: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                Event::Change(change) if change.head.op != Op::Delete => Some(change.row.key_text()),
                _ => None,
            })
            .collect();
        for key in &keys {
            if !self.existence.knows(key) && seen.insert(key.as_ref()) {
                wanted.push(key.as_ref());
            }
        }
        let missing: HashSet<String> =
            missing_keys(&mut run.source, T::SOURCE, T::KEY, &wanted)?.into_iter().map(str::to_owned).collect();
        for key in wanted {
            if !missing.contains(key) {
                self.existence.remember(key);
            }
        }
        Ok(missing)
    }
}

impl Run {
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
    ) -> Result<Vec<String>> {
        let keys = cdc::first_partial_keys(events);
        let below = Version::of(plan.generation, window.span.start)?.get();
        let carried = carried_rows::<T>(&self.warehouse, &self.topic, &plan.topic_id, &keys, below)?;
        cdc::resolve(events, records, decoder, plan.generation, &carried, arena)
    }

    /// Ends the run before it writes this window, if too many records are bad. Missing rows do not count: they are what
    /// happens when the source moves on.
    ///
    /// # Errors
    /// Exit 65.
    pub fn within_reject_ratio<T: Table>(&mut self, records: &[Record<'_>], events: &[Event<'_, T>]) -> Result<()> {
        let is_bad =
            |event: &&Event<'_, T>| matches!(event, Event::Bad(violation, _) if violation.rule != NOT_IN_POSTGRES);
        self.totals.judged += records.len() as u64;
        self.totals.judged_bad += events.iter().filter(is_bad).count() as u64;
        let Some(limit) = self.args.max_reject_ratio else { return Ok(()) };
        let ratio = self.totals.judged_bad as f64 / self.totals.judged.max(1) as f64;
        if self.totals.judged < RATIO_FROM || ratio <= limit {
            return Ok(());
        }
        let example = events.iter().zip(records).find_map(|(event, record)| match event {
            Event::Bad(violation, _) if violation.rule != NOT_IN_POSTGRES => Some(format!(
                "partition {}, offset {}: {}: {}",
                record.partition, record.offset, violation.rule, violation.detail
            )),
            _ => None,
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
