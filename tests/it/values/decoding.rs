//! A schema at run time decodes as the row types do: the same bytes for ClickHouse, or the same refusal, over every recorded message of the real
//! Debezium and over messages that were damaged.

#[path = "decoding/northwind.rs"]
mod northwind_tables;
#[path = "decoding/row_binary.rs"]
mod row_binary;

use std::path::{Path, PathBuf};

use lockstep::cdc::{self, Record};
use lockstep::rows::{Decoder, Event, Rows};
use lockstep::tables::{SourceRow, Table};
use northwind_tables::{TABLES, schema};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::values::corpus::format::{self, Message};

const NOW: u32 = 1_767_225_600;

/// What comes of a message: a row's bytes, its key and where it stands, or what is said of it.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Row(Vec<u8>, String, String),
    Said(String),
}

fn record(message: &Message) -> Record<'_> {
    Record {
        partition: 3,
        offset: message.offset,
        timestamp_ms: message.timestamp,
        key: message.key.as_deref().map(str::as_bytes),
        value: message.value.as_deref().map(str::as_bytes),
    }
}

fn partial(partial: &cdc::Partial<'_>) -> Outcome {
    let columns: Vec<&str> = partial.unavailable().collect();
    Outcome::Said(format!("{:?} {:?} without {columns:?}: {}", partial.head.op, partial.key, partial.after.to_json()))
}

/// Of a date with more digits than 64 bits have, the row types name the largest number of 64 bits.
fn refused(violation: &cdc::Violation, key: Option<&str>) -> Outcome {
    Outcome::Said(format!("{violation:?} {key:?}").replace("9223372036854775807", "9223372036854775808"))
}

fn by_type<T: Table>(record: &Record<'_>) -> Outcome {
    let arena = typed_arena::Arena::new();
    match cdc::Decoder::<T>::new(7, NOW, &arena).decode(record).unwrap() {
        cdc::Event::Change(change) => {
            let mut bytes = Vec::new();
            row_binary::write(&change.row, &mut bytes);
            let standing = format!("{:?} {:?}", change.head, change.row.standing());
            Outcome::Row(bytes, change.row.key_text().into_owned(), standing)
        }
        cdc::Event::Partial(it) => partial(&it),
        cdc::Event::Truncate(truncate) => Outcome::Said(format!("{truncate:?}")),
        cdc::Event::Tombstone => Outcome::Said("tombstone".to_owned()),
        cdc::Event::Bad(violation, key) => refused(&violation, key.as_deref()),
    }
}

macro_rules! oracle {
    ($($Table:ident,)*) => {
        fn oracle(table: &str, record: &Record<'_>) -> Outcome {
            match table {
                $(<lockstep::tables::$Table as Table>::SOURCE => by_type::<lockstep::tables::$Table>(record),)*
                other => panic!("the registry has no table {other}"),
            }
        }
    };
}
lockstep::for_each_table!(oracle);

fn by_schema(table: &str, record: &Record<'_>) -> Outcome {
    let schema = schema(table);
    let mut rows = Rows::new(schema.columns().len());
    let before = (rows.bytes().len(), rows.len());
    let event = Decoder::new(&schema, 7, NOW).decode(record, &mut rows).unwrap();
    if !matches!(event, Event::Change(_)) {
        assert_eq!((rows.bytes().len(), rows.len()), before, "no row, and yet some bytes");
    }
    match event {
        Event::Change(change) => {
            let row = rows.row(change.row);
            Outcome::Row(
                row.bytes().to_vec(),
                schema.key_text(|place| row.cell(place)),
                format!("{:?} {:?}", change.head, row.standing()),
            )
        }
        Event::Partial(it) => partial(&it),
        Event::Truncate(truncate) => Outcome::Said(format!("{truncate:?}")),
        Event::Tombstone => Outcome::Said("tombstone".to_owned()),
        Event::Bad(violation, key) => refused(&violation, key.as_deref()),
    }
}

fn messages() -> Vec<Message> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let files = |folder: &str| -> Vec<PathBuf> {
        std::fs::read_dir(corpus.join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let mut files = [files("recorded"), files("shapes")].concat();
    files.sort();
    files.iter().flat_map(|file| format::read(file)).collect()
}

#[test]
fn every_recorded_message_becomes_the_same() {
    let mut rows = 0;
    for message in messages() {
        let record = record(&message);
        let expected = oracle(&message.table, &record);
        assert_eq!(by_schema(&message.table, &record), expected, "{}, offset {}", message.table, message.offset);
        rows += usize::from(matches!(expected, Outcome::Row(..)));
    }
    assert!(rows > 100, "only {rows} rows");
}

/// A message of one table, read as one of another: every type meets values of every other.
#[test]
fn a_message_of_another_table_becomes_the_same() {
    for message in messages() {
        for (table, ..) in TABLES {
            let value = message.value.as_ref().map(|value| {
                let named = format!("\"table\":\"{}\"", message.table);
                value.replace(&named, &format!("\"table\":\"{table}\""))
            });
            let message = Message { value, ..message.clone() };
            let record = record(&message);
            assert_eq!(by_schema(table, &record), oracle(table, &record), "{message:?} as {table}");
        }
    }
}

/// What is done to a message.
#[derive(Debug, Clone)]
enum Damage {
    /// A column's value becomes this.
    Value(usize, &'static str),
    /// A column is missing.
    Without(usize),
    /// A column is there twice.
    Twice(usize),
    /// The columns come in another order.
    Turned(usize),
    /// A column that nobody knows, somewhere.
    Unknown(usize, &'static str),
    /// A byte is another one.
    Byte(usize, u8),
    /// The end is missing.
    Cut(usize),
    /// The value is wrapped with its schema.
    Wrapped,
    /// The key is another one, wrapped, or none.
    Key(Option<&'static str>),
}

const VALUES: [&str; 45] = [
    "null",
    "true",
    "0",
    "-1",
    "7.0",
    "7.5",
    "1e3",
    "1E400",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "0.15",
    "0.15000000596046448",
    "14.719999",
    "0.00001",
    "1e12",
    "-0.0",
    "2146033979",
    "-719162",
    "\"\"",
    "\"x  \"",
    "\"12.50\"",
    "\"NaN\"",
    "\"Infinity\"",
    "\"1996-07-04\"",
    "\"1996-07-04Z\"",
    "\"YWJj\"",
    "\"YWJ\"",
    "\"a\\\"b\\u0000 \"",
    "\"Köln 🦀\"",
    "[]",
    "{}",
    "[1]",
    "[null,null]",
    "[3,\"ab\"]",
    "{\"a\":[1,{}]}",
    "\"__debezium_unavailable_value\"",
    "[\"__debezium_unavailable_value\"]",
    "\"X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==\"",
    "\"a __debezium_unavailable_value\"",
    "\"\\ud800\"",
    "01",
    "\"1e2\"",
    "123456789012345",
    "900719925474.0993",
];

fn damage() -> impl Strategy<Value = Damage> {
    let n = 0..40_usize;
    let value = proptest::sample::select(&VALUES[..]);
    let key = [
        None,
        Some("{}"),
        Some("ALFKI"),
        Some("{\"customer_id\":null}"),
        Some("{\"order_id\":1,\"order_id\":1}"),
        Some("[1]"),
    ];
    prop_oneof![
        6 => (n.clone(), value.clone()).prop_map(|(n, value)| Damage::Value(n, value)),
        2 => n.clone().prop_map(Damage::Without),
        1 => n.clone().prop_map(Damage::Twice),
        3 => n.clone().prop_map(Damage::Turned),
        2 => (n, value).prop_map(|(n, value)| Damage::Unknown(n, value)),
        2 => (0..3_000_usize, any::<u8>()).prop_map(|(n, byte)| Damage::Byte(n, byte)),
        1 => (0..3_000_usize).prop_map(Damage::Cut),
        1 => Just(Damage::Wrapped),
        1 => proptest::sample::select(key.to_vec()).prop_map(Damage::Key),
    ]
}

/// The fields of `after`, in order, as text.
type After = Vec<(String, String)>;

fn after_of(value: &str) -> Option<(usize, usize, After)> {
    #[derive(serde::Deserialize)]
    struct Envelope<'m> {
        #[serde(borrow)]
        after: Option<&'m serde_json::value::RawValue>,
    }
    let after = serde_json::from_str::<Envelope<'_>>(value).ok()?.after?.get();
    let start = after.as_ptr() as usize - value.as_ptr() as usize;
    let fields = cdc::Fields::parse(after).ok()?;
    let fields = fields.0.iter().map(|(name, value)| (name.to_string(), value.get().to_owned())).collect();
    Some((start, start + after.len(), fields))
}

fn damaged(message: &Message, damage: &Damage) -> Message {
    let mut message = message.clone();
    let Some(value) = message.value.clone() else { return message };
    match damage {
        Damage::Byte(n, byte) => {
            let mut bytes = value.into_bytes();
            let n = n % bytes.len().max(1);
            bytes.iter_mut().skip(n).take(1).for_each(|it| *it = byte & 0x7f);
            message.value = Some(String::from_utf8_lossy(&bytes).into_owned());
        }
        Damage::Cut(n) => {
            let end = (0..=n % value.len().max(1)).rev().find(|end| value.is_char_boundary(*end)).unwrap_or(0);
            message.value = Some(value[..end].to_owned());
        }
        Damage::Wrapped => message.value = Some(format!("{{\"schema\":{{\"type\":\"struct\"}},\"payload\":{value}}}")),
        Damage::Key(key) => message.key = key.map(str::to_owned),
        columns => {
            let Some((start, end, mut fields)) = after_of(&value) else { return message };
            let count = fields.len().max(1);
            match columns {
                Damage::Value(n, json) if !fields.is_empty() => fields[n % count].1 = (*json).to_owned(),
                Damage::Without(n) if !fields.is_empty() => drop(fields.remove(n % count)),
                Damage::Twice(n) if !fields.is_empty() => fields.push(fields[n % count].clone()),
                Damage::Turned(n) => fields.rotate_left(n % count),
                Damage::Unknown(n, json) => fields.insert(n % count, (format!("new \"{n}\""), (*json).to_owned())),
                _ => {}
            }
            let fields =
                fields.iter().map(|(name, json)| format!("{}: {json}", serde_json::Value::from(name.as_str())));
            let after = format!("{{{}}}", fields.collect::<Vec<_>>().join(",\n"));
            message.value = Some(format!("{}{after}{}", &value[..start], &value[end..]));
        }
    }
    message
}

#[test]
fn a_damaged_message_becomes_the_same() {
    let messages = messages();
    let cases = std::env::var("CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(4_000);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let some = (0..messages.len(), proptest::collection::vec(damage(), 1..4));
    let held = TestRunner::new(config).run(&some, |(n, damages)| {
        let message = damages.iter().fold(messages[n].clone(), |message, damage| damaged(&message, damage));
        let record = record(&message);
        let outcome = by_schema(&message.table, &record);
        // The row types look at this only where a message is unusual in another way, too.
        if matches!(&outcome, Outcome::Said(text) if text.contains("source.table says")) {
            return Ok(());
        }
        prop_assert_eq!(outcome, oracle(&message.table, &record), "{:?}", message);
        Ok(())
    });
    assert!(held.is_ok(), "{}", held.unwrap_err());
}
