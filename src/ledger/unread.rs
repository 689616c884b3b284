//! Streams of the ledger that end elsewhere than where a consumer stands, and what is said when that cannot be.

use clickhouse::Row;
use serde::Deserialize;

use crate::ledger::stream_key::StreamKey;
use crate::warehouse::quote;

/// A stream in which a consumer is not where the ledger ends.
#[derive(Debug, Clone, Row, Deserialize)]
pub(super) struct Stream {
    pub place: StreamKey,
    /// The last number.
    pub last: u64,
    /// Up to where the consumer has taken it up.
    pub taken: u64,
    /// Up to where old rows were removed.
    pub pruned: u64,
}

impl Stream {
    /// Said of rows that are missing between `up_to` and `next`.
    pub fn has_hole(&self, up_to: u64, next: u64) -> String {
        format!(
            "the ledger (table windows, {}) has no row {}, though row {next} is older than an hour: a row was removed, or a replica has lost it. \
             Restore it; or, if it is gone for good, run the check or build in full and insert its position {} into table positions",
            self.place.sql(),
            up_to + 1,
            next - 1
        )
    }

    /// Said to a consumer that was not there when rows were removed.
    pub fn begins_late(&self, consumer: &str) -> String {
        format!(
            "{consumer} had not taken up the ledger ({}) when its rows up to {} were removed for their age: what stood in them it sees in full \
             only (--full, --scope full). From here on it follows the ledger",
            self.place.sql(),
            self.pruned
        )
    }

    /// Said of a ledger that ends below the position.
    pub fn is_cut_off(&self, consumer: &str) -> String {
        format!(
            "{consumer} has taken up the ledger ({}) up to row {} (table positions), but it ends at row {}: it was emptied or comes from an \
             older copy, so what is new in it cannot be told. Delete that position (ALTER TABLE positions DELETE WHERE consumer = {} AND {}): \
             then all rows are taken up again",
            self.place.sql(),
            self.taken,
            self.last,
            quote(consumer),
            self.place.sql()
        )
    }
}
