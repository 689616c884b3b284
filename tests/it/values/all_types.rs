//! Every type of PostgreSQL, with its extremes, from the real source through the real connector into a table of the DDL that the type gives:
//! the event's text, the source's and the warehouse's are one, or the value is refused and the source's text says so too.

use std::collections::BTreeMap;

use lockstep::rows::{Column, Decoder, Event, Rows, Schema};
use lockstep::types::connector::{BinaryMode, DecimalMode, IntervalMode, TimeMode};
use lockstep::types::{ColumnType, Connector};

use crate::support::checks::Checked;
use crate::support::kafka::Received;
use crate::support::pipeline::OwnTable;
use crate::support::{Outcome, World, clickhouse_url};

#[path = "all_types/cases.rs"]
mod cases;

use cases::{CASES, Case, LOST, SETUP};

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

/// A row for each value of the case that has the most.
fn create(world: &World) {
    let columns: Vec<String> =
        CASES.iter().enumerate().map(|(n, case)| format!("c{n} {}", case.postgres.unwrap_or(case.declared))).collect();
    let mut client = world.postgres();
    client.batch_execute(SETUP).unwrap();
    client
        .batch_execute(&format!(
            "CREATE TABLE everything (id integer PRIMARY KEY, {});
             ALTER TABLE everything REPLICA IDENTITY FULL;
             GRANT SELECT ON everything TO debezium;
             ALTER PUBLICATION northwind_publication ADD TABLE everything",
            columns.join(", ")
        ))
        .unwrap();
    let rows = CASES.iter().map(|case| case.values.len()).max().unwrap();
    for row in 0..=rows {
        let given: Vec<(usize, &str)> =
            CASES.iter().enumerate().filter_map(|(n, case)| Some((n, *case.values.get(row)?))).collect();
        let names: String = given.iter().map(|(n, _)| format!(", c{n}")).collect();
        let values: String = given
            .iter()
            .map(|(_, value)| match value.strip_prefix('=') {
                Some(expression) => format!(", {expression}"),
                None => format!(", '{}'", value.replace('\'', "''")),
            })
            .collect();
        client.batch_execute(&format!("INSERT INTO everything (id{names}) VALUES ({row}{values})")).unwrap();
    }
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
    the_executable_carries_what_fits(&mut shop, &kept, modes);
}

/// Does the connector lose the value, and no event shows it?
fn is_lost(settings: &[(&str, &str)], of: &str, value: &str) -> bool {
    let is_set = |mode: &str| settings.iter().any(|(_, set)| mode.is_empty() || *set == mode);
    LOST.iter().any(|(mode, declared, lost)| is_set(mode) && *declared == of && *lost == value)
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

/// The columns that a pipeline's file can have with the connector's settings, and of each row those whose values fit.
struct Kept {
    read: Vec<Read>,
    rows: BTreeMap<i32, Vec<usize>>,
}

impl Kept {
    fn of(
        settings: &[(&str, &str)],
        connector: &Connector,
        read: Vec<Read>,
        columns: &[BTreeMap<i32, Result<Vec<u8>, String>>],
    ) -> Kept {
        let mut rows: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
        for (read, cells) in read.iter().zip(columns) {
            for (row, (id, cell)) in cells.iter().enumerate() {
                let value = read.case.values.get(row).copied().unwrap_or("NULL");
                let fits = cell.is_ok() && !is_lost(settings, read.case.declared, value);
                rows.entry(*id).or_default().extend(fits.then_some(read.n));
            }
        }
        // The file does not say how intervals are sent.
        let is_sayable =
            |read: &Read| connector.interval == IntervalMode::Numeric || !read.case.declared.starts_with("interval");
        Kept { read: read.into_iter().filter(is_sayable).collect(), rows }
    }

    fn table(&self) -> OwnTable<'static> {
        let column = |(n, case): (usize, &Case)| {
            let declared = match self.read.iter().any(|read| read.n == n) {
                false => "{ exclude = \"the connector loses it\" }".to_owned(),
                true => {
                    let kept_as = case.kept_as.map(|kept_as| format!(", as = {kept_as:?}")).unwrap_or_default();
                    format!("{{ type = {:?}{kept_as} }}", format!("{} null", case.declared))
                }
            };
            (format!("c{n}"), declared)
        };
        let id = ("id".to_owned(), "\"integer not null\"".to_owned());
        let columns = std::iter::once(id).chain(CASES.iter().enumerate().map(column)).collect();
        OwnTable { name: "kept", key: &["id"], columns }
    }
}

/// The real executable, by a pipeline's file: rows of all types are the same on both sides, a changed cell is found with its column, the log is
/// known to mend it, and a repair writes what the log does not have.
fn the_executable_carries_what_fits(shop: &mut Checked, kept: &Kept, modes: &str) {
    let copy = |from: i32, to: i32| {
        let names: String = kept.rows[&from].iter().map(|n| format!(", c{n}")).collect();
        format!("INSERT INTO kept (id{names}) SELECT {to}{names} FROM everything WHERE id = {from};")
    };
    let rows: String = kept.rows.keys().map(|id| copy(*id, *id)).collect();
    shop.world
        .postgres()
        .batch_execute(
            "CREATE TABLE kept (LIKE everything INCLUDING ALL); ALTER TABLE kept REPLICA IDENTITY FULL;
             GRANT SELECT ON kept TO debezium; ALTER PUBLICATION northwind_publication ADD TABLE kept;",
        )
        .unwrap();
    shop.change(&rows);
    shop.world.use_pipeline(&[kept.table()], modes);
    let ingested = shop.world.ingest_table("kept", &[]).expect_exit(0);
    assert_eq!((ingested.count("written"), ingested.count("rejected")), (kept.rows.len() as i64, 0), "{ingested:?}");
    let equal = |rows: usize| {
        let outcome = shop.reconcile(&[]).expect_exit(0);
        let detail = shop.detail(&outcome, "kept");
        assert!(detail.contains(&format!("{rows} the same, 0 different")), "{detail}");
    };
    equal(kept.rows.len());

    let first = &kept.rows[&0];
    let is_there = |read: &&Read| first.contains(&read.n) && read.column_type.in_postgres("v").is_some();
    let there: Vec<&Read> = kept.read.iter().filter(is_there).collect();
    let emptied = there.iter().map(|read| {
        let is_pair = read.column_type.clickhouse_type().starts_with("Tuple(");
        format!("c{} = {}", read.n, if is_pair { "(NULL, NULL)" } else { "NULL" })
    });
    let emptied = emptied.collect::<Vec<_>>().join(", ");
    shop.tamper(&format!("ALTER TABLE northwind_dw.own_kept UPDATE {emptied} WHERE id = 0"));
    let outcome = shop.reconcile(&[]).expect_exit(10);
    let mut found: Vec<String> = shop.failures(&outcome, "column").lines().map(str::to_owned).collect();
    let mut expected: Vec<String> = there.iter().map(|read| format!("c{}", read.n)).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    let plan = shop.reconcile(&["--plan"]).expect_exit(0);
    assert_eq!((plan.count("different"), plan.count("in_log")), (1, 1), "{}", plan.stdout);

    let mut client = shop.world.postgres();
    client
        .batch_execute("ALTER PUBLICATION northwind_publication DROP TABLE kept; DELETE FROM kept WHERE id = 0")
        .unwrap();
    client.batch_execute(&kept.rows.keys().map(|id| copy(*id, id + 1000)).collect::<String>()).unwrap();
    shop.world.wait_for_capture(&shop.connector);
    let repaired = shop.reconcile(&["--repair", "--yes"]).expect_exit(0);
    assert_eq!(repaired.count("repaired"), kept.rows.len() as i64 + 1, "{}", repaired.stdout);
    equal(2 * kept.rows.len() - 1);
}

fn insert(world: &World, read: &[Read], columns: &[BTreeMap<i32, Result<Vec<u8>, String>>], ids: &[i32]) {
    let declared: String =
        read.iter().map(|read| format!(", c{} {}", read.n, read.column_type.clickhouse_type())).collect();
    world.clickhouse(&format!(
        "CREATE TABLE northwind_dw.everything (id Int64{declared}) ENGINE = MergeTree ORDER BY id SETTINGS index_granularity = 8192"
    ));
    let mut bytes = Vec::new();
    for id in ids {
        bytes.extend_from_slice(&i64::from(*id).to_le_bytes());
        for (read, cells) in read.iter().zip(columns) {
            match &cells[id] {
                Ok(cell) => bytes.extend_from_slice(cell),
                Err(_) => read.column_type.write_default(&mut bytes),
            }
        }
    }
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let query = format!("INSERT INTO {}.everything FORMAT RowBinary", world.dw);
    let mut answer = agent.post(clickhouse_url()).query("query", query).send(&bytes[..]).unwrap();
    let body = answer.body_mut().read_to_string().unwrap();
    assert!(answer.status().is_success(), "{body}");
}

/// By row and column: `None` if it cannot be asked for, else the text or NULL.
fn of_source(world: &World, read: &[Read]) -> Vec<Vec<Option<Option<String>>>> {
    let asked: Vec<Option<String>> =
        read.iter().map(|read| read.column_type.in_postgres(&format!("c{}", read.n))).collect();
    let texts: String = asked.iter().map(|sql| format!(", {}", sql.as_deref().unwrap_or("NULL::text"))).collect();
    let rows = world.postgres().query(&format!("SELECT id{texts} FROM everything ORDER BY id"), &[]).unwrap();
    let row = |row: &postgres::Row| {
        asked.iter().enumerate().map(|(n, asked)| asked.as_ref().map(|_| row.get(n + 1))).collect()
    };
    rows.iter().map(row).collect()
}

fn of_warehouse(world: &World, read: &[Read]) -> Vec<Vec<Option<String>>> {
    let texts: Vec<String> = read.iter().map(|read| read.column_type.in_clickhouse(&format!("c{}", read.n))).collect();
    let sql =
        format!("SELECT [{}] FROM northwind_dw.everything ORDER BY id FORMAT JSONCompactEachRow", texts.join(", "));
    let answer = world.clickhouse(&sql);
    answer.lines().map(|line| serde_json::from_str::<Vec<Vec<Option<String>>>>(line).unwrap().remove(0)).collect()
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
