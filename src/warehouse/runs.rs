//! Reading `northwind_ops.runs`: which runs have not ended yet, how the last ones ended; and marking those that never will.

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

/// The last run of a job.
#[derive(Debug, Clone, Row, Deserialize)]
#[allow(missing_docs)]
pub struct LastRun {
    pub job: String,
    pub run_id: String,
    pub status: String,
    /// Unix milliseconds.
    pub started_ms: i64,
    pub written: u64,
    pub rejected: u64,
    /// Why it did not end well.
    pub error: String,
}

impl Warehouse {
    /// The runs that have no final row. Rows that say so are few, as merges take away those that have one; FINAL looks at these alone.
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

    /// The last run of every job but one. When it started comes from a projection of a row per job.
    ///
    /// # Errors
    /// The server is gone, or `migrate` has not run.
    pub fn last_runs(&self, but: &str) -> Result<Vec<LastRun>> {
        let sql = format!(
            "SELECT job, run_id, status, toUnixTimestamp64Milli(started_at) AS started_ms, written, rejected, error
             FROM {ops}.runs
             WHERE (job, started_at) IN (SELECT job, max(started_at) FROM {ops}.runs WHERE job != {} GROUP BY job)
             ORDER BY job, run_id, updated_at DESC
             LIMIT 1 BY job",
            quote(but),
            ops = self.ops
        );
        self.rows("looking at the last runs", &sql)
    }
}
