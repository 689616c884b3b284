//! Every recorded message of the real Debezium, decoded: what comes of it stands beside it in `tests/corpus/`.
//!
//! After a deliberate change: `CORPUS=accept cargo test --test it corpus::`, then read the difference. New messages:
//! `tests/corpus/record.rs`. In `recorded/` is the life of rows of every table, with the connector of this project; in `shapes/`
//! what other settings, other tables and other topics send.

#[path = "../../corpus/format.rs"]
pub mod format;

use std::collections::BTreeSet;
use std::path::PathBuf;

use format::Message;
use lockstep::cdc::Record;
use lockstep::rows::{Column, Decoder, Event, Row, Rows};
use lockstep::tables::Table;
use lockstep::types;
use serde_json::{Value, json};

use crate::support::registry::{northwind, registry};
use crate::support::root;

/// `_updated_at` of every row: 2026-01-01.
const NOW: u32 = 1_767_225_600;

fn outcome(message: &Message) -> String {
    let table = northwind().table(&message.table);
    let table = table.unwrap_or_else(|| panic!("offset {}: there is no table {}", message.offset, message.table));
    let record = Record {
        partition: 0,
        offset: message.offset,
        timestamp_ms: message.timestamp,
        key: message.key.as_deref().map(str::as_bytes),
        value: message.value.as_deref().map(str::as_bytes),
    };
    let mut rows = Rows::new(table.columns().len());
    match Decoder::new(&table.schema, 1, NOW).decode(&record, &mut rows).unwrap() {
        Event::Change(change) => serde_json::to_string_pretty(&shown(table, rows.row(change.row))).unwrap(),
        Event::ToastIncomplete(incomplete) => {
            let columns: Vec<&str> = incomplete.unavailable().collect();
            format!(
                "{:?} of {:?}, to be completed: {} not sent",
                incomplete.meta.op,
                incomplete.key,
                columns.join(", ")
            )
        }
        Event::Truncate(truncate) => format!("truncated at {}", truncate.lsn.get()),
        Event::Tombstone => "tombstone".to_owned(),
        Event::Rejected(violation, key) => {
            let key = key.map(|key| format!(", key {key:?}")).unwrap_or_default();
            format!("rejected{key}: {}: {}", violation.rule, violation.detail)
        }
    }
}

/// A row as JSON, with all of its columns.
fn shown(table: &Table, row: Row<'_>) -> Value {
    let cell = |(place, column): (usize, &Column)| {
        let column_type = &column.column_type;
        let json = match column_type.value(row.cell(place)) {
            types::Value::Null if matches!(column_type.kind(), types::Kind::Digest(_)) => json!([null, null]),
            types::Value::Null => Value::Null,
            types::Value::Int(number) => json!(number),
            types::Value::Digest(length, hash) => json!([length, hash]),
            _ => json!(column_type.text(row.cell(place))),
        };
        (column.name.clone(), json)
    };
    let own = table.columns().iter().enumerate().map(cell);
    let system = row.system();
    let standing = system.standing;
    let system = [
        ("op", json!(system.op)),
        ("src_ts", json!(standing.ts_ms.div_euclid(1_000))),
        ("_version", json!(standing.version)),
        ("_deleted", json!(u8::from(standing.deleted))),
        ("_updated_at", json!(NOW)),
        ("_source_ts_ms", json!(standing.ts_ms)),
        ("_lsn", json!(standing.lsn)),
        ("_tx_id", json!(system.tx_id)),
        ("_partition", json!(standing.partition)),
        ("_offset", json!(standing.offset)),
        ("_extra", json!(system.extra)),
    ];
    Value::Object(own.chain(system.map(|(name, value)| (name.to_owned(), value))).collect())
}

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = root().join("tests/corpus").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn accepts() -> bool {
    std::env::var("CORPUS").is_ok_and(|what| what == "accept")
}

#[test]
fn every_message_becomes_what_stands_beside_it() {
    let mut wrong = Vec::new();
    for file in [files("recorded"), files("shapes")].concat() {
        let mut messages = format::read(&file);
        assert!(!messages.is_empty(), "{}: no message", file.display());
        for message in &mut messages {
            let name = file.strip_prefix(root()).unwrap().display();
            let place = format!("{name}: {}, offset {}", message.table, message.offset);
            if message.key.is_none() && message.value.is_none() {
                wrong.push(format!("{place}: an outcome without a message"));
            }
            let now = outcome(message);
            match message.outcome.replace(now.clone()) {
                None => wrong.push(format!("{place}: a message without an outcome")),
                Some(then) if then != now => wrong.push(format!("{place}: was\n{then}\nis\n{now}")),
                Some(_) => {}
            }
        }
        if accepts() {
            format::write(&file, &messages);
        }
    }
    assert!(accepts() || wrong.is_empty(), "{}\n\n{} differences", wrong.join("\n\n"), wrong.len());
}

/// What has to be there of every table.
type Kind = (&'static str, fn(&Message) -> bool);
const KINDS: [Kind; 9] = [
    ("a snapshot's row (r)", |m| op(m) == "r"),
    ("an insert (c)", |m| op(m) == "c"),
    ("an update (u)", |m| op(m) == "u"),
    ("a delete (d)", |m| op(m) == "d"),
    ("a truncate (t)", |m| op(m) == "t"),
    ("a tombstone", |m| m.value.is_none()),
    ("the delete of a key change", |m| op(m) == "d" && has_header(m, "__debezium.newkey")),
    ("the insert of a key change", |m| op(m) == "c" && has_header(m, "__debezium.oldkey")),
    ("a row that is written", |m| is_row(m) && op(m) != "d"),
];

fn op(message: &Message) -> String {
    let value: Option<serde_json::Value> = message.value.as_deref().and_then(|value| serde_json::from_str(value).ok());
    value.and_then(|value| value["op"].as_str().map(str::to_owned)).unwrap_or_default()
}

fn has_header(message: &Message, name: &str) -> bool {
    message.headers.iter().any(|(header, _)| header == name)
}

fn is_row(message: &Message) -> bool {
    message.outcome.as_ref().is_some_and(|outcome| outcome.starts_with('{'))
}

#[test]
fn every_table_has_messages_of_every_kind() {
    let mut missing = Vec::new();
    for table in registry() {
        let file = root().join(format!("tests/corpus/recorded/{}.txt", table.source));
        let messages = if file.exists() { format::read(&file) } else { Vec::new() };
        let kinds = KINDS.iter().filter(|(_, is)| !messages.iter().any(is)).map(|(name, _)| (*name).to_owned());
        missing.extend(kinds.map(|kind| format!("{}: {kind}", table.source)));

        let nullable =
            table.source_columns().iter().filter(|column| table.warehouse_type(column).contains("Nullable("));
        let nulls: BTreeSet<String> = messages.iter().flat_map(nulls_of).collect();
        missing.extend(nullable.filter(|c| !nulls.contains(**c)).map(|c| format!("{}: NULL in {c}", table.source)));

        let has_text = table.source_columns().iter().any(|column| table.warehouse_type(column).contains("String"));
        if has_text && !messages.iter().any(|m| m.value.as_ref().is_some_and(|value| !value.is_ascii())) {
            missing.push(format!("{}: a text beyond ASCII", table.source));
        }
        let blanks = table.key.iter().any(|key| key.source_type == "bpchar");
        if blanks && !messages.iter().any(|m| m.key.as_ref().is_some_and(|key| key.contains(" \""))) {
            missing.push(format!("{}: a key with trailing blanks", table.source));
        }
    }
    assert!(missing.is_empty(), "the corpus lacks\n{}", missing.join("\n"));
}

/// The columns that are NULL in a row that exists.
fn nulls_of(message: &Message) -> Vec<String> {
    if !is_row(message) || op(message) == "d" {
        return Vec::new();
    }
    let row: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(message.outcome.as_ref().unwrap()).unwrap();
    let is_null = |value: &serde_json::Value| value.is_null() || value.as_array().is_some_and(|pair| pair[0].is_null());
    row.into_iter().filter(|(_, value)| is_null(value)).map(|(name, _)| name).collect()
}
