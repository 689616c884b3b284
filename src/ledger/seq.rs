//! Writing ledger rows. Every row gets the next number of its stream, and a number is given once: whoever follows the ledger by numbers
//! misses nothing.
//!
//! The token of a row's insert is its stream and number alone, so of two writers the server keeps the first (compare-and-set), and each
//! reads back whose row it is. In a partition's stream the number comes from the plan, under the partition's lock: another run's row means
//! that the lock was lost. In the stream of what moves no group it means: take the next number.
//!
//! There, rows that are written together take the next numbers in one insert, whose token is the first of them. That is as good as a token for
//! each: an insert is visible whole or not at all, so whoever sees a last number begins behind a whole insert; and of those who begin at one
//! number the server keeps the first.

use anyhow::Result;
use clickhouse::Row;
use serde::Deserialize;

use crate::exit::try_again;
use crate::ledger::WindowRow;
use crate::ledger::windows::NO_PARTITION;
use crate::warehouse::{Warehouse, quote};

/// So many others may come first, before a writer gives up.
const MOST_TRIES: u32 = 1_000;

/// A row that stands in the ledger.
#[derive(Row, Deserialize)]
struct Standing {
    stream: i32,
    seq: u64,
    run_id: String,
    token: String,
    start_offset: i64,
}

impl Standing {
    fn is(&self, row: &WindowRow) -> bool {
        (self.stream, self.seq, &self.run_id, &self.token, self.start_offset)
            == (row.stream, row.seq, &row.run_id, &row.token, row.start_offset)
    }
}

#[derive(Row, Deserialize)]
struct Last {
    seq: u64,
}

impl Warehouse {
    /// Writes ledger rows of one stream or more of a table's topic: the point of no return of a window.
    ///
    /// # Errors
    /// Another run has written a number that a partition's lock had kept for this one (75); the server is gone or refuses.
    pub fn write_windows(&self, windows: &[WindowRow]) -> Result<()> {
        let (moving, others): (Vec<_>, Vec<_>) = windows.iter().partition(|row| row.stream != NO_PARTITION);
        if let Some(other) = self.claim(&moving)? {
            return Err(try_again(format!(
                "row {} of the ledger of {}, partition {} was written by run {}: the lock on the partition was lost, and that run is at work or \
                 was; nothing of this run's window counts; run again",
                other.seq, moving[0].topic, other.stream, other.run_id
            )));
        }
        self.append(&others)
    }

    /// Writes rows of one stream under the next free numbers.
    fn append(&self, rows: &[&WindowRow]) -> Result<()> {
        let Some(first) = rows.first() else { return Ok(()) };
        for _ in 0..MOST_TRIES {
            let next = self.last_seq(first)? + 1;
            let numbered: Vec<WindowRow> =
                rows.iter().zip(next..).map(|(row, seq)| WindowRow { seq, ..(*row).clone() }).collect();
            if self.claim(&numbered.iter().collect::<Vec<_>>())?.is_none() {
                return Ok(());
            }
        }
        Err(try_again(format!("{MOST_TRIES} other rows came first into the ledger of {}; run again", first.topic)))
    }

    /// Writes rows under their numbers, all or none. Returns the row of another run that has taken one of them.
    fn claim(&self, rows: &[&WindowRow]) -> Result<Option<Standing>> {
        if rows.is_empty() {
            return Ok(None);
        }
        for round in 0..MOST_TRIES {
            let token = token_of(rows, round);
            self.insert::<WindowRow>(&self.ops, "windows", &token, rows.iter().copied())?;
            let standing = self.standing(rows)?;
            if let Some(i) = standing.iter().position(|standing| !rows.iter().any(|row| standing.is(row))) {
                return Ok(standing.into_iter().nth(i));
            }
            if standing.len() >= rows.len() {
                return Ok(None);
            }
            // Somebody has deleted rows, whose tokens the server still knows.
        }
        Err(try_again(format!("the ledger of {} keeps losing rows; run again", rows[0].topic)))
    }

    fn standing(&self, rows: &[&WindowRow]) -> Result<Vec<Standing>> {
        let WindowRow { source, group_id, topic, .. } = rows[0];
        let numbers: Vec<String> = rows.iter().map(|row| format!("({}, {})", row.stream, row.seq)).collect();
        let sql = format!(
            "SELECT stream, seq, run_id, token, start_offset FROM {}.windows
             WHERE source = {} AND group_id = {} AND topic = {} AND (stream, seq) IN ({})",
            self.ops,
            quote(source),
            quote(group_id),
            quote(topic),
            numbers.join(", ")
        );
        self.rows("reading back what was written into the ledger", &sql)
    }

    fn last_seq(&self, row: &WindowRow) -> Result<u64> {
        let sql = format!(
            "SELECT max(seq) AS seq FROM {}.windows WHERE source = {} AND group_id = {} AND topic = {} AND stream = {}",
            self.ops,
            quote(&row.source),
            quote(&row.group_id),
            quote(&row.topic),
            row.stream
        );
        Ok(self.row::<Last>("asking for the ledger's last number", &sql)?.seq)
    }
}

fn token_of(rows: &[&WindowRow], round: u32) -> String {
    let name = |row: &&WindowRow| format!("{}/{}/{}/{}/{}", row.source, row.group_id, row.topic, row.stream, row.seq);
    let named = if rows.iter().any(|row| row.stream == NO_PARTITION) { &rows[..1] } else { rows };
    let names = named.iter().map(name).collect::<Vec<_>>().join(",");
    if round == 0 { names } else { format!("{names}/{round}") }
}
