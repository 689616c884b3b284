//! Which repaired rows does the ledger tell of?
//!
//! A row and the windows at its offset are told apart by time, and by the server's alone: a repaired row carries a second (`_updated_at`) that is
//! above every window of a repair which was there before it. A window at its offset that was closed in that second or later came behind
//! the stamp. Clocks that are set back make windows too many, never too few.

use anyhow::Result;
use clickhouse::Row;
use serde::Deserialize;

use crate::cdc::Version;
use crate::ledger::{Mode, join_closest};
use crate::tables::Table;
use crate::warehouse::{Warehouse, quote};

/// Offsets of a piece, at most: whoever takes up a window looks at all of them.
const PIECE: i64 = 1_000;
/// Windows that are written at most, but for one a partition.
const MOST_PIECES: usize = 1_000;

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

    /// A table's repaired rows that no window tells of, in pieces that lie close together, in order. Reads one column of the table, and of the
    /// others what was repaired; a join, since a list of windows looked through for each row takes gigabytes.
    ///
    /// # Errors
    /// The server is gone, or `migrate` has not run.
    pub fn untold(&self, table: &Table) -> Result<Vec<Untold>> {
        let sql = format!(
            "SELECT repaired.at_partition AS partition, min(repaired.at_offset) AS start_offset, max(repaired.at_offset) + 1 AS end_offset,
                    count() AS rows
             FROM
             (
                 SELECT _partition AS at_partition, _offset AS at_offset, toUnixTimestamp(_updated_at) AS stamp
                 FROM {db}.{target}
                 PREWHERE _version % {steps} != 0
                 WHERE op != 't'
             ) AS repaired
             LEFT ANTI JOIN
             (
                 SELECT windows.partition AS told_partition, windows.start_offset AS told_from, windows.end_offset AS told_to,
                        toUnixTimestamp(closed_at) AS told_at
                 FROM {ops}.windows
                 WHERE source = {source} AND mode = '{repair}'
             ) AS told
             ON told.told_partition = repaired.at_partition AND told.told_from <= repaired.at_offset AND repaired.at_offset < told.told_to
                AND told.told_at >= repaired.stamp
             GROUP BY repaired.at_partition, intDiv(repaired.at_offset, {PIECE})
             ORDER BY partition, start_offset",
            ops = self.ops,
            db = self.db,
            source = quote(table.name),
            repair = Mode::Repair.name(),
            target = table.target,
            steps = Version::STEPS,
        );
        let pieces: Vec<Untold> = self.rows("looking for repaired rows that the ledger does not tell of", &sql)?;
        let gap = |one: &Untold, next: &Untold| {
            (one.partition == next.partition).then_some(next.start_offset - one.end_offset)
        };
        Ok(join_closest(pieces, MOST_PIECES, gap, |last, next| {
            last.end_offset = next.end_offset;
            last.rows += next.rows;
        }))
    }
}
