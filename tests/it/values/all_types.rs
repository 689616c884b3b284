//! Every type of PostgreSQL, with its extremes, from the real source through the real connector into a table of the DDL that the type gives:
//! the event's text, the source's and the warehouse's are one, or the value is refused and the source's text says so too.

use std::collections::BTreeMap;

use lockstep::rows::{Column, Decoder, Event, Rows, Schema};
use lockstep::types::connector::{BinaryMode, DecimalMode, IntervalMode, TimeMode};
use lockstep::types::{ColumnType, Connector};

use crate::support::checks::Checked;
use crate::support::kafka::Received;
use crate::support::pipeline::OwnTable;
use crate::support::{Outcome, World};

mod cases;
mod kept;
mod servers;

use cases::{CASES, Case, is_lost};
use kept::Kept;
use servers::{create, insert, of_source, of_warehouse};

/// Decimals come as JSON numbers.
const NUMERIC: (&str, &str) = ("value.converter.decimal.format", "NUMERIC");

/// A case's column, if the connector's mode lets the type be read.
struct Read {
    n: usize,
    case: &'static Case,
    column_type: ColumnType,
    schema: Schema,
}

fn read(connector: &Connector) -> Vec<Read> {
    let mut found = Vec::new();
    for (n, case) in CASES.iter().enumerate() {
        let declared = format!("{} null", case.declared);
        let Ok(column_type) = ColumnType::parse(&declared, case.kept_as, connector) else { continue };
        let id = ColumnType::parse("integer not null", None, connector).unwrap();
        let column = |name: String, column_type| Column { name, was: None, column_type };
        let columns = vec![column("id".to_owned(), id), column(format!("c{n}"), column_type.clone())];
        let schema = Schema::new("everything", columns, &["id"], Vec::new()).unwrap();
        found.push(Read { n, case, column_type, schema });
    }
    found
}

/// What an event says of a column: its cell, or why it is refused.
fn cells(read: &Read, records: &[Received]) -> BTreeMap<i32, Result<Vec<u8>, String>> {
    let mut rows = Rows::new(2);
    let mut decoder = Decoder::new(&read.schema, 1, 0);
    let mut cells = BTreeMap::new();
    for (offset, received) in records.iter().enumerate() {
        let record = lockstep::cdc::Record {
            partition: 0,
            offset: offset as i64,
            timestamp_ms: Some(received.timestamp),
            key: received.key.as_deref(),
            value: received.value.as_deref(),
        };
        let (id, cell) = match decoder.decode(&record, &mut rows).unwrap() {
            Event::Change(change) => {
                let row = rows.row(change.row);
                (read.schema.key_text(|place| row.cell(place)), Ok(row.cell(1).to_vec()))
            }
            Event::Rejected(violation, key) => (key.unwrap(), Err(format!("{}: {}", violation.rule, violation.detail))),
            other => panic!("{other:?}"),
        };
        let id: i32 = id.parse().unwrap();
        let of_snapshot: Option<Result<Vec<u8>, String>> = cells.insert(id, cell.clone());
        if let Some(of_snapshot) = of_snapshot {
            let same = of_snapshot == cell || (of_snapshot.is_err() && cell.is_err());
            assert!(same, "{} {id}: snapshot {of_snapshot:?}, stream {cell:?}", read.case.declared);
        }
    }
    cells
}

/// `modes` are what the pipeline's file says of the settings.
fn every_value_arrives(test: &str, settings: &[(&str, &str)], connector: &Connector, modes: &str) {
    let mut world = World::new(test);
    create(&world);
    let mut changes = vec![("table.include.list", "public.everything,public.kept,northwind_cdc.heartbeat")];
    changes.extend_from_slice(settings);
    let name = world.capture(&changes);
    let update = "UPDATE everything SET id = id";
    world.postgres().batch_execute(update).unwrap();
    world.wait_for_capture(&name);
    let records = world.records_of("everything");

    let read = read(connector);
    let columns: Vec<BTreeMap<i32, Result<Vec<u8>, String>>> = read.iter().map(|read| cells(read, &records)).collect();
    let ids: Vec<i32> = columns[0].keys().copied().collect();
    assert_eq!(records.len(), 2 * ids.len(), "every row from the snapshot and from the stream");
    insert(&world, &read, &columns, &ids);
    let of_source = of_source(&world, &read);
    let of_warehouse = of_warehouse(&world, &read);

    let mut wrong = Vec::new();
    for ((n, read), cells) in read.iter().enumerate().zip(&columns) {
        for (row, id) in ids.iter().enumerate() {
            let value = read.case.values.get(row).copied().unwrap_or("NULL");
            let place = format!("{} {:?} {value:.60}", read.case.declared, read.case.kept_as);
            let is_lost = is_lost(settings, read.case.declared, value);
            let of_event = cells[id].as_ref().map(|cell| read.column_type.text(cell).map(|text| text.into_owned()));
            if let Ok(of_event) = &of_event {
                let answer = of_warehouse[row][n].as_ref().map(|answer| read.column_type.canonical(answer).unwrap());
                if answer != *of_event {
                    wrong.push(format!("{place}: the event says {of_event:.90?}, the warehouse {answer:.90?}"));
                }
            }
            if let Some(of_source) = &of_source[row][n] {
                let of_source = of_source.as_ref().map(|answer| read.column_type.canonical(answer)).transpose();
                let same = match (&of_event, &of_source) {
                    (Ok(of_event), Ok(of_source)) => of_event == of_source,
                    (Err(_), Err(_)) => true,
                    _ => false,
                };
                if same == is_lost {
                    wrong.push(format!("{place}: the event says {of_event:.200?}, the source {of_source:.200?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{} differences", wrong.join("\n"), wrong.len());
    assert!(read.len() > CASES.len() - 12, "only {} types are read", read.len());
    let mut shop = Checked { world, connector: name };
    // ClickHouse reads no JSON with a whole number of more than 64 bits.
    if !settings.contains(&NUMERIC) {
        sync_schema_adds_what_the_file_does_not_know(&mut shop, settings, modes);
    }
    let kept = Kept::of(settings, connector, read, &columns);
    kept::the_executable_carries_what_fits(&mut shop, &kept, modes);
}

/// A pipeline's file that knows nothing but the key: all the rest comes by `_extra`. Whatever the type and the settings, the added columns are
/// what the source has, or NULL where they cannot hold it; and a repair writes `_extra` as an event would.
fn sync_schema_adds_what_the_file_does_not_know(shop: &mut Checked, settings: &[(&str, &str)], modes: &str) {
    let id = ("id".to_owned(), "\"integer not null\"".to_owned());
    shop.world.use_pipeline(&[OwnTable { name: "everything", key: &["id"], columns: vec![id] }], modes);
    shop.ingest(&["everything"]);
    let synced = shop.world.run("sync-schema", &[]).expect_exit(0);
    assert_eq!((synced.count("changes"), synced.count("problems")), (CASES.len() as i64 + 1, 0), "{synced:?}");
    let differs = |outcome: &Outcome| {
        let failures = shop.failures(outcome, "row_key, column, source_value, warehouse_value");
        let of_cell = |line: &&str| {
            let (row, rest) = line.split_once(" c").unwrap();
            let (n, _) = rest.split_once(' ').unwrap();
            let (row, case) = (row.parse::<usize>().unwrap() % 1000, &CASES[n.parse::<usize>().unwrap()]);
            !is_lost(settings, case.declared, case.values.get(row).unwrap_or(&"NULL"))
        };
        failures
            .lines()
            .filter(of_cell)
            .map(|line| line.chars().take(200).collect::<String>())
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(differs(&shop.reconcile(&[])), "");

    let names: String = (0..CASES.len()).map(|n| format!(", c{n}")).collect();
    shop.world
        .postgres()
        .batch_execute(&format!(
            "ALTER PUBLICATION northwind_publication DROP TABLE everything;
             INSERT INTO everything (id{names}) SELECT id + 1000{names} FROM everything"
        ))
        .unwrap();
    shop.world.wait_for_capture(&shop.connector);
    let repaired = shop.reconcile(&["--repair", "--yes"]).expect_exit(0);
    assert!(
        repaired.count("repaired") >= CASES.iter().map(|case| case.values.len() as i64).max().unwrap(),
        "{repaired:?}"
    );
    assert_eq!(differs(&shop.reconcile(&[])), "", "after the repair");
    shop.world.postgres().batch_execute("DELETE FROM everything WHERE id >= 1000").unwrap();
}

#[test]
fn every_value_arrives_with_the_projects_settings() {
    every_value_arrives(
        "all_types",
        &[("decimal.handling.mode", "string")],
        &Connector::default(),
        "decimal_handling = \"string\"\ntime_precision = \"adaptive\"\nbinary_handling = \"bytes\"",
    );
}

#[test]
fn every_value_arrives_as_doubles_with_the_schema_around_it() {
    let settings = [
        ("decimal.handling.mode", "double"),
        ("time.precision.mode", "adaptive_time_microseconds"),
        ("binary.handling.mode", "base64"),
        ("hstore.handling.mode", "map"),
        ("key.converter.schemas.enable", "true"),
        ("value.converter.schemas.enable", "true"),
    ];
    let connector =
        Connector { decimal: DecimalMode::Double, time: TimeMode::AdaptiveTimeMicroseconds, ..Connector::default() };
    every_value_arrives(
        "all_types_double",
        &settings,
        &connector,
        "decimal_handling = \"double\"\ntime_precision = \"adaptive_time_microseconds\"\nbinary_handling = \"base64\"",
    );
}

#[test]
fn every_value_arrives_as_bytes() {
    let settings = [
        ("decimal.handling.mode", "precise"),
        ("time.precision.mode", "connect"),
        ("binary.handling.mode", "base64-url-safe"),
    ];
    let connector = Connector {
        decimal: DecimalMode::Precise,
        time: TimeMode::Connect,
        binary: BinaryMode::Base64UrlSafe,
        ..Connector::default()
    };
    every_value_arrives(
        "all_types_precise",
        &settings,
        &connector,
        "decimal_handling = \"precise\"\ntime_precision = \"connect\"\nbinary_handling = \"base64-url-safe\"",
    );
}

#[test]
fn every_value_arrives_as_text() {
    let settings = [
        ("decimal.handling.mode", "precise"),
        NUMERIC,
        ("time.precision.mode", "isostring"),
        ("binary.handling.mode", "hex"),
        ("interval.handling.mode", "string"),
    ];
    let connector = Connector {
        decimal: DecimalMode::Precise,
        time: TimeMode::IsoString,
        binary: BinaryMode::Hex,
        interval: IntervalMode::String,
    };
    every_value_arrives(
        "all_types_text",
        &settings,
        &connector,
        "decimal_handling = \"precise\"\ntime_precision = \"isostring\"\nbinary_handling = \"hex\"",
    );
}

#[test]
fn every_value_arrives_with_times_as_text() {
    let settings =
        [("decimal.handling.mode", "string"), ("time.precision.mode", "isostring"), ("binary.handling.mode", "hex")];
    let connector = Connector { time: TimeMode::IsoString, binary: BinaryMode::Hex, ..Connector::default() };
    every_value_arrives(
        "all_types_iso",
        &settings,
        &connector,
        "decimal_handling = \"string\"\ntime_precision = \"isostring\"\nbinary_handling = \"hex\"",
    );
}
