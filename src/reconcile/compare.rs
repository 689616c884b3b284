//! Two ordered streams of rows, merged key by key; and what is to be said of each key.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use anyhow::Result;

use crate::exit::{Exit, fault};
use crate::reconcile::difference::Difference;
use crate::reconcile::key::Key;
use crate::reconcile::layout::Layout;
use crate::reconcile::rows::{EventOf, SideRow, SideRows};
use crate::reconcile::tally::{MOST_KEYS, Tally};
use crate::source::{Snapshot, Written};
use crate::warehouse::Warehouse;

/// Differences that are looked up in the quarantine at once, unless their rows take more than [`CHUNK_BYTES`].
const CHUNK: usize = 1_000;
const CHUNK_BYTES: usize = 16 << 20;

/// What a comparison may rely on.
#[derive(Clone, Copy)]
pub struct Terms<'c> {
    /// For the quarantine.
    pub warehouse: &'c Warehouse,
    /// The table's columns.
    pub layout: &'c Layout<'c>,
    /// Its topic.
    pub topic: &'c str,
    /// The moment of the source's rows.
    pub snapshot: &'c Snapshot,
    /// Has everything that the snapshot saw come to the warehouse? If not, what differs may be on its way.
    pub fence_passed: bool,
}

/// What is asked of the source as it is now, behind the moment.
pub trait Now {
    /// An id that was not yet given: [`crate::source::next_transaction`].
    ///
    /// # Errors
    /// The server is gone or refuses.
    fn next_transaction(&mut self) -> Result<u64>;

    /// Those of some keys whose partition is gone, and whose rows are kept.
    ///
    /// # Errors
    /// The server is gone or refuses.
    fn kept_without_partition(&mut self, keys: &[&str]) -> Result<Vec<String>>;
}

/// Merges the two sides.
///
/// # Errors
/// One of them fails, or is not in order.
pub fn merge(
    terms: Terms<'_>,
    source: &mut impl SideRows,
    warehouse: &mut impl SideRows,
    now: &mut dyn Now,
) -> Result<Tally> {
    let mut comparison =
        Comparison { terms, now, tally: Tally::default(), differences: Vec::new(), waiting: Vec::new() };
    let layout = terms.layout;
    let (mut left, mut right) = (InOrder::new(source), InOrder::new(warehouse));
    let (mut of_source, mut of_warehouse) = (left.next(layout)?, right.next(layout)?);
    loop {
        let order = match (&of_source, &of_warehouse) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(left), Some(right)) => left.key.cmp(&right.key),
        };
        let mut pair = (None, None);
        if order.is_le() {
            pair.0 = of_source.take();
            of_source = left.next(layout)?;
        }
        if order.is_ge() {
            pair.1 = of_warehouse.take();
            of_warehouse = right.next(layout)?;
        }
        comparison.key(pair)?;
    }
    comparison.classify_waiting()?;
    comparison.settle()?;
    Ok(comparison.tally)
}

/// A side whose order is watched: one row out of order would make differences out of nothing.
struct InOrder<'s, S> {
    side: &'s mut S,
    last: Option<Key>,
}

impl<'s, S: SideRows> InOrder<'s, S> {
    fn new(side: &'s mut S) -> InOrder<'s, S> {
        InOrder { side, last: None }
    }

    fn next(&mut self, layout: &Layout<'_>) -> Result<Option<SideRow>> {
        let Some(row) = self.side.next(layout)? else { return Ok(None) };
        if self.last.as_ref().is_some_and(|last| *last >= row.key) {
            let text = format!("{}: key {:?} came out of order; please report this", layout.table.name, row.key.text);
            return Err(fault(Exit::Bug, text));
        }
        self.last = Some(row.key.clone());
        Ok(Some(row))
    }
}

/// The rows of a key.
type Pair = (Option<SideRow>, Option<SideRow>);

struct Comparison<'c, 'n> {
    terms: Terms<'c>,
    now: &'n mut dyn Now,
    tally: Tally,
    differences: Vec<Difference>,
    /// Pairs of which only the next transaction id tells whether the snapshot sees them.
    waiting: Vec<Pair>,
}

impl Comparison<'_, '_> {
    fn key(&mut self, pair: Pair) -> Result<()> {
        self.tally.rows.0 += u64::from(pair.0.is_some());
        self.tally.rows.1 += u64::from(pair.1.as_ref().is_some_and(SideRow::is_live));
        match written(&pair).map_or(Some(true), |written| self.terms.snapshot.sees_at_once(written)) {
            Some(is_seen) => return self.classify(pair, is_seen),
            None => self.waiting.push(pair),
        }
        if is_chunk(self.waiting.iter().map(bytes)) { self.classify_waiting() } else { Ok(()) }
    }

    /// The id is asked for after the warehouse's rows were read: whatever they come from has got its own by then.
    fn classify_waiting(&mut self) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let next = self.now.next_transaction()?;
        for pair in std::mem::take(&mut self.waiting) {
            let is_seen = written(&pair).is_none_or(|written| self.terms.snapshot.sees(written, next));
            self.classify(pair, is_seen)?;
        }
        Ok(())
    }

    fn classify(&mut self, (source, warehouse): Pair, is_seen: bool) -> Result<()> {
        let live = warehouse.as_ref().filter(|row| row.is_live());
        let Some(key) = source.as_ref().or(warehouse.as_ref()).map(|row| row.key.text.clone()) else { return Ok(()) };
        let is_same = source.as_ref().map(|row| &row.texts) == live.map(|row| &row.texts);
        match (is_seen, is_same, self.terms.fence_passed) {
            (false, ..) | (_, false, false) => self.undecided(key),
            (true, true, _) => self.same(source),
            (true, false, true) => {
                self.differences.push(Difference {
                    key,
                    source,
                    warehouse,
                    columns: Arc::clone(&self.terms.layout.columns),
                    lsn: self.terms.snapshot.lsn,
                    ts_ms: self.terms.snapshot.clock_ms,
                });
                if is_chunk(self.differences.iter().map(Difference::bytes)) {
                    self.settle()?;
                }
            }
        }
        Ok(())
    }

    fn same(&mut self, source: Option<SideRow>) {
        let Some(row) = source else { return };
        self.tally.same += 1;
        for column in row.misfits {
            *self.tally.misfits.entry(column).or_default() += 1;
        }
    }

    fn undecided(&mut self, key: String) {
        if self.tally.undecided.len() < MOST_KEYS {
            self.tally.undecided.push(key);
        } else {
            self.tally.forgotten += 1;
        }
    }

    /// Differences whose newer event lies in quarantine are known, and so are rows whose partition is gone; the others are failures.
    fn settle(&mut self) -> Result<()> {
        if self.differences.is_empty() {
            return Ok(());
        }
        self.keep_without_partition()?;
        let keys: Vec<&str> = self.differences.iter().map(|difference| difference.key.as_str()).collect();
        let quarantined = self.terms.warehouse.newest_quarantined(self.terms.topic, &keys)?;
        for difference in std::mem::take(&mut self.differences) {
            let held = difference.event().map_or(0, |event| event.version);
            if quarantined.get(&difference.key).is_some_and(|newest| *newest >= held) {
                self.tally.quarantined += 1;
                if self.tally.held_back.len() < MOST_KEYS {
                    self.tally.held_back.push(difference.key);
                }
                continue;
            }
            self.tally.different += 1;
            self.tally.keep(difference);
        }
        Ok(())
    }
}

impl Comparison<'_, '_> {
    fn keep_without_partition(&mut self) -> Result<()> {
        let alone = self.differences.iter().filter(|difference| difference.source.is_none());
        let alone: Vec<&str> = alone.map(|difference| difference.key.as_str()).collect();
        if alone.is_empty() {
            return Ok(());
        }
        let kept: HashSet<String> = self.now.kept_without_partition(&alone)?.into_iter().collect();
        self.differences.retain(|difference| difference.source.is_some() || !kept.contains(&difference.key));
        self.tally.kept += kept.len() as u64;
        Ok(())
    }
}

/// When the event was written that the warehouse's row comes from.
fn written(pair: &Pair) -> Option<Written> {
    pair.1.as_ref().and_then(|row| row.event.as_ref()).map(EventOf::written)
}

/// What the rows of a key take.
fn bytes(pair: &Pair) -> usize {
    pair.0.iter().chain(&pair.1).map(SideRow::bytes).sum()
}

/// Are there enough of them, or are they long enough?
fn is_chunk(bytes: impl ExactSizeIterator<Item = usize>) -> bool {
    bytes.len() >= CHUNK || bytes.sum::<usize>() >= CHUNK_BYTES
}
