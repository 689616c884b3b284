//! Records `tests/corpus/recorded/`: the messages of every table, as the real Debezium sends them. Needs the servers (`make up`).
//!
//!     cargo test --test record_corpus                  # messages, without what they decode to
//!     CORPUS=accept cargo test --test it corpus::      # adds that; read the difference before it is committed
//!
//! `snapshot.sql` is what the connector finds, `changes.sql` what happens then. The throwaway database's name is replaced by
//! `northwind`, so that a new recording differs in what matters; positions and times differ anyway.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[path = "format.rs"]
#[allow(dead_code)] // It writes, the test reads.
mod format;
#[path = "../it/support/mod.rs"]
#[allow(dead_code, unused_imports)] // The tests' support: the recorder needs some of it.
mod support;

use support::kafka::Received;
use support::registry::registry;
use support::{World, root};

fn main() {
    let mut world = World::new("record");
    // The rows need not make sense together: this is about columns.
    let mut source = world.postgres();
    source.batch_execute("SET session_replication_role = replica").unwrap();
    statements("snapshot.sql").iter().for_each(|sql| source.batch_execute(sql).expect(sql));
    let connector = world.capture(&[]);
    for sql in statements("changes.sql") {
        // Debezium stops for good if a column's type changes before it has decoded the rows of the old type.
        if sql.trim_start().starts_with("ALTER") {
            world.wait_for_capture(&connector);
        }
        source.batch_execute(&sql).expect(&sql);
    }
    world.wait_for_capture(&connector);
    for table in registry() {
        let messages: Vec<format::Message> =
            world.records_of(table.source).into_iter().map(|record| message(&world, table.source, record)).collect();
        println!("{}: {} messages", table.source, messages.len());
        format::write(&root().join(format!("tests/corpus/recorded/{}.txt", table.source)), &messages);
    }
}

fn statements(file: &str) -> Vec<String> {
    let sql = std::fs::read_to_string(root().join("tests/corpus").join(file)).unwrap();
    sql.split_inclusive(";\n").map(str::to_owned).collect()
}

fn message(world: &World, table: &str, record: Received) -> format::Message {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(&world.name, "northwind");
    let (key, value) = (record.key.map(text), record.value.map(text));
    let op = value.as_deref().map(|value| serde_json::from_str::<serde_json::Value>(value).unwrap()["op"].clone());
    let op = op.as_ref().and_then(serde_json::Value::as_str).unwrap_or("tombstone");
    format::Message {
        table: table.to_owned(),
        offset: record.offset,
        title: format!("{op} {}", key.as_deref().unwrap_or("without a key")),
        timestamp: Some(record.timestamp),
        headers: record.headers.into_iter().filter(|(name, _)| !name.starts_with("__debezium.context.")).collect(),
        key,
        value,
        outcome: None,
    }
}
