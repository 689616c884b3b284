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

/// What a table's truncates remove together.
#[derive(Debug, Clone, Copy, Row, Deserialize)]
pub struct NewestTruncate {
    /// LSN of the newest one under the same topic id.
    lsn: Option<u64>,
    /// The newest generation that has one: everything of earlier generations is gone.
    generation: Option<Generation>,
}

impl NewestTruncate {
    /// Rows of this generation with a lower LSN are gone.
    pub fn removes_below(self, generation: Generation) -> u64 {
        if self.generation.is_some_and(|newest| generation < newest) { u64::MAX } else { self.lsn.unwrap_or(0) }
    }
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

    /// The truncates of a table that rows of this topic id and generation may stand before: those of the same topic id, and all
    /// of later generations.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn newest_truncate<T: Table>(
        &self,
        topic: &str,
        topic_id: &str,
        generation: Generation,
    ) -> Result<Option<NewestTruncate>> {
        let sql = format!(
            "SELECT maxOrNullIf(truncates.lsn, topic_id = {topic_id}) AS lsn, maxOrNull(truncates.generation) AS generation
             FROM {ops}.truncates
             WHERE `table` = {table} AND topic = {topic} AND (topic_id = {topic_id} OR truncates.generation > {generation})",
            ops = self.ops,
            table = quote(T::SOURCE),
            topic = quote(topic),
            topic_id = quote(topic_id)
        );
        let rows: Vec<NewestTruncate> = self.rows("looking at truncates", &sql)?;
        Ok(rows.first().copied().filter(|newest| newest.generation.is_some()))
    }

    /// Marks every live row that the truncates remove as deleted: version + 1, op `t`. LSNs are compared up to the marking
    /// window's generation: a restored source starts lower. Returns how many.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn mark_truncated<T: Table>(&self, newest: NewestTruncate, at: MarkAt) -> Result<u64> {
        let table = format!("{}.{}", self.db, T::TARGET);
        let earlier = Version::floor(newest.generation.unwrap_or(0)).get();
        let below = match newest.lsn {
            Some(lsn) => format!(
                "_version < {earlier} OR (_version <= {} AND (_lsn < {lsn} OR _lsn IS NULL))",
                Version::ceiling(at.generation).get()
            ),
            None => format!("_version < {earlier}"),
        };
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
                at.now_ms,
                at.partition,
                at.offset,
                lsn = newest.lsn.map_or("NULL".to_owned(), |lsn| lsn.to_string()),
            ),
        )?;
        Ok(live)
    }
}
