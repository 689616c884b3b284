//! A batch: records of one shelf of the quarantine, decoded; what the warehouse already knows about them; their missing values.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use typed_arena::Arena;

use crate::cdc::{self, Completion, Decoder, Event, Missing, Record, Version, Violation};
use crate::kafka::Span;
use crate::ledger::Written;
use crate::quarantine::{Kept, Shelf};
use crate::cdc::Standing;
use crate::old::{SourceRow, Table};
use crate::validate::Warning;
use crate::warehouse::{Warehouse, carried_rows, newest_versions};

/// Records in the log's order, and what becomes of them.
pub struct Batch<'k, T: Table> {
    pub shelf: &'k Shelf,
    pub span: Span,
    /// To be decided: as they lie in quarantine, …
    pub kept: Vec<&'k Kept>,
    /// … as they were read from Kafka, …
    pub records: Vec<Record<'k>>,
    /// … as they are decoded, and later judged.
    pub events: Vec<Event<'k, T>>,
    /// The warehouse has a later event of the same key: they could not win.
    pub superseded: Vec<&'k Kept>,
    /// The warehouse has them: an earlier replay was cut short after its insert.
    pub landed: Vec<&'k Kept>,
    /// Their keys.
    landed_keys: Vec<String>,
    /// What was carried forward.
    pub carried: Completion<'k>,
    /// Rules that rows break though they are written.
    pub warnings: Vec<Warning>,
    /// Newest version in the warehouse, by key.
    held: HashMap<String, u64>,
}

impl<'k, T: Table> Batch<'k, T> {
    /// Decodes what lies in quarantine.
    ///
    /// # Errors
    /// An offset does not fit in a version.
    pub fn decode(shelf: &'k Shelf, span: Span, kept: &'k [Kept], decoder: &Decoder<'k, T>) -> Result<Self> {
        let records: Vec<Record<'k>> = kept.iter().map(Kept::record).collect();
        let events = records.iter().map(|record| decoder.decode(record)).collect::<Result<Vec<_>>>()?;
        Ok(Batch {
            shelf,
            span,
            kept: kept.iter().collect(),
            records,
            events,
            superseded: Vec::new(),
            landed: Vec::new(),
            landed_keys: Vec::new(),
            carried: Completion::default(),
            warnings: Vec::new(),
            held: HashMap::new(),
        })
    }

    /// Sets aside the records that are in the warehouse, and those whose key has gone on since: delete markers count, too.
    ///
    /// # Errors
    /// The warehouse is gone or refuses.
    pub fn set_aside_what_is_known(&mut self, warehouse: &Warehouse) -> Result<()> {
        let keys: Vec<Option<String>> =
            self.events.iter().zip(&self.kept).map(|(event, kept)| key_of(event, kept)).collect();
        let distinct: HashSet<&str> = keys.iter().flatten().map(String::as_str).collect();
        self.held = newest_versions(warehouse, T::TARGET, T::KEY, &distinct.into_iter().collect::<Vec<_>>())?;
        let all = std::mem::take(&mut self.kept).into_iter().zip(std::mem::take(&mut self.records));
        for (((kept, record), event), key) in all.zip(std::mem::take(&mut self.events)).zip(keys) {
            match key.as_ref().and_then(|key| self.held.get(key)) {
                Some(held) if Version::same_event(*held, kept.version) => {
                    self.landed.push(kept);
                    self.landed_keys.extend(key);
                }
                Some(held) if *held > kept.version => self.superseded.push(kept),
                _ => {
                    self.kept.push(kept);
                    self.records.push(record);
                    self.events.push(event);
                }
            }
        }
        Ok(())
    }

    /// What an earlier replay has written, for the look at truncates that it may not have come to.
    pub fn landed_rows(&self) -> Vec<Written> {
        let standing = |kept: &Kept| Standing {
            version: kept.version,
            partition: kept.partition,
            offset: kept.offset,
            lsn: kept.lsn,
            ts_ms: cdc::committed_at(&kept.record()).unwrap_or(kept.record_ts),
            deleted: false,
        };
        self.landed_keys.iter().cloned().zip(self.landed.iter().map(|kept| standing(kept))).collect()
    }

    /// Fills in unchanged values that were not sent: from an earlier record of the key in this batch, else from the warehouse; but
    /// never past a record of the key that stays in quarantine.
    ///
    /// # Errors
    /// The warehouse is gone or refuses.
    pub fn complete(
        &mut self,
        warehouse: &Warehouse,
        decoder: &Decoder<'k, T>,
        arena: &'k Arena<String>,
    ) -> Result<()> {
        if !self.events.iter().any(|event| matches!(event, Event::Partial(_))) {
            return Ok(());
        }
        let missing = Missing::of(&self.events, |i| self.kept[i].version);
        let carried = carried_rows::<T>(warehouse, &self.shelf.topic, &self.shelf.topic_id, &missing)?;
        let bystanders = self.bystanders(warehouse)?;
        let own: HashSet<i64> = self.records.iter().map(|record| record.offset).collect();
        let mut all: Vec<(Record<'k>, Event<'k, T>)> =
            std::mem::take(&mut self.records).into_iter().zip(std::mem::take(&mut self.events)).collect();
        all.extend(bystanders);
        all.sort_by_key(|(record, _)| record.offset);
        let (records, mut events): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        let completion = cdc::resolve(&mut events, &records, decoder, self.shelf.generation, carried, arena)?;
        self.carried = Completion { missing, ..completion };
        let still_own = records.into_iter().zip(events).filter(|(record, _)| own.contains(&record.offset));
        (self.records, self.events) = still_own.unzip();
        Ok(())
    }

    /// Open records of the same keys that stand among this batch's and were not selected, as barriers: nobody knows which values
    /// they have changed.
    fn bystanders(&self, warehouse: &Warehouse) -> Result<Vec<(Record<'k>, Event<'k, T>)>> {
        let keys: HashSet<&str> = self
            .events
            .iter()
            .filter_map(|event| if let Event::Partial(partial) = event { Some(partial.key.as_str()) } else { None })
            .collect();
        let keys: Vec<&str> = keys.into_iter().collect();
        let of_batch: HashSet<i64> =
            [&self.kept, &self.superseded, &self.landed].into_iter().flatten().map(|kept| kept.offset).collect();
        let mut bystanders = Vec::new();
        for (key, open) in warehouse.open_versions(self.shelf, self.span, &keys)? {
            let held = self.held.get(&key).copied().unwrap_or(0);
            for (offset, _) in open.into_iter().filter(|(offset, v)| !of_batch.contains(offset) && *v > held) {
                let record =
                    Record { partition: self.shelf.partition, offset, timestamp_ms: None, key: None, value: None };
                let barrier = Violation::new(cdc::DECODE, "not selected");
                bystanders.push((record, Event::Bad(barrier, Some(key.clone()))));
            }
        }
        Ok(bystanders)
    }
}

/// The row's key as it can be read now, else as it could be read then.
fn key_of<T: Table>(event: &Event<'_, T>, kept: &Kept) -> Option<String> {
    match event {
        Event::Change(change) => Some(change.row.key_text().into_owned()),
        Event::Partial(partial) => Some(partial.key.clone()),
        Event::Bad(_, Some(key)) => Some(key.clone()),
        Event::Bad(_, None) | Event::Truncate(_) | Event::Tombstone => {
            Some(kept.row_key.clone()).filter(|key| !key.is_empty())
        }
    }
}
