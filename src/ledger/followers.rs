//! How far the consumers of the ledger are: whose position keeps old rows, and who has not taken anything up for long.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::Result;
use clickhouse::Row;
use serde::Deserialize;

use crate::ledger::news::{PRUNED, STREAMS};
use crate::ledger::stream_key::{STREAM_KEY, StreamKey};
use crate::warehouse::{Warehouse, quote};

/// How far a consumer is in a stream.
#[derive(Debug, Row, Deserialize)]
struct Position {
    consumer: String,
    place: StreamKey,
    seq: u64,
}

/// All positions.
#[derive(Debug)]
pub(super) struct Positions(Vec<Position>);

impl Positions {
    /// The consumers of a source table, and how far each is in one of its streams: one that was never in it has not begun it.
    pub fn in_stream(&self, place: &StreamKey) -> BTreeMap<&str, u64> {
        let of_source = || self.0.iter().filter(|position| position.place.source == place.source);
        let mut taken: BTreeMap<&str, u64> = of_source().map(|position| (position.consumer.as_str(), 0)).collect();
        for position in of_source().filter(|position| position.place == *place) {
            taken.insert(&position.consumer, position.seq);
        }
        taken
    }
}

/// A consumer that keeps old rows of the ledger from being removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeldBack {
    /// Its name; empty for tables that nobody follows.
    pub consumer: String,
    /// Old rows that it has not taken up.
    pub rows: u64,
    /// The source tables, by name.
    pub tables: Vec<String>,
}

impl HeldBack {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        remedy(&self.consumer)
    }
}

/// A consumer that has not taken anything up for long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FarBehind {
    /// Its name.
    pub consumer: String,
    /// Rows of the ledger that it has not taken up, in the tables below.
    pub rows: u64,
    /// When the oldest of them was closed, in Unix milliseconds.
    pub since_ms: i64,
    /// The source tables, by name.
    pub tables: Vec<String>,
}

impl FarBehind {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        remedy(&self.consumer)
    }
}

fn remedy(consumer: &str) -> String {
    let how = if consumer.starts_with("check-") { format!("{consumer} --scope new") } else { consumer.to_owned() };
    format!(
        "run {how}; or, if it shall not run any more: ALTER TABLE positions DELETE WHERE consumer = {}",
        quote(consumer)
    )
}

/// Old rows that stay, added up by consumer.
#[derive(Default)]
pub(super) struct Holding<'p>(BTreeMap<&'p str, (u64, BTreeSet<String>)>);

impl<'p> Holding<'p> {
    /// `rows` of a source table stay because of `consumer`.
    pub fn add(&mut self, consumer: &'p str, source: &str, rows: u64) {
        let (all, tables) = self.0.entry(consumer).or_default();
        *all += rows;
        tables.insert(source.to_owned());
    }

    /// The consumers, by name.
    pub fn by_consumer(self) -> Vec<HeldBack> {
        let held = |(consumer, (rows, tables)): (&str, (u64, BTreeSet<String>))| HeldBack {
            consumer: consumer.to_owned(),
            rows,
            tables: tables.into_iter().collect(),
        };
        self.0.into_iter().map(held).collect()
    }
}

#[derive(Row, Deserialize)]
struct End {
    place: StreamKey,
    last: u64,
    pruned: u64,
}

#[derive(Row, Deserialize)]
struct Closed {
    place: StreamKey,
    seq: u64,
    closed_ms: i64,
}

/// A row of the ledger: its stream, and its number there.
type RowAt<'s> = (&'s StreamKey, u64);

impl Warehouse {
    /// How far everybody is.
    pub(super) fn all_positions(&self) -> Result<Positions> {
        let sql = format!(
            "SELECT consumer, ({STREAM_KEY}) AS place, max(positions.seq) AS seq
             FROM {}.positions
             WHERE consumer != '{PRUNED}'
             GROUP BY consumer, {STREAM_KEY}",
            self.ops
        );
        Ok(Positions(self.rows("asking how far the ledger was taken up", &sql)?))
    }

    /// The consumers that have not taken up a row which was closed before a moment, in Unix milliseconds. It costs the same however old the ledger
    /// is: the streams' ends are a projection, and of each consumer one row a stream is looked up by its number.
    ///
    /// # Errors
    /// The server is gone, or `migrate` has not run.
    pub fn far_behind(&self, closed_before_ms: i64) -> Result<Vec<FarBehind>> {
        let positions = self.all_positions()?;
        let ends = self.ends()?;
        let mut waiting: Vec<(&str, RowAt<'_>, u64)> = Vec::new();
        for end in &ends {
            for (consumer, taken) in positions.in_stream(&end.place) {
                let taken = taken.max(end.pruned);
                if taken < end.last {
                    waiting.push((consumer, (&end.place, taken + 1), end.last - taken));
                }
            }
        }
        let places: HashSet<RowAt<'_>> = waiting.iter().map(|(_, place, _)| *place).collect();
        let closed = self.closed_at(&places)?;
        let closed: HashMap<RowAt<'_>, i64> = closed.iter().map(|row| ((&row.place, row.seq), row.closed_ms)).collect();
        let mut found: BTreeMap<&str, FarBehind> = BTreeMap::new();
        for (consumer, place, rows) in waiting {
            let (stream, since_ms) = (place.0, closed.get(&place).copied());
            let Some(since_ms) = since_ms.filter(|since_ms| *since_ms < closed_before_ms) else { continue };
            let none = || FarBehind { consumer: consumer.to_owned(), rows: 0, since_ms, tables: Vec::new() };
            let behind = found.entry(consumer).or_insert_with(none);
            behind.rows += rows;
            behind.since_ms = behind.since_ms.min(since_ms);
            if !behind.tables.contains(&stream.source) {
                behind.tables.push(stream.source.clone());
            }
        }
        Ok(found.into_values().collect())
    }

    fn ends(&self) -> Result<Vec<End>> {
        let sql = format!(
            "SELECT ({STREAM_KEY}) AS place, max(last_seq) AS last, max(pruned_seq) AS pruned
             FROM
             (
                 SELECT {STREAM_KEY}, max(seq) AS last_seq, 0 AS pruned_seq
                 FROM {ops}.windows
                 GROUP BY {STREAM_KEY}
                 UNION ALL
                 SELECT {STREAM_KEY}, 0 AS last_seq, max(seq) AS pruned_seq
                 FROM {ops}.positions
                 WHERE consumer = '{PRUNED}'
                 GROUP BY {STREAM_KEY}
             )
             GROUP BY {STREAM_KEY}
             ORDER BY {STREAM_KEY}",
            ops = self.ops
        );
        self.rows("asking where the ledger ends", &sql)
    }

    fn closed_at(&self, places: &HashSet<RowAt<'_>>) -> Result<Vec<Closed>> {
        let places: Vec<String> =
            places.iter().map(|(stream, seq)| format!("({} AND seq = {seq})", stream.sql())).collect();
        let mut found = Vec::new();
        for chunk in places.chunks(STREAMS) {
            let sql = format!(
                "SELECT ({STREAM_KEY}) AS place, seq, toUnixTimestamp64Milli(closed_at) AS closed_ms
                 FROM {}.windows
                 WHERE {}",
                self.ops,
                chunk.join(" OR ")
            );
            found.extend(self.rows::<Closed>("asking when rows of the ledger were closed", &sql)?);
        }
        Ok(found)
    }
}
