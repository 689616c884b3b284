//! Which rows of a table a check looks at: those of windows, found by their offsets, in proportion to what was written; or all.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use chrono::{TimeDelta, Utc};
use clickhouse::Row;
use serde::Deserialize;

use crate::checks::args::Scope;
use crate::checks::checker::Checker;
use crate::ledger::{Consumer, News, StaysOpen, UnackedWindow, at_offsets};
use crate::source;
use crate::tables::Table;
use crate::warehouse::{chunks, key_in, key_text, quote};

/// `--scope recent`.
const RECENT: TimeDelta = TimeDelta::hours(24);
/// For more keys than these, looking at everything costs less.
const MOST_KEYS: usize = 200_000;

/// A part of a table.
#[derive(Debug, Default)]
pub struct Slice {
    /// The windows that it is made of.
    pub news: News,
    /// The rows' keys; `None` for all rows.
    pub keys: Option<Vec<String>>,
}

impl Slice {
    /// What a check says of keys that the source cannot have: they lie in quarantine, and are known to be absent there.
    pub fn note(&self, table: &Table) -> String {
        let impossible = self.keys.iter().flatten().filter(|key| !source::is_possible(key)).count();
        if impossible == 0 {
            return String::new();
        }
        format!(
            "; keys with a NUL character, which PostgreSQL cannot have and was not asked for: {impossible} (lockstep rejected --table {})",
            table.name
        )
    }

    /// Nothing to look at?
    pub fn is_empty(&self) -> bool {
        self.keys.as_ref().is_some_and(Vec::is_empty)
    }
}

#[derive(Row, Deserialize)]
struct KeyRow {
    key: String,
}

#[derive(Row, Deserialize)]
struct PlaceRow {
    #[serde(rename = "__partition")]
    partition: i32,
    #[serde(rename = "__offset")]
    offset: i64,
}

impl Checker<'_> {
    /// The part of a table that a consumer has to look at.
    ///
    /// # Errors
    /// The warehouse is gone, or `migrate` has not run.
    pub fn slice(&self, consumer: &str, table: &Table) -> Result<Slice> {
        let news = match self.args.scope {
            Scope::Full => return Ok(Slice::default()),
            Scope::New => self.warehouse.news(consumer, &[table.name])?,
            Scope::Recent => {
                let since = (Utc::now() - RECENT).timestamp_millis();
                self.warehouse.windows_since(since, &[table.name])?
            }
        };
        let keys = if news.truncates > 0 { None } else { self.keys(table, &news)? };
        Ok(Slice { news, keys })
    }

    /// The keys that stand in the windows: written ones, and refused ones.
    fn keys(&self, table: &Table, news: &News) -> Result<Option<Vec<String>>> {
        let spans = news.spans(table.name);
        let Some(written) = at_offsets(&spans, "_partition", "_offset") else { return Ok(Some(Vec::new())) };
        let refused = at_offsets(&spans, "partition", "offset").unwrap_or_default();
        let sql = format!(
            "SELECT DISTINCT key FROM
             (
                 SELECT {key} AS key FROM {db}.{target} WHERE {written}
                 UNION ALL
                 SELECT row_key AS key FROM {ops}.rejected WHERE `table` = {table} AND row_key != '' AND {refused}
             )
             LIMIT {limit}",
            key = key_text(&table.key),
            db = self.warehouse.db,
            target = table.target,
            ops = self.warehouse.ops,
            table = quote(table.name),
            limit = MOST_KEYS + 1,
        );
        let keys: Vec<KeyRow> = self.warehouse.rows("looking for the keys of windows", &sql)?;
        Ok((keys.len() <= MOST_KEYS).then(|| keys.into_iter().map(|row| row.key).collect()))
    }

    /// Notes down that the windows were taken up; all but those in which an undecided key stands, and those of runs that have not
    /// ended: the next run looks at them again.
    ///
    /// # Errors
    /// The warehouse is gone or refuses.
    pub fn ack(
        &self,
        consumer: &str,
        run_id: &str,
        table: &Table,
        news: &News,
        undecided: &[String],
        unfinished: &[String],
    ) -> Result<()> {
        let places = self.places(table, undecided)?;
        let stands_in = |window: &UnackedWindow| {
            let offsets = places.get(&window.partition);
            offsets
                .is_some_and(|offsets| offsets.iter().any(|at| (window.start_offset..window.end_offset).contains(at)))
        };
        let stays_open = |window: &UnackedWindow| stands_in(window) || unfinished.contains(&window.run_id);
        let some_stay = !undecided.is_empty() || !unfinished.is_empty();
        let stays_open = some_stay.then_some(&stays_open as StaysOpen<'_>);
        let failpoint = |point: &str| self.failpoint(point);
        let consumer = Consumer { name: consumer, run_id, failpoint: &failpoint };
        self.warehouse.ack(consumer, &[table.name], news, stays_open)
    }

    /// Where the last events of keys stand, by partition: those that were written, and those that were refused.
    fn places(&self, table: &Table, keys: &[String]) -> Result<HashMap<i32, HashSet<i64>>> {
        let mut places: HashMap<i32, HashSet<i64>> = HashMap::new();
        for chunk in chunks::of_keys(keys, 2) {
            let texts = chunk.iter().map(|key| quote(key)).collect::<Vec<_>>().join(", ");
            let sql = format!(
                "SELECT _partition AS __partition, _offset AS __offset FROM {}.{} WHERE {}
                 UNION ALL
                 SELECT partition, offset FROM {}.rejected WHERE `table` = {} AND row_key IN ({texts})",
                self.warehouse.db,
                table.target,
                key_in(&table.key, chunk),
                self.warehouse.ops,
                quote(table.name),
            );
            for PlaceRow { partition, offset } in self.warehouse.rows("looking for the events of keys", &sql)? {
                places.entry(partition).or_default().insert(offset);
            }
        }
        Ok(places)
    }
}
