//! Removing old rows of the ledger that every consumer has taken up. How far is noted down *before* they go, as a position of nobody: a
//! consumer that begins later knows that the numbers below are missing on purpose.

use anyhow::Result;
use chrono::{DateTime, Utc};
use clickhouse::Row;
use serde::Deserialize;

use crate::ledger::ack::PositionRow;
use crate::ledger::followers::{HeldBack, Holding, Positions};
use crate::ledger::news::{PRUNED, STREAMS};
use crate::ledger::stream_key::{STREAM_KEY, StreamKey};
use crate::warehouse::Warehouse;

/// A stream of the ledger, and how far it may be removed by its age.
#[derive(Row, Deserialize)]
struct Aged {
    place: StreamKey,
    /// The lowest number that is there.
    first: u64,
    /// All rows up to this number are old, and the stream's last row is not among them.
    old_up_to: u64,
}

#[derive(Row, Deserialize)]
struct Count {
    rows: u64,
}

impl Aged {
    /// As far as every consumer of the source table has come. What nobody follows is kept. Who holds back old rows is added up.
    fn removable<'p>(&self, positions: &'p Positions, holding: &mut Holding<'p>) -> u64 {
        let consumers = positions.in_stream(&self.place);
        for (consumer, taken) in &consumers {
            let held = self.old_from(*taken);
            if held > 0 {
                holding.add(consumer, &self.place.source, held);
            }
        }
        if consumers.is_empty() && self.old_from(0) > 0 {
            holding.add("", &self.place.source, self.old_from(0));
        }
        consumers.into_values().min().unwrap_or(0).min(self.old_up_to)
    }

    /// Old rows that are there above a number.
    fn old_from(&self, taken: u64) -> u64 {
        (self.old_up_to + 1).saturating_sub(self.first.max(taken + 1))
    }

    fn below(&self, up_to: u64) -> String {
        format!("({} AND seq <= {up_to})", self.place.sql())
    }
}

/// What was pruned, and what was not.
#[derive(Debug)]
pub struct PrunedLedger {
    /// Rows that were removed.
    pub rows: u64,
    /// Consumers that have not taken up rows which are old enough, by name.
    pub held_back_by: Vec<HeldBack>,
}

impl Warehouse {
    /// Removes rows of the ledger that were closed before a moment, lie below the position of every consumer, and are not the last of
    /// their stream; but for windows that a consumer has left open. Killed anywhere, it is done again.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn prune_windows(&self, closed_before: DateTime<Utc>, run_id: &str) -> Result<PrunedLedger> {
        let positions = self.all_positions()?;
        let aged = self.aged(closed_before)?;
        let mut holding = Holding::default();
        let removable: Vec<(&Aged, u64)> = aged
            .iter()
            .map(|stream| (stream, stream.removable(&positions, &mut holding)))
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
        Ok(PrunedLedger { rows: removed, held_back_by: holding.by_consumer() })
    }

    fn remove(&self, below: &str) -> Result<u64> {
        let left_open =
            format!("SELECT {STREAM_KEY}, seq FROM {}.postponed FINAL WHERE done = 0 AND ({below})", self.ops);
        let rows = format!("({below}) AND ({STREAM_KEY}, seq) NOT IN ({left_open})");
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
            "SELECT ({STREAM_KEY}) AS place, min(seq) AS first,
                    toUInt64(least(max(seq), if(countIf({is_young}) = 0, max(seq), minIf(seq, {is_young}))) - 1) AS old_up_to
             FROM {}.windows
             GROUP BY {STREAM_KEY}",
            self.ops
        );
        self.rows("looking for old rows of the ledger", &sql)
    }
}
