//! TRUNCATE events have no key and may be read before older inserts of other partitions. So they are stored, *then*
//! the rows below them are marked; and every window looks at the stored ones *after* its insert and marks what it wrote.
//! Store-then-mark against insert-then-look: one of the two always sees the other.

use std::collections::HashMap;

use anyhow::Result;
use clickhouse::Row;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::cdc::{CLOCK_SLACK_MS, Generation, Lsn, Standing, Truncate, Truncates, Version};
use crate::ledger::Kin;

use crate::tables::Table;
use crate::types::KEY_SEPARATOR;
use crate::warehouse::{Warehouse, chunks, key_names, newest_versions, quote};

/// A row of `{ops}.truncates`.
#[derive(Debug, Clone, Row, Serialize)]
#[allow(missing_docs)]
pub struct TruncateRow {
    pub table: String,
    pub topic: String,
    pub topic_id: String,
    pub generation: Generation,
    pub partition: i32,
    pub offset: i64,
    pub lsn: Lsn,
    pub ts_ms: i64,
    pub run_id: String,
    pub stored_at: i64,
}

/// The window that does the marking: marks carry its coordinates, so that whoever follows the ledger sees them.
#[derive(Debug, Clone, Copy)]
pub struct MarkAt {
    /// Partition.
    pub partition: i32,
    /// First offset of the window.
    pub offset: i64,
    /// Milliseconds since the epoch.
    pub now_ms: i64,
}

/// A row that a window has written: its key's canonical text, and where it stands.
pub type Written = (String, Standing);

#[derive(Row, Deserialize)]
struct LastRow {
    topic: String,
    topic_id: String,
    partition: i32,
    last_offset: i64,
    last_generation: Generation,
    last_lsn: Lsn,
    last_ts_ms: i64,
}

#[derive(Row, Deserialize)]
struct FrontRow {
    partition: i32,
    lsn: Lsn,
    ts_ms: i64,
}

#[derive(Row, Deserialize)]
struct Count {
    marks: u64,
}

impl Warehouse {
    /// Stores truncates.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn store_truncates(&self, truncates: &[TruncateRow], token: &str) -> Result<()> {
        if truncates.is_empty() {
            return Ok(());
        }
        self.insert::<TruncateRow>(&self.ops, "truncates", &format!("{token}/truncates"), truncates.iter())
    }

    /// The truncates of a table that rows of this topic id may stand before: its own, and those of later topics that do not stand side by
    /// side with it.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn truncates(
        &self,
        table: &Table,
        topic_id: &str,
        generation: Generation,
        is_beside: impl Fn(&str) -> bool,
    ) -> Result<Truncates> {
        let of_table = format!("FROM {}.truncates WHERE `table` = {}", self.ops, quote(table.name));
        let sql = format!(
            "SELECT topic, topic_id, partition, max(offset) AS last_offset, argMax(truncates.generation, offset) AS last_generation,
                    argMax(lsn, offset) AS last_lsn, argMax(ts_ms, offset) AS last_ts_ms
             {of_table} GROUP BY topic, topic_id, partition ORDER BY topic_id, partition"
        );
        let all: Vec<LastRow> = self.rows("looking at truncates", &sql)?;
        let mut truncates = Truncates::default();
        for row in all {
            let last = Truncate { lsn: row.last_lsn, ts_ms: row.last_ts_ms };
            if row.topic_id == topic_id {
                truncates.last.push((row.partition, row.last_offset));
            } else if row.last_generation > generation && !is_beside(&row.topic) {
                truncates.later.push((row.last_generation, last));
            }
        }
        if !truncates.last.is_empty() {
            // Of one partition, from the highest LSN down: each that was committed later than all above it.
            let sql = format!(
                "SELECT partition, lsn, ts_ms FROM
                 (
                     SELECT partition, lsn, ts_ms,
                            max(ts_ms) OVER (PARTITION BY partition ORDER BY lsn DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS above
                     FROM (SELECT partition, lsn, max(truncates.ts_ms) AS ts_ms {of_table} AND topic_id = {} GROUP BY partition, lsn)
                 )
                 WHERE ts_ms > above ORDER BY partition, lsn",
                quote(topic_id)
            );
            let fronts: Vec<FrontRow> = self.rows("looking at truncates", &sql)?;
            let front = |row: FrontRow| (row.partition, Truncate { lsn: row.lsn, ts_ms: row.ts_ms });
            truncates.fronts = fronts.into_iter().map(front).collect();
        }
        Ok(truncates)
    }

    /// Insert-then-look: marks those of the rows just written that a truncate removes, and that are their keys' newest. What it
    /// reads and writes is in proportion to them. Returns how many.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn mark_written(&self, table: &Table, truncates: &Truncates, written: &[Written], at: MarkAt) -> Result<u64> {
        if truncates.is_empty() {
            return Ok(0);
        }
        // Versions rise within a window: a key's last row is its newest.
        let newest: HashMap<&str, &Standing> = written.iter().map(|(key, row)| (key.as_str(), row)).collect();
        let mut removed: Vec<(&str, &Standing, Truncate)> = newest
            .into_iter()
            .filter(|(_, row)| !row.deleted)
            .filter_map(|(key, row)| truncates.removing(row).map(|truncate| (key, row, truncate)))
            .collect();
        if removed.is_empty() {
            return Ok(0);
        }
        let keys: Vec<&str> = removed.iter().map(|(key, ..)| *key).collect();
        let held = newest_versions(self, table.target, &table.key, &keys)?;
        removed.retain(|(key, row, _)| held.get(*key) == Some(&row.version));
        if removed.is_empty() {
            return Ok(0);
        }
        let lines: Vec<String> =
            removed.iter().map(|(key, row, truncate)| mark(table, key, row, truncate, at).to_string()).collect();
        for some in chunks::by_bytes(&lines, lines.len(), |line| line.len() + 1) {
            self.execute(
                "marking truncated rows",
                // What a truncate removes may differ when the window is done again: no token may swallow it.
                &format!(
                    "INSERT INTO {}.{} SETTINGS insert_deduplicate = 0 FORMAT JSONEachRow\n{}",
                    self.db,
                    table.target,
                    some.join("\n")
                ),
            )?;
        }
        Ok(lines.len() as u64)
    }

    /// Store-then-mark: marks every live row that the topic's own truncates remove as deleted, version + 1, op `t`. This reads the
    /// table, for as long as that takes, under a name by which the next run finds it. Returns how
    /// many, those that [`Warehouse::mark_written`] has marked for the same window included.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn mark_table(
        &self,
        table: &Table,
        truncates: &Truncates,
        kin: &Kin,
        newest: Truncate,
        at: MarkAt,
    ) -> Result<u64> {
        let target = format!("{}.{}", self.db, table.target);
        let key = key_names(&table.key);
        let now = format!("toDateTime({}, 'UTC')", at.now_ms.div_euclid(1000));
        let MarkAt { partition, offset, now_ms } = at;
        // A mark that a skip index leaves out would bring back the row below it.
        let sql = format!(
            "INSERT INTO {target} ({key}, op, src_ts, _version, _deleted, _updated_at, _source_ts_ms, _lsn, _partition, _offset)
             SELECT {key}, 't', {now}, _version + 1, 1, {now}, {now_ms}, {lsn}, {partition}, {offset}
             FROM {target} FINAL
             WHERE {removed}
             SETTINGS insert_deduplicate = 0, use_skip_indexes_if_final = 0",
            lsn = newest.lsn.get(),
            removed = removed(truncates, kin),
        );
        self.execute_alone(&format!("truncate of {target}"), "marking truncated rows", &sql)?;
        let count: Vec<Count> = self.rows(
            "counting truncated rows",
            &format!(
                "SELECT count() AS marks FROM {target}
                 WHERE op = 't' AND _partition = {partition} AND _offset = {offset} AND _source_ts_ms = {now_ms}"
            ),
        )?;
        Ok(count.first().map_or(0, |row| row.marks))
    }
}

/// The row that says "a truncate removed this one".
fn mark(table: &Table, key: &str, row: &Standing, truncate: &Truncate, at: MarkAt) -> Value {
    let mut mark = Map::new();
    for (column, part) in table.key.iter().zip(key.splitn(table.key.len(), KEY_SEPARATOR)) {
        // ClickHouse reads every type out of a string, except this one.
        let part = if column.source_type == "bool" { json!(part == "true") } else { json!(part) };
        mark.insert(column.name.to_owned(), part);
    }
    let seconds = at.now_ms.div_euclid(1000);
    for (column, value) in [
        ("op", json!("t")),
        ("src_ts", json!(seconds)),
        ("_version", json!(row.version + 1)),
        ("_deleted", json!(1)),
        ("_updated_at", json!(seconds)),
        ("_source_ts_ms", json!(at.now_ms)),
        ("_lsn", json!(truncate.lsn)),
        ("_partition", json!(at.partition)),
        ("_offset", json!(at.offset)),
    ] {
        mark.insert(column.to_owned(), value);
    }
    Value::Object(mark)
}

/// SQL for [`Truncates::removing`], of rows of the topic itself and of those that came before it.
fn removed(truncates: &Truncates, kin: &Kin) -> String {
    let generation = "bitShiftRight(_version, 52)";
    let is_event = format!("bitAnd(_version, {}) = 0", Version::STEPS - 1);
    let list = |numbers: &[Generation]| numbers.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
    let behind =
        truncates.last.iter().map(|(p, last)| format!("({is_event} AND _partition = {p} AND _offset < {last})"));
    let elsewhere = truncates.fronts.iter().map(|(p, Truncate { lsn, ts_ms })| {
        let before = format!(
            "if(isNull(_lsn), _source_ts_ms < {ts_ms}, _lsn < {} AND _source_ts_ms <= {})",
            lsn.get(),
            ts_ms + CLOCK_SLACK_MS
        );
        format!("((NOT {is_event} OR _partition != {p}) AND {before})")
    });
    let own: Vec<String> = behind.chain(elsewhere).collect();
    let newest_ms = truncates.fronts.iter().map(|(_, front)| front.ts_ms).max().unwrap_or_default();
    // Where topics stand side by side, a number that the books do not know may be one of theirs: only known ones go.
    let is_earlier = match kin.beside.is_empty() && !kin.may_be_beside {
        true => format!("{generation} < {} AND {generation} NOT IN ({})", kin.newest(), list(&kin.own)),
        false if kin.earlier.is_empty() => "0".to_owned(),
        false => format!("{generation} IN ({})", list(&kin.earlier)),
    };
    format!(
        "({generation} IN ({own_numbers}) AND ({own}))
         OR ({is_earlier} AND ({is_event} OR _source_ts_ms < {newest_ms}))",
        own_numbers = list(&kin.own),
        own = own.join(" OR "),
    )
}
