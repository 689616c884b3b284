//! A run: its connections, its place in the books, its summary.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::cli::clock::Clock;
use crate::cli::{Report, Stop};
use crate::derived::order_wide::args::OrderWideArgs;
use crate::exit::{Exit, fault};
use crate::ledger::{RunRow, run_rows};
use crate::source;
use crate::warehouse::Warehouse;

/// The server does the work of a build in a few statements; one of them may take this long.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(1800);

/// One run of the job.
pub struct Run {
    pub job: String,
    pub id: String,
    pub args: OrderWideArgs,
    pub warehouse: Warehouse,
    pub totals: Totals,
    /// The session that will hold the lock; a dry run has none.
    session: Option<postgres::Client>,
    stop: Stop,
    started: Clock,
}

/// What a run counts.
#[derive(Debug, Default)]
pub struct Totals {
    /// The build's number, if one was taken.
    pub build: Option<u64>,
    /// Windows to take up.
    pub windows: u64,
    /// Lines to do again.
    pub touched: u64,
    /// Rows written.
    pub written: u64,
    /// Delete markers written.
    pub deleted: u64,
    /// Orders left out because they have no date.
    pub without_date: u64,
}

impl Run {
    /// Connects, and writes the run's first row into the books.
    ///
    /// # Errors
    /// One of the servers is not there, or refuses.
    pub fn open(job: &str, args: OrderWideArgs, stop: &Stop) -> Result<Run> {
        let id = uuid::Uuid::now_v7().to_string();
        let connect = || source::connect(&args.postgres, &source::session_name(job, &id));
        let mut run = Run {
            job: job.to_owned(),
            session: if args.dry_run { None } else { Some(connect()?) },
            id,
            warehouse: Warehouse::new(&args.clickhouse)?.with_query_timeout(STATEMENT_TIMEOUT),
            totals: Totals::default(),
            stop: stop.clone(),
            started: Clock::start(),
            args,
        };
        match &mut run.session {
            None => _ = run.warehouse.fits()?,
            Some(session) => {
                run_rows::enter(&run.warehouse, session)?;
                run.warehouse.write_run(&run_rows::row(&run.id, &run.job, run.started, None, ""))?;
            }
        }
        Ok(run)
    }

    /// One build at a time. The lock spares a second one the work; what keeps two apart if it is lost is the build's number.
    ///
    /// # Errors
    /// Another build is at work (75); PostgreSQL is gone.
    pub fn lock(&mut self) -> Result<()> {
        let Some(session) = &mut self.session else { return Ok(()) };
        source::lock_job(session, &self.job, &self.warehouse.db)?;
        self.passes("locked")
    }

    /// A named point for the crash tests, and a place to end at when a signal has come.
    ///
    /// # Errors
    /// Exit 143: a signal has come.
    pub fn passes(&self, point: &str) -> Result<()> {
        if let Some(stop_at) = &self.args.stop_at {
            stop_at.pass(point);
        }
        self.stop.remember(self.report(Exit::Stopped, Some(STOPPED.to_owned())).line(&self.job));
        if self.stop.asked() { Err(fault(Exit::Stopped, STOPPED)) } else { Ok(()) }
    }

    /// Writes the final row and makes the summary.
    pub fn close(mut self, result: Result<Exit>) -> Report {
        let (exit, error) = match &result {
            Ok(exit) => (*exit, None),
            Err(error) => (Exit::of(error), Some(format!("{error:#}"))),
        };
        let mut report = self.report(exit, error);
        if !self.args.dry_run {
            let row = run_rows::row(&self.id, &self.job, self.started, Some(exit), &report.line(&self.job));
            run_rows::close(&self.warehouse, &RunRow { written: self.totals.written, ..row }, &mut report);
        }
        if let Some(session) = &mut self.session {
            source::unlock(session);
        }
        report
    }

    fn report(&self, exit: Exit, error: Option<String>) -> Report {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        put("run", json!(self.id));
        put("build", json!(self.totals.build));
        put("full", json!(self.args.full));
        put("dry_run", json!(self.args.dry_run));
        put("windows", json!(self.totals.windows));
        put("touched", json!(self.totals.touched));
        put("written", json!(self.totals.written));
        put("deleted", json!(self.totals.deleted));
        put("without_date", json!(self.totals.without_date));
        put("duration_ms", json!(self.started.elapsed().as_millis() as u64));
        if let Some(error) = error {
            put("error", json!(error));
        }
        Report { exit, fields }
    }
}

const STOPPED: &str = "stopped by a signal; the next build does again what this one has not finished";
