//! Values that the messages leave out may be a hundred times what the messages hold. They land all the same, in little memory.

use serde_json::json;

use crate::support::event::{Event, UNAVAILABLE, customer, version};
use crate::support::{Message, World, go_on};

fn id(i: usize) -> String {
    format!("N{i:05}")
}

/// An update whose address was too long to be sent again.
fn update(i: usize, lsn: u64) -> Event {
    customer("u", &id(i), "updated", lsn).unsent("address")
}

/// A world whose warehouse has rows with 100 kB in `address`, below everything in the topic. Nothing is merged while the test runs.
fn with_long_rows(test: &str, rows: usize) -> World {
    let world = World::with_topic(test, 1);
    world.clickhouse("SYSTEM STOP MERGES northwind_dw.dim_customers");
    world.clickhouse(&format!(
        "INSERT INTO northwind_dw.dim_customers (customer_id, company_name, address, op, _version)
         SELECT format('N{{}}', leftPad(toString(number), 5, '0')), 'base', repeat(hex(sipHash64(toString(number))), 6250), 'c', {}
         FROM numbers({rows}) SETTINGS max_block_size = 50, min_insert_block_size_rows = 100, min_insert_block_size_bytes = 10000000",
        version(0) - 1
    ));
    world
}

fn in_postgres(world: &World, rows: usize) {
    let sql = format!(
        "INSERT INTO customers (customer_id, company_name) SELECT 'N' || lpad(i::text, 5, '0'), 'x' FROM generate_series(0, {rows} - 1) i"
    );
    world.change(&sql);
}

/// How many rows were updated and have their long value.
fn whole(world: &World) -> i64 {
    world.number(
        "SELECT countIf(company_name = 'updated' AND address = repeat(hex(sipHash64(toString(toUInt32(substring(customer_id, 2))))), 6250))
         FROM northwind_dw.dim_customers FINAL",
    )
}

#[test]
fn long_values_of_the_warehouse_are_carried_in_little_memory() {
    let rows = 2_000;
    let world = with_long_rows("toast_large", rows);
    in_postgres(&world, rows);
    world.produce(&(0..rows).map(|i| update(i, 10 + i as u64).message()).collect::<Vec<Message>>());
    let outcome = world.ingest(&[]).expect_exit(0);
    let cost = ["peak_mib", "duration_ms", "cpu_ms"].map(|field| outcome.count(field));
    println!("{rows} rows of 100 kB: peak {} MiB, {} ms, CPU {} ms", cost[0], cost[1], cost[2]);
    assert_eq!((outcome.count("written"), outcome.count("rejected"), outcome.count("windows")), (rows as i64, 0, 1));
    assert_eq!(whole(&world), rows as i64);
    assert!(outcome.count("peak_mib") <= 150, "{outcome:?}");
}

/// One long value that was sent, and many changes that leave it out.
#[test]
fn a_long_value_of_the_window_is_carried_in_little_memory() {
    let world = World::with_topic("toast_large_window", 1);
    let long = "long \"value\" ".repeat(100_000);
    let mut messages = vec![customer("c", "ALFKI", "first", 10).set("address", json!(long)).message()];
    let update = |i: u64| customer("u", "ALFKI", &format!("update {i}"), 20 + i).unsent("address");
    messages.extend((0..60).map(|i| update(i).message()));
    world.produce(&messages);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("windows")), (61, 1));
    let row = "SELECT company_name, address = repeat('long \"value\" ', 100000) FROM northwind_dw.dim_customers FINAL";
    assert_eq!(world.clickhouse(row), "update 59\t1\n");
    assert!(outcome.count("peak_mib") <= 150, "{outcome:?}");
}

/// Killed between two parts of a window, after all of them, and not at all: the same rows, each once.
#[test]
fn a_run_that_is_killed_between_two_parts_writes_every_row_once() {
    let rows = 500;
    for point in ["part-inserted:2", "rows-inserted"] {
        let world = with_long_rows("toast_large_killed", rows);
        in_postgres(&world, rows);
        world.produce(&(0..rows).map(|i| update(i, 10 + i as u64).message()).collect::<Vec<Message>>());
        world.kill_at(point, &[]);
        let written = world.number("SELECT countIf(company_name = 'updated') FROM northwind_dw.dim_customers");
        assert!(written > 0 && (point == "rows-inserted") == (written == rows as i64), "{point}: {written}");
        world.ingest(&[]).expect_exit(0);
        let all = world.number("SELECT countIf(company_name = 'updated') FROM northwind_dw.dim_customers");
        assert_eq!((all, whole(&world)), (rows as i64, rows as i64), "{point}");
    }
}

/// The same with the rows merged in between: what the first part has written stands in for what it was made of.
#[test]
fn a_run_that_is_killed_between_two_parts_goes_on_after_a_merge() {
    let rows = 500;
    let world = with_long_rows("toast_large_merged", rows);
    in_postgres(&world, rows);
    world.produce(&(0..rows).map(|i| update(i, 10 + i as u64).message()).collect::<Vec<Message>>());
    world.kill_at("part-inserted:2", &[]);
    world.clickhouse("SYSTEM START MERGES northwind_dw.dim_customers");
    world.clickhouse("OPTIMIZE TABLE northwind_dw.dim_customers FINAL");
    assert_eq!(world.ingest(&[]).expect_exit(0).count("written"), rows as i64);
    assert_eq!(whole(&world), rows as i64);
}

/// Long values of a column that the warehouse does not have: a text, and an array.
#[test]
fn long_values_of_unknown_columns_are_carried_as_they_were_sent() {
    let world = World::with_topic("toast_large_extra", 1);
    let (notes, tags) = ("a \"long\" / note ü".repeat(2_000), vec!["tag / ü"; 3_000]);
    let event = |name: &str, lsn| customer("u", "ALFKI", name, lsn);
    world.produce(&[event("first", 10)
        .set("notes", json!(notes))
        .set("tags", json!(tags))
        .set("n", json!(1))
        .message()]);
    world.ingest(&[]).expect_exit(0);
    let extra = "SELECT sipHash64(replace(_extra, '\"n\":2', '\"n\":1')), length(_extra) > 80000 FROM northwind_dw.dim_customers FINAL";
    let before = world.clickhouse(extra);
    let unavailable = |name: &str, lsn| {
        event(name, lsn).unsent("notes").set("tags", json!([UNAVAILABLE])).set("n", json!(2)).message()
    };
    world.produce(&[unavailable("second", 20), unavailable("third", 30)]);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("written"), 2);
    assert_eq!(world.clickhouse(extra), before);
    assert_eq!(world.customers(), "ALFKI\tthird\n");
}

/// Somebody changes the value between the verdict and the rows: then the rows are made again.
#[test]
fn a_value_that_changes_meanwhile_is_not_mixed_up() {
    let world = with_long_rows("toast_large_changed", 1);
    in_postgres(&world, 1);
    world.produce(&[update(0, 10).message()]);
    world.clickhouse("SYSTEM START MERGES northwind_dw.dim_customers");
    let child = world.ingest_frozen_at("validated", &[]);
    world.clickhouse("ALTER TABLE northwind_dw.dim_customers UPDATE address = repeat('repaired', 1000) WHERE true SETTINGS mutations_sync = 2");
    let outcome = go_on(child).expect_exit(75);
    assert!(outcome.error().contains("the value of address"), "{}", outcome.error());
    world.ingest(&[]).expect_exit(0);
    let row = "SELECT company_name, address = repeat('repaired', 1000) FROM northwind_dw.dim_customers FINAL";
    assert_eq!(world.clickhouse(row), "updated\t1\n");
}

#[test]
fn long_values_are_carried_in_little_memory_by_a_replay() {
    let rows = 1_000;
    let world = with_long_rows("toast_large_replay", rows);
    world.produce(&(0..rows).map(|i| update(i, 10 + i as u64).message()).collect::<Vec<Message>>());
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!(outcome.summary["rejected_by_rule"], json!({"not-in-postgres": rows}));
    assert!(outcome.count("peak_mib") <= 150, "{outcome:?}");
    in_postgres(&world, rows);
    let outcome = world.replay(&[]).expect_exit(0);
    println!(
        "{rows} rows of 100 kB replayed: peak {} MiB, {} ms",
        outcome.count("peak_mib"),
        outcome.count("duration_ms")
    );
    assert_eq!((outcome.count("written"), outcome.count("still_rejected")), (rows as i64, 0));
    assert_eq!(whole(&world), rows as i64);
    assert!(outcome.count("peak_mib") <= 150, "{outcome:?}");
}
