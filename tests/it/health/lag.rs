//! `lag`: how far behind, in records and in time, and whether ledger and committed offset agree.

use std::io::{BufRead, BufReader};

use crate::support::event::customer;
use crate::support::{Message, Outcome, World, outcome, signal};
use serde_json::Value;

fn lag(world: &World, args: &[&str]) -> Outcome {
    lag_with(world, &[], args)
}

fn lag_with(world: &World, environment: &[(&str, &str)], args: &[&str]) -> Outcome {
    let own = ["--topic", &world.topic, "--group", &world.group];
    outcome(world.command("lag", &[&own, args].concat()).envs(environment.iter().copied()).spawn().unwrap())
}

fn partition(outcome: &Outcome, number: usize) -> &Value {
    &outcome.summary["partitions"][number]
}

/// Updates of a customer that exists, in one partition.
fn updates(partition: i32, count: u64) -> Vec<Message> {
    (1..=count).map(|lsn| customer("u", "ALFKI", "Alfreds Futterkiste", lsn).at(partition).message()).collect()
}

#[test]
fn what_is_unread_is_counted_per_partition() {
    let world = World::with_topic("lag_count", 2);
    let never_read = lag(&world, &[]).expect_exit(0);
    assert_eq!((never_read.count("lag"), never_read.count("lag_seconds")), (0, 0));
    world.produce(&updates(0, 3));
    let outcome = lag(&world, &[]).expect_exit(0);
    assert_eq!(outcome.count("lag"), 3, "all that is there, when nothing was ever read");
    assert_eq!(partition(&outcome, 0)["committed"], Value::Null);

    world.ingest(&[]).expect_exit(0);
    let before = world.end_state(2);
    let outcome = lag(&world, &["--max-records", "2"]).expect_exit(0);
    assert_eq!((outcome.count("lag"), outcome.count("lag_seconds"), outcome.count("runs")), (0, 0, 0));
    world.produce(&[updates(0, 4), updates(1, 1)].concat());
    let outcome = lag(&world, &["--max-records", "2"]).expect_exit(0);
    assert_eq!((outcome.count("lag"), outcome.count("runs"), outcome.count("disagreements")), (5, 3, 0));
    assert_eq!((&partition(&outcome, 0)["lag"], &partition(&outcome, 1)["lag"]), (&4.into(), &1.into()));
    assert_eq!(partition(&outcome, 0)["committed"], partition(&outcome, 0)["ledger_end"]);
    assert!(outcome.count("lag_seconds") > 86_400, "by the commit time that the events carry: {outcome:?}");
    assert!(outcome.stdout.contains("runs to drain with --max-records 2: 3"), "{}", outcome.stdout);
    assert_eq!(world.end_state(2), before, "it moves nothing");
}

#[test]
fn the_age_is_that_of_the_oldest_unread_record() {
    let world = World::with_topic("lag_age", 1);
    world.produce_aged(&[5, 3, 1]);
    let hours = |outcome: &Outcome| outcome.count("lag_seconds") / 3_600;
    assert_eq!(hours(&lag(&world, &[]).expect_exit(0)), 5);
    world.run("ingest-customers", &["--max-records", "2"]).expect_exit(0);
    let outcome = lag(&world, &[]).expect_exit(0);
    assert_eq!((hours(&outcome), outcome.count("lag")), (1, 1));
}

#[test]
fn an_open_plan_is_shown() {
    let world = World::with_topic("lag_plan", 1);
    world.produce(&updates(0, 5));
    world.kill_at("plan-committed", &["--max-records", "3"]);
    let outcome = lag(&world, &["--max-records", "1"]).expect_exit(0);
    assert_eq!((&partition(&outcome, 0)["plan_end"], &partition(&outcome, 0)["ledger_end"]), (&3.into(), &0.into()));
    assert_eq!((outcome.count("lag"), outcome.count("runs")), (5, 3), "the plan in one run, then two");
    world.ingest(&[]).expect_exit(0);
    assert_eq!(partition(&lag(&world, &[]), 0)["plan_end"], Value::Null);
}

#[test]
fn a_disagreement_is_marked() {
    let world = World::with_topic("lag_books", 1);
    world.produce(&updates(0, 2));
    world.ingest(&[]).expect_exit(0);
    world.clickhouse("TRUNCATE TABLE northwind_ops.windows");
    let outcome = lag(&world, &[]).expect_exit(0);
    assert_eq!(outcome.count("disagreements"), 1);
    assert!(
        partition(&outcome, 0)["stop_reason"].as_str().unwrap().contains("the ledger has no row of it"),
        "{outcome:?}"
    );
    assert!(outcome.stdout.contains("ledger and committed offset disagree"), "{}", outcome.stdout);
}

#[test]
fn what_cannot_be_asked_does_not_hide_the_rest() {
    let world = World::new("lag_missing");
    let outcome = lag(&world, &[]).expect_exit(0);
    assert!(outcome.stdout.contains("no topic yet"), "{}", outcome.stdout);
    assert_eq!(outcome.summary["topics"][0]["exists"], false);

    world.create_topic(1, &[]);
    world.produce(&updates(0, 2));
    let outcome = lag_with(&world, &[("CLICKHOUSE_PORT", "1")], &[]).expect_exit(0);
    assert_eq!(outcome.count("lag"), 2);
    assert!(outcome.stdout.contains("the ledger could not be read"), "{}", outcome.stdout);

    let outcome = lag_with(&world, &[("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")], &[]).expect_exit(75);
    assert!(outcome.error().contains("127.0.0.1:1"), "{outcome:?}");
}

#[test]
fn without_flags_every_table_is_listed() {
    let world = World::new("lag_all");
    let outcome = world.run("lag", &[]).expect_exit(0);
    let topics = outcome.summary["topics"].as_array().unwrap();
    let customers = topics.iter().find(|topic| topic["topic"] == "northwind.public.customers").unwrap();
    assert_eq!(customers["group"], "northwind.ingest-customers");
    world.run("lag", &["--topic", "elsewhere.nothing"]).expect_exit(2);
    world.run("lag", &["--group", "a-group"]).expect_exit(2);
}

#[test]
fn it_watches_until_it_is_stopped() {
    let world = World::with_topic("lag_watch", 1);
    let mut child =
        world.command("lag", &["--topic", &world.topic, "--group", &world.group, "--watch", "1"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let tables = lines.by_ref().filter(|line| line.starts_with("topic ")).take(2).count();
    assert_eq!(tables, 2);
    signal(&child, "TERM");
    let last: Value = serde_json::from_str(&lines.last().unwrap()).unwrap();
    assert_eq!((&last["exit"], &last["lag"]), (&0.into(), &0.into()));
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
