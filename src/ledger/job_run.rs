//! A run of a job that writes: its id and clock, its rows in the table `runs`, the points at which tests freeze it, its summary.

use anyhow::Result;
use postgres::Client;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::cli::clock::Clock;
use crate::cli::{Report, StopAt};
use crate::exit::{self, Exit};
use crate::ledger::{RunRow, run_rows};
use crate::source;
use crate::warehouse::Warehouse;

/// A run.
#[derive(Debug)]
pub struct JobRun {
    /// The job's name.
    pub job: String,
    /// The run's id.
    pub id: String,
    /// When it began.
    pub started: Clock,
    stop_at: Option<StopAt>,
}

impl JobRun {
    /// A run begins, with no row yet.
    pub fn begin(job: &str) -> JobRun {
        let id = uuid::Uuid::now_v7().to_string();
        JobRun { job: job.to_owned(), id, started: Clock::start(), stop_at: None }
    }

    /// Tests freeze it at a named point.
    pub fn freezing_at(self, stop_at: Option<&StopAt>) -> JobRun {
        JobRun { stop_at: stop_at.cloned(), ..self }
    }

    /// The name of its session in PostgreSQL, by which `observe` sees that the run is alive.
    pub fn session_name(&self) -> String {
        source::session_name(&self.job, &self.id)
    }

    /// A named point for the crash tests.
    pub fn failpoint(&self, point: &str) {
        if let Some(stop_at) = &self.stop_at {
            stop_at.pass(point);
        }
    }

    /// Enters the books by the run's session, and writes the run's first row; jobs add where they read from.
    ///
    /// # Errors
    /// As [`run_rows::enter`]; the warehouse is gone or refuses.
    pub fn open(&self, warehouse: &Warehouse, session: &mut Client, add: impl FnOnce(RunRow) -> RunRow) -> Result<()> {
        run_rows::enter(warehouse, session)?;
        warehouse.write_run(&add(run_rows::row(&self.id, &self.job, self.started, None, "")))
    }

    /// The report of a run: its id, what the job says, and what it took.
    pub fn report(&self, exit: Exit, summary: &impl Serialize, error: Option<String>) -> Report {
        let mut fields = Map::from_iter([("run".to_owned(), Value::from(self.id.as_str()))]);
        // A summary is a struct of numbers, texts and lists: nothing of it can fail.
        if let Ok(Value::Object(said)) = serde_json::to_value(summary) {
            fields.extend(said);
        }
        run_rows::describe_resources(self.started, &mut |name, value| fields.insert(name.to_owned(), value));
        fields.extend(error.map(|error| ("error".to_owned(), Value::from(error))));
        Report { exit, fields }
    }

    /// Writes the run's final row, which says what its report says; jobs add what they have counted. If it cannot be written, a report that all
    /// is well is none.
    pub fn close(&self, warehouse: &Warehouse, report: &mut Report, add: impl FnOnce(RunRow) -> RunRow) {
        let row = run_rows::row(&self.id, &self.job, self.started, Some(report.exit), &report.line(&self.job));
        run_rows::close(warehouse, &add(row), report);
    }
}

/// How a run ended, and the error in words.
pub fn ended(result: &Result<Exit>) -> (Exit, Option<String>) {
    match result {
        Ok(exit) => (*exit, None),
        Err(error) => (Exit::of(error), Some(exit::told(error))),
    }
}
