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

use anyhow::{Error, Result};
use chrono::Utc;

use crate::cdc::Standing;
use crate::cdc::{Fields, Generation, Version};
use crate::checks::checker::Checker;
use crate::cli::SideBySideArgs;
use crate::kafka;
use crate::ledger::{MarkAt, Mode, WindowRow, Written};
use crate::reconcile::difference::Difference;
use crate::reconcile::layout::Layout;
use crate::reconcile::rows::SideRow;
use crate::rows::Rows;
use crate::tables::Table;
use crate::types::KEY_SEPARATOR;
use crate::warehouse::{chunks, identifier, newest_columns};

/// Where rows stand that the log knows nothing of.
const NOWHERE: i32 = -1;
/// What the rows of a part take together, unless it is a single one.
const PART: usize = 8 << 20;

/// Writes the source's rows, and delete markers for those that it does not have. Returns how many: not all, if it was asked to stop.
///
/// # Errors
/// A server is gone or refuses.
pub fn write(
    checker: &Checker<'_>,
    table: &'static Table,
    layout: &Layout<'_>,
    run_id: &str,
    differing: &[Difference],
) -> Result<usize> {
    if differing.is_empty() {
        return Ok(0);
    }
    let repair = Repair::of(checker, table, run_id)?;
    checker.failpoint("repair-compared");
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

/// What a row takes.
fn size(difference: &Difference) -> usize {
    let texts = |row: &SideRow| row.texts.iter().flatten().map(String::len).sum::<usize>() + row.extra.len();
    difference.source.as_ref().map_or(0, texts) + 256
}

/// What the parts have in common.
pub(super) struct Repair<'r> {
    checker: &'r Checker<'r>,
    table: &'static Table,
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
    pub(super) fn of(checker: &'r Checker<'r>, table: &'static Table, run_id: &'r str) -> Result<Repair<'r>> {
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
        let kept = Kept::of(self.checker, layout, part)?;
        let now = Utc::now();
        let stamp = u32::try_from(warehouse.repair_stamp(table.name)?)?;
        let mut insert = warehouse.open_rows(table, &self.token(NOWHERE, &first.to_string()));
        let mut rows = Rows::new(table.columns().len());
        let mut written: Vec<Written> = Vec::new();
        let mut stands: BTreeMap<i32, Stands> = BTreeMap::new();
        for (i, difference) in part.iter().enumerate() {
            let standing = self.standing(difference, (first + i) as i64);
            let row = RepairedRow { table, difference, kept: kept.rows.get(&difference.key) };
            rows.clear();
            let cell = |place: usize, out: &mut Vec<u8>| row.write_cell(place, kept.place(place), out);
            let id = rows.put(cell, &standing, stamp, &row.extra(layout)?)?;
            warehouse.send_row(&mut insert, rows.row(id).bytes())?;
            let offset = standing.offset;
            let at = stands.entry(standing.partition).or_insert(Stands { span: (offset, offset + 1), rows: 0 });
            at.span = (at.span.0.min(offset), at.span.1.max(offset + 1));
            at.rows += 1;
            written.push((difference.key.clone(), standing));
        }
        warehouse.end_rows(insert).acknowledged(warehouse)?;
        self.checker.failpoint("repair-inserted");
        let beside = SideBySideArgs::of(warehouse.side_by_side()?);
        let is_beside = |other: &str| beside.has(&self.topic, other);
        let truncates = warehouse.truncates(table, &self.topic_id, self.generation, is_beside)?;
        if let Some((partition, at)) = stands.first_key_value() {
            let at = MarkAt { partition: *partition, offset: at.span.0, now_ms: now.timestamp_millis() };
            warehouse.mark_written(table, &truncates, &written, at)?;
        }
        self.checker.failpoint("repair-marked");
        let number = first.to_string();
        let window = |(partition, at): (&i32, &Stands)| WindowRow {
            written: at.rows,
            ..self.window(*partition, at.span, &number)
        };
        let windows: Vec<WindowRow> = stands.iter().map(window).collect();
        warehouse.write_windows(&windows)?;
        self.checker.failpoint("repair-told");
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

/// What the warehouse has of columns that PostgreSQL cannot write as an event would: it stays.
struct Kept {
    /// The places of the columns of the file among them.
    places: Vec<usize>,
    /// By key: the texts of those columns, then `_extra`.
    rows: HashMap<String, Vec<Option<String>>>,
}

impl Kept {
    fn of(checker: &Checker<'_>, layout: &Layout<'_>, part: &[Difference]) -> Result<Kept> {
        let places: Vec<usize> = layout.kept().collect();
        if places.is_empty() && layout.unwritten.is_empty() {
            return Ok(Kept { places, rows: HashMap::new() });
        }
        let table = layout.table;
        let keys: Vec<&str> = part.iter().map(|difference| difference.key.as_str()).collect();
        let own = places.iter().map(|place| &table.columns()[*place]);
        let own = own.map(|column| column.column_type.in_clickhouse(&identifier(&column.name)));
        let texts: Vec<String> = own.chain(["_extra".to_owned()]).collect();
        let rows = newest_columns(&checker.warehouse, table.target, &table.key, &texts, &keys)?;
        Ok(Kept { places, rows })
    }

    /// Where the column at a place of the schema stands among a row's texts.
    fn place(&self, place: usize) -> Option<usize> {
        self.places.iter().position(|kept| *kept == place)
    }
}

/// A row as a repair writes it: as an event would bring it.
struct RepairedRow<'r> {
    table: &'r Table,
    difference: &'r Difference,
    kept: Option<&'r Vec<Option<String>>>,
}

impl RepairedRow<'_> {
    fn write_cell(&self, place: usize, kept: Option<usize>, out: &mut Vec<u8>) -> Result<()> {
        let column = &self.table.columns()[place];
        let answer = match (&self.difference.source, kept) {
            (Some(_), Some(n)) => self.kept.and_then(|texts| texts[n].as_deref()),
            (Some(row), None) => row.texts[place].as_deref(),
            (None, _) => self.key_part(&column.name),
        };
        if answer.is_none() && (self.difference.source.is_none() || !column.column_type.nullable()) {
            column.column_type.write_default(out);
            return Ok(());
        }
        let written = column.column_type.write_answer(answer, out);
        written.map_err(|why| Error::msg(format!("{}.{}: {why}", self.table.name, column.name)))
    }

    /// A part of the key, out of the key's text.
    fn key_part(&self, name: &str) -> Option<&str> {
        let n = self.table.key.iter().position(|column| column.name == name)?;
        self.difference.key.splitn(self.table.key.len(), KEY_SEPARATOR).nth(n)
    }

    /// The columns that the file does not know, as an event would have them: the added columns are filled from there, as they are at any other
    /// insert.
    fn extra(&self, layout: &Layout<'_>) -> Result<String> {
        let Some(row) = &self.difference.source else { return Ok(String::new()) };
        let mut extra = Fields::parse(if row.extra.is_empty() { "{}" } else { &row.extra })?;
        let of_warehouse = self.kept.and_then(|texts| texts.last()?.as_deref()).unwrap_or("{}");
        let of_warehouse = Fields::parse(of_warehouse).unwrap_or_default();
        let is_unwritten = |name: &str| layout.unwritten.iter().any(|unwritten| unwritten == name);
        extra.0.extend(of_warehouse.0.into_iter().filter(|(name, _)| is_unwritten(name)));
        Ok(if extra.0.is_empty() { String::new() } else { extra.to_json() })
    }
}
