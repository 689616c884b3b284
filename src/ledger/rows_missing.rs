//! Is the warehouse older than its books? The newest window of a partition that has written rows has left one that no merge can take away:
//! what replaces it is newer, and of the same partition, or a mark or a repair. If the table has no such row, it was emptied, or restored
//! from an older copy than the books; or what came from the one partition is gone.

use anyhow::Result;
use clickhouse::Row;
use serde::Deserialize;

use crate::cdc::{Generation, Version};
use crate::ledger::Lineage;
use crate::tables::Table;
use crate::warehouse::{Warehouse, quote};

/// So many rows of each stream are looked at, from its end: those before it may have written the newest row, but are not asked.
const LAST_ROWS: u64 = 100;
/// Partitions that one statement asks for: far below `max_query_size`.
const PARTITIONS: usize = 100;

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

#[derive(Row, Deserialize)]
struct HasRows {
    partition: i32,
}

impl Warehouse {
    /// The newest window of each partition of a table of which the table has neither the rows nor any that are newer. Costs the same however
    /// long the ledger is, and reads few rows of the table (minmax index `newest`): more only of two columns, for a partition whose offsets are
    /// far below the others'.
    ///
    /// # Errors
    /// A server is gone, or a table is missing.
    pub fn rows_missing(&self, table: &Table) -> Result<Vec<NewestWindow>> {
        let lineages = self.lineages(table.target)?;
        let Some(lineage) = lineages.taken.last() else { return Ok(Vec::new()) };
        let mut newest = self.newest_windows(table, lineage)?;
        let mut with_rows = Vec::new();
        for windows in newest.chunks(PARTITIONS) {
            let asked: Vec<String> = windows
                .iter()
                .map(|window| self.first_row(table, lineage.generation, window))
                .collect::<Result<_>>()?;
            let sql = format!("SELECT partition FROM ({})", asked.join(" UNION ALL "));
            with_rows.extend(self.rows::<HasRows>("looking for rows of the newest windows", &sql)?);
        }
        newest.retain(|window| with_rows.iter().all(|row| row.partition != window.partition));
        Ok(newest)
    }

    /// Of each partition the newest window that has written rows.
    fn newest_windows(&self, table: &Table, lineage: &Lineage) -> Result<Vec<NewestWindow>> {
        let of_lineage = format!("source = {} AND topic_id = {}", quote(table.name), quote(&lineage.topic_id));
        let sql = format!(
            "SELECT group_id, topic, stream, max(seq) AS last_seq FROM {}.windows WHERE {of_lineage} AND stream >= 0
             GROUP BY source, group_id, topic, stream, topic_id",
            self.ops
        );
        let ends: Vec<StreamEnd> = self.rows("asking how far the ledger goes", &sql)?;
        if ends.is_empty() {
            return Ok(Vec::new());
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
             ORDER BY partition, end_offset DESC LIMIT 1 BY partition",
            self.ops,
            lineage.generation,
            lineage.taken_at,
            last_rows.collect::<Vec<_>>().join(" OR ")
        );
        self.rows("looking for the newest windows", &sql)
    }

    /// A query that has a row if the table has one from the window on that may stand for its rows: of the partition, a mark or a repair
    /// (they stand where their window does), or of a later number.
    fn first_row(&self, table: &Table, generation: Generation, window: &NewestWindow) -> Result<String> {
        let partition = window.partition;
        Ok(format!(
            "SELECT toInt32({partition}) AS partition FROM {}.{} WHERE _version >= {} AND (_partition = {partition} OR _version % {} != 0 OR _version > {}) LIMIT 1",
            self.db,
            table.target,
            Version::of(generation, window.start_offset)?.get(),
            Version::STEPS,
            Version::ceiling(generation).get(),
        ))
    }
}
