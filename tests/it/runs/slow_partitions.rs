//! Partitions without a leader, or without progress: the run of the others goes on, ends with 75 and names them.

use crate::support::event::customer;
use crate::support::mock_kafka::MockKafka;
use crate::support::{Message, Outcome, World, go_on};

const PARTITIONS: i32 = 3;

fn updates(partitions: impl IntoIterator<Item = i32>, count: u64) -> Vec<Message> {
    // A key is in one partition only.
    let ids = [
        ["ALFKI", "ANATR", "ANTON", "AROUT"],
        ["BERGS", "BLAUS", "BLONP", "BOLID"],
        ["BONAP", "BOTTM", "BSBEV", "CACTU"],
    ];
    let id = move |p: i32, i: u64| ids[p as usize][i as usize % 4];
    let of = |p: i32| (0..count).map(move |i| customer("u", id(p, i), &format!("{p} {i}"), i).at(p).message());
    partitions.into_iter().flat_map(of).collect()
}

/// A hundred records in each of three partitions, which brokers 1 to 3 lead.
fn a_topic(test: &str) -> (World, MockKafka) {
    let mut world = World::new(test);
    let kafka = MockKafka::start(&mut world, 3, PARTITIONS);
    (0..PARTITIONS).for_each(|partition| kafka.lead(partition, Some(partition + 1)));
    kafka.produce(&world, &updates(0..PARTITIONS, 100), 10);
    (world, kafka)
}

fn ledger_ends(world: &World) -> Vec<i64> {
    let end = |partition| {
        world.number(&format!("SELECT max(end_offset) FROM northwind_ops.windows WHERE partition = {partition}"))
    };
    (0..PARTITIONS).map(end).collect()
}

fn run(world: &World, args: &[&str]) -> Outcome {
    world.ingest(&[&["--patience", "6s", "--window-records", "20"], args].concat())
}

#[track_caller]
fn names(late: &Outcome, partition: i32, parts: &[&str]) {
    let place = format!("{}, partition {partition}", late.summary["topic"].as_str().unwrap());
    for part in parts.iter().chain([&place.as_str()]) {
        assert!(late.error().contains(part), "{part}: {}", late.error());
    }
    assert_eq!(late.summary["unfinished"][0]["partition"], partition, "{late:?}");
}

#[test]
fn a_partition_without_a_leader_does_not_hold_up_the_others() {
    let (world, kafka) = a_topic("leaderless");
    kafka.lead(1, None);
    let late = run(&world, &[]).expect_exit(75);
    names(&late, 1, &["has no leader", "run again"]);
    assert_eq!((late.count("written"), ledger_ends(&world)), (200, vec![100, 0, 100]));

    // A range that does not need it is read; one that needs it says what is left.
    run(&world, &["--offsets", "0:10..20"]).expect_exit(0);
    let late = run(&world, &["--offsets", "0:10..20,1:5..7"]).expect_exit(75);
    assert_eq!((late.count("written"), late.count("remaining")), (10, 2));
    assert_eq!(late.summary["next"], "--offsets 1:5..7");

    kafka.produce(&world, &updates([0], 10), 10);
    let late = run(&world, &[]).expect_exit(75);
    assert_eq!((late.count("written"), ledger_ends(&world)), (10, vec![110, 0, 100]));
    kafka.lead(1, Some(1));
    assert_eq!(run(&world, &[]).expect_exit(0).count("written"), 100);
    assert_eq!(ledger_ends(&world), [110, 100, 100]);
    run(&world, &["--skip-empty"]).expect_exit(99);
}

#[test]
fn a_partition_that_loses_its_leader_keeps_its_plan_open() {
    let (world, kafka) = a_topic("loses_leader");
    // With a short queue not all of it is fetched before.
    let short_queue = ["-X", "queued.min.messages=1", "--patience", "6s", "--window-records", "20"];
    let child = world.ingest_frozen_at("committed", &short_queue);
    kafka.lead(0, None);
    let late = go_on(child).expect_exit(75);
    names(&late, 0, &["has no leader", "its plan stays open"]);
    let ends = ledger_ends(&world);
    assert!((20..100).contains(&ends[0]) && ends[1..] == [100, 100], "{ends:?}");
    assert_eq!(late.count("remaining"), 100 - ends[0]);
    let unfinished = &late.summary["unfinished"][0];
    assert_eq!((unfinished["start"].as_i64(), unfinished["end"].as_i64()), (Some(ends[0]), Some(100)));

    kafka.lead(0, Some(2));
    let done = run(&world, &["--max-records", "7"]).expect_exit(0);
    assert_eq!((done.count("written"), ledger_ends(&world)), (100 - ends[0], vec![100, 100, 100]));
    assert_eq!(done.summary["unfinished"].as_array().map(Vec::len), Some(0));
    run(&world, &["--skip-empty"]).expect_exit(99);
}

/// It has a leader, so every run finds its open plan again, and waits for it in vain.
#[test]
fn a_partition_without_progress_does_not_hold_up_later_runs() {
    let (world, kafka) = a_topic("no_progress");
    kafka.follower_ends_at(0, 40);
    let args = ["--read-uncommitted", "-X", "client.rack=here"];
    let late = run(&world, &args).expect_exit(75);
    names(&late, 0, &["no record at offset 50", "the leader's log goes to 100"]);
    let ends = ledger_ends(&world);
    assert!((20..=50).contains(&ends[0]) && ends[1..] == [100, 100], "{ends:?}");

    for end in [110, 120] {
        kafka.produce(&world, &updates([1], 10), 10);
        let late = run(&world, &args).expect_exit(75);
        assert_eq!((late.count("written"), ledger_ends(&world)), (10, vec![ends[0], end, 100]), "{late:?}");
    }
    // Time is no excuse: what can be read in it is read.
    kafka.produce(&world, &updates([2], 50), 10);
    let short = run(&world, &[&args[..], &["--max-duration", "1s"]].concat());
    assert!(short.count("written") > 0, "{short:?}");

    kafka.follower_ends_at(0, 100);
    run(&world, &args).expect_exit(0);
    assert_eq!(ledger_ends(&world), [100, 120, 150]);
    let written = "SELECT sum(written), sum(gaps) FROM northwind_ops.windows";
    assert_eq!(world.clickhouse(written), "370\t0\n");
}
