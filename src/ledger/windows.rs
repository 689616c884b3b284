//! The books: runs and windows. A window counts from its ledger row on. See `seq.rs` for how the rows are numbered.

use anyhow::Result;
use clickhouse::Row;
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use crate::cdc::Generation;
use crate::ledger::LedgerEnd;
use crate::warehouse::{Warehouse, quote};

/// What kind of window a ledger row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Mode {
    /// The first row of a partition.
    Origin,
    /// A window of a plan.
    Plan,
    /// A person's answer to a stop.
    Reset,
    /// A window of a backfill: offsets that somebody asked for. In the books it is `range`, as in those of the first release.
    #[strum(serialize = "range")]
    Backfill,
    /// A batch out of the quarantine.
    Replay,
    /// Rows that check-reconcile mended.
    Repair,
}

impl Mode {
    /// As it is stored.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The stream that a row about this partition stands in. What moves the group stands in the partition's own, which one run at a
    /// time writes, under the partition's lock; for everything else there is one stream, which anybody may write.
    pub fn stream(self, partition: i32) -> i32 {
        match self {
            Mode::Origin | Mode::Plan | Mode::Reset => partition,
            Mode::Backfill | Mode::Replay | Mode::Repair => NO_PARTITION,
        }
    }
}

/// The stream of rows that move no group.
pub(super) const NO_PARTITION: i32 = -1;

/// A row of `{ops}.runs`.
#[derive(Debug, Clone, Default, Row, Serialize)]
#[allow(missing_docs)]
pub struct RunRow {
    pub run_id: String,
    pub job: String,
    pub topic: String,
    pub group_id: String,
    pub status: String,
    pub exit_code: i16,
    pub written: u64,
    pub rejected: u64,
    pub tombstones: u64,
    pub truncates: u64,
    pub gaps: u64,
    pub summary: String,
    /// Why it did not end well.
    pub error: String,
    pub host: String,
    pub version: String,
    pub dag_run_id: String,
    pub started_at: i64,
    pub updated_at: i64,
}

/// A row of `{ops}.windows`.
#[derive(Debug, Clone, Default, Row, Serialize)]
#[allow(missing_docs)]
pub struct WindowRow {
    /// Source table.
    pub source: String,
    pub group_id: String,
    pub topic: String,
    /// See [`Mode::stream`].
    pub stream: i32,
    /// The number in the stream. Rows that move no group get theirs when they are written.
    pub seq: u64,
    pub topic_id: String,
    pub partition: i32,
    pub generation: u16,
    pub mode: String,
    pub start_offset: i64,
    pub end_offset: i64,
    pub written: u64,
    pub rejected: u64,
    pub tombstones: u64,
    pub truncates: u64,
    pub gaps: u64,
    /// Offsets without a record, `[start, end)`.
    pub gap_spans: Vec<(i64, i64)>,
    pub partitions: u32,
    pub token: String,
    pub job: String,
    pub run_id: String,
    pub reason: String,
    /// System identifier and timeline of the source.
    pub source_id: String,
}

/// Below this offset of a partition, every window counts.
#[derive(Debug, Clone, Row, Deserialize)]
#[allow(missing_docs)]
pub struct Settled {
    pub topic_id: String,
    pub partition: i32,
    pub end: i64,
}

/// The ledger's end of one partition under one topic id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRow {
    /// Partition.
    pub partition: i32,
    /// The end.
    pub end: LedgerEnd,
}

#[derive(Row, Deserialize)]
struct EndRow {
    stream: i32,
    topic_id: String,
    last_generation: Generation,
    last_end: i64,
    last_seq: u64,
    last_partitions: u32,
}

impl Warehouse {
    /// Writes a run's first or final row.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn write_run(&self, run: &RunRow) -> Result<()> {
        let token = format!("{}/{}", run.run_id, run.status);
        self.insert::<RunRow>(&self.ops, "runs", &token, [run].into_iter())
    }

    /// Below which offsets every window of a source table counts, per partition of its topic's newest id; what lies above is still the ingest
    /// job's.
    ///
    /// # Errors
    /// The server is gone, or `migrate` has not run.
    pub fn settled(&self, source: &str, topic: &str) -> Result<Vec<Settled>> {
        let sql = format!(
            "WITH ends AS
             (
                 SELECT group_id, stream, topic_id, max(seq) AS last_seq, argMax(end_offset, seq) AS last_end,
                        argMax(generation, seq) AS last_generation
                 FROM {}.windows
                 WHERE source = {} AND topic = {} AND stream >= 0
                 GROUP BY group_id, stream, topic_id
             )
             SELECT topic_id, stream AS partition, max(last_end) AS end
             FROM ends
             WHERE topic_id = (SELECT argMax(topic_id, (last_generation, last_seq)) FROM ends)
             GROUP BY topic_id, stream",
            self.ops,
            quote(source),
            quote(topic)
        );
        self.rows("reading the ledger", &sql)
    }

    /// The ledger's ends of a group's topic: per partition and topic id the row of modes origin, plan and reset with
    /// the highest sequence number. Streams are numbered per source table, so rows of another table's job with this group and topic are not
    /// ours; `None` takes those of all tables, for whoever does not know which one reads the topic.
    ///
    /// # Errors
    /// The server is gone, or `migrate` has not run.
    pub fn ledger_ends(&self, source: Option<&str>, group: &str, topic: &str) -> Result<Vec<LedgerRow>> {
        let is_ours = source.map_or("1".to_owned(), |source| format!("source = {}", quote(source)));
        let sql = format!(
            "SELECT stream, topic_id, argMax(generation, seq) AS last_generation, argMax(end_offset, seq) AS last_end,
                    max(seq) AS last_seq, argMax(partitions, seq) AS last_partitions
             FROM {}.windows
             WHERE {is_ours} AND group_id = {} AND topic = {} AND stream >= 0
             GROUP BY stream, topic_id
             ORDER BY stream, last_seq",
            self.ops,
            quote(group),
            quote(topic)
        );
        let rows: Vec<EndRow> = self.rows("reading the ledger", &sql)?;
        Ok(rows
            .into_iter()
            .map(|row| LedgerRow {
                partition: row.stream,
                end: LedgerEnd {
                    topic_id: row.topic_id,
                    generation: row.last_generation,
                    end: row.last_end,
                    seq: row.last_seq,
                    partitions: row.last_partitions,
                },
            })
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_stored_as_ever() {
        let modes = [Mode::Origin, Mode::Plan, Mode::Reset, Mode::Backfill, Mode::Replay, Mode::Repair];
        assert_eq!(modes.map(Mode::name), ["origin", "plan", "reset", "range", "replay", "repair"]);
    }
}
