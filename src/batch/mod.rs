//! What ingest and replay share: records that are decoded, completed and judged together; their token, their rows on their way into the
//! warehouse, what truncates remove of them.

pub(crate) mod scope;
mod sending;
#[cfg(test)]
mod tests;

pub(crate) use sending::Sending;

use std::collections::HashMap;

use anyhow::Result;
use typed_arena::Arena;
use xxhash_rust::xxh3::Xxh3;

use crate::cdc::{Generation, Record, Violation};
use crate::cli::clock;
use crate::ledger::Written;
use crate::rows::{Carried, Change, Completion, Decoder, Event, Missing, Row, Rows, resolve};
use crate::tables::Table;

/// Records in the log's order, and what becomes of them.
pub struct Batch<'m> {
    /// Their table.
    pub table: &'static Table,
    /// Their topic's generation.
    pub generation: Generation,
    /// As they were read, …
    pub records: Vec<Record<'m>>,
    /// … as they are decoded, and later judged.
    pub events: Vec<Event<'m>>,
    /// The rows of those that are changes.
    pub rows: Rows,
    /// What was carried forward.
    pub carried: Completion<'m>,
    /// Rules that rows break though they are written.
    pub warnings: Vec<Warning>,
    /// The canonical texts of the rows' keys, in the order of the rows.
    keys: Vec<String>,
    now: u32,
}

/// A rule that a row breaks, though it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Position of the record in its batch.
    pub index: usize,
    /// The row's key.
    pub key: String,
    /// The rule, and what is wrong.
    pub violation: Violation,
}

impl<'m> Batch<'m> {
    /// Decodes records.
    ///
    /// # Errors
    /// An offset does not fit in a version.
    pub fn decode(table: &'static Table, generation: Generation, records: Vec<Record<'m>>) -> Result<Batch<'m>> {
        let now = clock::now_seconds();
        // Rows are shorter than their messages; what is not used of this is never touched.
        let bytes = records.iter().filter_map(|record| record.value).map(<[u8]>::len).sum();
        let mut rows = Rows::with_capacity(table.columns().len(), bytes);
        let mut decoder = Decoder::new(&table.schema, generation, now);
        let events = records.iter().map(|record| decoder.decode(record, &mut rows)).collect::<Result<Vec<_>>>()?;
        let (carried, warnings) = (Completion::default(), Vec::new());
        let mut batch = Batch { table, generation, records, events, rows, carried, warnings, keys: Vec::new(), now };
        batch.read_keys();
        Ok(batch)
    }

    /// The canonical text of a changed row's key.
    pub fn key(&self, change: &Change) -> &str {
        &self.keys[change.row.place()]
    }

    /// Of the rows that have come since it was last done.
    fn read_keys(&mut self) {
        let known = self.keys.len();
        let keys: Vec<String> = self.rows.from(known).map(|row| self.table.schema.key_of(row)).collect();
        self.keys.extend(keys);
    }

    /// Are there changes whose unchanged values were not sent?
    pub fn lacks_values(&self) -> bool {
        self.events.iter().any(|event| matches!(event, Event::ToastIncomplete(_)))
    }

    /// What the warehouse has to be asked for; `below` is the bound for a key whose first event stands at this place.
    pub fn missing(&self, below: impl Fn(usize) -> u64) -> Missing {
        Missing::of(&self.table.schema, &self.rows, &self.events, below)
    }

    /// Replaces every change that lacks values by the complete one, or by the reason why that cannot be.
    ///
    /// # Errors
    /// An offset does not fit in a version.
    pub fn complete(
        &mut self,
        missing: Missing,
        carried: HashMap<String, Carried>,
        arena: &'m Arena<String>,
    ) -> Result<()> {
        let mut decoder = self.decoder();
        let completion =
            resolve(&mut self.events, &mut self.rows, &self.records, &mut decoder, self.generation, carried, arena)?;
        self.carried = Completion { missing, ..completion };
        self.read_keys();
        Ok(())
    }

    /// The changes that are written, each with the place of its record.
    pub fn changes(&self) -> impl Iterator<Item = (usize, &Change)> {
        self.events.iter().enumerate().filter_map(|(place, event)| match event {
            Event::Change(change) => Some((place, change)),
            _ => None,
        })
    }

    /// The row of a change.
    pub fn row(&self, change: &Change) -> Row<'_> {
        self.rows.row(change.row)
    }

    /// The rows with their keys, for the look at truncates.
    pub fn written(&self) -> Vec<Written> {
        self.changes().map(|(_, change)| (self.key(change).to_owned(), self.row(change).standing())).collect()
    }

    /// Stands for exactly these rows: every record's bytes and verdict, the row's layout, and what was carried forward.
    pub fn fingerprint(&self) -> u128 {
        let mut hash = Xxh3::new();
        hash.update(&self.table.layout.to_le_bytes());
        for (record, event) in self.records.iter().zip(&self.events) {
            hash.update(&record.offset.to_le_bytes());
            hash.update(verdict(event).as_bytes());
            for bytes in [record.key, record.value] {
                let bytes = bytes.unwrap_or_default();
                hash.update(&(bytes.len() as u64).to_le_bytes());
                hash.update(bytes);
            }
        }
        if let Some(carried) = self.carried.hash {
            hash.update(&carried.to_le_bytes());
        }
        hash.digest128()
    }

    fn decoder(&self) -> Decoder<'static> {
        Decoder::new(&self.table.schema, self.generation, self.now)
    }
}

fn verdict(event: &Event<'_>) -> &'static str {
    match event {
        Event::Change(_) | Event::ToastIncomplete(_) => "written",
        Event::Rejected(violation, _) => violation.rule,
        Event::Tombstone => "tombstone",
        Event::Truncate(_) => "truncate",
    }
}
