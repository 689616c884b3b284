//! Two runs at once, locks that are lost, signals, runs that are short of time: never two at work on one partition, never
//! half a window, always on from where the last one stopped.

use std::process::Child;
use std::time::{Duration, Instant};

use crate::support::event::customer;
use crate::support::{Message, World, go_on, outcome, signal, wait_for};

/// `count` updates of known customers, in turn over the partitions.
fn updates(count: usize, partitions: i32) -> Vec<Message> {
    let ids = ["ALFKI", "ANATR", "ANTON", "AROUT", "BERGS", "BLAUS", "BOLID", "BONAP"];
    let update = |i: usize| customer("u", ids[i % ids.len()], &format!("Name {i}"), 100 + i as u64);
    // A key stays in its partition, as Debezium's do.
    (0..count).map(|i| update(i).at((i % ids.len()) as i32 % partitions).message()).collect()
}

fn world(test: &str, count: usize, partitions: i32) -> World {
    let world = World::with_topic(test, partitions);
    world.produce(&updates(count, partitions));
    world
}

/// What a run without any trouble makes of the same messages.
fn reference(test: &str, count: usize, partitions: i32, args: &[&str]) -> String {
    let world = world(test, count, partitions);
    world.ingest(args).expect_exit(0);
    world.end_state(partitions)
}

fn windows_done(world: &World) -> i64 {
    world.number("SELECT count() FROM northwind_ops.windows WHERE mode = 'plan'")
}

#[test]
fn a_second_run_is_told_who_is_at_work() {
    let world = world("second_run", 10, 2);
    let first = world.ingest_frozen_at("read", &[]);
    let second = world.ingest(&[]).expect_exit(75);
    let run = world.clickhouse("SELECT run_id FROM northwind_ops.runs FINAL WHERE status = 'running'");
    second.error_says(&[
        &world.topic,
        "partition 0, 1",
        "another run is at work",
        &format!("ingest-customers run {} (pid ", run.trim()),
    ]);
    assert_eq!(windows_done(&world), 0);
    go_on(first).expect_exit(0);
    assert_eq!(world.end_state(2), reference("second_run", 10, 2, &[]));
    world.ingest(&[]).expect_exit(0);
}

#[test]
fn an_unsharded_run_beside_a_shard_is_refused_and_the_other_shard_is_not() {
    let world = world("shards", 10, 2);
    let first = world.ingest_frozen_at("read", &["--shard", "1/2"]);
    let everything = world.ingest(&[]).expect_exit(75);
    assert!(everything.error().contains("partition 0: another run"), "{}", everything.error());
    world.ingest(&["--shard", "1/2"]).expect_exit(75);
    let other = world.ingest(&["--shard", "2/2"]).expect_exit(0);
    assert_eq!((other.count("written"), world.committed(0).unwrap().0), (5, 0));
    go_on(first).expect_exit(0);
    assert_eq!(world.end_state(2), reference("shards", 10, 2, &[]));
}

#[test]
fn shards_work_side_by_side() {
    let world = world("side_by_side", 200, 4);
    let shards: Vec<Child> =
        ["1/3", "2/3", "3/3"].map(|shard| world.start_ingest(&["--shard", shard, "--window-records", "10"])).into();
    let written: i64 = shards.into_iter().map(|shard| outcome(shard).expect_exit(0).count("written")).sum();
    assert_eq!(written, 200);
    assert_eq!(world.end_state(4), reference("side_by_side", 200, 4, &["--window-records", "10"]));
}

#[test]
fn a_run_that_has_lost_its_locks_closes_no_window() {
    for point in ["read", "validated", "rows-inserted", "quarantine-resolved"] {
        let world = world("lost_locks", 20, 1);
        let run = world.ingest_frozen_at(point, &["--window-records", "5"]);
        world.end_sessions_of("ingest-customers");
        let failed = go_on(run).expect_exit(75);
        assert!(failed.error().contains("PostgreSQL"), "{point}: {}", failed.error());
        assert_eq!((windows_done(&world), world.committed(0).unwrap().0), (0, 0), "{point}");
        world.ingest(&["--window-records", "5"]).expect_exit(0);
        assert_eq!(world.end_state(1), reference("lost_locks", 20, 1, &["--window-records", "5"]), "{point}");
    }
}

#[test]
fn a_run_that_loses_its_locks_after_the_ledger_row_does_not_commit() {
    let world = world("late_loss", 20, 1);
    let run = world.ingest_frozen_at("ledger-written:2", &["--window-records", "5"]);
    world.end_sessions_of("ingest-customers");
    // Nobody else has come in between: what the ledger says stands.
    go_on(run).expect_exit(75);
    assert_eq!((windows_done(&world), world.committed(0).unwrap().0), (2, 5));
    let rerun = world.ingest(&["--window-records", "5"]).expect_exit(0);
    assert_eq!(rerun.count("written"), 10);
    assert_eq!(world.end_state(1), reference("late_loss", 20, 1, &["--window-records", "5"]));
}

/// The dead of night: the run is frozen, its session is lost, another run does the work; then the first one wakes up.
#[test]
fn a_run_that_wakes_up_after_another_has_done_its_work_changes_nothing() {
    for point in ["plan-committed", "validated", "rows-inserted", "ledger-written"] {
        let world = world("wakes_up", 20, 1);
        let sleeper = world.ingest_frozen_at(point, &["--window-records", "5"]);
        world.end_sessions_of("ingest-customers");
        world.ingest(&["--window-records", "5"]).expect_exit(0);
        let done = world.end_state(1);
        go_on(sleeper).expect_exit(75);
        assert_eq!(world.end_state(1), done, "{point}");
        assert_eq!(done, reference("wakes_up", 20, 1, &["--window-records", "5"]), "{point}");
    }
}

#[test]
fn a_stopped_run_leaves_whole_windows_and_the_next_one_finishes() {
    let expected = reference("stopped", 250, 2, &["--window-records", "5"]);
    let cases = [
        ("TERM", "plan-committed", 0),
        ("TERM", "ledger-written:3", 3),
        ("INT", "read:3", 2),
        ("TERM", "rows-inserted:3", 3),
    ];
    for (name, point, at_least) in cases {
        let world = world("stopped", 250, 2);
        let run = world.ingest_frozen_at(point, &["--window-records", "5"]);
        let asked = Instant::now();
        signal(&run, name);
        let stopped = go_on(run).expect_exit(143);
        assert!(asked.elapsed() < Duration::from_secs(5), "{name} at {point}: gone after {:?}", asked.elapsed());
        let done = windows_done(&world);
        assert!((at_least..50).contains(&done), "{name} at {point}: {done} windows");
        assert_eq!(stopped.count("windows"), done, "{name} at {point}");
        let left = stopped.count("remaining");
        let rest = world.ingest(&["--window-records", "5"]).expect_exit(0);
        assert_eq!(rest.count("written"), left, "{name} at {point}");
        assert_eq!(world.end_state(2), expected, "{name} at {point}");
    }
}

/// A run whose look-up waits for the shop: it cannot look at signals meanwhile.
fn held_up(world: &World) -> (postgres::Client, Child) {
    let mut shop = world.postgres();
    shop.batch_execute("BEGIN; LOCK TABLE customers IN ACCESS EXCLUSIVE MODE").unwrap();
    let run = world.start_ingest(&[]);
    let mut observer = world.postgres();
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    wait_for("the look-up to wait", || observer.query_one(waiting, &[]).unwrap().get::<_, i64>(0) == 1);
    (shop, run)
}

#[test]
fn a_run_that_is_held_up_is_gone_in_time_all_the_same() {
    let world = world("held_up", 10, 1);
    let (shop, run) = held_up(&world);
    let asked = Instant::now();
    signal(&run, "TERM");
    let stopped = outcome(run).expect_exit(143);
    assert!(asked.elapsed() < Duration::from_secs(5), "gone after {:?}", asked.elapsed());
    assert!(stopped.error().contains("the next run finishes it"), "{stopped:?}");
    assert_eq!(windows_done(&world), 0);
    drop(shop);
    world.ingest(&[]).expect_exit(0);
    assert_eq!(world.end_state(1), reference("held_up", 10, 1, &[]));
}

#[test]
fn the_second_signal_ends_the_run_at_once() {
    let world = world("second_signal", 10, 1);
    let (shop, mut run) = held_up(&world);
    let asked = Instant::now();
    signal(&run, "TERM");
    wait_for("the run to end", || {
        signal(&run, "INT");
        run.try_wait().unwrap().is_some()
    });
    assert!(asked.elapsed() < Duration::from_secs(3), "gone after {:?}", asked.elapsed());
    outcome(run).expect_exit(143);
    drop(shop);
    world.ingest(&[]).expect_exit(0);
    assert_eq!(world.end_state(1), reference("second_signal", 10, 1, &[]));
}

#[test]
fn however_little_time_a_run_has_the_next_one_is_further() {
    let world = world("little_time", 30, 2);
    for done in 1..=6 {
        let run = world.ingest(&["--window-records", "5", "--max-duration", "0s"]).expect_exit(0);
        assert_eq!((run.count("windows"), run.count("remaining")), (1, 30 - 5 * done));
        for partition in 0..2 {
            assert_eq!(world.committed(partition).unwrap().1, "", "the plan is closed");
        }
    }
    assert_eq!(world.ingest(&["--max-duration", "0s"]).expect_exit(0).count("windows"), 0);
    let rows = "SELECT customer_id, company_name, _version FROM northwind_dw.dim_customers FINAL ORDER BY 1";
    let unhurried = self::world("little_time", 30, 2);
    unhurried.ingest(&[]).expect_exit(0);
    assert_eq!(world.clickhouse(rows), unhurried.clickhouse(rows));
}

#[test]
fn a_range_that_was_stopped_early_says_how_to_go_on() {
    let world = world("range_stopped", 60, 2);
    world.ingest(&["--window-records", "5"]).expect_exit(0);
    let before = world.end_state(2);
    let read_again = || world.number("SELECT sum(written) FROM northwind_ops.windows WHERE mode = 'range'");
    let run = world.ingest_frozen_at("ledger-written:2", &["--window-records", "5", "--from-beginning"]);
    signal(&run, "TERM");
    let mut last = go_on(run).expect_exit(143);
    let mut commands = 0;
    while let Some(next) = last.summary["next"].as_str() {
        let flags: Vec<&str> = next.split(' ').chain(["--window-records", "5", "--max-duration", "0s"]).collect();
        last = world.ingest(&flags).expect_exit(0);
        commands += 1;
    }
    assert!(commands > 1, "{last:?}");
    assert_eq!((last.count("remaining"), read_again()), (0, 60));
    world.clickhouse("ALTER TABLE northwind_ops.windows DELETE WHERE mode = 'range' SETTINGS mutations_sync = 1");
    assert_eq!(world.end_state(2), before);
}
