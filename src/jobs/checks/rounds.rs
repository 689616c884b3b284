//! Comparing rows of a table while both sides move, in rounds.
//!
//! Each round takes a new moment of the source for the keys that are not decided yet. A row that is the same on both sides is decided
//! at once, wherever the pipeline stands. A row that differs may be on its way: it is compared again, and what goes on differing is
//! compared behind the fence ([`super::fence`]), where a difference counts. A row whose transaction the moment does not see is *in
//! flight*, and left to the next round.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use crate::jobs::checks::checker::Checker;
use crate::jobs::checks::compare::{Tally, Terms, merge};
use crate::jobs::checks::fence::{Fence, Passed};
use crate::jobs::checks::rows::{Side, SideRow, SpoolWriter};
use crate::source::{Moment, Rows, Snapshot};
use crate::stream;
use crate::tables::TableFacts;
use crate::warehouse::{Warehouse, chunks, key_in, key_order};

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
}

impl Checker<'_> {
    /// Compares all rows of a table, or those with these keys.
    ///
    /// # Errors
    /// A server is gone, or refuses; a table is not there, or is locked.
    pub fn compare(&mut self, table: &TableFacts, keys: Option<&[String]>) -> Result<Compared> {
        let Some(keys) = keys else { return self.settle(table, Rows::All) };
        let mut all = Compared::default();
        for batch in keys.chunks(BATCH) {
            let compared = self.settle(table, Rows::Of(batch))?;
            all.tally.rows.0 += compared.tally.rows.0;
            all.tally.rows.1 += compared.tally.rows.1;
            all.tally.take_in(compared.tally);
            all.fence = compared.fence;
            all.behind = all.behind.or(compared.behind);
        }
        Ok(all)
    }

    fn settle(&mut self, table: &TableFacts, rows: Rows<'_>) -> Result<Compared> {
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
            (compared.fence, compared.behind) = (next.fence, next.behind);
            rounds_behind_fence += usize::from(behind_fence);
            if rounds_behind_fence > 0 && Instant::now() >= deadline || rounds_behind_fence == MOST_ROUNDS_BEHIND_FENCE
            {
                break;
            }
            // As long as keys settle by themselves, waiting for the fence would only let others change.
            behind_fence = compared.tally.undecided.len() * 10 > keys.len() * 9 || Instant::now() >= deadline;
            std::thread::sleep(PAUSE);
        }
        Ok(compared)
    }

    /// One moment, one comparison.
    fn round(&mut self, table: &TableFacts, rows: Rows<'_>, behind_fence: bool) -> Result<Compared> {
        let mut spool = SpoolWriter::new()?;
        let mut moment = Moment::take(self.source()?, &[table.source])?;
        moment.read(table, rows, |json| spool.push(json))?;
        let snapshot = moment.end()?;
        let (fence, behind) = match behind_fence {
            false => (json!({"lsn": snapshot.lsn}), None),
            true => self.pass_fence(table, &snapshot)?,
        };
        let fence_passed = behind_fence && behind.is_none();
        let topic = table.topic(&self.args.prefix);
        let terms = Terms { warehouse: &self.warehouse, table, topic: &topic, snapshot: &snapshot, fence_passed };
        let what = format!("reading {}", table.target);
        let mut source = spool.finish()?;
        let tally = match rows {
            Rows::All => {
                let sql = newest_rows(&self.warehouse, table, "true");
                merge(terms, &mut source, &mut self.warehouse.stream_json(&what, &sql)?)?
            }
            Rows::Of(keys) => {
                let mut in_warehouse = Vec::new();
                for chunk in chunks::of_keys(keys, 1) {
                    let sql = newest_rows(&self.warehouse, table, &key_in(table.key, chunk));
                    let lines = self.warehouse.json_lines(&what, &sql)?;
                    in_warehouse.extend(
                        lines.lines().map(|line| SideRow::of_warehouse(table, line)).collect::<Result<Vec<_>>>()?,
                    );
                }
                let in_source = source.all(table)?;
                merge(terms, &mut in_order(in_source), &mut in_order(in_warehouse))?
            }
        };
        Ok(Compared { tally, fence, behind })
    }

    /// Waits until everything that the snapshot saw is in the warehouse. Says where that is, or which stage is behind.
    fn pass_fence(&mut self, table: &TableFacts, snapshot: &Snapshot) -> Result<(Value, Option<String>)> {
        let topic = table.topic(&self.args.prefix);
        let consumer = stream::connect(&self.args.kafka, &table.group(&self.args.prefix))?;
        let (slot, patience) = (self.args.slot.clone(), self.patience);
        let fence = Fence { slot: &slot, topic: &topic, consumer: &consumer, patience, stop: self.stop };
        let passed = fence.wait(self.source()?, &snapshot.lsn);
        // librdkafka's orderly goodbye would take 100 ms and change nothing.
        std::mem::forget(consumer);
        Ok(match passed? {
            Passed::Yes(place) => (place, None),
            Passed::NotCaptured(stage) => {
                self.patience.capture = Duration::ZERO;
                (json!({"lsn": snapshot.lsn, "behind": stage}), Some(stage))
            }
            Passed::NotIngested(stage) => {
                self.patience.ingest = Duration::ZERO;
                (json!({"lsn": snapshot.lsn, "behind": stage}), Some(stage))
            }
        })
    }
}

fn in_order(mut rows: Vec<SideRow>) -> std::vec::IntoIter<SideRow> {
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    rows.into_iter()
}

/// SQL for the newest row of each key, delete markers too: they say which transaction deleted.
pub fn newest_rows(warehouse: &Warehouse, table: &TableFacts, condition: &str) -> String {
    let key = key_order(table.key);
    let columns = table.source_columns().collect::<Vec<_>>().join(", ");
    format!(
        "SELECT {columns}, op, _version, _deleted, _lsn, _tx_id, _partition, _offset
         FROM {}.{} WHERE {condition} ORDER BY {key}, _version DESC LIMIT 1 BY {key}
         SETTINGS optimize_read_in_order = 1, output_format_json_quote_64bit_integers = 0",
        warehouse.db, table.target
    )
}
