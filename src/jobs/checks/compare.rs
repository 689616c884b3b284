//! Two ordered streams of rows, merged key by key; and what is to be said of each key.

use std::cmp::Ordering;

use anyhow::Result;

use crate::cli::{Exit, fault};
use crate::jobs::checks::results::{Failure, KEPT_FAILURES};
use crate::jobs::checks::rows::{EventOf, Side, SideRow, differing_columns};
use crate::source::Snapshot;
use crate::tables::{Key, TableFacts};
use crate::warehouse::Warehouse;

/// Differences that are looked up in the quarantine at once.
const CHUNK: usize = 1_000;
/// Keys that are remembered by name.
const MOST_KEYS: usize = 100_000;

/// What a comparison counts.
#[derive(Debug, Default)]
pub struct Tally {
    /// Live rows of the source, and of the warehouse.
    pub rows: (u64, u64),
    /// Keys that are the same.
    pub same: u64,
    /// Keys that differ and should not.
    pub different: u64,
    /// Keys whose newer event lies in quarantine.
    pub quarantined: u64,
    /// Keys that were being changed, or whose change is on its way: to be looked at again.
    pub undecided: Vec<String>,
    /// More of them, whose names are not kept.
    pub forgotten: u64,
    /// The differing rows, as far as they are kept.
    pub differing: Vec<Difference>,
    /// Keys whose newer event lies in quarantine, as far as they are kept.
    pub held_back: Vec<String>,
}

/// A key that differs.
#[derive(Debug, Clone)]
pub struct Difference {
    /// Canonical text.
    pub key: String,
    /// The source's row, if it has one.
    pub source: Option<SideRow>,
    /// The warehouse's newest row, if it has one; it may say "this key is gone".
    pub warehouse: Option<SideRow>,
}

/// What a comparison may rely on.
#[derive(Clone, Copy)]
pub struct Terms<'c> {
    /// For the quarantine.
    pub warehouse: &'c Warehouse,
    /// The table.
    pub table: &'c TableFacts,
    /// Its topic.
    pub topic: &'c str,
    /// The moment of the source's rows.
    pub snapshot: &'c Snapshot,
    /// Has everything that the snapshot saw come to the warehouse? If not, what differs may be on its way.
    pub fence_passed: bool,
}

/// Merges the two sides.
///
/// # Errors
/// One of them fails, or is not in order.
pub fn merge(terms: Terms<'_>, source: &mut impl Side, warehouse: &mut impl Side) -> Result<Tally> {
    let mut comparison = Comparison { terms, tally: Tally::default(), differences: Vec::new() };
    let (mut left, mut right) = (InOrder::new(source), InOrder::new(warehouse));
    let (mut of_source, mut of_warehouse) = (left.next(terms.table)?, right.next(terms.table)?);
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
            of_source = left.next(terms.table)?;
        }
        if order.is_ge() {
            pair.1 = of_warehouse.take();
            of_warehouse = right.next(terms.table)?;
        }
        comparison.key(pair.0, pair.1)?;
    }
    comparison.settle()?;
    Ok(comparison.tally)
}

/// A side whose order is watched: one row out of order would make differences out of nothing.
struct InOrder<'s, S> {
    side: &'s mut S,
    last: Option<Key>,
}

impl<'s, S: Side> InOrder<'s, S> {
    fn new(side: &'s mut S) -> InOrder<'s, S> {
        InOrder { side, last: None }
    }

    fn next(&mut self, table: &TableFacts) -> Result<Option<SideRow>> {
        let Some(row) = self.side.next(table)? else { return Ok(None) };
        if self.last.as_ref().is_some_and(|last| *last >= row.key) {
            let text = format!("{}: key {:?} came out of order; please report this", table.source, row.key.text);
            return Err(fault(Exit::Bug, text));
        }
        self.last = Some(row.key.clone());
        Ok(Some(row))
    }
}

struct Comparison<'c> {
    terms: Terms<'c>,
    tally: Tally,
    differences: Vec<Difference>,
}

impl Comparison<'_> {
    fn key(&mut self, source: Option<SideRow>, warehouse: Option<SideRow>) -> Result<()> {
        let live = warehouse.as_ref().filter(|row| row.is_live());
        self.tally.rows.0 += u64::from(source.is_some());
        self.tally.rows.1 += u64::from(live.is_some());
        let Some(key) = source.as_ref().or(warehouse.as_ref()).map(|row| row.key.text.clone()) else { return Ok(()) };
        let is_same = source.as_ref().map(|row| &row.columns) == live.map(|row| &row.columns);
        let is_seen = warehouse.as_ref().and_then(|row| row.event.as_ref()).is_none_or(|event| self.is_seen(event));
        match (is_seen, is_same, self.terms.fence_passed) {
            (false, ..) | (_, false, false) => self.undecided(key),
            (true, true, _) => self.tally.same += u64::from(source.is_some()),
            (true, false, true) => self.differences.push(Difference { key, source, warehouse }),
        }
        if self.differences.len() >= CHUNK { self.settle() } else { Ok(()) }
    }

    /// Does the snapshot know the event? One without a transaction is judged by its place in the log: the mark of a TRUNCATE (a table
    /// that we had locked was not truncated), and a row that was sent again (Debezium leaves it out if it changes while it is read).
    fn is_seen(&self, event: &EventOf) -> bool {
        match (event.tx_id, event.lsn) {
            (None, Some(lsn)) => lsn <= self.terms.snapshot.position(),
            (tx_id, _) => self.terms.snapshot.sees(tx_id),
        }
    }

    fn undecided(&mut self, key: String) {
        if self.tally.undecided.len() < MOST_KEYS {
            self.tally.undecided.push(key);
        } else {
            self.tally.forgotten += 1;
        }
    }

    /// Differences whose newer event lies in quarantine are known; the others are failures.
    fn settle(&mut self) -> Result<()> {
        if self.differences.is_empty() {
            return Ok(());
        }
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
            if self.tally.differing.len() < KEPT_FAILURES {
                self.tally.differing.push(difference);
            }
        }
        Ok(())
    }
}

impl Tally {
    /// Takes in a later round's tally about the keys that were undecided.
    pub fn take_in(&mut self, later: Tally) {
        self.same += later.same;
        self.different += later.different;
        self.quarantined += later.quarantined;
        self.differing.extend(later.differing);
        self.held_back.extend(later.held_back);
        self.undecided.extend(later.undecided);
        self.forgotten += later.forgotten;
    }

    /// Keys that could not be decided.
    pub fn open(&self) -> u64 {
        self.undecided.len() as u64 + self.forgotten
    }
}

impl Difference {
    /// The last event that the warehouse has of the key.
    pub fn event(&self) -> Option<&EventOf> {
        self.warehouse.as_ref().and_then(|row| row.event.as_ref())
    }

    /// One failure for each column that differs; one for a row that is on one side only.
    pub fn failures(&self) -> Vec<Failure> {
        let event = self.event();
        let base = Failure {
            owner: "pipeline".to_owned(),
            row_key: self.key.clone(),
            partition: event.map(|event| event.partition),
            offset: event.map(|event| event.offset),
            ..Failure::default()
        };
        let is_live = event.is_some_and(|event| event.deleted == 0);
        let columns = |row: &SideRow| Some(serde_json::Value::Object(row.source_columns()).to_string());
        match (&self.source, &self.warehouse) {
            (Some(source), Some(warehouse)) if is_live => differing_columns(&source.columns, &warehouse.columns)
                .into_iter()
                .map(|(column, source, warehouse)| Failure {
                    column,
                    source_value: Some(source),
                    warehouse_value: Some(warehouse),
                    ..base.clone()
                })
                .collect(),
            (Some(source), deleted) => {
                let detail = if deleted.is_some() { "deleted in the warehouse" } else { "missing in the warehouse" };
                vec![Failure { source_value: columns(source), detail: detail.to_owned(), ..base }]
            }
            (None, warehouse) => {
                let warehouse_value = warehouse.as_ref().and_then(columns);
                vec![Failure { warehouse_value, detail: "not in the source any more".to_owned(), ..base }]
            }
        }
    }
}
