//! A replay: its clients, its place in the books, its summary.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};

use crate::batch::scope::Logged;
use crate::cli::Call;
use crate::cli::Report;
use crate::cli::clock::Clock;
use crate::exit::Exit;
use crate::jobs::replay::args::ReplayArgs;
use crate::jobs::replay::counts::Counts;
use crate::jobs::replay::turn::Turn;
use crate::kafka::Span;
use crate::ledger::{RunRow, run_rows};
use crate::quarantine::{Kept, Shelf};
use crate::source::{self, LookUps, TargetLock};
use crate::tables::Table;
use crate::validate::Validator;
use crate::warehouse::Warehouse;

/// Counters of a replay.
#[derive(Debug, Default)]
pub struct Totals {
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
    counts: Counts,
    batches: u64,
}

impl Totals {
    /// Takes in a finished batch.
    pub fn add(&mut self, counts: &Counts) {
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
    pub job: String,
    pub id: String,
    pub args: ReplayArgs,
    pub source: postgres::Client,
    pub look_ups: LookUps,
    pub validator: Validator,
    pub warehouse: Warehouse,
    pub totals: Totals,
    started: Clock,
}

impl Replay {
    /// Connects, and writes the run's first row into the books.
    ///
    /// # Errors
    /// One of the servers is not there, or refuses.
    pub fn open(call: &Call<'_>, args: ReplayArgs) -> Result<Replay> {
        let job = call.job;
        let id = uuid::Uuid::now_v7().to_string();
        let name = source::session_name(job, &id);
        let source = source::connect(&args.postgres, &name)?;
        let mut replay = Replay {
            job: job.to_owned(),
            look_ups: LookUps::connect(&args.postgres, &args.replica, &name)?,
            validator: Validator::new(call.pipeline, &args.rules)?,
            warehouse: Warehouse::new(&args.clickhouse)?,
            totals: Totals::default(),
            started: Clock::start(),
            source,
            id,
            args,
        };
        if replay.args.dry_run {
            replay.warehouse.fits()?;
        } else {
            run_rows::enter(&replay.warehouse, &mut replay.source)?;
            replay.warehouse.write_run(&replay.row(None, ""))?;
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
        source::lock_tables(&mut self.source, &self.job, &self.warehouse.ops, &names)?;
        // As whoever writes: a new generation is not taken meanwhile.
        for table in tables {
            let lock = TargetLock::of(&self.warehouse.db, table.target);
            if !lock.share(&mut self.source)? {
                return Err(lock.busy(&mut self.source, "a run is taking a new generation for it"));
            }
        }
        self.passes("locked");
        Ok(())
    }

    /// Where the selected records of a table lie, up to the ledger's end.
    ///
    /// # Errors
    /// The warehouse is gone or refuses.
    pub fn shelves(&mut self, table: &str) -> Result<Vec<Shelf>> {
        let selection = self.args.selection(table);
        let mut shelves = self.warehouse.shelves(&selection)?;
        for shelf in &mut shelves {
            let settled = self.warehouse.settled(table, &shelf.topic)?;
            let settled = settled.iter().find(|s| (&s.topic_id, s.partition) == (&shelf.topic_id, shelf.partition));
            if let Some(settled) = settled.filter(|settled| settled.end < shelf.end) {
                let all = shelf.records;
                shelf.end = settled.end;
                shelf.records = self.warehouse.count_on(&selection, shelf)?;
                self.totals.ahead += all.saturating_sub(shelf.records);
            }
            self.totals.remaining += shelf.records;
        }
        Ok(shelves)
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
        let Turn { shelf, selection } = turn;
        let limits = self.args.limits(self.args.max_records - self.totals.replayed);
        let span = self.warehouse.first_batch(selection, shelf, rest, limits)?;
        Ok((span, self.warehouse.kept(selection, shelf, span)?))
    }

    /// Writes the final row and makes the summary.
    pub fn close(mut self, result: Result<Exit>) -> Report {
        let (exit, error) = match &result {
            Ok(exit) => (*exit, None),
            Err(error) => (Exit::of(error), Some(format!("{error:#}"))),
        };
        if self.totals.ahead > 0 {
            tracing::info!(
                "{} records stand above the ledger's end: their windows are open, and the ingest job reads them again itself",
                self.totals.ahead
            );
        }
        let mut report = self.report(exit, error);
        if !self.args.dry_run {
            run_rows::close(&self.warehouse, &self.row(Some(exit), &report.line(&self.job)), &mut report);
            source::unlock(&mut self.source);
        }
        report
    }

    fn report(&self, exit: Exit, error: Option<String>) -> Report {
        let Totals { counts, .. } = &self.totals;
        let mut fields = serde_json::Map::new();
        let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        put("run", json!(self.id));
        put("dry_run", json!(self.args.dry_run));
        put("replayed", json!(self.totals.replayed));
        put("written", json!(counts.written));
        put("already_there", json!(counts.landed));
        put("truncates", json!(counts.truncates));
        put("truncated_rows", json!(self.totals.truncated_rows));
        put("resolved", json!(counts.resolved()));
        put("superseded", json!(counts.superseded));
        put("still_rejected", json!(counts.refused()));
        put("still_rejected_by_rule", json!(counts.refused));
        put("warned_by_rule", json!(counts.warned));
        put("batches", json!(self.totals.batches));
        put("remaining", json!(self.totals.remaining));
        put("ahead", json!(self.totals.ahead));
        run_rows::describe_resources(self.started, &mut put);
        if let Some(error) = error {
            put("error", json!(error));
        }
        Report { exit, fields }
    }

    /// The summary as it would be if the process had to end now.
    pub fn last_words(&self) -> String {
        let why = "stopped before the open batch was finished; the next replay takes it up again";
        self.report(Exit::Stopped, Some(why.to_owned())).line(&self.job)
    }

    fn row(&self, exit: Option<Exit>, summary: &str) -> RunRow {
        RunRow {
            written: self.totals.counts.written,
            rejected: self.totals.counts.refused(),
            truncates: self.totals.counts.truncates,
            ..run_rows::row(&self.id, &self.job, self.started, exit, summary)
        }
    }

    /// A named point for the crash tests.
    pub fn passes(&self, point: &str) {
        if let Some(stop_at) = &self.args.stop_at {
            stop_at.pass(point);
        }
    }
}
