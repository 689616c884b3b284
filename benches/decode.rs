//! Records per CPU-second: the row types and the schemas, over the same messages in one run: `cargo bench --bench decode [-- RECORDS]`.
//!
//! Rounds of both take turns, so that a busy machine slows both; what counts is the ratio. The typed side includes encoding its rows as the
//! `clickhouse` crate does, since the other one's rows are encoded when they are decoded.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../tests/it/values/decoding/northwind.rs"]
mod northwind_tables;
#[path = "../tests/it/values/decoding/row_binary.rs"]
mod row_binary;

use lockstep::cdc::{self, Record};
use lockstep::rows::{Decoder, Event, Rows};
use lockstep::tables::{Customers, OrderDetails, Orders, Table};
use northwind_tables::schema;

const ROUNDS: usize = 20;
const WINDOW: usize = 10_000;

struct Message {
    key: String,
    value: String,
}

fn message(table: &str, key: &str, after: &str, n: u64) -> Message {
    let lsn = 27_739_528 + n * 168;
    let value = format!(
        r#"{{"before":null,"after":{after},"source":{{"version":"3.7.0.Final","connector":"postgresql","name":"northwind","ts_ms":1795375756849,"snapshot":"false","db":"northwind","sequence":"[\"{lsn}\",\"{lsn}\"]","ts_us":1795375756849818,"ts_ns":1795375756849818000,"schema":"public","table":"{table}","txId":4216,"lsn":{lsn},"xmin":null,"origin":null,"origin_lsn":null}},"transaction":null,"op":"u","ts_ms":1795375757058,"ts_us":1795375757058837,"ts_ns":1795375757058837610}}"#
    );
    Message { key: key.to_owned(), value }
}

fn customer(n: u64) -> Message {
    let key = format!(r#"{{"customer_id":"C{n}"}}"#);
    let after = format!(
        r#"{{"customer_id":"C{n}","company_name":"Company {n}","contact_name":"Maria Anders","contact_title":"Sales Representative","address":"Obere Str. 57","city":"Berlin","region":null,"postal_code":"12209","country":"Germany","phone":"030-0074321","fax":"030-0076545"}}"#
    );
    message("customers", &key, &after, n)
}

fn order(n: u64) -> Message {
    let key = format!(r#"{{"order_id":{n}}}"#);
    let after = format!(
        r#"{{"order_id":{n},"customer_id":"VINET","employee_id":5,"order_date":9681,"required_date":9709,"shipped_date":9693,"ship_via":3,"freight":32.38,"ship_name":"Vins et alcools Chevalier","ship_address":"59 rue de l'Abbaye","ship_city":"Reims","ship_region":null,"ship_postal_code":"51100","ship_country":"France"}}"#
    );
    message("orders", &key, &after, n)
}

fn order_detail(n: u64) -> Message {
    let key = format!(r#"{{"order_id":{n},"product_id":11}}"#);
    let after = format!(r#"{{"order_id":{n},"product_id":11,"unit_price":14.0,"quantity":12,"discount":0.15}}"#);
    message("order_details", &key, &after, n)
}

fn main() {
    let records = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(100_000);
    compare::<Customers>(&(0..records).map(customer).collect::<Vec<_>>());
    compare::<Orders>(&(0..records).map(order).collect::<Vec<_>>());
    compare::<OrderDetails>(&(0..records).map(order_detail).collect::<Vec<_>>());
}

fn compare<T: Table>(messages: &[Message]) {
    let bytes: usize = messages.iter().map(|message| message.value.len()).sum();
    let (mut typed, mut by_schema) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        typed.push(seconds(|| decode_typed::<T>(messages)));
        by_schema.push(seconds(|| decode_by_schema(T::SOURCE, messages)));
    }
    let mut ratios: Vec<f64> = typed.iter().zip(&by_schema).map(|(typed, by_schema)| typed / by_schema).collect();
    let per_second = |seconds: &mut Vec<f64>| messages.len() as f64 / median(seconds);
    println!(
        "{}, {} records of {} bytes: typed {:.0}/CPU s, by schema {:.0}/CPU s, ratio {:.2} (median of {ROUNDS} rounds)",
        T::SOURCE,
        messages.len(),
        bytes / messages.len(),
        per_second(&mut typed),
        per_second(&mut by_schema),
        median(&mut ratios)
    );
}

fn records(messages: &[Message]) -> impl Iterator<Item = (usize, Record<'_>)> {
    messages.iter().enumerate().map(|(n, message)| {
        let (key, value) = (Some(message.key.as_bytes()), Some(message.value.as_bytes()));
        (n, Record { partition: 0, offset: n as i64, timestamp_ms: None, key, value })
    })
}

fn decode_typed<T: Table>(messages: &[Message]) {
    for window in messages.chunks(WINDOW) {
        let arena = typed_arena::Arena::new();
        let decoder = cdc::Decoder::<T>::new(1, 0, &arena);
        let events: Vec<_> = records(window).map(|(_, record)| decoder.decode(&record).unwrap()).collect();
        let mut out = Vec::with_capacity(256 * WINDOW);
        for event in &events {
            let cdc::Event::Change(change) = event else { panic!("no change") };
            row_binary::write(&change.row, &mut out);
        }
        std::hint::black_box(out);
    }
}

fn decode_by_schema(table: &str, messages: &[Message]) {
    let schema = schema(table);
    let mut decoder = Decoder::new(&schema, 1, 0);
    for window in messages.chunks(WINDOW) {
        let mut rows = Rows::new(schema.columns().len());
        for (_, record) in records(window) {
            let event = decoder.decode(&record, &mut rows).unwrap();
            assert!(matches!(event, Event::Change(_)), "no change: {event:?}");
        }
        std::hint::black_box(rows.bytes());
    }
}

fn seconds(work: impl FnOnce()) -> f64 {
    let before = cpu_seconds();
    work();
    cpu_seconds() - before
}

/// Of this process, user and system.
fn cpu_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` outlives the call, which writes nothing else.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
