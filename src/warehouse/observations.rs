//! What `observe` writes down: tables of `clickhouse/init/03_observations.sql`.

use anyhow::Result;
use clickhouse::{Row, RowWrite};
use serde::{Deserialize, Serialize};

use crate::warehouse::{Warehouse, quote};

/// A row of `northwind_ops.observed_connectors`.
#[derive(Debug, Row, Serialize)]
#[allow(missing_docs)]
pub struct ConnectorRow {
    pub run_id: String,
    pub observed_at: i64,
    pub dag_run_id: String,
    pub connector: String,
    pub task: i32,
    pub state: String,
    pub worker: String,
    pub trace: String,
}

/// A row of `northwind_ops.observed_slots`.
#[derive(Debug, Row, Serialize)]
#[allow(missing_docs)]
pub struct SlotRow {
    pub run_id: String,
    pub observed_at: i64,
    pub dag_run_id: String,
    pub slot: String,
    pub active: bool,
    pub wal_status: String,
    pub retained_bytes: Option<i64>,
    pub confirmed_lsn: Option<i64>,
    pub unconfirmed_bytes: Option<i64>,
}

/// A row of `northwind_ops.observed_lags`.
#[derive(Debug, Row, Serialize)]
#[allow(missing_docs)]
pub struct LagRow {
    pub run_id: String,
    pub observed_at: i64,
    pub dag_run_id: String,
    pub topic: String,
    pub group_id: String,
    pub lag: u64,
    pub lag_seconds: Option<u64>,
    pub disagreements: String,
}

/// A row of `northwind_ops.connector_restarts`.
#[derive(Debug, Row, Serialize)]
#[allow(missing_docs)]
pub struct RestartRow {
    pub run_id: String,
    pub observed_at: i64,
    pub dag_run_id: String,
    pub connector: String,
    pub failed: Vec<String>,
}

#[derive(Row, Deserialize)]
struct Count {
    rows: u64,
}

impl Warehouse {
    /// Writes a look's rows of one of these tables.
    ///
    /// # Errors
    /// The server is gone, or `migrate` has not run.
    pub fn write_observed<R>(&self, table: &str, run_id: &str, rows: &[R]) -> Result<()>
    where
        R: RowWrite + 'static + for<'v> Row<Value<'v> = R>,
    {
        if rows.is_empty() { Ok(()) } else { self.insert::<R>(&self.ops, table, run_id, rows.iter()) }
    }

    /// How often the connector was started again in the last hour.
    ///
    /// # Errors
    /// The server is gone, or `migrate` has not run.
    pub fn restarts_of_the_last_hour(&self, connector: &str) -> Result<u64> {
        let sql = format!(
            "SELECT count() AS rows FROM {}.connector_restarts WHERE connector = {} AND observed_at > now64(3) - INTERVAL 1 HOUR",
            self.ops,
            quote(connector)
        );
        Ok(self.row::<Count>("counting the restarts of the last hour", &sql)?.rows)
    }
}
