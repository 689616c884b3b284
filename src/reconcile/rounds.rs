//! Comparing rows of a table while both sides move, in rounds.
//!
//! Each round takes a new moment of the source for the keys that are not decided yet. A row that is the same on both sides is decided
//! at once, wherever the pipeline stands. A row that differs may be on its way: it is compared again, and what goes on differing is
//! compared behind the fence ([`super::fence`]), where a difference counts. A row whose transaction the moment does not see is *in
//! flight*, and left to the next round.

use std::time::{Duration, Instant};

use anyhow::Result;
use postgres::Client;
use serde_json::{Value, json};

use crate::checks::checker::{Checker, STOPPED};
use crate::exit::{Exit, fault};
use crate::kafka;
use crate::pipeline::DroppedPartitions;
use crate::reconcile::compare::{Now, Terms, merge};
use crate::reconcile::fence::{Fence, FenceOutcome};
use crate::reconcile::layout::Layout;
use crate::reconcile::rows::{SideRow, SideRows, SpoolWriter};
use crate::reconcile::tally::Tally;
use crate::source::{Rows, Snapshot, SnapshotTx, next_transaction, without_partition};
use crate::tables::Table;
use crate::warehouse::{Warehouse, chunks, key_between, key_in, key_names, key_order};

/// Between two rounds.
const PAUSE: Duration = Duration::from_millis(200);
/// Keys of one moment, when keys are named.
const BATCH: usize = 20_000;
/// A key that changes all the time never settles; then these are enough.
const MOST_ROUNDS_BEHIND_FENCE: usize = 5;

/// How a comparison ended.
#[derive(Debug, Default)]
pub struct Compared {
    /// What was counted.
    pub tally: Tally,
    /// The moment that it is about.
    pub fence: Value,
    /// The stage that is behind; then the keys that are undecided may be on their way.
    pub behind: Option<String>,
    /// Columns that were not compared, each with the reason.
    pub not_compared: Vec<String>,
    /// Moments of a whole table.
    pub slices: u64,
    /// The last key that was looked at, if there may be more behind it.
    last: Option<String>,
}

impl Checker<'_> {
    /// Compares all rows of a table, or those with these keys.
    ///
    /// # Errors
    /// A server is gone, or refuses; a table is not there, or is locked; asked to stop.
    pub fn compare(&mut self, table: &Table, keys: Option<&[String]>) -> Result<Compared> {
        let mut all = Compared::default();
        match keys {
            None => self.compare_slices(table, &mut all)?,
            Some(keys) => {
                for batch in keys.chunks(BATCH) {
                    all.take_in(self.settle(table, Rows::Of(batch))?);
                }
            }
        }
        Ok(all)
    }

    /// The whole table, slice by slice. A slice begins behind the last key of the one before, and ends with the last row that its moment has
    /// read, or has no end; the first one has no beginning. So every key, of either side, is in one slice only, and judged by its moment.
    fn compare_slices(&mut self, table: &Table, all: &mut Compared) -> Result<()> {
        loop {
            let last = all.last.take();
            all.take_in(self.settle(table, Rows::From(last.as_ref(), self.args.rows_per_snapshot))?);
            all.slices += 1;
            all.tally.forget_surplus();
            if all.last.is_none() {
                return Ok(());
            }
            if self.stop.asked() {
                return Err(fault(Exit::Stopped, STOPPED));
            }
            tracing::debug!("{}: {} rows of the source compared", table.name, all.tally.rows.0);
        }
    }

    /// A table's columns as they are now.
    ///
    /// # Errors
    /// A server is gone or refuses.
    pub fn layout<'t>(&mut self, table: &'t Table) -> Result<Layout<'t>> {
        let in_warehouse = self.warehouse.columns(table.target)?;
        let columns = SnapshotTx::take(self.source()?, &[table])?.columns(table)?;
        Ok(Layout::of(table, &columns, &in_warehouse))
    }

    fn settle(&mut self, table: &Table, rows: Rows<'_>) -> Result<Compared> {
        let mut compared = self.round(table, rows, false)?;
        if compared.tally.forgotten > 0 {
            compared = self.round(table, rows, true)?;
        }
        let deadline = Instant::now() + self.args.wait;
        let mut behind_fence = self.args.wait.is_zero();
        let mut rounds_behind_fence = 0;
        while !compared.tally.undecided.is_empty() && compared.behind.is_none() && !self.stop.asked() {
            let keys = std::mem::take(&mut compared.tally.undecided);
            let next = self.round(table, Rows::Of(&keys), behind_fence)?;
            compared.tally.take_in(next.tally);
            (compared.fence, compared.behind, compared.not_compared) = (next.fence, next.behind, next.not_compared);
            rounds_behind_fence += usize::from(behind_fence);
            let is_late = !self.args.wait.is_zero() && Instant::now() >= deadline;
            if rounds_behind_fence > 0 && is_late || rounds_behind_fence == MOST_ROUNDS_BEHIND_FENCE {
                break;
            }
            // As long as keys settle by themselves, waiting for the fence would only let others change.
            behind_fence = compared.tally.undecided.len() * 10 > keys.len() * 9 || Instant::now() >= deadline;
            std::thread::sleep(PAUSE);
        }
        Ok(compared)
    }

    /// One moment, one comparison.
    fn round(&mut self, table: &Table, rows: Rows<'_>, behind_fence: bool) -> Result<Compared> {
        let in_warehouse = self.warehouse.columns(table.target)?;
        let mut spool = SpoolWriter::new()?;
        let mut snapshot_tx = SnapshotTx::take(self.source()?, &[table])?;
        let columns = snapshot_tx.columns(table)?;
        let layout = Layout::of(table, &columns, &in_warehouse);
        let mut read = (0, String::new());
        snapshot_tx.read(table, &layout.in_source(), rows, |json| {
            read.0 += 1;
            json.clone_into(&mut read.1);
            spool.push(json)
        })?;
        let snapshot = snapshot_tx.end()?;
        let last = match rows {
            Rows::From(_, most) if read.0 == most => Some(layout.of_source(&read.1)?.key.text),
            _ => None,
        };
        let (fence, behind) = match behind_fence {
            false => (json!({"lsn": snapshot.lsn.to_string()}), None),
            true => self.pass_fence(table, &snapshot)?,
        };
        let fence_passed = behind_fence && behind.is_none();
        let topic = table.topic(&self.args.prefix.prefix);
        let (client, warehouse) = self.both()?;
        let terms = Terms { warehouse, layout: &layout, topic: &topic, snapshot: &snapshot, fence_passed };
        let now = &mut SourceNow { client, table };
        let what = format!("reading {}", table.target);
        let mut source = spool.finish()?;
        let tally = match rows {
            Rows::From(first, _) => {
                let sql = newest_rows(warehouse, &layout, &key_between(&table.key, first, last.as_ref()));
                merge(terms, &mut source, &mut warehouse.stream_json(&what, &sql)?, now)?
            }
            Rows::Of(keys) => {
                let mut in_warehouse = Vec::new();
                for chunk in chunks::of_keys(keys, 1) {
                    let sql = newest_rows(warehouse, &layout, &key_in(&table.key, chunk));
                    let lines = warehouse.json_lines(&what, &sql)?;
                    in_warehouse.extend(
                        lines.lines().map(|line| SideRow::of_warehouse(&layout, line)).collect::<Result<Vec<_>>>()?,
                    );
                }
                let in_source = source.all(&layout)?;
                merge(terms, &mut in_order(in_source), &mut in_order(in_warehouse), now)?
            }
        };
        Ok(Compared { tally, fence, behind, not_compared: layout.not_compared, last, slices: 0 })
    }

    /// Waits until everything that the snapshot saw is in the warehouse. Says where that is, or which stage is behind.
    fn pass_fence(&mut self, table: &Table, snapshot: &Snapshot) -> Result<(Value, Option<String>)> {
        let topic = table.topic(&self.args.prefix.prefix);
        let consumer = kafka::connect(&self.args.kafka, &table.group(&self.args.prefix.prefix))?;
        let (slot, timeouts) = (self.args.slot.clone(), self.timeouts);
        let fence = Fence { slot: &slot, topic: &topic, consumer: &consumer, timeouts, stop: self.stop };
        let passed = fence.wait(self.source()?, snapshot.lsn);
        // librdkafka's orderly goodbye would take 100 ms and change nothing.
        std::mem::forget(consumer);
        Ok(match passed? {
            FenceOutcome::Passed(place) => (place, None),
            FenceOutcome::NotCaptured(stage) => {
                self.timeouts.capture = Duration::ZERO;
                (json!({"lsn": snapshot.lsn.to_string(), "behind": stage}), Some(stage))
            }
            FenceOutcome::NotIngested(stage) => {
                self.timeouts.ingest = Duration::ZERO;
                (json!({"lsn": snapshot.lsn.to_string(), "behind": stage}), Some(stage))
            }
        })
    }
}

/// The session with the source.
struct SourceNow<'c> {
    client: &'c mut Client,
    table: &'c Table,
}

impl Now for SourceNow<'_> {
    fn next_transaction(&mut self) -> Result<u64> {
        next_transaction(self.client)
    }

    fn kept_without_partition(&mut self, keys: &[&str]) -> Result<Vec<String>> {
        match self.table.spec.dropped_partitions {
            DroppedPartitions::Keep => without_partition(self.client, self.table, keys),
            DroppedPartitions::Delete => Ok(Vec::new()),
        }
    }
}

fn in_order(mut rows: Vec<SideRow>) -> std::vec::IntoIter<SideRow> {
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    rows.into_iter()
}

impl Compared {
    /// Takes in the comparison of other rows of the table.
    fn take_in(&mut self, other: Compared) {
        self.tally.rows.0 += other.tally.rows.0;
        self.tally.rows.1 += other.tally.rows.1;
        self.tally.take_in(other.tally);
        self.fence = other.fence;
        self.behind = self.behind.take().or(other.behind);
        self.not_compared = other.not_compared;
        self.last = other.last;
    }
}

/// SQL for the newest row of each key, delete markers too: they say which transaction deleted.
fn newest_rows(warehouse: &Warehouse, layout: &Layout<'_>, condition: &str) -> String {
    let key = &layout.table.key;
    format!(
        "SELECT {} AS _texts, op, _version, _deleted, _source_ts_ms, _lsn, _tx_id, _partition, _offset
         FROM {}.{} WHERE {condition} ORDER BY {}, _version DESC LIMIT 1 BY {}
         SETTINGS optimize_read_in_order = 1, output_format_json_quote_64bit_integers = 0",
        layout.in_warehouse(),
        warehouse.db,
        layout.table.target,
        key_order(key),
        key_names(key),
    )
}
