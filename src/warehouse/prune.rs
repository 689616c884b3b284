//! Removing closed quarantine records for good.

use std::collections::BTreeMap;

use anyhow::Result;
use clickhouse::Row;
use serde::Deserialize;

use crate::warehouse::{Selection, Warehouse, chunks, quote};

/// Records of one mutation.
const MOST: usize = 5_000;

/// Topic, topic id and number.
type Partition<'r> = (&'r str, &'r str, i32);

#[derive(Row, Deserialize)]
struct Closed {
    topic: String,
    topic_id: String,
    partition: i32,
    offset: i64,
    attempt: u32,
}

impl Warehouse {
    /// Removes the selected records, which are closed; returns how many.
    ///
    /// A record may still have rows of earlier attempts, among them open ones that its newest row hides. These go first, and only
    /// then the newest: whenever this is cut short, no closed record is open again. A row that was written since has a higher
    /// attempt, and stays.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn prune_rejected(&self, closed: &Selection) -> Result<u64> {
        let sql = format!(
            "SELECT topic, topic_id, partition, rejected.`offset` AS offset, attempt FROM {}.rejected FINAL WHERE {}",
            self.ops,
            closed.sql()
        );
        let found: Vec<Closed> = self.rows("looking for closed quarantine records", &sql)?;
        let mut by_place: BTreeMap<Partition<'_>, Vec<(i64, u32)>> = BTreeMap::new();
        for row in &found {
            by_place.entry((&row.topic, &row.topic_id, row.partition)).or_default().push((row.offset, row.attempt));
        }
        for ((topic, topic_id, partition), records) in by_place {
            let listed = |(offset, attempt): &(i64, u32)| {
                2 * chunks::number(offset.unsigned_abs()) + chunks::number(u64::from(*attempt))
            };
            for chunk in chunks::by_bytes(&records, MOST, listed) {
                let place =
                    format!("topic = {} AND topic_id = {} AND partition = {partition}", quote(topic), quote(topic_id));
                self.delete_rejected(&place, chunk, "<")?;
                self.delete_rejected(&place, chunk, "=")?;
            }
        }
        Ok(found.len() as u64)
    }

    fn delete_rejected(&self, place: &str, records: &[(i64, u32)], attempts: &str) -> Result<()> {
        let list = |texts: Vec<String>| texts.join(", ");
        let offsets = list(records.iter().map(|(offset, _)| offset.to_string()).collect());
        let newest = list(records.iter().map(|(_, attempt)| attempt.to_string()).collect());
        let sql = format!(
            "ALTER TABLE {}.rejected DELETE
             WHERE {place} AND `offset` IN ({offsets}) AND attempt {attempts} transform(`offset`, [{offsets}], [{newest}], 0)
             SETTINGS mutations_sync = 1",
            self.ops
        );
        self.execute("removing closed quarantine records", &sql)
    }
}
