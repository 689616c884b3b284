//! Removing old rows of the ledger that every consumer has taken up. How far is noted down *before* they go, as a position of nobody: a
//! consumer that begins later knows that the numbers below are missing on purpose.

use std::collections::HashSet;

use anyhow::Result;
use chrono::{DateTime, Utc};
use clickhouse::Row;
use serde::Deserialize;

use crate::warehouse::Warehouse;
use crate::warehouse::news::{PRUNED, STREAMS};
use crate::warehouse::place::{PLACE, Place};
use crate::warehouse::take_up::PositionRow;

/// A stream of the ledger, and how far it may be removed by its age.
#[derive(Row, Deserialize)]
struct Aged {
    place: Place,
    /// The lowest number that is there.
    first: u64,
    /// All rows up to this number are old, and the stream's last row is not among them.
    old_up_to: u64,
}

#[derive(Row, Deserialize)]
struct Position {
    consumer: String,
    place: Place,
    seq: u64,
}

#[derive(Row, Deserialize)]
struct Count {
    rows: u64,
}

impl Aged {
    /// As far as every consumer of the source table has come; one that was never in this stream has not begun it. What nobody follows is
    /// kept.
    fn removable(&self, positions: &[Position]) -> u64 {
        let of_source = || positions.iter().filter(|position| position.place.source == self.place.source);
        let consumers: HashSet<&str> = of_source().map(|position| position.consumer.as_str()).collect();
        let taken = |consumer: &&str| {
            let here = |position: &&Position| position.consumer == *consumer && position.place == self.place;
            of_source().find(here).map_or(0, |position| position.seq)
        };
        consumers.iter().map(taken).min().unwrap_or(0).min(self.old_up_to)
    }

    fn below(&self, up_to: u64) -> String {
        format!("({} AND seq <= {up_to})", self.place.sql())
    }
}

impl Warehouse {
    /// Removes rows of the ledger that were closed before a moment, lie below the position of every consumer, and are not the last of
    /// their stream; but for windows that a consumer has left open. Returns how many. Killed anywhere, it is done again.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn prune_windows(&self, closed_before: DateTime<Utc>, run_id: &str) -> Result<u64> {
        let positions = self.all_positions()?;
        let aged = self.aged(closed_before)?;
        let removable: Vec<(&Aged, u64)> = aged
            .iter()
            .map(|stream| (stream, stream.removable(&positions)))
            .filter(|(stream, up_to)| stream.first <= *up_to)
            .collect();
        let mut removed = 0;
        for chunk in removable.chunks(STREAMS) {
            let floors: Vec<PositionRow<'_>> =
                chunk.iter().map(|(stream, seq)| PositionRow::of(PRUNED, &stream.place, *seq, run_id)).collect();
            self.write_positions(&floors)?;
            let below: Vec<String> = chunk.iter().map(|(stream, up_to)| stream.below(*up_to)).collect();
            removed += self.remove(&below.join(" OR "))?;
        }
        Ok(removed)
    }

    fn remove(&self, below: &str) -> Result<u64> {
        let left_open = format!("SELECT {PLACE}, seq FROM {}.postponed FINAL WHERE done = 0 AND ({below})", self.ops);
        let rows = format!("({below}) AND ({PLACE}, seq) NOT IN ({left_open})");
        let count = format!("SELECT count() AS rows FROM {}.windows WHERE {rows}", self.ops);
        let Count { rows: count } = self.row("counting old rows of the ledger", &count)?;
        for table in ["windows", "postponed"] {
            let sql = format!("ALTER TABLE {}.{table} DELETE WHERE {rows} SETTINGS mutations_sync = 1", self.ops);
            self.execute("removing old rows of the ledger", &sql)?;
        }
        Ok(count)
    }

    fn aged(&self, closed_before: DateTime<Utc>) -> Result<Vec<Aged>> {
        let is_young = format!("closed_at >= fromUnixTimestamp64Milli({})", closed_before.timestamp_millis());
        let sql = format!(
            "SELECT ({PLACE}) AS place, min(seq) AS first,
                    toUInt64(least(max(seq), if(countIf({is_young}) = 0, max(seq), minIf(seq, {is_young}))) - 1) AS old_up_to
             FROM {}.windows
             GROUP BY {PLACE}",
            self.ops
        );
        self.rows("looking for old rows of the ledger", &sql)
    }

    fn all_positions(&self) -> Result<Vec<Position>> {
        let sql = format!(
            "SELECT consumer, ({PLACE}) AS place, max(positions.seq) AS seq
             FROM {}.positions
             WHERE consumer != '{PRUNED}'
             GROUP BY consumer, {PLACE}",
            self.ops
        );
        self.rows("asking how far the ledger was taken up", &sql)
    }
}
