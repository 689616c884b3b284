//! TRUNCATE events have no key and may be read before older inserts of other partitions. So they are stored, *then*
//! the rows below them are marked; and every window looks at the stored ones *after* its insert and marks again.
//! Store-then-mark against insert-then-look: one of the two always sees the other.

use anyhow::Result;
use clickhouse::Row;
use serde::{Deserialize, Serialize};

use crate::cdc::{Generation, Version};
use crate::tables::Table;
use crate::warehouse::{Warehouse, quote};

/// A row of `northwind_ops.truncates`.
#[derive(Debug, Clone, Row, Serialize)]
#[allow(missing_docs)]
pub struct TruncateRow {
    pub table: String,
    pub topic: String,
    pub topic_id: String,
    pub generation: Generation,
    pub partition: i32,
    pub offset: i64,
    pub lsn: u64,
    pub run_id: String,
    pub stored_at: i64,
}

/// The window that does the marking: marks carry its coordinates, so that whoever follows the ledger sees them.
#[derive(Debug, Clone, Copy)]
pub struct MarkAt {
    /// Partition.
    pub partition: i32,
    /// First offset of the window.
    pub offset: i64,
    /// Generation of the topic.
    pub generation: Generation,
    /// Milliseconds since the epoch.
    pub now_ms: i64,
}

#[derive(Row, Deserialize)]
struct Newest {
    lsn: Option<u64>,
}

#[derive(Row, Deserialize)]
struct Count {
    live: u64,
}

impl Warehouse {
    /// Stores truncates.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn store_truncates(&self, truncates: &[TruncateRow], token: &str) -> Result<()> {
        if truncates.is_empty() {
            return Ok(());
        }
        self.insert::<TruncateRow>(&self.ops, "truncates", &format!("{token}/truncates"), truncates.iter())
    }

    /// The LSN of the newest truncate of a table, under this topic id.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn newest_truncate<T: Table>(&self, topic: &str, topic_id: &str) -> Result<Option<u64>> {
        let sql = format!(
            "SELECT maxOrNull(lsn) AS lsn FROM {}.truncates WHERE `table` = {} AND topic = {} AND topic_id = {}",
            self.ops,
            quote(T::SOURCE),
            quote(topic),
            quote(topic_id)
        );
        let rows: Vec<Newest> = self.rows("looking at truncates", &sql)?;
        Ok(rows.first().and_then(|row| row.lsn))
    }

    /// Marks every live row below `lsn`, or from an earlier generation, as deleted: version + 1, op `t`.
    /// Returns how many.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn mark_truncated<T: Table>(&self, lsn: u64, at: MarkAt) -> Result<u64> {
        let table = format!("{}.{}", self.db, T::TARGET);
        let below = format!("_lsn < {lsn} OR _lsn IS NULL OR _version < {}", Version::floor(at.generation).get());
        let count: Vec<Count> =
            self.rows("counting truncated rows", &format!("SELECT count() AS live FROM {table} FINAL WHERE {below}"))?;
        let live = count.first().map_or(0, |row| row.live);
        if live == 0 {
            return Ok(0);
        }
        let key = T::KEY.iter().map(|column| column.name).collect::<Vec<_>>().join(", ");
        let seconds = at.now_ms.div_euclid(1000);
        self.execute(
            "marking truncated rows",
            &format!(
                "INSERT INTO {table} ({key}, op, src_ts, _version, _deleted, _updated_at, _source_ts_ms, _lsn, _partition, _offset)
                 SELECT {key}, 't', toDateTime({seconds}, 'UTC'), _version + 1, 1, toDateTime({seconds}, 'UTC'), {}, {lsn}, {}, {}
                 FROM {table} FINAL
                 WHERE {below}
                 SETTINGS insert_deduplicate = 0",
                at.now_ms, at.partition, at.offset
            ),
        )?;
        Ok(live)
    }
}
