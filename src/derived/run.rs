//! A run: its connections, its place in the books, its summary.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use crate::cli::{Report, Stop};
use crate::derived::Derived;
use crate::derived::args::BuildArgs;
use crate::exit::{Exit, fault};
use crate::ledger::RunRow;
use crate::ledger::job_run::{JobRun, ended};
use crate::source;
use crate::warehouse::Warehouse;

/// The server does the work of a build in a few statements; one of them may take this long.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(1800);

/// One run of the job.
pub struct Run {
    /// Its name, id and clock.
    pub run: JobRun,
    pub derived: Derived,
    pub args: BuildArgs,
    pub warehouse: Warehouse,
    pub totals: Totals,
    /// The session that will hold the lock; a dry run has none.
    session: Option<postgres::Client>,
    stop: Stop,
}

/// What a run counts.
#[derive(Debug, Default, Clone)]
pub struct Totals {
    /// The build's number, if one was taken.
    pub build: Option<u64>,
    /// Windows to take up.
    pub windows: u64,
    /// Rows of the driving table to do again.
    pub touched: u64,
    /// Rows written.
    pub written: u64,
    /// Delete markers written.
    pub deleted: u64,
    /// Rows set aside because a value does not fit, …
    pub rejected: u64,
    /// … and some of them.
    pub misfits: Vec<String>,
    /// Rows left out, by the reasons that the pipeline's file has.
    pub left_out: Vec<u64>,
}

impl Run {
    /// Connects, and writes the run's first row into the books.
    ///
    /// # Errors
    /// One of the servers is not there, or refuses.
    pub fn open(job: &str, derived: Derived, args: BuildArgs, stop: &Stop) -> Result<Run> {
        let job_run = JobRun::begin(job).freezing_at(args.stop_at.as_ref());
        let connect = || source::connect(&args.postgres, &job_run.session_name());
        let mut run = Run {
            session: if args.dry_run { None } else { Some(connect()?) },
            run: job_run,
            warehouse: Warehouse::new(&args.clickhouse)?.with_query_timeout(STATEMENT_TIMEOUT),
            totals: Totals { left_out: vec![0; derived.spec.left_out.len()], ..Totals::default() },
            stop: stop.clone(),
            derived,
            args,
        };
        match &mut run.session {
            None => _ = run.warehouse.fits()?,
            Some(session) => run.run.open(&run.warehouse, session, |row| row)?,
        }
        Ok(run)
    }

    /// One build at a time. The lock spares a second one the work; what keeps two apart if it is lost is the build's number.
    ///
    /// # Errors
    /// Another build is at work (75); PostgreSQL is gone.
    pub fn lock(&mut self) -> Result<()> {
        let Some(session) = &mut self.session else { return Ok(()) };
        source::lock_job(session, &self.run.job, &self.warehouse.db)?;
        self.failpoint("locked")
    }

    /// A named point for the crash tests, and a place to end at when a signal has come.
    ///
    /// # Errors
    /// Exit 143: a signal has come.
    pub fn failpoint(&self, point: &str) -> Result<()> {
        self.run.failpoint(point);
        self.stop.remember(self.report(Exit::Stopped, Some(STOPPED.to_owned())).line(&self.run.job));
        if self.stop.asked() { Err(fault(Exit::Stopped, STOPPED)) } else { Ok(()) }
    }

    /// Writes the final row and makes the summary.
    pub fn close(mut self, result: Result<Exit>) -> Report {
        let (exit, error) = ended(&result);
        let mut report = self.report(exit, error);
        if !self.args.dry_run {
            let Totals { written, rejected, .. } = self.totals;
            self.run.close(&self.warehouse, &mut report, |row| RunRow { written, rejected, ..row });
        }
        if let Some(session) = &mut self.session {
            source::unlock(session);
        }
        report
    }

    fn report(&self, exit: Exit, error: Option<String>) -> Report {
        let names = self.derived.spec.left_out.iter().map(|(name, _)| name.as_str());
        let summary = Summary {
            build: self.totals.build,
            full: self.args.full,
            dry_run: self.args.dry_run,
            windows: self.totals.windows,
            touched: self.totals.touched,
            written: self.totals.written,
            deleted: self.totals.deleted,
            rejected: self.totals.rejected,
            left_out: names.zip(self.totals.left_out.iter().copied()).collect(),
            warning: self.warning(),
        };
        self.run.report(exit, &summary, error)
    }

    /// What was set aside, in a sentence.
    pub fn warning(&self) -> Option<String> {
        let Totals { rejected, misfits, .. } = &self.totals;
        let more = rejected.saturating_sub(misfits.len() as u64);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        (*rejected > 0).then(|| {
            format!(
                "{rejected} row(s) have values that {} cannot hold as they are, and are not in it: {}{more}. Correct them in PostgreSQL: the build after \
                 the change brings them ({}.derived_rejected)",
                self.derived.target(),
                misfits.join("; "),
                self.warehouse.ops
            )
        })
    }
}

/// What a build says at its end.
#[derive(Serialize)]
struct Summary<'s> {
    build: Option<u64>,
    full: bool,
    dry_run: bool,
    windows: u64,
    touched: u64,
    written: u64,
    deleted: u64,
    rejected: u64,
    #[serde(flatten)]
    left_out: BTreeMap<&'s str, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

const STOPPED: &str = "stopped by a signal; the next build does again what this one has not finished";
