//! Where a run goes on, when the consumer group and the ledger agree, when one of them is lost, and when they disagree.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::support::event::{KNOWN, updates};
use crate::support::{World, kafka_servers};

const CHOICES: &str = "Nothing was read. Decide where to go on: --resume-from ledger (where the warehouse stands), committed \
     (where the group stands), log-start (all that is there), or log-end (skip it, then SELECT northwind_cdc.send_again('public.customers') in the source)";

/// dim_customers after the updates with these numbers, one per known customer.
fn names(numbers: [usize; 5]) -> String {
    KNOWN.iter().zip(numbers).map(|(id, i)| format!("{id}\tv{i}\n")).collect()
}

/// What somebody else's consumer does.
fn commit_by_hand(world: &World, offset: i64, metadata: &str) {
    let consumer: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", kafka_servers()).set("group.id", &world.group).create().unwrap();
    let mut list = TopicPartitionList::new();
    let mut element = list.add_partition(&world.topic, 0);
    element.set_offset(Offset::Offset(offset)).unwrap();
    element.set_metadata(metadata);
    consumer.commit(&list, CommitMode::Sync).unwrap();
}

/// What retention does: the log starts at `offset`.
fn delete_records_before(world: &World, offset: i64) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", kafka_servers()).create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&world.topic, 0, Offset::Offset(offset)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(admin.delete_records(&list, &AdminOptions::new())).unwrap();
    crate::support::wait_for("the records to be gone", || {
        admin.inner().fetch_watermarks(&world.topic, 0, Duration::from_secs(5)).unwrap().0 == offset
    });
}

fn ledger(world: &World) -> String {
    world.clickhouse(
        "SELECT mode, seq, generation, start_offset, end_offset, reason FROM northwind_ops.windows
         WHERE mode != 'range' ORDER BY partition, seq",
    )
}

/// A stop: exit code 78, this reason with all the choices, and nothing moved.
#[track_caller]
fn expect_stop(world: &World, why: &str) {
    let before = world.end_state(1);
    let outcome = world.ingest(&[]).expect_exit(78);
    assert_eq!(outcome.error(), format!("{} (group {}): partition 0: {why}. {CHOICES}", world.topic, world.group));
    assert!(outcome.log.contains(outcome.error()), "{}", outcome.log);
    assert_eq!(outcome.summary["status"], "needs-person");
    assert_eq!(world.end_state(1), before);
}

#[test]
fn records_that_retention_deleted_before_they_were_read_are_a_stop() {
    let world = World::with_topic("retention", 1);
    world.produce(&updates(&KNOWN, "v", 0..10));
    assert_eq!(world.ingest(&[]).expect_exit(0).count("written"), 10);
    world.produce(&updates(&KNOWN, "v", 10..20));
    delete_records_before(&world, 15);
    let why = "the next offset is 10, but the log starts at 15: retention has deleted 5 offsets that were never read";
    expect_stop(&world, why);

    for choice in ["ledger", "committed"] {
        let outcome = world.ingest(&["--resume-from", choice]).expect_exit(78);
        assert_eq!(
            outcome.error(),
            format!(
                "{}, partition 0: --resume-from {choice} is not possible: it says 10; the log holds 15..20: choose log-start or log-end",
                world.topic
            )
        );
    }
    let outcome = world.ingest(&["--resume-from", "log-start"]).expect_exit(0);
    assert_eq!(outcome.count("written"), 5);
    assert_eq!(world.customers(), names([15, 16, 17, 18, 19]));
    assert_eq!(world.committed(0), Some((20, String::new())));
    assert_eq!(
        ledger(&world),
        format!("origin\t1\t1\t0\t0\t\nplan\t2\t1\t0\t10\t\nreset\t3\t1\t10\t15\t{why}\nplan\t4\t1\t15\t20\t\n")
    );
    assert_eq!(world.ingest(&[]).expect_exit(0).count("windows"), 0);
}

#[test]
fn log_end_skips_what_is_there() {
    let world = World::with_topic("log_end", 1);
    world.produce(&updates(&KNOWN, "v", 0..10));
    world.ingest(&[]).expect_exit(0);
    world.produce(&updates(&KNOWN, "v", 10..20));
    delete_records_before(&world, 15);
    let outcome = world.ingest(&["--resume-from", "log-end"]).expect_exit(0);
    assert_eq!(outcome.count("windows"), 0);
    assert_eq!(world.committed(0), Some((20, String::new())));
    world.produce(&updates(&KNOWN, "v", 20..21));
    assert_eq!(world.ingest(&[]).expect_exit(0).count("written"), 1);
    assert_eq!(world.customers(), names([20, 6, 7, 8, 9]));
}

#[test]
fn expired_group_offsets_go_on_where_the_ledger_ends() {
    let world = World::with_topic("expired", 1);
    world.produce(&updates(&KNOWN, "v", 0..10));
    world.ingest(&[]).expect_exit(0);
    world.delete_group();
    assert_eq!(world.committed(0), None);
    world.produce(&updates(&KNOWN, "v", 10..13));
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!(outcome.count("written"), 3, "nothing twice");
    assert_eq!(ledger(&world), "origin\t1\t1\t0\t0\t\nplan\t2\t1\t0\t10\t\nplan\t3\t1\t10\t13\t\n");
    assert_eq!(world.committed(0), Some((13, String::new())));
    assert_eq!(world.customers(), names([10, 11, 12, 8, 9]));
}

#[test]
fn group_offsets_moved_by_hand_are_a_stop() {
    let world = World::with_topic("moved", 1);
    world.produce(&updates(&KNOWN, "v", 0..10));
    world.ingest(&[]).expect_exit(0);
    let written = |choice: &str| {
        let outcome = world.ingest(&["--resume-from", choice]).expect_exit(0);
        outcome.count("written")
    };

    commit_by_hand(&world, 4, "");
    expect_stop(&world, "the group has committed offset 4, the ledger ends at 10");
    assert_eq!(written("ledger"), 0);
    assert_eq!(world.committed(0), Some((10, String::new())));
    commit_by_hand(&world, 4, "");
    assert_eq!(written("committed"), 6, "offsets 4..10 once more");
    assert_eq!(world.customers(), names([5, 6, 7, 8, 9]));

    world.produce(&updates(&KNOWN, "v", 10..15));
    commit_by_hand(&world, 12, "");
    expect_stop(&world, "the group has committed offset 12, the ledger ends at 10");
    assert_eq!(written("ledger"), 5);
    assert_eq!(world.customers(), names([10, 11, 12, 13, 14]));
    world.produce(&updates(&KNOWN, "v", 15..20));
    commit_by_hand(&world, 18, "");
    assert_eq!(written("committed"), 2, "a person's decision: 15..18 are skipped");
    assert_eq!(world.customers(), names([10, 11, 12, 18, 19]));

    commit_by_hand(&world, 99, "");
    let outcome = world.ingest(&["--resume-from", "committed"]).expect_exit(78);
    let why = "--resume-from committed is not possible: it says 99; the log holds 0..20: choose log-start or log-end";
    assert_eq!(outcome.error(), format!("{}, partition 0: {why}", world.topic));
    assert_eq!(written("ledger"), 0);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("windows"), 0);
}

/// Rows that somebody deleted come back when a person sends the group back: their insert is not taken for a repeated one.
#[test]
fn a_group_sent_back_by_hand_restores_rows_that_are_gone() {
    let world = World::with_topic("sent_back", 1);
    world.produce(&updates(&KNOWN, "v", 0..5));
    world.ingest(&[]).expect_exit(0);
    world.clickhouse("ALTER TABLE northwind_dw.dim_customers DELETE WHERE 1 SETTINGS mutations_sync = 1");
    assert_eq!(world.customers(), "");
    commit_by_hand(&world, 0, "");
    assert_eq!(world.ingest(&["--resume-from", "committed"]).expect_exit(0).count("written"), 5);
    assert_eq!(world.customers(), names([0, 1, 2, 3, 4]));
}

#[test]
fn a_lost_clickhouse_is_a_stop_and_log_start_fills_it_again() {
    let world = World::with_topic("lost_clickhouse", 1);
    world.produce(&updates(&KNOWN, "v", 0..10));
    world.ingest(&[]).expect_exit(0);
    let full = world.customers();
    for database in [&world.dw, &world.ops] {
        crate::support::clickhouse(&format!("DROP DATABASE {database} SYNC"));
    }
    world.run("migrate", &[]).expect_exit(0);
    expect_stop(&world, "the group has committed offset 10, but the ledger has no row of it");
    let outcome = world.ingest(&["--resume-from", "ledger"]).expect_exit(78);
    assert!(
        outcome.error().ends_with("there is no such offset; the log holds 0..10: choose log-start or log-end"),
        "{outcome:?}"
    );
    assert_eq!(world.ingest(&["--resume-from", "log-start"]).expect_exit(0).count("written"), 10);
    assert_eq!(world.customers(), full);
}

#[test]
fn a_lost_ledger_alone_is_a_stop_and_committed_goes_on() {
    let world = World::with_topic("lost_ledger", 1);
    world.produce(&updates(&KNOWN, "v", 0..10));
    world.ingest(&[]).expect_exit(0);
    world.clickhouse("TRUNCATE TABLE northwind_ops.windows");
    world.produce(&updates(&KNOWN, "v", 10..12));
    expect_stop(&world, "the group has committed offset 10, but the ledger has no row of it");
    assert_eq!(world.ingest(&["--resume-from", "committed"]).expect_exit(0).count("written"), 2);
    assert_eq!(world.customers(), names([10, 11, 7, 8, 9]));
    assert_eq!(world.ingest(&[]).expect_exit(0).count("windows"), 0);
}

#[test]
fn a_broker_that_lost_records_is_a_stop() {
    let world = World::with_topic("lost_records", 1);
    world.produce(&updates(&KNOWN, "v", 0..10));
    world.ingest(&[]).expect_exit(0);
    world.clickhouse(
        "INSERT INTO northwind_ops.windows
         SELECT * REPLACE (toUInt64(3) AS seq, 10 AS start_offset, 30 AS end_offset)
         FROM (SELECT * FROM northwind_ops.windows WHERE mode = 'plan')",
    );
    commit_by_hand(&world, 30, "");
    expect_stop(&world, "the next offset is 30, but the log ends at 10: the broker has lost records");
    assert_eq!(world.ingest(&["--resume-from", "log-start"]).expect_exit(0).count("written"), 10);
    assert_eq!(world.customers(), names([5, 6, 7, 8, 9]));
}

#[test]
fn another_programs_metadata_in_the_commit_is_a_stop() {
    for (i, metadata) in ["consumer-7", r#"{"v":2,"end":10,"run":"from the future"}"#].into_iter().enumerate() {
        let world = World::with_topic(&format!("foreign_{i}"), 1);
        world.produce(&updates(&KNOWN, "v", 0..10));
        world.ingest(&[]).expect_exit(0);
        commit_by_hand(&world, 5, metadata);
        expect_stop(
            &world,
            &format!(
                "the commit's metadata {metadata:?} is not a plan of this pipeline: another program uses this consumer group, \
                 and should have a group of its own"
            ),
        );
        assert_eq!(world.ingest(&["--resume-from", "ledger"]).expect_exit(0).count("written"), 0);
        assert_eq!(world.committed(0), Some((10, String::new())));
        assert_eq!(world.ingest(&[]).expect_exit(0).count("windows"), 0);
    }
}

/// The next run finishes the range that was planned, neither more nor less, whatever flags it gets.
#[test]
fn an_open_plan_is_finished_exactly_as_planned() {
    let world = World::with_topic("open_plan", 1);
    world.produce(&updates(&KNOWN, "v", 0..10));
    world.kill_at("plan-committed", &["--max-records", "7"]);
    let (at, mark) = world.committed(0).unwrap();
    assert_eq!((at, mark.contains(r#""v":1,"end":7,"#)), (0, true), "{mark}");
    world.produce(&updates(&KNOWN, "v", 10..20));
    assert_eq!(world.ingest(&["--max-records", "1000"]).expect_exit(0).count("written"), 7);
    assert_eq!(world.committed(0), Some((7, String::new())));
    assert_eq!(world.ingest(&[]).expect_exit(0).count("written"), 13);
}

/// A plan that is open when its group is moved is not continued.
#[test]
fn a_moved_group_with_an_open_plan_is_a_stop() {
    let world = World::with_topic("moved_open", 1);
    world.produce(&updates(&KNOWN, "v", 0..10));
    world.kill_at("ledger-written", &["--window-records", "4"]);
    let (_, mark) = world.committed(0).unwrap();
    commit_by_hand(&world, 6, &mark);
    expect_stop(&world, "the group has committed offset 6 with a plan open to 10, the ledger ends at 4");
    assert_eq!(world.ingest(&["--resume-from", "ledger"]).expect_exit(0).count("written"), 6);
    assert_eq!(world.customers(), names([5, 6, 7, 8, 9]));
}

/// A crash inside of the reset leaves a stop, and the same command does it again.
#[test]
fn a_killed_reset_can_be_repeated() {
    let world = World::with_topic("killed_reset", 1);
    world.produce(&updates(&KNOWN, "v", 0..10));
    world.ingest(&[]).expect_exit(0);
    commit_by_hand(&world, 4, "");
    world.kill_at("reset-written", &["--resume-from", "log-start"]);
    expect_stop(&world, "the group has committed offset 4, the ledger ends at 0");
    assert_eq!(world.ingest(&["--resume-from", "log-start"]).expect_exit(0).count("written"), 10);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("windows"), 0);
}

/// Streams of the ledger are numbered per table: another table's job by mistake on this topic and group does not take this one's place for its own.
#[test]
fn rows_of_another_tables_job_are_not_this_ones_place() {
    let world = World::with_topic("resume_other_table", 1);
    world.produce(&updates(&KNOWN, "v", 0..5));
    world.ingest(&[]).expect_exit(0);
    world.produce(&updates(&KNOWN, "v", 5..10));
    let here = ["--topic", &world.topic, "--group", &world.group];
    let mistaken = world.run_bare("ingest-region", &here).expect_exit(78);
    assert!(mistaken.error().contains("committed offset 5, but the ledger has no row of it"), "{}", mistaken.error());
    assert_eq!(world.number("SELECT count() FROM northwind_ops.windows WHERE source = 'region'"), 0);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("written"), 5);
    assert_eq!(world.customers(), names([5, 6, 7, 8, 9]));
}
