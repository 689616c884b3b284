//! Statements that name what they are about, one by one: as many offsets as a window has, and keys as long as PostgreSQL takes them.

use std::fmt::Write;

use crate::support::event::{UNAVAILABLE, customer, raw};
use crate::support::{Message, World, kill};
use serde_json::json;

/// The shortest events there are: a window takes 50,000 of them.
fn short_events(count: usize) -> Vec<Message> {
    let message = |i: usize| {
        let id = format!("N{i:05}");
        let value = format!(
            r#"{{"op":"c","after":{{"customer_id":"{id}","company_name":"x"}},"source":{{"ts_ms":1795375659250,"lsn":{}}}}}"#,
            i + 1
        );
        raw(0, Some(&json!({"customer_id": id}).to_string()), value.as_bytes())
    };
    (0..count).map(message).collect()
}

const STATES: &str = "SELECT status, attempt, count() FROM northwind_ops.rejected FINAL GROUP BY ALL ORDER BY ALL";

/// Everything is refused, because PostgreSQL does not have it yet; then it has, and the same offsets are read again.
#[test]
fn sixty_thousand_records_leave_the_quarantine_together() {
    let world = World::with_topic("lists_offsets", 1);
    world.produce(&short_events(60_000));
    let outcome = world.ingest(&["--max-records", "100000"]).expect_exit(0);
    assert_eq!((outcome.count("rejected"), outcome.count("windows")), (60_000, 2), "{outcome:?}");
    assert_eq!(world.clickhouse(STATES), "open\t1\t60000\n");
    let sql = "INSERT INTO customers (customer_id, company_name)
               SELECT 'N' || lpad(i::text, 5, '0'), 'x' FROM generate_series(0, 59999) AS i";
    world.change(sql);

    // Killed when a part of a window is closed in quarantine, and not the rest.
    let again = ["--offsets", "0:0..60000"];
    kill(world.ingest_frozen_at("quarantine-part-resolved", &again));
    let closed = world.number("SELECT countIf(status = 'resolved') FROM northwind_ops.rejected FINAL");
    assert!((1..50_000).contains(&closed), "{closed}");

    let outcome = world.ingest(&again).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("rejected")), (60_000, 0));
    assert_eq!(world.clickhouse(STATES), "resolved\t2\t60000\n", "each was closed once");
    assert_eq!(world.number("SELECT count() FROM northwind_dw.dim_customers FINAL"), 60_000);
    assert_eq!(world.ingest(&again).expect_exit(0).count("resolved"), 0);
}

/// A key that no compression makes shorter: an index row of PostgreSQL takes 2,704 bytes.
fn long_key(i: u64) -> String {
    let mut state = i.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut key = String::new();
    while key.len() < 2_640 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let letter = char::from(b'!' + (state >> 57) as u8 % 94);
        write!(key, "{letter}").unwrap();
    }
    key
}

/// Every statement that lists keys, with keys of 2.6 kB, and one of 150 kB that PostgreSQL can compress.
#[test]
fn keys_may_be_as_long_as_postgresql_takes_them() {
    let world = World::with_topic("lists_keys", 1);
    let keys: Vec<String> = (0..400).map(long_key).chain(["k".repeat(150_000)]).collect();
    let put = |keys: &[String]| {
        let mut postgres = world.postgres();
        let insert = "INSERT INTO customers (customer_id, company_name, contact_name, address, city, postal_code, country, phone)
                      SELECT unnest($1::text[]), 'second', 'Maria Anders', 'a long street', 'Berlin', '12209', 'Germany', '030-0074321'";
        postgres.execute(insert, &[&keys]).unwrap();
    };
    let event = |name: &str, address: &str, lsn: u64| -> Vec<Message> {
        let of_key = |key: &String| customer("u", key, name, lsn).set("address", json!(address)).message();
        keys.iter().map(of_key).collect()
    };
    // The first half is there when its events come, the second half later: refused, and replayed.
    put(&keys[200..]);
    world.produce(&event("first", "a long street", 10));
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("rejected")), (201, 200), "{}", outcome.error());
    // What was not sent is carried forward from the warehouse; not past a record in quarantine.
    world.produce(&event("second", UNAVAILABLE, 20));
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("rejected")), (201, 200), "{}", outcome.error());

    let check = |job: &str, scope: &str| {
        world.run(job, &["--prefix", &world.name, "--table", "customers", "--wait", "0s", "--scope", scope])
    };
    for job in ["check-integrity", "check-rules", "check-reconcile"] {
        let outcome = check(job, "new").expect_exit(0);
        assert_eq!((outcome.count("errors"), outcome.count("nothing_new")), (0, 0), "{job}: {outcome:?}");
    }
    put(&keys[..200]);
    let outcome = world.replay(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("still_rejected")), (400, 0), "{}", outcome.error());
    let rows = "SELECT count(), uniqExact(company_name, address), any(company_name), any(address) FROM northwind_dw.dim_customers FINAL";
    assert_eq!(world.clickhouse(rows), "401\t1\tsecond\ta long street\n");
    for (job, scope) in [("check-integrity", "new"), ("check-reconcile", "new"), ("check-integrity", "full")] {
        let outcome = check(job, scope).expect_exit(0);
        assert_eq!((outcome.count("errors"), outcome.count("fail")), (0, 0), "{job}: {outcome:?}");
    }
}
