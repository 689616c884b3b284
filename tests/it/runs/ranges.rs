//! How much a run reads: shares of `--max-records`, shards, and ranges that somebody asks for explicitly.

use rdkafka::producer::{BaseRecord, Producer};

use crate::support::event::{KNOWN, customer, updates};
use crate::support::{Message, PATIENCE, World};

/// Updates number `numbers` of a partition; each partition has its own known customer.
fn updates_in(partition: i32, numbers: std::ops::Range<usize>) -> Vec<Message> {
    let own = &KNOWN[partition as usize..][..1];
    updates(own, "v", numbers).into_iter().map(|message| message.at(partition)).collect()
}

/// A topic with so many updates in each partition, nothing read.
fn with_updates(test: &str, counts: &[usize]) -> World {
    let world = World::with_topic(test, counts.len() as i32);
    let messages: Vec<Message> =
        (0..).zip(counts).flat_map(|(partition, count)| updates_in(partition, 0..*count)).collect();
    world.produce(&messages);
    world
}

/// One partition: five customers, two updates each, all read. `v0`–`v4`, then `v5`–`v9`.
fn with_history(test: &str) -> World {
    let world = World::with_topic(test, 1);
    world.produce(&updates(&KNOWN, "v", 0..10));
    assert_eq!(world.ingest(&[]).expect_exit(0).count("written"), 10);
    assert_eq!(world.customers(), NEWEST);
    world
}

const NEWEST: &str = "ALFKI\tv5\nANATR\tv6\nANTON\tv7\nAROUT\tv8\nBERGS\tv9\n";

/// What has been read of each partition so far, by the ledger; it must be what the group has committed.
fn read(world: &World, partitions: i32) -> Vec<i64> {
    let committed = |partition| world.committed(partition).map_or(0, |(offset, _)| offset);
    let committed: Vec<i64> = (0..partitions).map(committed).collect();
    for (partition, committed) in committed.iter().enumerate() {
        let sql = format!(
            "SELECT sum(end_offset - start_offset) FROM northwind_ops.windows WHERE partition = {partition} AND mode = 'plan'"
        );
        assert_eq!(world.number(&sql), *committed);
    }
    committed
}

fn windows_of_ranges(world: &World) -> String {
    world.clickhouse(
        "SELECT seq, start_offset, end_offset, written FROM northwind_ops.windows WHERE mode = 'range' ORDER BY seq",
    )
}

#[test]
fn max_records_are_read_exactly_and_the_next_runs_finish() {
    let world = with_updates("max_records", &[5000; 4]);
    for (written, after) in [(10_000, [2500; 4]), (10_000, [5000; 4]), (0, [5000; 4])] {
        let outcome = world.ingest(&["--max-records", "10000"]).expect_exit(0);
        assert_eq!((outcome.count("written"), read(&world, 4)), (written, after.to_vec()));
    }
    assert_eq!(world.customers(), "ALFKI\tv4999\nANATR\tv4999\nANTON\tv4999\nAROUT\tv4999\n");
}

#[test]
fn what_a_small_partition_does_not_need_goes_to_the_others() {
    let world = with_updates("uneven", &[100, 5000, 0, 5000]);
    for (written, after) in [(1000, [100, 450, 0, 450]), (9000, [100, 4950, 0, 4950]), (100, [100, 5000, 0, 5000])] {
        let budget = written.max(1000).to_string();
        let outcome = world.ingest(&["--max-records", &budget]).expect_exit(0);
        assert_eq!((outcome.count("written"), read(&world, 4)), (written, after.to_vec()));
    }
    // An odd remainder goes to whoever has more.
    world.produce(&updates_in(2, 0..10));
    assert_eq!(world.ingest(&["--max-records", "7"]).expect_exit(0).count("written"), 7);
    assert_eq!(read(&world, 4), [100, 5000, 7, 5000]);
}

#[test]
fn two_shards_together_read_everything_once() {
    let world = with_updates("shards", &[300, 200, 100, 50]);
    let shards = ["1/2", "2/2"].map(|shard| world.start_ingest(&["--shard", shard]));
    let written = shards.map(|shard| crate::support::outcome(shard).expect_exit(0).count("written"));
    assert_eq!(written, [400, 250]);
    assert_eq!(read(&world, 4), [300, 200, 100, 50]);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("windows"), 0, "nothing is left without shards");
    assert_eq!(world.customers(), "ALFKI\tv299\nANATR\tv199\nANTON\tv99\nAROUT\tv49\n");
}

/// Rows that somebody deleted in ClickHouse come back by `--offsets`, as often as it is run, and nobody else changes.
#[test]
fn a_row_deleted_behind_the_pipelines_back_returns_by_offsets() {
    let world = with_history("offsets");
    let committed = world.committed(0);
    for round in 1..=2 {
        world.clickhouse(
            "ALTER TABLE northwind_dw.dim_customers DELETE WHERE customer_id = 'ANTON' SETTINGS mutations_sync = 1",
        );
        assert!(!world.customers().contains("ANTON"));
        let outcome = world.ingest(&["--offsets", "0:7..8"]).expect_exit(0);
        assert_eq!((outcome.count("written"), outcome.count("remaining")), (1, 0));
        assert_eq!(outcome.summary["plan"]["mode"], "range");
        assert_eq!(world.customers(), NEWEST);
        let rows: String = (1..=round).map(|seq| format!("{seq}\t7\t8\t1\n")).collect();
        assert_eq!(windows_of_ranges(&world), rows);
    }
    assert_eq!(
        world.ingest(&["--offsets", "0:0..4", "--offsets", "0:2..6,0:9..10"]).expect_exit(0).count("written"),
        9
    );
    assert_eq!(world.customers(), NEWEST, "older events that are read again win over nothing");
    assert_eq!(world.committed(0), committed);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("windows"), 0);
}

#[test]
fn from_beginning_fills_an_emptied_table_and_does_not_move_the_group() {
    let world = with_history("from_beginning");
    world.produce(&updates_in(0, 10..12));
    let committed = world.committed(0);
    world.clickhouse("ALTER TABLE northwind_dw.dim_customers DELETE WHERE 1 SETTINGS mutations_sync = 1");
    let outcome = world.ingest(&["--from-beginning"]).expect_exit(0);
    assert_eq!(outcome.count("written"), 10, "up to the committed offset");
    assert_eq!(world.customers(), NEWEST);
    assert_eq!(windows_of_ranges(&world), "1\t0\t10\t10\n");
    assert_eq!(world.committed(0), committed);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("written"), 2, "what is new is still new");
}

#[test]
fn since_and_until_take_the_records_by_their_timestamps() {
    let world = World::with_topic("times", 1);
    let producer = crate::support::producer(&[]);
    for (i, id) in KNOWN.iter().enumerate() {
        let message = customer("u", id, &format!("v{i}"), 1000 + i as u64).message();
        let (key, value) = (message.key.unwrap(), message.value.unwrap());
        // 2026-01-01T10:00:00Z, one record per hour.
        let timestamp = 1_767_261_600_000 + i as i64 * 3_600_000;
        let record = BaseRecord::to(&world.topic).partition(0).key(&key).payload(&value).timestamp(timestamp);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
    let spans = |args: &[&str]| {
        let outcome = world.ingest(&[args, &["--dry-run"]].concat()).expect_exit(0);
        let spans = outcome.summary["plan"]["spans"].as_array().unwrap();
        spans.iter().map(|span| (span["start"].as_i64().unwrap(), span["end"].as_i64().unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(spans(&["--since", "2026-01-01T12:00:00Z"]), [(2, 5)]);
    assert_eq!(spans(&["--since", "2026-01-01T12:00:00.001Z"]), [(3, 5)]);
    assert_eq!(spans(&["--until", "2026-01-01T12:00:00Z"]), [(0, 2)], "until is exclusive");
    assert_eq!(
        spans(&["--since", "2026-01-01 11:00", "--until", "2026-01-01T15:00:00+02:00"]),
        [(1, 3)],
        "times are UTC"
    );
    assert_eq!(spans(&["--since", "2026-01-01"]), [(0, 5)]);
    assert_eq!(spans(&["--until", "2026-01-02"]), [(0, 5)]);
    assert_eq!(spans(&["--since", "2026-01-02"]), []);
    assert_eq!(spans(&["--until", "2026-01-01"]), []);
    assert_eq!(spans(&["--since", "2026-01-01T13:00:00Z", "--until", "2026-01-01T11:00:00Z"]), []);

    assert_eq!(world.customers(), "", "dry runs write nothing");
    let outcome = world.ingest(&["--since", "2026-01-01T12:00:00Z", "--until", "2026-01-01T14:00:00Z"]).expect_exit(0);
    assert_eq!(outcome.count("written"), 2);
    assert_eq!(world.customers(), "ANTON\tv2\nAROUT\tv3\n");
    assert_eq!((world.committed(0), windows_of_ranges(&world)), (None, "1\t2\t4\t2\n".to_owned()));
    assert_eq!(
        world.ingest(&[]).expect_exit(0).count("written"),
        5,
        "a range before the first run takes nothing from it"
    );
}

/// `--max-records` cuts a range; the summary has the flags that read the rest, until nothing is left.
#[test]
fn a_range_that_is_cut_says_how_to_go_on() {
    let world = with_updates("next", &[10, 4]);
    let mut flags = vec!["--offsets".to_owned(), "0:0..10,1:0..4".to_owned()];
    let mut seen = Vec::new();
    loop {
        let args: Vec<&str> = flags.iter().map(String::as_str).collect();
        let outcome = world.ingest(&[&args[..], &["--max-records", "6"]].concat()).expect_exit(0);
        seen.push((
            outcome.count("written"),
            outcome.count("remaining"),
            outcome.summary["next"].as_str().map(str::to_owned),
        ));
        let Some(next) = outcome.summary["next"].as_str() else { break };
        flags = next.split(' ').map(str::to_owned).collect();
    }
    let next = |text: &str| Some(text.to_owned());
    assert_eq!(seen, [(6, 8, next("--offsets 0:3..10,1:3..4")), (6, 2, next("--offsets 0:8..10")), (2, 0, None)]);
    assert_eq!(world.customers(), "ALFKI\tv9\nANATR\tv3\n");
    assert_eq!(world.committed(0), None);
    assert_eq!(windows_of_ranges(&world).lines().count(), 5);
}

/// The same when time runs out after the first window; what was cut off joins what was not read.
#[test]
fn a_range_that_ran_out_of_time_says_how_to_go_on() {
    let world = with_updates("next_time", &[10, 4]);
    let limits = ["--max-records", "12", "--max-duration", "0s", "--window-records", "3"];
    let outcome = world.ingest(&[&["--offsets", "0:0..10,1:0..4"], &limits[..]].concat()).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("remaining")), (3, 11));
    assert_eq!(outcome.summary["next"], "--offsets 0:3..10,1:0..4");
}

#[test]
fn a_range_outside_of_the_log_is_refused() {
    let world = with_history("outside");
    let outcome = world.ingest(&["--offsets", "0:5..11"]).expect_exit(78);
    assert_eq!(outcome.error(), format!("--offsets 0:5..11: the log of {}, partition 0 holds 0..10", world.topic));
    let outcome = world.ingest(&["--offsets", "3:0..1"]).expect_exit(2);
    assert_eq!(outcome.error(), format!("--offsets 3:0..1: {} has no partition 3 here (it has [0])", world.topic));
    assert_eq!(windows_of_ranges(&world), "");
}

#[test]
fn wrong_flags_are_exit_code_2_and_say_what_is_right() {
    let world = World::new("flags");
    for (args, why) in [
        (&["--offsets", "0:9..5"][..], "\"0:9..5\" is not PARTITION:START..END with START < END, as in 0:100..200"),
        (&["--offsets", "banana"], "is not PARTITION:START..END"),
        (&["--shard", "3/2"], "\"3/2\" is not a shard: use I/N with 1 ≤ I ≤ N, as in 1/2"),
        (
            &["--since", "yesterday"],
            "\"yesterday\" is not a time: use 2026-01-31T08:00:00Z, 2026-01-31, or 15m, 2h, 1d (ago)",
        ),
        (&["--max-records", "0"], "invalid value '0' for '--max-records <N>'"),
        (&["--max-duration", "10"], "\"10\" is not a duration: use 90s, 10m, 1h or 30d"),
        (&["--max-reject-ratio", "1.5"], "\"1.5\" is not between 0 and 1"),
        (&["--resume-from", "yesterday"], "possible values: ledger, committed, log-start, log-end"),
        (&["--from-beginning", "--since", "2h"], "cannot be used with"),
        (&["--offsets", "0:1..2", "--until", "2h"], "cannot be used with"),
        (
            &["--resume-from", "ledger", "--offsets", "0:1..2"],
            "--resume-from moves the group; an explicit range does not: use one of them",
        ),
    ] {
        let outcome = world.ingest(args).expect_exit(2);
        assert!(outcome.log.contains(why), "{args:?}: {}", outcome.log);
    }
}
