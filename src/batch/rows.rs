//! Sending the rows of a window or a batch. In one insert, one block, one token; but the long values that were carried forward may be more
//! than memory holds, or one block. Then part by part: the values of a part are read, put into its rows, sent, and dropped.
//!
//! A part has a token of its own, made of the window's, which stands for all values, and of the part's own offsets. So whatever a rerun
//! makes the parts of: the same token means the same rows.

use std::collections::HashMap;

use anyhow::Result;
use typed_arena::Arena;

use crate::cdc::{Completion, Decoder, Event, Generation, LongRow, Record, Version};
use crate::cli::clock;
use crate::exit::{Exit, fault, try_again};
use crate::old::{RowOf, Table};
use crate::warehouse::{InFlight, Insertion, Warehouse, long_values};

/// Long values that are in memory at a time.
const PART_BYTES: usize = 16 << 20;

/// What has been decoded and judged.
pub struct Rows<'e, 'm, T: Table> {
    pub records: &'e [Record<'m>],
    pub events: &'e [Event<'m, T>],
    pub carried: &'e Completion<'m>,
    pub generation: Generation,
    /// A named point for the crash tests.
    pub passes: &'e dyn Fn(&str),
    /// Is told of every row as it is sent, with its long values.
    pub sent: &'e dyn Fn(&RowOf<'_, T>) -> Result<()>,
}

/// A row to be sent: its record, itself, and its long values, if it has some.
type Sent<'e, 'm, T> = (&'e Record<'m>, &'e RowOf<'m, T>, Option<&'e LongRow<'m>>);

impl<'e, 'm, T: Table> Rows<'e, 'm, T> {
    /// Sends them; the last part is not acknowledged yet. `None` if there are none.
    ///
    /// # Errors
    /// The warehouse is gone or refuses; a value was changed meanwhile (75).
    pub fn send(&self, warehouse: &Warehouse, token: &str) -> Result<Option<InFlight>> {
        let rows = self.rows();
        if rows.is_empty() {
            return Ok(None);
        }
        if self.carried.long.is_empty() {
            rows.iter().try_for_each(|(_, row, _)| (self.sent)(row))?;
            let rows = rows.into_iter().map(|(_, row, _)| row);
            return warehouse.begin_insert::<T::Row>(&warehouse.db, T::TARGET, token, rows).map(Some);
        }
        let parts = parts::<T>(&rows);
        let mut in_flight: Option<InFlight> = None;
        for part in &parts {
            if let Some(before) = in_flight.take() {
                before.acknowledged(warehouse)?;
                (self.passes)("part-inserted");
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

    fn rows(&self) -> Vec<Sent<'e, 'm, T>> {
        let row = |(record, event): (&'e Record<'m>, &'e Event<'m, T>)| match event {
            Event::Change(change) => Some((record, &change.row, self.carried.long.get(&record.offset))),
            _ => None,
        };
        self.records.iter().zip(self.events).filter_map(row).collect()
    }

    fn send_part(&self, warehouse: &Warehouse, token: &str, part: &[Sent<'e, 'm, T>]) -> Result<InFlight> {
        let loaded = self.load(warehouse, part)?;
        let mut insertion = warehouse.open_insert::<T::Row>(&warehouse.db, T::TARGET, token)?;
        for (record, row, long) in part {
            match long {
                None => self.send_row(warehouse, &mut insertion, row)?,
                Some(long) => self.send_long(warehouse, &mut insertion, record, long, &loaded)?,
            }
        }
        Ok(warehouse.end_insert(insertion))
    }

    /// Reads the long values that the warehouse has of a part's keys.
    fn load(&self, warehouse: &Warehouse, part: &[Sent<'e, 'm, T>]) -> Result<HashMap<String, String>> {
        let wanted: HashMap<&str, ()> = part
            .iter()
            .filter_map(|(.., long)| *long)
            .filter(|long| long.is_kept)
            .map(|long| (long.key.as_str(), ()))
            .collect();
        let missing = &self.carried.missing;
        let keys: Vec<(String, u64)> =
            missing.keys.iter().filter(|(key, _)| wanted.contains_key(key.as_str())).cloned().collect();
        long_values::<T>(warehouse, &keys, &missing.columns)
    }

    fn send_long(
        &self,
        warehouse: &Warehouse,
        insertion: &mut Insertion<T::Row>,
        record: &Record<'m>,
        long: &LongRow<'m>,
        loaded: &HashMap<String, String>,
    ) -> Result<()> {
        let json = self.carried.unloaded.fill(long, loaded).map_err(|column| {
            try_again(format!(
                "{} {:?}: the value of {column}, which was to be carried forward, was changed in the warehouse meanwhile; nothing of this \
                 window counts yet",
                T::SOURCE,
                long.key
            ))
        })?;
        let arena = Arena::new();
        let version = Version::of(self.generation, record.offset)?;
        let row = Decoder::<T>::new(self.generation, clock::now_seconds(), &arena)
            .row_of(record, version, long.head, &json)
            .map_err(|violation| {
                let place = format!("{} {:?}, offset {}", T::SOURCE, long.key, record.offset);
                fault(
                    Exit::Bug,
                    format!(
                        "{place}: it was accepted, but cannot be decoded with its long values: {}",
                        violation.detail
                    ),
                )
            })?;
        self.send_row(warehouse, insertion, &row.row)
    }

    fn send_row(&self, warehouse: &Warehouse, insertion: &mut Insertion<T::Row>, row: &RowOf<'_, T>) -> Result<()> {
        (self.sent)(row)?;
        warehouse.send(insertion, row)
    }
}

/// Cuts behind the row with which the long values reach the limit.
fn parts<'r, 'e, 'm, T: Table>(rows: &'r [Sent<'e, 'm, T>]) -> Vec<&'r [Sent<'e, 'm, T>]> {
    let mut bytes = 0;
    let goes_on = |(.., long): &Sent<'e, 'm, T>, _: &Sent<'e, 'm, T>| {
        bytes += long.map_or(0, |long| long.bytes);
        let goes_on = bytes < PART_BYTES;
        if !goes_on {
            bytes = 0;
        }
        goes_on
    };
    rows.chunk_by(goes_on).collect()
}
