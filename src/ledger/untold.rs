//! Which repaired rows does the ledger tell of?
//!
//! A row and the windows at its offset are told apart by time, and by the server's alone: a repaired row carries a second (`_updated_at`) that is
//! above every window of a repair which was there before it. A window at its offset that was closed in that second or later came behind
//! the stamp. Clocks that are set back make windows too many, never too few.

use anyhow::Result;
use clickhouse::Row;
use serde::Deserialize;

use crate::cdc::Version;
use crate::ledger::Mode;
use crate::tables::TableFacts;
use crate::warehouse::{Warehouse, quote};

/// Repaired rows of a partition that no window tells of.
#[derive(Debug, Clone, Row, Deserialize)]
pub struct Untold {
    /// Kafka partition, or −1 for rows that the log knows nothing of.
    pub partition: i32,
    /// The lowest offset.
    pub start_offset: i64,
    /// One behind the highest.
    pub end_offset: i64,
    /// So many.
    pub rows: u64,
}

#[derive(Row, Deserialize)]
struct Stamp {
    seconds: i64,
}

impl Warehouse {
    /// `_updated_at` of rows that a repair is about to write, in seconds since the epoch.
    ///
    /// # Errors
    /// The server is gone, or `migrate` has not run.
    pub fn repair_stamp(&self, source: &str) -> Result<i64> {
        let sql = format!(
            "SELECT greatest(toInt64(toUnixTimestamp(now())), toInt64(toUnixTimestamp(max(closed_at))) + 1) AS seconds
             FROM {}.windows
             WHERE source = {} AND mode = '{}'",
            self.ops,
            quote(source),
            Mode::Repair.name()
        );
        Ok(self.row::<Stamp>("asking for the moment of a repair", &sql)?.seconds)
    }

    /// A table's repaired rows that no window tells of, by partition. Reads one column of the table, and of the others what was repaired.
    ///
    /// # Errors
    /// The server is gone, or `migrate` has not run.
    pub fn untold(&self, table: &TableFacts) -> Result<Vec<Untold>> {
        let sql = format!(
            "WITH
             (
                 SELECT groupArray((partition, start_offset, end_offset, toUnixTimestamp(closed_at)))
                 FROM {ops}.windows
                 WHERE source = {source} AND mode = '{repair}'
             ) AS told
             SELECT _partition AS partition, min(_offset) AS start_offset, max(_offset) + 1 AS end_offset, count() AS rows
             FROM {db}.{target}
             PREWHERE _version % {steps} != 0
             WHERE op != 't'
               AND NOT arrayExists(
                   w -> w.1 = _partition AND w.2 <= _offset AND _offset < w.3 AND w.4 >= toUnixTimestamp(_updated_at), told)
             GROUP BY _partition
             ORDER BY _partition",
            ops = self.ops,
            db = self.db,
            source = quote(table.source),
            repair = Mode::Repair.name(),
            target = table.target,
            steps = Version::STEPS,
        );
        self.rows("looking for repaired rows that the ledger does not tell of", &sql)
    }
}
