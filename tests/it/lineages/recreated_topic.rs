//! The topic is not the one it was: deleted, made anew, or with more partitions.

use crate::support::event::{customer, delete};
use crate::support::{Outcome, World};

fn ledger(world: &World) -> String {
    world.clickhouse(
        "SELECT partition, mode, seq, generation, start_offset, end_offset, partitions FROM northwind_ops.windows ORDER BY partition, seq",
    )
}

fn expect_stop(world: &World, why: &str) -> Outcome {
    let outcome = world.ingest(&[]).expect_exit(78);
    assert!(outcome.error().contains(why), "{outcome:?}");
    outcome
}

const RECREATED: &str = "the topic is not the one that the ledger knows: it was deleted and recreated, or partitions were added and keys have moved";

#[test]
fn a_recreated_topic_is_a_stop_and_then_its_rows_win_though_their_offsets_are_lower() {
    let world = World::with_topic("recreated", 1);
    let old: Vec<_> = (0..20)
        .map(|i| customer("u", ["ALFKI", "ANATR", "ANTON"][i % 3], &format!("old {i}"), 90_000 + i as u64).message())
        .collect();
    world.produce(&old);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("written"), 20);
    world.delete_topic();
    world.create_topic(1, &[]);
    world.produce(&[
        customer("r", "ALFKI", "new", 500).message(),
        customer("r", "AROUT", "new", 500).message(),
        delete("ANTON", 501).message(),
    ]);
    crate::support::wait_for("the group's offsets to go with the topic", || world.committed(0).is_none());
    let before = world.end_state(1);
    expect_stop(&world, &format!("partition 0: {RECREATED}. Nothing was read."));
    for choice in ["ledger", "committed"] {
        let outcome = world.ingest(&["--resume-from", choice]).expect_exit(78);
        let why = format!(
            "--resume-from {choice} is not possible: there is no such offset; the log holds 0..3: choose log-start or log-end"
        );
        assert_eq!(outcome.error(), format!("{}, partition 0: {why}", world.topic));
    }
    let outcome = world.ingest(&["--offsets", "0:0..2"]).expect_exit(78);
    assert!(
        outcome.error().contains("run the job once with --resume-from log-start before reading explicit ranges"),
        "{outcome:?}"
    );
    assert_eq!(world.end_state(1), before, "nothing moved");

    let outcome = world.ingest(&["--resume-from", "log-start"]).expect_exit(0);
    assert_eq!(outcome.count("written"), 3);
    assert_eq!(outcome.summary["plan"]["generation"], 2);
    assert_eq!(world.customers(), "ALFKI\tnew\nANATR\told 19\nAROUT\tnew\n");
    // Two topic ids, each with its own rows; the sequence runs on.
    assert_eq!(
        ledger(&world),
        "0\torigin\t1\t1\t0\t0\t1\n0\tplan\t2\t1\t0\t20\t1\n0\treset\t3\t2\t20\t0\t1\n0\tplan\t4\t2\t0\t3\t1\n"
    );
    assert_eq!(
        world.clickhouse("SELECT reason FROM northwind_ops.windows WHERE mode = 'reset'"),
        format!("{RECREATED}\n")
    );
    assert_eq!(world.number("SELECT uniq(topic_id) FROM northwind_ops.windows"), 2);
    // It goes on without the flag, also for keys that only the old topic had.
    world.produce(&[customer("u", "ANATR", "newer", 502).message()]);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("written"), 1);
    assert_eq!(world.customers(), "ALFKI\tnew\nANATR\tnewer\nAROUT\tnew\n");
    world.ingest(&["--from-beginning"]).expect_exit(0);
    assert_eq!(world.customers(), "ALFKI\tnew\nANATR\tnewer\nAROUT\tnew\n");
}

#[test]
fn a_recreated_topic_is_accepted_shard_by_shard() {
    let world = World::with_topic("recreated_shards", 2);
    let both =
        |name: &str| [customer("u", "ALFKI", name, 10).message(), customer("u", "ANATR", name, 11).at(1).message()];
    world.produce(&both("old"));
    world.ingest(&[]).expect_exit(0);
    world.delete_topic();
    world.create_topic(2, &[]);
    world.produce(&both("new"));
    for shard in ["1/2", "2/2"] {
        let outcome = world.ingest(&["--resume-from", "log-start", "--shard", shard]).expect_exit(0);
        assert_eq!((outcome.count("written"), outcome.summary["plan"]["generation"].as_i64()), (1, Some(2)));
    }
    assert_eq!(world.customers(), "ALFKI\tnew\nANATR\tnew\n");
    assert_eq!(world.ingest(&[]).expect_exit(0).count("windows"), 0);
}

#[test]
fn a_deleted_topic_is_a_stop() {
    let world = World::with_topic("deleted", 1);
    world.produce(&[customer("u", "ALFKI", "v1", 10).message()]);
    world.ingest(&[]).expect_exit(0);
    world.delete_topic();
    for args in [&[][..], &["--resume-from", "log-start"], &["--from-beginning"]] {
        let outcome = world.ingest(args).expect_exit(78);
        assert_eq!(
            outcome.error(),
            format!(
                "topic {} does not exist, but the ledger has read it before: it was deleted, or --kafka points at another cluster; \
                 when it is there again, choose --resume-from log-start",
                world.topic
            )
        );
    }
    assert_eq!(world.customers(), "ALFKI\tv1\n");
}

#[test]
fn a_topic_that_was_never_there_is_nothing_to_do() {
    let world = World::new("no_topic");
    let outcome = world.ingest(&[]).expect_exit(0);
    assert!(outcome.log.contains("does not exist yet: nothing to do"), "{}", outcome.log);
    world.ingest(&["--skip-empty"]).expect_exit(99);
}

/// Two partitions with a row each; then two more, to which ALFKI has moved.
fn with_more_partitions(test: &str) -> World {
    let world = World::with_topic(test, 2);
    world.produce(&[
        customer("u", "ALFKI", "v1", 10).message(),
        customer("u", "ALFKI", "v2", 11).message(),
        customer("u", "ANATR", "v1", 12).at(1).message(),
    ]);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("written"), 3);
    world.add_partitions(4);
    world.produce(&[
        customer("u", "ALFKI", "v3", 20).at(2).message(),
        customer("u", "ANTON", "v1", 21).at(3).message(),
        customer("u", "ANATR", "v2", 22).at(1).message(),
    ]);
    world
}

#[test]
fn added_partitions_are_a_stop_and_with_ledger_the_moved_keys_newest_rows_win() {
    let world = with_more_partitions("partitions_ledger");
    let outcome = expect_stop(
        &world,
        "partitions 0, 1: the topic has 4 partitions and had 2: keys have moved between partitions",
    );
    assert!(outcome.error().contains("; partitions 2, 3: the topic is not the one"), "{outcome:?}");
    assert_eq!(outcome.error().matches("keys have moved").count(), 2, "each reason once: {outcome:?}");
    expect_stop(&world, "--resume-from ledger");
    let outcome = world.ingest(&["--resume-from", "ledger"]).expect_exit(0);
    assert_eq!(outcome.count("written"), 3, "the new partitions from their start, the others from the ledger's end");
    assert_eq!(world.customers(), "ALFKI\tv3\nANATR\tv2\nANTON\tv1\n");
    assert_eq!(
        ledger(&world),
        "0\torigin\t1\t1\t0\t0\t2\n0\tplan\t2\t1\t0\t2\t2\n0\treset\t3\t2\t2\t2\t4\n\
         1\torigin\t1\t1\t0\t0\t2\n1\tplan\t2\t1\t0\t1\t2\n1\treset\t3\t2\t1\t1\t4\n1\tplan\t4\t1\t1\t2\t4\n\
         2\treset\t1\t2\t0\t0\t4\n2\tplan\t2\t2\t0\t1\t4\n3\treset\t1\t2\t0\t0\t4\n3\tplan\t2\t2\t0\t1\t4\n"
    );
    assert_eq!(world.ingest(&[]).expect_exit(0).count("windows"), 0);
}

/// ALFKI has moved, and nobody could tell v2 from v3 by their offsets: v2 keeps its lower number.
#[test]
fn added_partitions_with_log_start_are_read_again_in_their_order() {
    let world = with_more_partitions("partitions_log_start");
    let outcome = world.ingest(&["--resume-from", "log-start"]).expect_exit(0);
    assert_eq!(outcome.count("written"), 6);
    assert_eq!(world.customers(), "ALFKI\tv3\nANATR\tv2\nANTON\tv1\n");
    world
        .produce(&[customer("u", "ALFKI", "v4", 30).at(2).message(), customer("u", "ALFKI", "v5", 31).at(2).message()]);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("written"), 2);
    assert_eq!(world.number("SELECT count() FROM northwind_dw.dim_customers FINAL WHERE company_name = 'v5'"), 1);
}
