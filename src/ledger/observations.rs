//! What `observe` writes down: tables of `clickhouse/init/03_observations.sql`.

use anyhow::Result;
use clickhouse::{Row, RowWrite};
use serde::{Deserialize, Serialize};

use crate::warehouse::{Warehouse, quote};

/// A row of `{ops}.observed_connectors`.
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

/// A row of `{ops}.observed_slots`.
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

/// A row of `{ops}.observed_lags`.
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
    pub late_seconds: Option<u64>,
    pub disagreements: String,
}

/// A row of `{ops}.observed_quarantine`.
#[derive(Debug, Row, Serialize)]
#[allow(missing_docs)]
pub struct QuarantineRow {
    pub run_id: String,
    pub observed_at: i64,
    pub dag_run_id: String,
    pub table: String,
    pub rule: String,
    pub records: u64,
    pub exhausted: u64,
}

/// A row of `{ops}.observed_alarms`.
#[derive(Debug, Row, Serialize)]
#[allow(missing_docs)]
pub struct AlarmRow {
    pub run_id: String,
    pub observed_at: i64,
    pub dag_run_id: String,
    pub alarm: String,
    pub subject: String,
    pub size: u64,
    pub said: bool,
    pub sentence: String,
}

/// When an alarm was said the last time.
#[derive(Debug, Clone, Row, Deserialize)]
#[allow(missing_docs)]
pub struct LastSaid {
    pub alarm: String,
    pub subject: String,
    /// Unix milliseconds.
    pub said_ms: i64,
    /// How much of it there was.
    pub size: u64,
}

/// Open records of a table that break a rule.
#[derive(Debug, Clone, Row, Deserialize)]
#[allow(missing_docs)]
pub struct OpenRecords {
    pub table: String,
    pub rule: String,
    pub records: u64,
    /// Those that were tried so often that nobody tries them again.
    pub exhausted: u64,
    /// When the oldest was tried the last time, in Unix milliseconds.
    pub oldest_ms: i64,
}

/// Rows of a derived table that are set aside: a value does not fit.
#[derive(Debug, Clone, Row, Deserialize)]
#[allow(missing_docs)]
pub struct SetAside {
    pub derived: String,
    pub rows: u64,
    /// One of them: its key, and what does not fit.
    pub example: String,
}

/// How a number of open records went over some looks.
#[derive(Debug, Clone, Row, Deserialize)]
#[allow(missing_docs)]
pub struct Trend {
    pub table: String,
    pub rule: String,
    pub first: u64,
    pub last: u64,
    /// It was there at each of the looks, and never less than at the one before.
    pub never_fell: bool,
}

/// A row of `{ops}.connector_restarts`.
#[derive(Debug, Row, Serialize)]
#[allow(missing_docs)]
pub struct RestartRow {
    pub run_id: String,
    pub observed_at: i64,
    pub dag_run_id: String,
    pub connector: String,
    pub failed: Vec<String>,
}

/// Keys of open records that are listed in a query; they take some 10 MB.
const MOST_LISTED: u64 = 100_000;

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

    /// Was the slot read at a look since then?
    ///
    /// # Errors
    /// The server is gone, or `migrate` has not run.
    pub fn was_read_since(&self, slot: &str, since_ms: i64) -> Result<bool> {
        let sql = format!(
            "SELECT count() AS rows FROM {}.observed_slots
             WHERE slot = {} AND observed_at >= fromUnixTimestamp64Milli({since_ms}, 'UTC') AND active = 1",
            self.ops,
            quote(slot)
        );
        Ok(self.row::<Count>("looking when the slot was read", &sql)?.rows > 0)
    }

    /// The open records, the largest numbers first.
    ///
    /// What is closed is left out, however much that is: the index on the status finds the few rows that say `open`, and only their
    /// keys are merged with what may have come behind them. (FINAL with the index alone would read everything between these keys.) So
    /// many that their list would be large are merged with all: then nobody waits for a quick answer.
    ///
    /// # Errors
    /// The server is gone, or `migrate` has not run.
    pub fn open_records(&self, attempts: u32) -> Result<Vec<OpenRecords>> {
        let candidates = format!("FROM {}.rejected WHERE status = 'open'", self.ops);
        let count = format!("SELECT count() AS rows {candidates}");
        let few = self.row::<Count>("counting the open records of the quarantine", &count)?.rows <= MOST_LISTED;
        let among = format!(
            "(topic, topic_id, partition, `offset`) IN (SELECT topic, topic_id, partition, `offset` {candidates})"
        );
        let sql = format!(
            "SELECT `table`, rule, count() AS records, countIf(attempt >= {attempts}) AS exhausted,
                    toUnixTimestamp64Milli(min(rejected_at)) AS oldest_ms
             FROM {}.rejected FINAL
             WHERE status = 'open' AND {}
             GROUP BY `table`, rule
             ORDER BY records DESC, `table`, rule
             SETTINGS use_skip_indexes_if_final = 0",
            self.ops,
            if few { &among } else { "1" },
        );
        self.rows("counting the open records of the quarantine", &sql)
    }

    /// The rows of derived tables that are set aside.
    ///
    /// # Errors
    /// The server is gone, or `migrate` has not run.
    pub fn set_aside(&self) -> Result<Vec<SetAside>> {
        let sql = format!(
            "SELECT derived, count() AS rows, argMin(concat(key, ': ', arrayStringConcat(misfits, ' and ')), key) AS example
             FROM {}.derived_rejected FINAL
             WHERE healed = 0
             GROUP BY derived
             ORDER BY derived",
            self.ops
        );
        self.rows("counting the rows of derived tables that are set aside", &sql)
    }

    /// How the numbers of open records went at the looks since then; nothing if there were none so long ago.
    ///
    /// # Errors
    /// The server is gone, or `migrate` has not run.
    pub fn quarantine_trends(&self, since_ms: i64) -> Result<Vec<Trend>> {
        let sql = format!(
            "WITH looks AS
             (
                 SELECT observed_at, `table`, rule, records FROM {ops}.observed_quarantine
                 WHERE observed_at >=
                 (
                     SELECT maxOrNull(observed_at) FROM {ops}.observed_quarantine
                     WHERE `table` = '' AND observed_at <= fromUnixTimestamp64Milli({since_ms}, 'UTC')
                       AND observed_at > fromUnixTimestamp64Milli({since_ms}, 'UTC') - INTERVAL 1 DAY
                 )
             ),
             (SELECT ifNull(countIf(`table` = ''), 0) FROM looks) AS number,
             arrayMap(look -> toInt64(look.2), arraySort(groupArray((observed_at, records)))) AS numbers
             SELECT `table`, rule, toUInt64(numbers[1]) AS first, toUInt64(numbers[-1]) AS last,
                    toBool(ifNull(length(numbers) = number AND arrayMin(arrayDifference(numbers)) >= 0, false)) AS never_fell
             FROM looks
             WHERE `table` != ''
             GROUP BY `table`, rule",
            ops = self.ops
        );
        self.rows("looking how the quarantine was before", &sql)
    }

    /// When each alarm was said the last time, if that was since then.
    ///
    /// # Errors
    /// The server is gone, or `migrate` has not run.
    pub fn last_said(&self, since_ms: i64) -> Result<Vec<LastSaid>> {
        let sql = format!(
            "SELECT alarm, subject, toUnixTimestamp64Milli(max(observed_at)) AS said_ms, argMax(size, observed_at) AS size
             FROM {}.observed_alarms
             WHERE observed_at >= fromUnixTimestamp64Milli({since_ms}, 'UTC') AND said
             GROUP BY alarm, subject",
            self.ops
        );
        self.rows("looking what was said before", &sql)
    }

    /// How many of these looks could not see everything.
    ///
    /// # Errors
    /// The server is gone, or `migrate` has not run.
    pub fn blind_looks(&self, since_ms: i64, looks: &[&str]) -> Result<u64> {
        let looks = looks.iter().map(|look| quote(look)).collect::<Vec<_>>().join(", ");
        let sql = format!(
            "SELECT uniqExact(run_id) AS rows FROM {}.observed_alarms
             WHERE observed_at >= fromUnixTimestamp64Milli({since_ms}, 'UTC') AND alarm = 'unseen' AND run_id IN ({looks})",
            self.ops
        );
        Ok(self.row::<Count>("looking what could not be seen before", &sql)?.rows)
    }
}
