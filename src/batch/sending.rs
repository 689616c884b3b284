//! Sending the rows of a batch. In one insert, one block, one token; but the long values that were carried forward may be more
//! than memory holds, or one block. Then part by part: the values of a part are read, put into its rows, sent, and dropped.
//!
//! A part has a token of its own, made of the window's, which stands for all values, and of the part's own offsets. So whatever a rerun
//! makes the parts of: the same token means the same rows.

use std::collections::{HashMap, HashSet};

use anyhow::Result;

use crate::batch::Batch;
use crate::cdc::{Record, Version};
use crate::exit::{Exit, fault, try_again};
use crate::rows::{Change, Decoder, LongRow, Row, Rows};
use crate::warehouse::{InFlight, RowsInsert, Warehouse, long_values};

/// Long values that are in memory at a time.
const PART_BYTES: usize = 16 << 20;

/// A batch on its way.
pub struct Sending<'e, 'm> {
    /// What has been decoded and judged.
    pub batch: &'e Batch<'m>,
    /// A named point for the crash tests.
    pub failpoint: &'e dyn Fn(&str),
    /// Is told of every row as it is sent, with its long values.
    pub sent: &'e dyn Fn(Row<'_>),
}

/// A row to be sent: its record, itself, and its long values, if it has some.
type Sent<'e, 'm> = (&'e Record<'m>, Row<'e>, Option<&'e LongRow<'m>>);

impl<'e, 'm> Sending<'e, 'm> {
    /// Sends the rows; the last part is not acknowledged yet. `None` if there are none.
    ///
    /// # Errors
    /// The warehouse is gone or refuses; a value was changed meanwhile (75).
    pub fn send(&self, warehouse: &Warehouse, token: &str) -> Result<Option<InFlight>> {
        let rows = self.rows();
        if rows.is_empty() {
            return Ok(None);
        }
        if self.batch.carried.long.is_empty() {
            return self.send_part(warehouse, token, &rows).map(Some);
        }
        let parts = parts(&rows);
        let mut in_flight: Option<InFlight> = None;
        for part in &parts {
            if let Some(before) = in_flight.take() {
                before.acknowledged(warehouse)?;
                (self.failpoint)("part-inserted");
            }
            let token = match (part, parts.len()) {
                (_, 1) | ([], _) => token.to_owned(),
                ([(first, ..), .., (last, ..)] | [(first @ last, ..)], _) => {
                    format!("{token}/{}..{}", first.offset, last.offset + 1)
                }
            };
            in_flight = Some(self.send_part(warehouse, &token, part)?);
        }
        Ok(in_flight)
    }

    fn rows(&self) -> Vec<Sent<'e, 'm>> {
        let batch = self.batch;
        let row = |(place, change): (usize, &'e Change)| {
            let record = &batch.records[place];
            (record, batch.row(change), batch.carried.long.get(&record.offset))
        };
        batch.changes().map(row).collect()
    }

    fn send_part(&self, warehouse: &Warehouse, token: &str, part: &[Sent<'e, 'm>]) -> Result<InFlight> {
        let loaded = self.load(warehouse, part)?;
        let mut insert = warehouse.open_rows(self.batch.table, token);
        let mut whole = Rows::new(self.batch.table.columns().len());
        for (record, row, long) in part {
            match long {
                None => self.send_row(warehouse, &mut insert, *row)?,
                Some(long) => {
                    self.fill(record, long, &loaded, &mut whole)?;
                    whole.from(0).try_for_each(|row| self.send_row(warehouse, &mut insert, row))?;
                    whole.clear();
                }
            }
        }
        Ok(warehouse.end_rows(insert))
    }

    /// Reads the long values that the warehouse has of a part's keys.
    fn load(&self, warehouse: &Warehouse, part: &[Sent<'e, 'm>]) -> Result<HashMap<String, String>> {
        let wanted: HashSet<&str> = part
            .iter()
            .filter_map(|(.., long)| *long)
            .filter(|long| long.is_kept)
            .map(|long| long.key.as_str())
            .collect();
        let missing = &self.batch.carried.missing;
        let keys: Vec<(String, u64)> =
            missing.keys.iter().filter(|(key, _)| wanted.contains(key.as_str())).cloned().collect();
        long_values(warehouse, self.batch.table, &keys, &missing.columns)
    }

    /// Decodes a row with its long values.
    fn fill(
        &self,
        record: &Record<'m>,
        long: &LongRow<'m>,
        loaded: &HashMap<String, String>,
        whole: &mut Rows,
    ) -> Result<()> {
        let table = self.batch.table;
        let json = self.batch.carried.unloaded.fill(long, loaded).map_err(|column| {
            try_again(format!(
                "{} {:?}: the value of {column}, which was to be carried forward, was changed in the warehouse meanwhile; nothing of this \
                 window counts yet",
                table.name, long.key
            ))
        })?;
        let version = Version::of(self.batch.generation, record.offset)?;
        let mut decoder: Decoder<'_> = self.batch.decoder();
        decoder.row_of(record, version, long.meta, &json, whole).map_err(|violation| {
            let place = format!("{} {:?}, offset {}", table.name, long.key, record.offset);
            let why = violation.detail;
            fault(Exit::Bug, format!("{place}: it was accepted, but cannot be decoded with its long values: {why}"))
        })?;
        Ok(())
    }

    fn send_row(&self, warehouse: &Warehouse, insert: &mut RowsInsert, row: Row<'_>) -> Result<()> {
        (self.sent)(row);
        warehouse.send_row(insert, row.bytes())
    }
}

/// Cuts behind the row with which the long values reach the limit.
fn parts<'r, 'e, 'm>(rows: &'r [Sent<'e, 'm>]) -> Vec<&'r [Sent<'e, 'm>]> {
    let mut bytes = 0;
    let goes_on = |(.., long): &Sent<'e, 'm>, _: &Sent<'e, 'm>| {
        bytes += long.map_or(0, |long| long.bytes);
        let goes_on = bytes < PART_BYTES;
        if !goes_on {
            bytes = 0;
        }
        goes_on
    };
    rows.chunk_by(goes_on).collect()
}
