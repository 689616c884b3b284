//! A run ends although there is nothing to read: no topic, no records, or offsets without a record.

use crate::support::event::{customer, tombstone};
use crate::support::{Message, PATIENCE, World, producer, send, wait_for};
use rdkafka::producer::{BaseProducer, Producer};
use serde_json::{Value, json};

const ORIGIN: &str = "0\torigin\t1\t0..0\t0\t0\t0\t0\t0\n";

#[test]
fn an_empty_topic_is_nothing_to_do() {
    let world = World::with_topic("empty_topic", 1);
    for _ in 0..2 {
        let outcome = world.ingest(&[]).expect_exit(0);
        assert_eq!((outcome.count("written"), outcome.count("windows")), (0, 0));
        world.ingest(&["--skip-empty"]).expect_exit(99);
    }
    assert_eq!(world.ledger(), ORIGIN);
    let runs = "SELECT status, exit_code, count() FROM northwind_ops.runs FINAL GROUP BY ALL ORDER BY exit_code";
    assert_eq!(world.clickhouse(runs), "done\t0\t2\nnothing-to-do\t99\t2\n");
    // What comes later is new.
    world.produce(&[customer("c", "ALFKI", "first", 1).message()]);
    assert_eq!(world.ingest(&["--skip-empty"]).expect_exit(0).count("written"), 1);
    world.ingest(&["--skip-empty"]).expect_exit(99);
}

/// Debezium makes a topic with a table's first event: a table without rows has none.
#[test]
fn a_topic_that_does_not_exist_is_nothing_to_do() {
    let world = World::new("no_topic");
    let outcome = world.ingest(&[]).expect_exit(0);
    assert!(outcome.log.contains("does not exist yet"), "{}", outcome.log);
    assert_eq!(outcome.count("written"), 0);
    world.ingest(&["--skip-empty"]).expect_exit(99);
    assert_eq!(world.ledger(), "");
    // Asking did not make it.
    world.create_topic(1, &[]);
    world.produce(&[customer("c", "ALFKI", "first", 1).message()]);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("written"), 1);
}

fn transactional(world: &World) -> BaseProducer {
    let producer = producer(&[("transactional.id", &world.name)]);
    producer.init_transactions(PATIENCE).unwrap();
    producer
}

/// Sends the messages in a transaction of their own and waits until its marker is in the log.
fn transaction(world: &World, producer: &BaseProducer, messages: &[Message], commit: bool) {
    let end = world.log_end(0) + messages.len() as i64 + 1;
    producer.begin_transaction().unwrap();
    messages.iter().for_each(|message| send(producer, &world.topic, message));
    producer.flush(PATIENCE).unwrap();
    if commit {
        producer.commit_transaction(PATIENCE).unwrap();
    } else {
        producer.abort_transaction(PATIENCE).unwrap();
    }
    wait_for("the transaction's marker", || world.log_end(0) == end);
}

fn a_committed_and_two_aborted_transactions(world: &World) {
    let producer = transactional(world);
    let update = |id: &str, name: &str| customer("u", id, name, 10).message();
    transaction(world, &producer, &[update("ALFKI", "aborted"), update("ANATR", "aborted")], false); // 0..3
    transaction(world, &producer, &[update("ALFKI", "committed"), update("ANATR", "committed")], true); // 3..6
    transaction(world, &producer, &[update("ANTON", "aborted")], false); // 6..8
}

#[test]
fn markers_and_aborted_records_at_the_end_of_the_log_are_gaps() {
    let world = World::with_topic("transactions", 1);
    a_committed_and_two_aborted_transactions(&world);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("gaps"), outcome.count("rejected")), (2, 6, 0));
    assert_eq!(world.customers(), "ALFKI\tcommitted\nANATR\tcommitted\n");
    assert_eq!(world.ledger(), format!("{ORIGIN}0\tplan\t2\t0..8\t2\t0\t0\t0\t6\n"));
    assert_eq!(world.committed(0), Some((8, String::new())));
    // Not only how many: where, and what they may be.
    assert_eq!(outcome.summary["gap_spans"], json!(["0:0..3", "0:5..8"]));
    assert_eq!(world.clickhouse("SELECT gap_spans FROM northwind_ops.windows WHERE gaps > 0"), "[(0,3),(5,8)]\n");
    assert!(outcome.log.contains("WARN") && outcome.log.contains("cleanup.policy=delete takes nothing"), "{outcome:?}");
    let observed = observed_gaps(&world);
    for part in [&*world.topic, "6 offsets", "(0:0..3, 0:5..8)", "exactly.once.source.support", "check-reconcile"] {
        assert!(observed.contains(part), "{part}: {observed}");
    }
    assert!(
        observed.contains("goes on for as long as Connect writes") && observed.contains("gaps = \"off\""),
        "{observed}"
    );
    world.ingest(&["--skip-empty"]).expect_exit(99);
}

/// The problem that `observe` tells of gaps, or nothing.
fn observed_gaps(world: &World) -> String {
    let look = world.run("observe", &["--table", "customers", "--prefix", &world.name]);
    let problems = look.summary["problems"].as_array().unwrap().iter().filter_map(Value::as_str);
    problems.filter(|problem| problem.contains("no record")).collect()
}

#[test]
fn gaps_may_stop_a_run() {
    let world = World::with_topic("gaps_stop", 1);
    a_committed_and_two_aborted_transactions(&world);
    world.produce(&[customer("u", "ANTON", "after them", 10).message()]);
    let stopped = world.ingest(&["--on-gaps", "stop"]).expect_exit(78);
    stopped.error_says(&[&*world.topic, "0:0..3", "cleanup.policy=delete", "--on-gaps warn"]);
    assert_eq!((world.ledger(), world.customers()), (ORIGIN.to_owned(), String::new()), "nothing of it counts");
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("gaps")), (3, 6));
    world.produce(&[customer("u", "ANTON", "no gap", 10).message()]);
    assert_eq!(world.ingest(&["--on-gaps", "stop"]).expect_exit(0).count("written"), 1);
}

#[test]
fn gaps_between_small_windows_are_counted_once() {
    let world = World::with_topic("small_windows", 1);
    a_committed_and_two_aborted_transactions(&world);
    let outcome = world.ingest(&["--window-records", "1"]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("gaps")), (2, 6));
    let windows = "0\tplan\t2\t0..4\t1\t0\t0\t0\t3\n0\tplan\t3\t4..5\t1\t0\t0\t0\t0\n0\tplan\t4\t5..8\t0\t0\t0\t0\t3\n";
    assert_eq!(world.ledger(), format!("{ORIGIN}{windows}"));
}

/// A plan that ends inside aborted records, and one that holds nothing else.
#[test]
fn a_plan_of_gaps_alone_ends() {
    let world = World::with_topic("only_gaps", 1);
    let producer = transactional(&world);
    let records: Vec<Message> = (0..5).map(|i| customer("u", "ALFKI", "aborted", i).message()).collect();
    transaction(&world, &producer, &records, false);
    let outcome = world.ingest(&["--max-records", "3"]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("gaps")), (0, 3));
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("gaps")), (0, 3));
    assert_eq!(world.ledger(), format!("{ORIGIN}0\tplan\t2\t0..3\t0\t0\t0\t0\t3\n0\tplan\t3\t3..6\t0\t0\t0\t0\t3\n"));
    world.ingest(&["--skip-empty"]).expect_exit(99);
}

#[test]
fn records_of_an_open_transaction_wait_for_its_end() {
    let world = World::with_topic("open_transaction", 1);
    world.produce(&[customer("c", "ALFKI", "plain", 1).message()]);
    let producer = transactional(&world);
    producer.begin_transaction().unwrap();
    send(&producer, &world.topic, &customer("c", "ANATR", "in a transaction", 2).message());
    producer.flush(PATIENCE).unwrap();
    world.produce(&[customer("c", "ANTON", "behind it", 3).message()]);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("written"), 1);
    assert_eq!(world.committed(0), Some((1, String::new())));

    producer.commit_transaction(PATIENCE).unwrap();
    wait_for("the transaction's marker", || world.log_end(0) == 4);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("gaps")), (2, 1));
    assert_eq!(world.customers(), "ALFKI\tplain\nANATR\tin a transaction\nANTON\tbehind it\n");
}

/// Compaction takes records away in the middle of the log, and never the newest one of a key.
#[test]
fn records_that_compaction_has_removed_are_gaps() {
    let world = World::new("compacted");
    let often = [("segment.ms", "100"), ("min.cleanable.dirty.ratio", "0.0001"), ("delete.retention.ms", "0")];
    world.create_topic(1, &[&[("cleanup.policy", "compact"), ("max.compaction.lag.ms", "1000")], &often[..]].concat());
    let updates: Vec<Message> = (0..10).map(|i| customer("u", "ALFKI", &i.to_string(), i).message()).collect();
    world.produce(&updates);
    // The segment that is written to is never compacted: a record after 100 ms begins a new one.
    wait_for("compaction", || {
        world.produce(&[tombstone(0, "BERGS")]);
        records(&world)[0] > 0
    });
    let end = world.log_end(0);
    let before = records(&world).len() as i64;
    let outcome = world.ingest(&[]).expect_exit(0);
    // The cleaner may have come by once more.
    let after = records(&world).len() as i64;
    assert_eq!((outcome.count("written"), world.customers()), (1, "ALFKI\t9\n".to_owned()));
    let read = outcome.count("written") + outcome.count("tombstones");
    assert!((after..=before).contains(&read), "{after} ≤ {read} ≤ {before}");
    assert_eq!((read + outcome.count("gaps"), outcome.count("rejected")), (end, 0));
    assert_eq!(world.committed(0), Some((end, String::new())));
    assert!(!outcome.log.contains("WARN"), "that is what the topic is for: {}", outcome.log);
    assert!(outcome.log.contains("cleanup.policy=compact: compaction takes away"), "{}", outcome.log);
    assert_eq!(observed_gaps(&world), "");
}

/// Every second record is taken away: there are too many gaps for a list.
#[test]
fn of_many_gaps_some_are_listed() {
    let world = World::new("many_gaps");
    let often = [("segment.ms", "100"), ("min.cleanable.dirty.ratio", "0.0001"), ("delete.retention.ms", "0")];
    world.create_topic(1, &[&[("cleanup.policy", "compact"), ("max.compaction.lag.ms", "1000")], &often[..]].concat());
    let pair = |i: u64| {
        let kept = tombstone(0, &format!("K{i:04}"));
        [customer("u", "ALFKI", &i.to_string(), i).message(), Message { value: Some(b"{}".to_vec()), ..kept }]
    };
    world.produce(&(0..250).flat_map(pair).collect::<Vec<_>>());
    wait_for("compaction", || {
        world.produce(&[tombstone(0, "BERGS")]);
        records(&world)[0] > 0
    });
    let outcome = world.ingest(&[]).expect_exit(0);
    let listed = outcome.summary["gap_spans"].as_array().unwrap().len();
    assert!(listed == 20 && outcome.count("gap_spans_more") > 200, "{:?}", outcome.summary["gap_spans_more"]);
    let ledger = world.clickhouse("SELECT length(gap_spans), reason FROM northwind_ops.windows WHERE mode = 'plan'");
    assert!(ledger.starts_with("100\t1") && ledger.ends_with(" more spans without a record\n"), "{ledger}");
}

/// The offsets that the log still holds.
fn records(world: &World) -> Vec<i64> {
    use rdkafka::consumer::{BaseConsumer, Consumer};
    use rdkafka::error::KafkaError;
    use rdkafka::message::Message as _;
    let consumer: BaseConsumer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", crate::support::kafka_servers())
        .set("group.id", "reads-everything")
        .set("enable.partition.eof", "true")
        .create()
        .unwrap();
    let mut list = rdkafka::TopicPartitionList::new();
    list.add_partition_offset(&world.topic, 0, rdkafka::Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    let mut offsets = Vec::new();
    loop {
        match consumer.poll(PATIENCE) {
            Some(Ok(message)) => offsets.push(message.offset()),
            Some(Err(KafkaError::PartitionEOF(_))) => return offsets,
            other => panic!("{other:?}"),
        }
    }
}
