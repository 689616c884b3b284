//! Writing what the source has.
//!
//! A repair takes no lock: its version is that of the row which was looked at, plus one, so whatever comes out of the log later wins
//! against it. A TRUNCATE that came between the look and the write is found as by any other writer: rows first, then a look at what is
//! stored; the rows carry the position and the clock of their moment. It stands in the ledger as a window of mode `repair`, so that derived tables and checks take it up.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use chrono::Utc;
use serde_json::{Map, Value, json};

use crate::cdc::{Fields, Version};
use crate::cli::SideBySideArgs;
use crate::jobs::checks::checker::Checker;
use crate::jobs::checks::compare::Difference;
use crate::jobs::checks::layout::Layout;
use crate::jobs::checks::rows::SideRow;
use crate::stream;
use crate::tables::{KEY_SEPARATOR, Standing, TableFacts};
use crate::warehouse::{MarkAt, Mode, WindowRow, Written, newest_columns};

/// Where rows stand that the log knows nothing of.
const NOWHERE: i32 = -1;

/// Writes the source's rows, and delete markers for those that it does not have. Returns how many.
///
/// # Errors
/// A server is gone or refuses.
pub fn write(checker: &Checker<'_>, layout: &Layout<'_>, run_id: &str, differing: &[Difference]) -> Result<u64> {
    let table = layout.table;
    if differing.is_empty() {
        return Ok(0);
    }
    let (topic, group) = (table.topic(&checker.args.prefix), table.group(&checker.args.prefix));
    let consumer = stream::connect(&checker.args.kafka, &group)?;
    let (topic_id, partitions) =
        stream::describe(&consumer, &topic)?.map(|info| (info.id, info.partitions.len() as u32)).unwrap_or_default();
    std::mem::forget(consumer);
    let lineages = checker.warehouse.lineages(table.target)?;
    let generation = lineages.of(&topic_id, partitions).or(lineages.newest()).unwrap_or(1);
    let extras = extras(checker, layout, differing)?;
    let now = Utc::now();
    let mut lines = String::new();
    let mut written: Vec<Written> = Vec::new();
    let mut offsets: BTreeMap<i32, (i64, i64)> = BTreeMap::new();
    for (i, difference) in differing.iter().enumerate() {
        let (partition, offset) =
            difference.event().map_or((NOWHERE, i as i64), |event| (event.partition, event.offset));
        let below = difference.event().map_or(Version::floor(generation).get(), |event| event.version);
        let mut row = match &difference.source {
            Some(row) => known_columns(layout, row, extras.get(&difference.key))?,
            None => key_columns(table, &difference.key),
        };
        let is_gone = difference.source.is_none();
        for (column, value) in [
            ("op", json!(if is_gone { "d" } else { "r" })),
            ("src_ts", json!(now.timestamp())),
            ("_version", json!(below + 1)),
            ("_deleted", json!(u8::from(is_gone))),
            ("_updated_at", json!(now.timestamp())),
            ("_source_ts_ms", json!(difference.ts_ms)),
            ("_lsn", json!(difference.lsn)),
            ("_tx_id", Value::Null),
            ("_partition", json!(partition)),
            ("_offset", json!(offset)),
        ] {
            row.insert(column.to_owned(), value);
        }
        lines += &format!("{}\n", Value::Object(row));
        let (version, lsn, ts_ms, deleted) = (below + 1, Some(difference.lsn), difference.ts_ms, is_gone);
        written.push((difference.key.clone(), Standing { version, partition, offset, lsn, ts_ms, deleted }));
        let span = offsets.entry(partition).or_insert((offset, offset + 1));
        *span = (span.0.min(offset), span.1.max(offset + 1));
    }
    let token = |partition: i32| format!("{}/{topic_id}/{partition}/repair/{run_id}", checker.job);
    if let Some(stop_at) = &checker.args.stop_at {
        stop_at.pass("repair-compared");
    }
    checker.warehouse.insert_json(table.target, &token(NOWHERE), &lines)?;
    let beside = SideBySideArgs::of(checker.warehouse.side_by_side()?);
    let truncates = checker.warehouse.truncates(table, &topic_id, generation, |other| beside.has(&topic, other))?;
    if let Some((partition, (offset, _))) = offsets.first_key_value() {
        let at = MarkAt { partition: *partition, offset: *offset, now_ms: now.timestamp_millis() };
        checker.warehouse.mark_written(table, &truncates, &written, at)?;
    }
    let window = |(partition, (start, end)): (&i32, &(i64, i64))| WindowRow {
        source: table.source.to_owned(),
        stream: Mode::Repair.stream(*partition),
        group_id: group.clone(),
        topic: topic.clone(),
        topic_id: topic_id.clone(),
        partition: *partition,
        generation,
        mode: Mode::Repair.name().to_owned(),
        start_offset: *start,
        end_offset: *end,
        written: differing.iter().filter(|d| d.event().map_or(NOWHERE, |event| event.partition) == *partition).count()
            as u64,
        token: token(*partition),
        job: checker.job.clone(),
        run_id: run_id.to_owned(),
        reason: "check-reconcile --repair".to_owned(),
        ..WindowRow::default()
    };
    let windows: Vec<WindowRow> = offsets.iter().map(window).collect();
    checker.warehouse.write_windows(&windows)?;
    Ok(differing.len() as u64)
}

/// The columns of the row type, and in `_extra` all others as an event would have them: the added columns are filled from there, as they are at
/// any other insert.
fn known_columns(layout: &Layout<'_>, row: &SideRow, of_warehouse: Option<&String>) -> Result<Map<String, Value>> {
    let mut columns = row.source_columns();
    columns.retain(|name, _| layout.table.columns.contains(&name.as_str()));
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
    let found = newest_columns(&checker.warehouse, table.target, table.key, &["_extra"], &keys)?;
    Ok(found.into_iter().filter_map(|(key, mut columns)| Some((key, columns.swap_remove(0)?))).collect())
}

/// The key columns alone, out of the key's text.
fn key_columns(table: &TableFacts, key: &str) -> Map<String, Value> {
    let parts = key.splitn(table.key.len(), KEY_SEPARATOR);
    table.key.iter().zip(parts).map(|(column, part)| (column.name.to_owned(), json!(part))).collect()
}
