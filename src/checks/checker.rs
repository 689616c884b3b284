//! What a run of checks works with.

use std::time::Duration;

use anyhow::{Context, Result};
use postgres::Client;

use crate::checks::args::CheckArgs;
use crate::checks::settings::Settings;
use crate::cli::{Call, Report, Stop};
use crate::exit::{Exit, fault, needs_person};
use crate::ledger::plain_run::PlainRun;
use crate::ledger::run_rows;
use crate::source;
use crate::tables::{Pipeline, RuleLimits};
use crate::warehouse::Warehouse;

/// The connector confirms its place in the log every second or two. What differs is worth that much, even with `--wait 0s`.
const GRACE: Duration = Duration::from_secs(5);

/// Results that are stored stand; the others are made by the next run.
pub const STOPPED: &str = "stopped by a signal before every check was made; run again";

/// The servers, the settings, and how long is still waited.
pub struct Checker<'s> {
    /// The job's name.
    pub job: String,
    /// The pipeline.
    pub pipeline: &'static Pipeline,
    /// Flags.
    pub args: CheckArgs,
    /// Severities, and what is late or unusual.
    pub settings: Settings,
    /// What rules name.
    pub limits: RuleLimits,
    /// ClickHouse.
    pub warehouse: Warehouse,
    /// Asked to stop?
    pub stop: &'s Stop,
    /// How long a table may wait for the connector, and for its ingest job. What was waited for in vain is not waited for again.
    pub timeouts: Timeouts,
    /// By its name `observe` sees that the run is alive.
    session: String,
    client: Client,
}

/// See [`Checker::timeouts`].
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// With the connector.
    pub capture: Duration,
    /// With the ingest job.
    pub ingest: Duration,
}

impl<'s> Checker<'s> {
    /// Reads the settings, connects, and writes the run's first row into the books.
    ///
    /// # Errors
    /// The settings are wrong (78), or a limit is (2); PostgreSQL is not there, or refuses, or is a standby (78); the books do not fit.
    pub fn open(call: &Call<'s>, run: &mut PlainRun, args: CheckArgs) -> Result<Checker<'s>> {
        let Call { job, pipeline, stop } = *call;
        // For the case that a server keeps the job from returning in time.
        stop.remember(Report::of_error(&fault(Exit::Stopped, STOPPED)).line(job));
        let settings = Settings::read(args.config.as_deref(), pipeline)?;
        let limits = args.limits.limits(pipeline)?;
        let warehouse = Warehouse::new(&args.clickhouse)?;
        let session = run.session_name();
        let mut client = connect(&args, &session)?;
        run.open(&mut client)?;
        let timeouts = Timeouts { capture: args.wait.max(GRACE), ingest: args.wait };
        Ok(Checker {
            job: job.to_owned(),
            pipeline,
            args,
            settings,
            limits,
            warehouse,
            stop,
            timeouts,
            session,
            client,
        })
    }

    /// PostgreSQL; connected again if the session was lost meanwhile.
    ///
    /// # Errors
    /// The server is not there, or refuses; it is a standby (78).
    pub fn source(&mut self) -> Result<&mut Client> {
        if self.client.is_closed() {
            self.client = connect(&self.args, &self.session)?;
            run_rows::enter(&self.warehouse, &mut self.client)?;
        }
        Ok(&mut self.client)
    }

    /// Both servers: PostgreSQL as by [`Checker::source`], and ClickHouse.
    ///
    /// # Errors
    /// As [`Checker::source`].
    pub fn both(&mut self) -> Result<(&mut Client, &Warehouse)> {
        self.source()?;
        Ok((&mut self.client, &self.warehouse))
    }

    /// A named point, at which tests freeze the run.
    pub fn failpoint(&self, point: &str) {
        if let Some(stop_at) = &self.args.stop_at {
            stop_at.pass(point);
        }
    }

    /// Are rows that stayed undecided no pass? What was not waited for, and is not there yet, is left to the next run; what is in flight behind the
    /// fence is nobody's.
    pub fn is_inconclusive(&self, undecided: u64, behind: Option<&String>) -> bool {
        undecided > 0 && (behind.is_none() || !self.args.wait.is_zero())
    }
}

/// A standby's snapshots leave out running transactions, and it does not know where the primary's log ends.
fn connect(args: &CheckArgs, session: &str) -> Result<Client> {
    let mut client = source::connect(&args.postgres, session)?;
    let row = client.query_one("SELECT pg_is_in_recovery()", &[]).context("asking whether PostgreSQL is a standby")?;
    if row.get(0) {
        return Err(needs_person(
            "this PostgreSQL is a standby, whose snapshots leave out running transactions: point POSTGRES_HOST at the primary",
        ));
    }
    Ok(client)
}
