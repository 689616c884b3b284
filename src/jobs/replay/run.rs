//! A replay: its clients, its place in the books, its summary.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;

use crate::batch::scope::Logged;
use crate::cli::Call;
use crate::cli::Report;
use crate::exit::Exit;
use crate::jobs::replay::args::ReplayArgs;
use crate::jobs::replay::counts::ReplayCounts;
use crate::jobs::replay::turn::Turn;
use crate::kafka::Span;
use crate::ledger::RunRow;
use crate::ledger::job_run::{JobRun, ended};
use crate::quarantine::{Kept, QuarantineRange};
use crate::source::{self, LookUps, TargetLock};
use crate::tables::Table;
use crate::validate::Validator;
use crate::warehouse::Warehouse;

/// Counters of a replay.
#[derive(Debug, Default)]
pub struct ReplayTotals {
    /// Records looked at.
    pub replayed: u64,
    /// Selected records that this run does not come to.
    remaining: u64,
    /// Selected records above the ledger's end.
    ahead: u64,
    /// Rows marked as deleted because of truncates.
    pub truncated_rows: u64,
    /// What is logged of them.
    pub logged: Logged,
    counts: ReplayCounts,
    batches: u64,
}

impl ReplayTotals {
    /// Takes in a finished batch.
    pub fn add(&mut self, counts: &ReplayCounts) {
        self.replayed += counts.records();
        self.remaining = self.remaining.saturating_sub(counts.records());
        self.batches += 1;
        let add = |all: &mut BTreeMap<&'static str, u64>, more: &BTreeMap<&'static str, u64>| {
            more.iter().for_each(|(rule, count)| *all.entry(rule).or_default() += count);
        };
        add(&mut self.counts.refused, &counts.refused);
        add(&mut self.counts.warned, &counts.warned);
        self.counts.written += counts.written;
        self.counts.truncates += counts.truncates;
        self.counts.landed += counts.landed;
        self.counts.superseded += counts.superseded;
    }
}

/// One run of the job.
pub struct Replay {
    /// Its name, id and clock.
    pub run: JobRun,
    pub args: ReplayArgs,
    pub source: postgres::Client,
    pub look_ups: LookUps,
    pub validator: Validator,
    pub warehouse: Warehouse,
    pub totals: ReplayTotals,
}

/// What a replay says at its end.
#[derive(Serialize)]
struct Summary<'r> {
    dry_run: bool,
    replayed: u64,
    written: u64,
    already_there: u64,
    truncates: u64,
    truncated_rows: u64,
    resolved: u64,
    superseded: u64,
    still_rejected: u64,
    still_rejected_by_rule: &'r BTreeMap<&'static str, u64>,
    warned_by_rule: &'r BTreeMap<&'static str, u64>,
    batches: u64,
    remaining: u64,
    ahead: u64,
}

impl Replay {
    /// Connects, and writes the run's first row into the books.
    ///
    /// # Errors
    /// One of the servers is not there, or refuses.
    pub fn open(call: &Call<'_>, args: ReplayArgs) -> Result<Replay> {
        let run = JobRun::begin(call.job).freezing_at(args.stop_at.as_ref());
        let name = run.session_name();
        let source = source::connect(&args.postgres, &name)?;
        let mut replay = Replay {
            look_ups: LookUps::connect(&args.postgres, &args.replica, &name)?,
            validator: Validator::new(call.pipeline, &args.rules)?,
            warehouse: Warehouse::new(&args.clickhouse)?,
            totals: ReplayTotals::default(),
            source,
            run,
            args,
        };
        if replay.args.dry_run {
            replay.warehouse.fits()?;
        } else {
            replay.run.open(&replay.warehouse, &mut replay.source, |row| row)?;
        }
        replay.args.beside.learn(replay.warehouse.side_by_side()?)?;
        Ok(replay)
    }

    /// Takes the tables' locks, unless nothing is going to be written.
    ///
    /// # Errors
    /// Exit 75: another replay is at work.
    pub fn lock(&mut self, tables: &[&'static Table]) -> Result<()> {
        if self.args.dry_run {
            return Ok(());
        }
        let names: Vec<&str> = tables.iter().map(|table| table.name).collect();
        source::lock_tables(&mut self.source, &self.run.job, &self.warehouse.ops, &names)?;
        // As whoever writes: a new generation is not taken meanwhile.
        for table in tables {
            let lock = TargetLock::of(&self.warehouse.db, table.target);
            if !lock.share(&mut self.source)? {
                return Err(lock.busy(&mut self.source, "a run is taking a new generation for it"));
            }
        }
        self.failpoint("locked");
        Ok(())
    }

    /// Where the selected records of a table lie, up to the ledger's end.
    ///
    /// # Errors
    /// The warehouse is gone or refuses.
    pub fn ranges(&mut self, table: &str) -> Result<Vec<QuarantineRange>> {
        let selection = self.args.selection(table);
        let mut ranges = self.warehouse.ranges(&selection)?;
        for range in &mut ranges {
            let settled = self.warehouse.settled(table, &range.topic)?;
            let settled = settled.iter().find(|s| (&s.topic_id, s.partition) == (&range.topic_id, range.partition));
            if let Some(settled) = settled.filter(|settled| settled.end < range.end) {
                let all = range.records;
                range.end = settled.end;
                range.records = self.warehouse.count_in(&selection, range)?;
                self.totals.ahead += all.saturating_sub(range.records);
            }
            self.totals.remaining += range.records;
        }
        Ok(ranges)
    }

    /// How many records this run is going to look at.
    pub fn planned(&self) -> u64 {
        self.totals.remaining.min(self.args.max_records)
    }

    /// May it look at more records?
    pub fn goes_on(&self) -> bool {
        self.totals.replayed < self.args.max_records
    }

    /// The next records of a turn, as many as fit into a batch.
    ///
    /// # Errors
    /// The warehouse is gone or refuses.
    pub fn read(&self, turn: &Turn, rest: Span) -> Result<(Span, Vec<Kept>)> {
        let Turn { range, selection } = turn;
        let limits = self.args.limits(self.args.max_records - self.totals.replayed);
        let span = self.warehouse.first_batch(selection, range, rest, limits)?;
        Ok((span, self.warehouse.kept(selection, range, span)?))
    }

    /// Writes the final row and makes the summary.
    pub fn close(mut self, result: Result<Exit>) -> Report {
        let (exit, error) = ended(&result);
        if self.totals.ahead > 0 {
            tracing::info!(
                "{} records stand above the ledger's end: their windows are open, and the ingest job reads them again itself",
                self.totals.ahead
            );
        }
        let mut report = self.report(exit, error);
        if !self.args.dry_run {
            let ReplayTotals { counts, .. } = &self.totals;
            let (written, rejected, truncates) = (counts.written, counts.refused(), counts.truncates);
            self.run.close(&self.warehouse, &mut report, |row| RunRow { written, rejected, truncates, ..row });
            source::unlock(&mut self.source);
        }
        report
    }

    fn report(&self, exit: Exit, error: Option<String>) -> Report {
        let ReplayTotals { counts, .. } = &self.totals;
        let summary = Summary {
            dry_run: self.args.dry_run,
            replayed: self.totals.replayed,
            written: counts.written,
            already_there: counts.landed,
            truncates: counts.truncates,
            truncated_rows: self.totals.truncated_rows,
            resolved: counts.resolved(),
            superseded: counts.superseded,
            still_rejected: counts.refused(),
            still_rejected_by_rule: &counts.refused,
            warned_by_rule: &counts.warned,
            batches: self.totals.batches,
            remaining: self.totals.remaining,
            ahead: self.totals.ahead,
        };
        self.run.report(exit, &summary, error)
    }

    /// The summary as it would be if the process had to end now.
    pub fn shutdown_summary(&self) -> String {
        let why = "stopped before the open batch was finished; the next replay takes it up again";
        self.report(Exit::Stopped, Some(why.to_owned())).line(&self.run.job)
    }

    /// A named point for the crash tests.
    pub fn failpoint(&self, point: &str) {
        self.run.failpoint(point);
    }
}
