//! Which records of the quarantine a replay takes, if it cannot take all: counted by rule and attempts.

use anyhow::Result;
use clickhouse::Row;
use serde::Deserialize;

use crate::kafka::Span;
use crate::quarantine::{QuarantineRange, Selection};
use crate::warehouse::{Warehouse, quote};

/// Records of a range that broke one rule, and were tried equally often.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
#[allow(missing_docs)]
pub struct Lot {
    pub rule: String,
    pub attempt: u32,
    pub records: u64,
}

#[derive(Row, Deserialize)]
struct Last {
    offset: i64,
}

impl Warehouse {
    /// The selected records of a range, by rule and attempts.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn lots(&self, selection: &Selection, range: &QuarantineRange) -> Result<Vec<Lot>> {
        let sql = format!(
            "SELECT rule, attempt, count() AS records FROM {}.rejected FINAL WHERE {} AND {}
             GROUP BY rule, attempt ORDER BY rule, attempt",
            self.ops,
            range.sql(Span { start: range.start, end: range.end }),
            selection.sql()
        );
        self.rows("counting quarantine records", &sql)
    }

    /// The offset behind the first so many records of a lot.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn offset_behind(
        &self,
        selection: &Selection,
        range: &QuarantineRange,
        lot: &Lot,
        records: u64,
    ) -> Result<i64> {
        let sql = format!(
            "SELECT max(offset) AS offset FROM (
                 SELECT rejected.`offset` AS offset FROM {}.rejected FINAL
                 WHERE {} AND {} AND rejected.rule = {} AND rejected.attempt = {} ORDER BY offset LIMIT {records}
             )",
            self.ops,
            range.sql(Span { start: range.start, end: range.end }),
            selection.sql(),
            quote(&lot.rule),
            lot.attempt
        );
        Ok(self.row::<Last>("looking at quarantine records", &sql)?.offset + 1)
    }
}
