//! Servers that are not there, that die in the middle of a run, that refuse: an error that names the place and says what
//! to do, nothing half-done, and a rerun that finishes.

use crate::support::event::{customer, raw};
use crate::support::private_stack::{PrivateStack, free_port};
use crate::support::{Message, Outcome, World, go_on};

/// Three windows of five records: two of partition 0, one of partition 1.
const WINDOWS: [&str; 2] = ["--window-records", "5"];

fn messages() -> Vec<Message> {
    let ids = ["ALFKI", "ANATR", "ANTON", "NOON1", "AROUT"];
    let of =
        |partition: i32, i: usize| customer("u", ids[i % 5], &format!("{partition} {i}"), 100).at(partition).message();
    (0..9).map(|i| of(0, i)).chain([raw(0, None, b"poison")]).chain((0..5).map(|i| of(1, i))).collect()
}

const LEDGER: &str =
    "SELECT partition, mode, seq, start_offset, end_offset, written, rejected FROM northwind_ops.windows ORDER BY 1, 3";
const ROWS: &str = "SELECT * EXCEPT (_updated_at) FROM northwind_dw.dim_customers FINAL ORDER BY customer_id";
const QUARANTINE: &str = "SELECT partition, offset, rule, status FROM northwind_ops.rejected FINAL ORDER BY 1, 2";
const PLAN_WINDOWS: &str = "SELECT count() FROM northwind_ops.windows WHERE mode = 'plan'";

fn with_messages(test: &str) -> World {
    let world = World::with_topic(test, 2);
    world.produce(&messages());
    world
}

/// What a run makes of the messages when nothing dies.
fn reference() -> [String; 3] {
    let world = with_messages("undisturbed");
    world.ingest(&WINDOWS).expect_exit(0);
    [LEDGER, ROWS, QUARANTINE].map(|sql| world.clickhouse(sql))
}

fn set(world: &mut World, variables: &[(&str, &str)]) {
    world.environment.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
}

/// Freezes a run at `point`, kills the server, and lets the run go on.
fn killed_at(world: &World, stack: &PrivateStack, point: &str) -> Outcome {
    let run = world.ingest_frozen_at(point, &["--window-records", "5"]);
    stack.kill();
    let failed = go_on(run).expect_exit(75);
    assert!(!failed.error().is_empty(), "{failed:?}");
    failed
}

#[test]
fn a_server_that_is_not_there_is_named_and_nothing_happens() {
    for (variable, host) in [("POSTGRES_PORT", ""), ("CLICKHOUSE_PORT", ""), ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:")]
    {
        let mut world = with_messages("not_there");
        let port = free_port();
        set(&mut world, &[(variable, &format!("{host}{port}"))]);
        let failed = world.ingest(&WINDOWS).expect_exit(75);
        failed.error_says(&[&format!("127.0.0.1:{port}")]);
        world.environment.clear();
        assert_eq!(world.number("SELECT count() FROM northwind_ops.windows"), 0, "{variable}");
        world.ingest(&WINDOWS).expect_exit(0);
        assert_eq!([LEDGER, ROWS, QUARANTINE].map(|sql| world.clickhouse(sql)), reference(), "{variable}");
    }
}

#[test]
fn kafka_dies_in_the_middle_of_a_run() {
    let expected = reference();
    let kafka = PrivateStack::up("kafka");
    // Partition 1 is not read yet; and: the last window is in the ledger, and only its commit is missing.
    for (point, windows) in [("validated:2", 1), ("ledger-written:3", 3)] {
        let mut world = World::new("kafka_dies");
        set(&mut world, &[("KAFKA_BOOTSTRAP_SERVERS", &kafka.address())]);
        kafka.produce(&world, 2, &messages());
        let failed = killed_at(&world, &kafka, point);
        failed.error_says(&[&world.topic, &kafka.address()]);
        assert_eq!(world.number(PLAN_WINDOWS), windows, "{point}");
        kafka.start();
        world.ingest(&WINDOWS).expect_exit(0);
        assert_eq!([LEDGER, ROWS, QUARANTINE].map(|sql| world.clickhouse(sql)), expected, "{point}");
        assert_eq!(world.ingest(&[]).expect_exit(0).count("windows"), 0);
    }
}

#[test]
fn clickhouse_dies_in_the_middle_of_a_run() {
    let expected = reference();
    let clickhouse = PrivateStack::up("clickhouse");
    for (point, windows) in
        [("validated", "0\n"), ("rejected-inserted:2", "1\n"), ("rows-inserted:2", "1\n"), ("ledger-written:2", "2\n")]
    {
        let mut world = with_messages("clickhouse_dies");
        set(&mut world, &[("CLICKHOUSE_PORT", &clickhouse.port().to_string())]);
        world.run("migrate", &[]).expect_exit(0);
        let failed = killed_at(&world, &clickhouse, point);
        failed.error_says(&[&clickhouse.address()]);
        clickhouse.start();
        assert_eq!(clickhouse.clickhouse(&world, PLAN_WINDOWS), windows, "{point}");
        world.ingest(&WINDOWS).expect_exit(0);
        assert_eq!([LEDGER, ROWS, QUARANTINE].map(|sql| clickhouse.clickhouse(&world, sql)), expected, "{point}");
        assert_eq!([0, 1].map(|p| world.committed(p).unwrap()), [(10, String::new()), (5, String::new())], "{point}");
    }
}

#[test]
fn postgresql_dies_in_the_middle_of_a_run() {
    let expected = reference();
    let postgres = PrivateStack::up("postgres");
    // At `read:2` the first window is still in flight: it is not settled without the locks either.
    for (point, windows) in [("read", 0), ("read:2", 0), ("rows-inserted", 0), ("ledger-written:2", 2)] {
        let mut world = with_messages("postgresql_dies");
        set(&mut world, &[("POSTGRES_PORT", &postgres.port().to_string()), ("POSTGRES_DB", "northwind")]);
        world.run("migrate", &["--moved"]).expect_exit(0);
        let failed = killed_at(&world, &postgres, point);
        failed.error_says(&["PostgreSQL"]);
        assert_eq!(world.number(PLAN_WINDOWS), windows, "{point}");
        assert!(
            !world.clickhouse(QUARANTINE).contains("\t0\tnot-in-postgres"),
            "a source that is gone says nothing of its rows"
        );
        postgres.start();
        world.ingest(&WINDOWS).expect_exit(0);
        assert_eq!([LEDGER, ROWS, QUARANTINE].map(|sql| world.clickhouse(sql)), expected, "{point}");
    }
}
