//! Is the warehouse older than its books? The newest window that has written rows has left one that no merge can take away: what replaces it
//! is newer. If the table has no row that new, it was emptied, or restored from an older copy than the books.

use anyhow::Result;
use clickhouse::Row;
use serde::Deserialize;

use crate::cdc::Version;
use crate::tables::Table;
use crate::warehouse::{Warehouse, quote};

/// So many rows of each stream are looked at, from its end: those before it may have written the newest row, but are not asked.
const LAST_ROWS: u64 = 100;

#[derive(Row, Deserialize)]
struct StreamEnd {
    group_id: String,
    topic: String,
    stream: i32,
    last_seq: u64,
}

/// A window of the ledger that has written rows.
#[derive(Debug, Row, Deserialize)]
#[allow(missing_docs)]
pub struct NewestWindow {
    pub topic: String,
    pub partition: i32,
    pub start_offset: i64,
    pub end_offset: i64,
    pub closed_at: String,
}

impl Warehouse {
    /// The newest window of a table, if the table has neither its rows nor any that are newer. Costs the same however long the ledger
    /// is, and reads no rows of the table (minmax index `newest`).
    ///
    /// # Errors
    /// A server is gone, or a table is missing.
    pub fn rows_missing(&self, table: &Table) -> Result<Option<NewestWindow>> {
        let lineages = self.lineages(table.target)?;
        let Some(lineage) = lineages.taken.last() else { return Ok(None) };
        let of_lineage = format!("source = {} AND topic_id = {}", quote(table.name), quote(&lineage.topic_id));
        let sql = format!(
            "SELECT group_id, topic, stream, max(seq) AS last_seq FROM {}.windows WHERE {of_lineage} AND stream >= 0
             GROUP BY source, group_id, topic, stream, topic_id",
            self.ops
        );
        let ends: Vec<StreamEnd> = self.rows("asking how far the ledger goes", &sql)?;
        if ends.is_empty() {
            return Ok(None);
        }
        let last_rows = ends.iter().map(|end| {
            format!(
                "(group_id = {} AND topic = {} AND stream = {} AND seq > {})",
                quote(&end.group_id),
                quote(&end.topic),
                end.stream,
                end.last_seq.saturating_sub(LAST_ROWS)
            )
        });
        // A table that was made anew has a number that is younger than what the ledger says of the one before.
        let sql = format!(
            "SELECT topic, partition, start_offset, end_offset, formatDateTime(windows.closed_at, '%F %T UTC') AS closed_at FROM {}.windows
             WHERE {of_lineage} AND generation = {} AND written > 0 AND toUnixTimestamp64Milli(windows.closed_at) >= {} AND ({})
             ORDER BY end_offset DESC LIMIT 1",
            self.ops,
            lineage.generation,
            lineage.taken_at,
            last_rows.collect::<Vec<_>>().join(" OR ")
        );
        let newest: Option<NewestWindow> = self.rows("looking for the newest window", &sql)?.into_iter().next();
        let Some(newest) = newest else { return Ok(None) };
        let from = Version::of(lineage.generation, newest.start_offset)?.get();
        Ok(if self.version_from(table.target, from)?.is_some() { None } else { Some(newest) })
    }
}
