//! Reading `{ops}.runs`: which runs have not ended yet, how the last ones ended; and marking those that never will.

use anyhow::Result;
use clickhouse::Row;
use serde::Deserialize;

use crate::warehouse::{Warehouse, quote};

/// A run whose newest row says that it is running.
#[derive(Debug, Clone, Row, Deserialize)]
#[allow(missing_docs)]
pub struct OpenRun {
    pub run_id: String,
    pub job: String,
    pub host: String,
    /// Unix milliseconds, by that host's clock.
    pub started_ms: i64,
}

/// One of a job's last runs.
#[derive(Debug, Clone, Row, Deserialize)]
#[allow(missing_docs)]
pub struct RecentRun {
    pub job: String,
    pub run_id: String,
    pub status: String,
    /// Unix milliseconds.
    pub started_ms: i64,
    pub written: u64,
    pub rejected: u64,
    /// Why it did not end well; empty if it did.
    pub error: String,
    /// Airflow's schedule has started it.
    pub by_schedule: bool,
}

#[derive(Row, Deserialize)]
struct JobName {
    job: String,
}

/// A run has so many rows at most until they are merged: running, lost, and how it ended; and one to spare.
const ROWS_OF_A_RUN: u32 = 4;

impl Warehouse {
    /// The runs that have no final row. Rows that say so are few, and quickly found without merging; most of them are behind another
    /// row of the same run, so these few are asked for once more.
    ///
    /// # Errors
    /// The server is gone, or `migrate` has not run.
    pub fn open_runs(&self) -> Result<Vec<OpenRun>> {
        let sql = format!(
            "SELECT run_id, job, host, toUnixTimestamp64Milli(started_at) AS started_ms
             FROM {ops}.runs FINAL
             WHERE (job, started_at, run_id) IN (SELECT job, started_at, run_id FROM {ops}.runs WHERE status = 'running')
               AND status = 'running'
             ORDER BY started_at",
            ops = self.ops
        );
        self.rows("looking for runs without an end", &sql)
    }

    /// Marks a run as lost, and keeps everything else that its row says. Its version is one millisecond above the row's own, not
    /// this moment's: whatever the run itself may write after all is newer, even if the machines' clocks disagree.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn mark_lost(&self, run: &OpenRun) -> Result<()> {
        let sql = format!(
            "INSERT INTO {ops}.runs
             SELECT * REPLACE ('lost' AS status, addMilliseconds(updated_at, 1) AS updated_at)
             FROM
             (
                 SELECT * FROM {ops}.runs FINAL
                 WHERE job = {} AND started_at = fromUnixTimestamp64Milli({}) AND run_id = {} AND status = 'running'
             )",
            quote(&run.job),
            run.started_ms,
            quote(&run.run_id),
            ops = self.ops
        );
        self.execute("marking a run as lost", &sql)
    }

    /// The last runs of every job, the newest first: so many of each. It costs the same however many there were before: the jobs are
    /// in a projection, and their last rows at the end of their part of the key. No FINAL, which would read all that expired after 180
    /// days: of a run's rows the newest counts.
    ///
    /// # Errors
    /// The server is gone, or `migrate` has not run.
    pub fn recent_runs(&self, of_each: u32) -> Result<Vec<RecentRun>> {
        let jobs = format!("SELECT job, max(started_at) AS newest FROM {}.runs GROUP BY job", self.ops);
        let jobs: Vec<JobName> =
            self.rows("looking which jobs have run", &format!("SELECT job FROM ({jobs}) ORDER BY job"))?;
        let rows = (of_each + 1) * ROWS_OF_A_RUN;
        let of_job = |name: &JobName| {
            format!(
                "SELECT * FROM
                 (
                     SELECT job, run_id, status, started_at, updated_at, written, rejected, error, dag_run_id
                     FROM {}.runs WHERE job = {} ORDER BY started_at DESC LIMIT {rows}
                 )",
                self.ops,
                quote(&name.job)
            )
        };
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT job, run_id, status, toUnixTimestamp64Milli(started_at) AS started_ms, written, rejected, error,
                    startsWith(dag_run_id, 'scheduled__') AS by_schedule
             FROM
             (
                 SELECT * FROM ({}) ORDER BY job, started_at DESC, run_id, updated_at DESC LIMIT 1 BY job, run_id
             )
             ORDER BY job, started_at DESC, run_id
             LIMIT {of_each} BY job",
            jobs.iter().map(of_job).collect::<Vec<_>>().join(" UNION ALL ")
        );
        self.rows("looking at the last runs", &sql)
    }
}
