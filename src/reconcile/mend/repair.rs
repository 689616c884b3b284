//! Writing what the source has.
//!
//! A repair takes no lock: its version is that of the row which was looked at, plus one, so whatever comes out of the log later wins
//! against it. A TRUNCATE that came between the look and the write is found as by any other writer: rows first, then a look at what is
//! stored; the rows carry the position and the clock of their moment. It stands in the ledger as a window of mode `repair`, so that derived
//! tables and checks take it up; if it is cut short before that, the next comparison writes the window ([`super::untold`]).
//!
//! Rows are written part by part, each part with its own rows of the ledger: as many rows as there are, as long as they are. Between two parts
//! a signal is heard.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::cdc::Standing;
use crate::cdc::{Fields, Generation, Version};
use crate::checks::checker::Checker;
use crate::cli::SideBySideArgs;
use crate::kafka;
use crate::ledger::{MarkAt, Mode, WindowRow, Written};
use crate::reconcile::difference::Difference;
use crate::reconcile::layout::Layout;
use crate::reconcile::rows::SideRow;
use crate::tables::Table;
use crate::types::KEY_SEPARATOR;
use crate::warehouse::{chunks, newest_columns};

/// Where rows stand that the log knows nothing of.
const NOWHERE: i32 = -1;
/// What the rows of a part take together, unless it is a single one: they are one text on the way to the warehouse.
const PART: usize = 8 << 20;

/// Writes the source's rows, and delete markers for those that it does not have. Returns how many: not all, if it was asked to stop.
///
/// # Errors
/// A server is gone or refuses.
pub fn write(checker: &Checker<'_>, layout: &Layout<'_>, run_id: &str, differing: &[Difference]) -> Result<usize> {
    if differing.is_empty() {
        return Ok(0);
    }
    let repair = Repair::of(checker, layout.table, run_id)?;
    checker.passes("repair-compared");
    let mut written = 0;
    for part in chunks::within(PART, differing, differing.len(), size) {
        if checker.stop.asked() {
            break;
        }
        repair.write(layout, part, written)?;
        written += part.len();
    }
    Ok(written)
}

/// What a row takes as JSON.
fn size(difference: &Difference) -> usize {
    difference.source.as_ref().map_or(0, |row| row.columns.len() + row.extra.len()) + 256
}

/// What the parts have in common.
pub(super) struct Repair<'r> {
    checker: &'r Checker<'r>,
    table: &'r Table,
    run_id: &'r str,
    topic: String,
    group: String,
    topic_id: String,
    generation: Generation,
}

/// Where the rows of a part stand.
struct Stands {
    span: (i64, i64),
    rows: u64,
}

impl<'r> Repair<'r> {
    /// Where a repair of this table stands.
    ///
    /// # Errors
    /// Kafka or the warehouse is gone.
    pub(super) fn of(checker: &'r Checker<'r>, table: &'r Table, run_id: &'r str) -> Result<Repair<'r>> {
        let (topic, group) = (table.topic(&checker.args.prefix.prefix), table.group(&checker.args.prefix.prefix));
        let consumer = kafka::connect(&checker.args.kafka, &group)?;
        let (topic_id, partitions) =
            kafka::describe(&consumer, &topic)?.map(|info| (info.id, info.partitions.len() as u32)).unwrap_or_default();
        std::mem::forget(consumer);
        let lineages = checker.warehouse.lineages(table.target)?;
        let generation = lineages.of(&topic_id, partitions).or(lineages.newest()).unwrap_or(1);
        Ok(Repair { checker, table, run_id, topic, group, topic_id, generation })
    }

    /// A part, whose first row is number `first` of all: rows → look at truncates → ledger rows.
    fn write(&self, layout: &Layout<'_>, part: &[Difference], first: usize) -> Result<()> {
        let (table, warehouse) = (self.table, &self.checker.warehouse);
        let extras = extras(self.checker, layout, part)?;
        let now = Utc::now();
        let stamp = warehouse.repair_stamp(table.name)?;
        let mut lines = String::new();
        let mut written: Vec<Written> = Vec::new();
        let mut stands: BTreeMap<i32, Stands> = BTreeMap::new();
        for (i, difference) in part.iter().enumerate() {
            let standing = self.standing(difference, (first + i) as i64);
            let mut row = match &difference.source {
                Some(row) => known_columns(layout, row, extras.get(&difference.key))?,
                None => key_columns(table, &difference.key),
            };
            row.extend(system_columns(&standing, now, stamp));
            lines += &format!("{}\n", Value::Object(row));
            let offset = standing.offset;
            let at = stands.entry(standing.partition).or_insert(Stands { span: (offset, offset + 1), rows: 0 });
            at.span = (at.span.0.min(offset), at.span.1.max(offset + 1));
            at.rows += 1;
            written.push((difference.key.clone(), standing));
        }
        warehouse.insert_json(table.target, &self.token(NOWHERE, &first.to_string()), &lines)?;
        self.checker.passes("repair-inserted");
        let beside = SideBySideArgs::of(warehouse.side_by_side()?);
        let is_beside = |other: &str| beside.has(&self.topic, other);
        let truncates = warehouse.truncates(table, &self.topic_id, self.generation, is_beside)?;
        if let Some((partition, at)) = stands.first_key_value() {
            let at = MarkAt { partition: *partition, offset: at.span.0, now_ms: now.timestamp_millis() };
            warehouse.mark_written(table, &truncates, &written, at)?;
        }
        self.checker.passes("repair-marked");
        let number = first.to_string();
        let window = |(partition, at): (&i32, &Stands)| WindowRow {
            written: at.rows,
            ..self.window(*partition, at.span, &number)
        };
        let windows: Vec<WindowRow> = stands.iter().map(window).collect();
        warehouse.write_windows(&windows)?;
        self.checker.passes("repair-told");
        Ok(())
    }

    /// Just above the row that was looked at; a key that the warehouse never had stands nowhere, at the number of its row.
    fn standing(&self, difference: &Difference, number: i64) -> Standing {
        let event = difference.event();
        let (partition, offset) = event.map_or((NOWHERE, number), |event| (event.partition, event.offset));
        let below = event.map_or(Version::floor(self.generation).get(), |event| event.version);
        let (lsn, ts_ms) = (Some(difference.lsn), difference.ts_ms);
        Standing { version: below + 1, partition, offset, lsn, ts_ms, deleted: difference.source.is_none() }
    }

    fn token(&self, partition: i32, part: &str) -> String {
        format!("{}/{}/{partition}/repair/{}/{part}", self.checker.job, self.topic_id, self.run_id)
    }

    /// The ledger's row about repaired rows at these offsets, `[start, end)`.
    pub(super) fn window(&self, partition: i32, (start_offset, end_offset): (i64, i64), part: &str) -> WindowRow {
        WindowRow {
            source: self.table.name.to_owned(),
            stream: Mode::Repair.stream(partition),
            group_id: self.group.clone(),
            topic: self.topic.clone(),
            topic_id: self.topic_id.clone(),
            partition,
            generation: self.generation,
            mode: Mode::Repair.name().to_owned(),
            start_offset,
            end_offset,
            token: self.token(partition, part),
            job: self.checker.job.clone(),
            run_id: self.run_id.to_owned(),
            reason: "check-reconcile --repair".to_owned(),
            ..WindowRow::default()
        }
    }
}

fn system_columns(standing: &Standing, now: DateTime<Utc>, stamp: i64) -> impl Iterator<Item = (String, Value)> {
    [
        ("op", json!(if standing.deleted { "d" } else { "r" })),
        ("src_ts", json!(now.timestamp())),
        ("_version", json!(standing.version)),
        ("_deleted", json!(u8::from(standing.deleted))),
        ("_updated_at", json!(stamp)),
        ("_source_ts_ms", json!(standing.ts_ms)),
        ("_lsn", json!(standing.lsn)),
        ("_tx_id", Value::Null),
        ("_partition", json!(standing.partition)),
        ("_offset", json!(standing.offset)),
    ]
    .map(|(column, value)| (column.to_owned(), value))
    .into_iter()
}

/// The columns of the row type, and in `_extra` all others as an event would have them: the added columns are filled from there, as they are at
/// any other insert.
fn known_columns(layout: &Layout<'_>, row: &SideRow, of_warehouse: Option<&String>) -> Result<Map<String, Value>> {
    let mut columns = row.source_columns();
    columns.retain(|name, _| layout.table.written.contains(&name.as_str()));
    let mut extra = Fields::parse(if row.extra.is_empty() { "{}" } else { &row.extra })?;
    let kept = Fields::parse(of_warehouse.map_or("{}", String::as_str)).unwrap_or_default();
    extra.0.extend(kept.0.into_iter().filter(|(name, _)| layout.unwritten.iter().any(|unwritten| unwritten == name)));
    let extra = if extra.0.is_empty() { String::new() } else { extra.to_json() };
    columns.insert("_extra".to_owned(), json!(extra));
    Ok(columns)
}

/// What the warehouse has in `_extra`, by key: of columns that we cannot write as an event would, it stays.
fn extras(checker: &Checker<'_>, layout: &Layout<'_>, differing: &[Difference]) -> Result<HashMap<String, String>> {
    if layout.unwritten.is_empty() {
        return Ok(HashMap::new());
    }
    let keys: Vec<&str> = differing.iter().map(|difference| difference.key.as_str()).collect();
    let table = layout.table;
    let found = newest_columns(&checker.warehouse, table.target, &table.key, &["_extra".to_owned()], &keys)?;
    Ok(found.into_iter().filter_map(|(key, mut columns)| Some((key, columns.swap_remove(0)?))).collect())
}

/// The key columns alone, out of the key's text.
fn key_columns(table: &Table, key: &str) -> Map<String, Value> {
    let parts = key.splitn(table.key.len(), KEY_SEPARATOR);
    table.key.iter().zip(parts).map(|(column, part)| (column.name.to_owned(), json!(part))).collect()
}
