//! A batch: records of one range of the quarantine, decoded; what the warehouse already knows about them; their missing values.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use typed_arena::Arena;

use crate::batch::Batch;
use crate::cdc::{self, Record, Standing, Version, Violation};
use crate::kafka::Span;
use crate::ledger::Written;
use crate::quarantine::{Kept, QuarantineRange};
use crate::rows::Event;
use crate::tables::Table;
use crate::warehouse::{Warehouse, carried_rows, newest_versions};

/// Records of a range in the log's order, and what becomes of them.
pub struct Replayed<'k> {
    pub range: &'k QuarantineRange,
    pub span: Span,
    /// To be decided: as they lie in quarantine, …
    pub kept: Vec<&'k Kept>,
    /// … and as they are decoded, and later judged.
    pub batch: Batch<'k>,
    /// The warehouse has a later event of the same key: they could not win.
    pub superseded: Vec<&'k Kept>,
    /// The warehouse has them: an earlier replay was cut short after its insert.
    pub landed: Vec<&'k Kept>,
    /// Their keys.
    landed_keys: Vec<String>,
    /// Newest version in the warehouse, by key.
    held: HashMap<String, u64>,
}

impl<'k> Replayed<'k> {
    /// Decodes what lies in quarantine.
    ///
    /// # Errors
    /// An offset does not fit in a version.
    pub fn decode(table: &'static Table, range: &'k QuarantineRange, span: Span, kept: &'k [Kept]) -> Result<Self> {
        let records = kept.iter().map(Kept::record).collect();
        Ok(Replayed {
            range,
            span,
            kept: kept.iter().collect(),
            batch: Batch::decode(table, range.generation, records)?,
            superseded: Vec::new(),
            landed: Vec::new(),
            landed_keys: Vec::new(),
            held: HashMap::new(),
        })
    }

    /// Sets aside the records that are in the warehouse, and those whose key has gone on since: delete markers count, too.
    ///
    /// # Errors
    /// The warehouse is gone or refuses.
    pub fn set_aside_what_is_known(&mut self, warehouse: &Warehouse) -> Result<()> {
        let table = self.batch.table;
        let of_record = self.batch.events.iter().zip(&self.kept);
        let keys: Vec<Option<String>> = of_record.map(|(event, kept)| key_of(&self.batch, event, kept)).collect();
        let distinct: HashSet<&str> = keys.iter().flatten().map(String::as_str).collect();
        self.held = newest_versions(warehouse, table.target, &table.key, &distinct.into_iter().collect::<Vec<_>>())?;
        let all = std::mem::take(&mut self.kept).into_iter().zip(std::mem::take(&mut self.batch.records));
        for (((kept, record), event), key) in all.zip(std::mem::take(&mut self.batch.events)).zip(keys) {
            match key.as_ref().and_then(|key| self.held.get(key)) {
                Some(held) if Version::same_event(*held, kept.version) => {
                    self.landed.push(kept);
                    self.landed_keys.extend(key);
                }
                Some(held) if *held > kept.version => self.superseded.push(kept),
                _ => {
                    self.kept.push(kept);
                    self.batch.records.push(record);
                    self.batch.events.push(event);
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
    pub fn complete(&mut self, warehouse: &Warehouse, arena: &'k Arena<String>) -> Result<()> {
        if !self.batch.lacks_values() {
            return Ok(());
        }
        let missing = self.batch.missing(|i| self.kept[i].version);
        let carried = carried_rows(warehouse, self.batch.table, self.range.topic_partition(), &missing)?;
        let bystanders = self.bystanders(warehouse)?;
        let own: HashSet<i64> = self.batch.records.iter().map(|record| record.offset).collect();
        self.reorder(|all| {
            all.extend(bystanders);
            all.sort_by_key(|(record, _)| record.offset);
        });
        self.batch.complete(missing, carried, arena)?;
        self.reorder(|all| all.retain(|(record, _)| own.contains(&record.offset)));
        Ok(())
    }

    /// Lets others stand among the records for a while.
    fn reorder(&mut self, change: impl FnOnce(&mut Vec<(Record<'k>, Event<'k>)>)) {
        let records = std::mem::take(&mut self.batch.records).into_iter();
        let mut all: Vec<(Record<'k>, Event<'k>)> = records.zip(std::mem::take(&mut self.batch.events)).collect();
        change(&mut all);
        (self.batch.records, self.batch.events) = all.into_iter().unzip();
    }

    /// Open records of the same keys that stand among this batch's and were not selected, as barriers: nobody knows which values
    /// they have changed.
    fn bystanders(&self, warehouse: &Warehouse) -> Result<Vec<(Record<'k>, Event<'k>)>> {
        let keys: HashSet<&str> = self
            .batch
            .events
            .iter()
            .filter_map(|event| {
                if let Event::ToastIncomplete(incomplete) = event { Some(incomplete.key.as_str()) } else { None }
            })
            .collect();
        let keys: Vec<&str> = keys.into_iter().collect();
        let of_batch: HashSet<i64> =
            [&self.kept, &self.superseded, &self.landed].into_iter().flatten().map(|kept| kept.offset).collect();
        let mut bystanders = Vec::new();
        for (key, open) in warehouse.open_versions(self.range, self.span, &keys)? {
            let held = self.held.get(&key).copied().unwrap_or(0);
            for (offset, _) in open.into_iter().filter(|(offset, v)| !of_batch.contains(offset) && *v > held) {
                let record =
                    Record { partition: self.range.partition, offset, timestamp_ms: None, key: None, value: None };
                let barrier = Violation::new(cdc::DECODE, "not selected");
                bystanders.push((record, Event::Rejected(barrier, Some(key.clone()))));
            }
        }
        Ok(bystanders)
    }
}

/// The row's key as it can be read now, else as it could be read then.
fn key_of(batch: &Batch<'_>, event: &Event<'_>, kept: &Kept) -> Option<String> {
    match event {
        Event::Change(change) => Some(batch.key(change).to_owned()),
        Event::ToastIncomplete(incomplete) => Some(incomplete.key.clone()),
        Event::Rejected(_, Some(key)) => Some(key.clone()),
        Event::Rejected(_, None) | Event::Truncate(_) | Event::Tombstone => {
            Some(kept.row_key.clone()).filter(|key| !key.is_empty())
        }
    }
}
