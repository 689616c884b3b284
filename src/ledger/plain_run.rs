//! A run of a job that counts nothing of its own: its row in the table `runs`, from before its first look to after its last one.
//! By these rows `observe` sees that a job never ends well, was killed, or runs no more.

use anyhow::Result;
use postgres::Client;
use serde_json::Value;

use crate::cli::clock::Clock;
use crate::cli::{ClickHouseArgs, Report};
use crate::ledger::run_rows;
use crate::source;
use crate::warehouse::Warehouse;

/// A run, and what it is called in the books.
pub struct PlainRun {
    job: String,
    /// The job with the flags that make it another one: of two that are scheduled side by side the one may be well while the other is not.
    name: String,
    /// The run's id.
    pub id: String,
    /// When it began.
    pub started: Clock,
    warehouse: Warehouse,
    rows: Rows,
}

/// Which rows a run has.
#[derive(PartialEq)]
enum Rows {
    /// None: it only asks, or has not come into the books.
    Never,
    /// None yet.
    NotYet,
    /// The first one was written, or tried.
    Open,
}

impl PlainRun {
    /// A run begins, with no row yet.
    ///
    /// # Errors
    /// ClickHouse's settings are wrong.
    pub fn begin(job: &str, name: String, clickhouse: &ClickHouseArgs) -> Result<PlainRun> {
        let (id, warehouse) = (uuid::Uuid::now_v7().to_string(), Warehouse::new(clickhouse)?);
        Ok(PlainRun { job: job.to_owned(), name, id, started: Clock::start(), warehouse, rows: Rows::NotYet })
    }

    /// It changes nothing, and leaves no row.
    pub fn only_asking(self) -> PlainRun {
        PlainRun { rows: Rows::Never, ..self }
    }

    /// The name of its session in PostgreSQL, which has to be there from before [`PlainRun::open`] to after [`PlainRun::close`]: it shows that
    /// the run is alive.
    pub fn session_name(&self) -> String {
        source::session_name(&self.name, &self.id)
    }

    /// Enters the books by the run's session, as [`crate::ledger::run_rows::enter`], and writes the first row. A job's work does not depend on that row: if it cannot
    /// be written, [`PlainRun::close`] says so.
    ///
    /// # Errors
    /// Exit 75: `migrate` is at work; 78: the books are older than this executable, or newer.
    pub fn open(&mut self, session: &mut Client) -> Result<()> {
        if let Err(error) = run_rows::enter(&self.warehouse, session) {
            self.rows = Rows::Never;
            return Err(error);
        }
        if self.rows == Rows::NotYet {
            self.rows = Rows::Open;
            let row = run_rows::row(&self.id, &self.name, self.started, None, "");
            if let Err(error) = self.warehouse.write_run(&row) {
                tracing::warn!("the run's first row could not be written: {error:#}");
            }
        }
        Ok(())
    }

    /// Writes the final row, also of a run that could not begin, and makes the report. If it cannot be written, a report that all is well is
    /// none.
    pub fn close(self, result: Result<Report>) -> Report {
        let mut report = result.unwrap_or_else(|error| Report::of_error(&error));
        let is_written = match self.rows {
            Rows::Never => false,
            Rows::NotYet => self.warehouse.fits().is_ok(),
            Rows::Open => true,
        };
        if is_written {
            report.fields.entry("run").or_insert_with(|| Value::from(self.id.clone()));
            let row = run_rows::row(&self.id, &self.name, self.started, Some(report.exit), &report.line(&self.job));
            run_rows::close(&self.warehouse, &row, &mut report);
        }
        report
    }
}
