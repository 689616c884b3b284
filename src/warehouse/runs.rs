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
    /// The summary's; empty without one.
    pub error: String,
}

impl Warehouse {
    /// The runs that have no final row.
    ///
    /// # Errors
    /// The server is gone, or `migrate` has not run.
    pub fn open_runs(&self) -> Result<Vec<OpenRun>> {
        let sql = format!(
            "SELECT run_id, job, host, toUnixTimestamp64Milli(started_at) AS started_ms
             FROM {}.runs FINAL
             WHERE status = 'running'
             ORDER BY started_at",
            self.ops
        );
        self.rows("looking for runs without an end", &sql)
    }

    /// Marks a run as lost, and keeps everything else that its row says. Its version is one millisecond above the row's own, not
    /// this moment's: whatever the run itself may write after all is newer, even if the machines' clocks disagree.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn mark_lost(&self, run_id: &str) -> Result<()> {
        let sql = format!(
            "INSERT INTO {ops}.runs
             SELECT * REPLACE ('lost' AS status, addMilliseconds(updated_at, 1) AS updated_at)
             FROM (SELECT * FROM {ops}.runs FINAL WHERE run_id = {} AND status = 'running')",
            quote(run_id),
            ops = self.ops
        );
        self.execute("marking a run as lost", &sql)
    }

    /// The last run of every job but one.
    ///
    /// # Errors
    /// The server is gone, or `migrate` has not run.
    pub fn last_runs(&self, but: &str) -> Result<Vec<LastRun>> {
        let sql = format!(
            "SELECT job, run_id, status, toUnixTimestamp64Milli(started_at) AS started_ms, written, rejected,
                    JSONExtractString(summary, 'error') AS error
             FROM {}.runs FINAL
             WHERE job != {}
             ORDER BY job, started_at DESC
             LIMIT 1 BY job",
            self.ops,
            quote(but)
        );
        self.rows("looking at the last runs", &sql)
    }
}
