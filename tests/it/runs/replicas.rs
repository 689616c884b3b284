//! Brokers that are behind: an end of partition is believed only where the plan ends, whoever reports it.

use crate::support::event::{KNOWN, updates};
use crate::support::mock_kafka::MockKafka;
use crate::support::private_stack::PrivateStack;
use crate::support::{World, go_on, outcome, signal, wait_for};

const RECORDS: i64 = 100;

/// A hundred records, led by broker 1; from 40 on in batches of `batch`. The mock's last stable offset is the leader's on every replica.
fn a_hundred_records(test: &str, batch: usize) -> (World, MockKafka) {
    let mut world = World::new(test);
    let kafka = MockKafka::start(&mut world, 3, 1);
    kafka.lead(0, Some(1));
    let messages = updates(&KNOWN[..4], "name ", 0..RECORDS as usize);
    kafka.produce(&world, &messages[..40], 10);
    kafka.produce(&world, &messages[40..], batch);
    (world, kafka)
}

const READ: [&str; 3] = ["--read-uncommitted", "-X", "client.rack=here"];

fn ledger_end(world: &World) -> i64 {
    world.number("SELECT max(end_offset) FROM northwind_ops.windows")
}

#[test]
fn a_follower_that_is_behind_is_waited_for() {
    let (world, kafka) = a_hundred_records("follower_behind", 60);
    kafka.follower_ends_at(0, 40);
    // When the first window is committed, the end at 40 has been reported.
    let run = world.ingest_frozen_at("committed", &[&READ[..], &["--window-records", "20"]].concat());
    kafka.follower_ends_at(0, RECORDS);
    let done = go_on(run).expect_exit(0);
    assert_eq!((done.count("written"), done.count("gaps")), (RECORDS, 0), "{done:?}");
}

#[test]
fn a_follower_that_stays_behind_is_no_gap() {
    let (world, kafka) = a_hundred_records("follower_stays", 10);
    kafka.follower_ends_at(0, 40);
    let late = world.ingest(&[&READ[..], &["--patience", "5s"]].concat()).expect_exit(75);
    late.error_says(&[&*world.topic, "partition 0", "offset 50", "the leader's log goes to 100", "client.rack"]);
    assert_eq!((late.count("gaps"), ledger_end(&world)), (0, 0));
    kafka.follower_ends_at(0, RECORDS);
    let done = world.ingest(&READ).expect_exit(0);
    assert_eq!((done.count("written"), done.count("gaps")), (RECORDS, 0));
}

/// The new leader has not heard yet how far its followers are.
#[test]
fn a_new_leader_with_a_lower_watermark_is_waited_for() {
    let (world, kafka) = a_hundred_records("lower_watermark", 60);
    let run = world.ingest_frozen_at("read", &[&READ[..], &["--window-records", "20"]].concat());
    kafka.follower_ends_at(0, 40);
    kafka.lead(0, Some(3));
    signal(&run, "CONT");
    wait_for("the second window", || ledger_end(&world) >= 40);
    kafka.follower_ends_at(0, RECORDS);
    let done = outcome(run).expect_exit(0);
    assert_eq!((done.count("written"), done.count("gaps")), (RECORDS, 0), "{done:?}");
}

/// A restored broker: while a run reads, half of the log goes.
#[test]
fn a_log_that_ends_below_the_plan_needs_a_person() {
    let kafka = PrivateStack::up("kafka");
    let mut world = World::new("log_too_short");
    world.environment.push(("KAFKA_BOOTSTRAP_SERVERS".to_owned(), kafka.address()));
    let messages = updates(&KNOWN[..4], "name ", 0..RECORDS as usize);
    kafka.produce(&world, 1, &messages[..50]);
    let log = kafka.data().join(format!("{}-0/00000000000000000000.log", world.topic));
    let half = std::fs::metadata(&log).unwrap().len();
    kafka.add(&world, &messages[50..]);
    // Nothing is fetched yet.
    let run = world.ingest_frozen_at("plan-committed", &["--window-records", "20", "--patience", "10s"]);
    kafka.kill();
    std::fs::OpenOptions::new().write(true).open(&log).unwrap().set_len(half).unwrap();
    kafka.start();
    let stopped = go_on(run).expect_exit(78);
    stopped.error_says(&["partition 0", "the log ends at 50", "the plan goes to 100", "--resume-from"]);
    assert_eq!((ledger_end(&world), stopped.count("gaps")), (20, 0));
}
