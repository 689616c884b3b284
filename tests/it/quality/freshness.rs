//! How late the warehouse is, by the source's clock: what has not come to the topic counts as much as what has not been read from it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::checks::Checked;
use crate::support::event::customer;
use crate::support::observe::{observe, observe_with, says, settings};
use crate::support::{Message, Outcome, World, producer, wait_for};
use rdkafka::producer::{BaseRecord, Producer};
use serde_json::json;

const FIVE_SECONDS: &str = "[freshness]\nwarn_after = \"5s\"\nfail_after = \"1h\"\n";
const MINUTES: &str = "[freshness]\nwarn_after = \"10m\"\nfail_after = \"30m\"\n";

/// The table's freshness, as `check-freshness` sees it.
fn check(shop: &Checked, config: &str) -> Outcome {
    shop.run("check-freshness", &["--table", "customers", "--config", &shop.config(config)])
}

/// How many seconds it is late.
fn late(shop: &Checked, outcome: &Outcome) -> i64 {
    let run = outcome.run();
    shop.world.number(&format!("SELECT toInt64(measured) FROM northwind_ops.check_results WHERE run_id = '{run}'"))
}

#[test]
fn freshness_is_about_changes_that_wait() {
    let shop = Checked::new("checks_fresh", &["customers"]);
    let strict = "[freshness]\nwarn_after = \"3s\"\nfail_after = \"6s\"\n";
    let lax = "[freshness.tables]\ncustomers = { warn_after = \"3s\", fail_after = \"1d\" }\n";
    // Nothing waits, however long ago the last change was.
    wait_for("the connector's first heartbeat", || check(&shop, lax).count("pass") == 1);
    shop.change("UPDATE customers SET city = 'Köln' WHERE customer_id = 'ALFKI'");
    wait_for("the change to be old", || check(&shop, strict).exit == 10);
    let outcome = check(&shop, strict).expect_exit(10);
    assert!(outcome.error().contains("Kafka to ClickHouse 1 offsets"), "{}", outcome.error());
    let outcome = check(&shop, lax).expect_exit(0);
    assert_eq!(shop.statuses(&outcome), "freshness customers warn\n");
    shop.ingest(&["customers"]);
    wait_for("the connector's next heartbeat", || check(&shop, lax).count("pass") == 1);

    shop.world.stop_connector(&shop.connector);
    shop.world.change("UPDATE customers SET city = 'Bonn' WHERE customer_id = 'ALFKI'");
    wait_for("the heartbeat to be old", || check(&shop, strict).exit == 10);
    let outcome = check(&shop, strict).expect_exit(10);
    assert!(outcome.error().contains("s behind; Kafka to ClickHouse 0 offsets"), "{}", outcome.error());
}

/// It writes its heartbeat into the table as if nothing were wrong: what comes behind in the log is late. (Debezium carries 20,000
/// events in two seconds with batches of ten; with one at a time, and one request at a time, it takes ten.)
#[test]
fn a_connector_that_lives_but_is_far_behind_is_late() {
    let mut shop = Checked::new("fresh_slow", &["customers"]);
    shop.world.capture(&[
        ("max.batch.size", "1"),
        ("max.queue.size", "2"),
        ("poll.interval.ms", "500"),
        ("producer.override.batch.size", "1"),
        ("producer.override.max.in.flight.requests.per.connection", "1"),
        ("producer.override.buffer.memory", "20000"),
    ]);
    wait_for("a fresh table", || check(&shop, FIVE_SECONDS).count("pass") == 1);
    let update = "DO $$ BEGIN FOR i IN 1..1000 LOOP
                      UPDATE us_states SET state_region = i::text WHERE state_id = 1 + i % 50;
                  END LOOP; END $$";
    let mut postgres = shop.world.postgres();
    let since = Instant::now();
    (0..40).for_each(|_| postgres.batch_execute(update).unwrap());
    let beats = "SELECT extract(epoch FROM clock_timestamp() - ts)::float8 FROM northwind_cdc.heartbeat";
    let mut warned = None;
    while warned.is_none() && shop.world.records_of("us_states").len() < 40_051 {
        let outcome = check(&shop, FIVE_SECONDS).expect_exit(0);
        let age: f64 = postgres.query_one(beats, &[]).unwrap().get(0);
        println!("after {:?}: row {age:.1} s old; {}", since.elapsed(), shop.detail(&outcome, "customers"));
        warned = (outcome.count("warn") == 1).then(|| (late(&shop, &outcome), age));
    }
    let (late, age) = warned.expect("it was never called late");
    assert!(late > 5 && age < 4.0, "{late} s late, although the row in the table is {age} s old");
    wait_for("the connector to send the rest", || shop.world.records_of("us_states").len() >= 40_051);
    wait_for("a fresh table again", || check(&shop, FIVE_SECONDS).count("pass") == 1);
}

/// A world whose heartbeats and changes are made by hand.
struct Handmade(Checked);

impl Handmade {
    fn new(test: &str) -> Handmade {
        let world = World::with_topic(test, 2);
        let shop = Handmade(Checked { world, connector: "no_slot".to_owned() });
        shop.0.world.create_topic_called(&shop.topic(), 1, &[]);
        shop
    }

    /// The source's clock, minutes ago, in milliseconds.
    fn minutes_ago(&self, minutes: i64) -> i64 {
        let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::int8";
        self.0.world.postgres().query_one(sql, &[]).unwrap().get::<_, i64>(0) - minutes * 60_000
    }

    fn beat(&self, op: &str, minutes_ago: i64) {
        self.beats(op, minutes_ago, 1);
    }

    fn beats(&self, op: &str, minutes_ago: i64, number: usize) {
        let ts = chrono_text(self.minutes_ago(minutes_ago));
        let value = json!({"op": op, "after": {"id": 1, "ts": ts}, "source": {"table": "heartbeat"}}).to_string();
        self.0.world.produce_to_topic(&self.topic(), &vec![Message::new(0, r#"{"id":1}"#, &value); number]);
    }

    fn topic(&self) -> String {
        format!("{}.northwind_cdc.heartbeat", self.0.world.name)
    }

    fn change(&self, partition: i32, minutes_ago: i64) {
        let event = customer("u", "ALFKI", "Alfreds Futterkiste", 100).at(partition);
        let mut message = event.message();
        let mut value: serde_json::Value = serde_json::from_slice(message.value.as_ref().unwrap()).unwrap();
        value["source"]["ts_ms"] = json!(self.minutes_ago(minutes_ago));
        message.value = Some(value.to_string().into_bytes());
        self.0.world.produce(&[message]);
    }

    /// Minutes that the check says it is late.
    fn late(&self) -> i64 {
        let outcome = check(&self.0, MINUTES);
        assert!([0, 10].contains(&outcome.exit), "{outcome:#?}");
        (late(&self.0, &outcome) + 30) / 60
    }
}

fn chrono_text(ms: i64) -> String {
    let sql = format!("SELECT formatDateTime(fromUnixTimestamp64Milli({ms}, 'UTC'), '%Y-%m-%dT%H:%i:%S.%fZ')");
    crate::support::clickhouse(&sql).trim().to_owned()
}

#[test]
fn it_is_complete_up_to_the_heartbeat_or_the_oldest_unread_change() {
    let shop = Handmade::new("fresh_rule");
    shop.beat("u", 50);
    assert_eq!(shop.late(), 50, "nothing is unread, and nothing came for 50 minutes");
    shop.beat("u", 3);
    assert_eq!(shop.late(), 3, "a silent table is as fresh as the heartbeat");
    shop.change(1, 20);
    shop.change(0, 7);
    assert_eq!(shop.late(), 20, "the oldest first unread record of all partitions");
    shop.0.world.ingest(&[]).expect_exit(0);
    assert_eq!(shop.late(), 3, "all read");
    // A snapshot's row, and a record that is no heartbeat, are none.
    shop.beat("r", 0);
    shop.beats("d", 0, 600);
    assert_eq!(shop.late(), 3);
    // What the connector sends to its own topic says only that it sends.
    let own = format!("__debezium-heartbeat.{}", shop.0.world.name);
    shop.0.world.create_topic_called(&own, 1, &[]);
    shop.0.world.produce_to_topic(&own, &[Message::new(0, "{}", r#"{"ts_ms":1}"#)]);
    assert_eq!(shop.late(), 3);
    // A delete is what waits; the tombstone behind it is nothing.
    shop.change(0, 15);
    let tombstone = Message { value: None, ..Message::new(0, r#"{"customer_id":"ALFKI"}"#, "") };
    shop.0.world.produce(&[tombstone]);
    assert_eq!(shop.late(), 15);
    shop.0.world.run("ingest-customers", &["--max-records", "1"]).expect_exit(0);
    assert_eq!(shop.late(), 3, "only a tombstone is unread");
    shop.0.world.delete_topics_called(&[&own]);
}

/// A window is in the warehouse from its ledger row on, also if the run was killed before it could commit.
#[test]
fn what_the_ledger_has_is_not_unread() {
    let shop = Handmade::new("fresh_ledger");
    shop.beat("u", 2);
    shop.change(0, 20);
    shop.0.world.kill_at("rows-inserted", &[]);
    assert_eq!(shop.late(), 20);
    shop.0.world.kill_at("ledger-written", &[]);
    assert_eq!(shop.late(), 2);
}

#[test]
fn without_a_heartbeat_the_slot_or_nobody_knows() {
    let mut shop = Handmade::new("fresh_no_heartbeat");
    let outcome = check(&shop.0, MINUTES).expect_exit(78);
    assert!(outcome.error().contains("has no heartbeat, and slot no_slot is not there"), "{outcome:#?}");
    shop.0.world.delete_topics();
    // It is idle, and its slot has confirmed what there is.
    shop.0.connector = shop.0.world.capture(&[("heartbeat.action.query", "SELECT 1")]);
    shop.0.ingest(&["customers"]);
    // Other databases write to the log as well, and this one is idle: a change of another table makes the connector look up.
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut postgres = shop.0.world.postgres();
            while !done.load(Ordering::Relaxed) {
                postgres.batch_execute("UPDATE us_states SET state_region = 'x' WHERE state_id = 1").unwrap();
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        wait_for("the slot to confirm the log's end", || check(&shop.0, MINUTES).exit == 0);
        done.store(true, Ordering::Relaxed);
    });
    // A slot that stands still, and heartbeats that Kafka has forgotten: it is late by the time for which they are kept.
    shop.0.world.stop_connector(&shop.0.connector);
    shop.0.world.change("CREATE TABLE ballast AS SELECT generate_series(1, 1000) AS n");
    shop.beat("r", 0);
    shop.0.world.set_topic(&shop.topic(), "retention.ms", "3600000");
    let outcome = check(&shop.0, MINUTES).expect_exit(10);
    assert_eq!(late(&shop.0, &outcome) / 60, 60);
    assert!(outcome.error().contains("at least 36"), "{}", outcome.error());
    shop.0.world.set_topic(&shop.topic(), "retention.ms", "-1");
    let outcome = check(&shop.0, MINUTES).expect_exit(78);
    assert!(outcome.error().contains("nobody knows how far the connector is"), "{}", outcome.error());
}

/// All times are the source's: a machine whose clock is wrong measures the same. That the clocks differ is told.
#[test]
fn clocks_that_differ_are_told() {
    let shop = Handmade::new("fresh_clocks");
    shop.beat("u", 0);
    assert_eq!(check(&shop.0, MINUTES).expect_exit(0).count("pass"), 1);
    let database = &shop.0.world.pg_db;
    shop.0.world.change(&format!(
        "CREATE SCHEMA ahead;
             CREATE FUNCTION ahead.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
                 $$ SELECT pg_catalog.clock_timestamp() + interval '1 hour' $$;
             ALTER DATABASE {database} SET search_path = ahead, pg_catalog, public"
    ));
    // By the source's own clock, which is an hour ahead, heartbeat and change are a minute old.
    shop.beat("u", 1);
    shop.change(0, 1);
    let outcome = check(&shop.0, MINUTES).expect_exit(0);
    assert_eq!((outcome.count("warn"), late(&shop.0, &outcome) / 60), (1, 1));
    let detail = shop.0.detail(&outcome, "customers");
    assert!(detail.contains("the clocks differ: against this machine PostgreSQL +3600"), "{detail}");
    let lag = shop.0.world.run("lag", &["--topic", &shop.0.world.topic, "--group", &shop.0.world.group]);
    assert_eq!((lag.count("lag_seconds") / 60, lag.count("late_seconds") / 60), (1, 1), "{lag:#?}");
}

/// A moment that the source's clock has not reached says nothing of how late it is: the clock was set back, and who knows what came since.
#[test]
fn a_source_whose_clock_was_set_back_is_not_fresh() {
    let shop = Handmade::new("fresh_set_back");
    shop.beat("u", -5);
    let outcome = check(&shop.0, MINUTES).expect_exit(75);
    assert!(outcome.error().contains("the newest heartbeat is 29"), "{outcome:#?}");
    assert!(outcome.error().contains("was set back"), "{outcome:#?}");
    let seen = observe(&shop.0.world, &[]).expect_exit(75);
    says(&seen, &["how far the connector is", "ahead of PostgreSQL's clock"]);
    assert!(seen.summary["late_seconds"].is_null(), "{seen:#?}");
    // The next heartbeat is by the clock as it is now; the change before it is not.
    shop.beat("u", 0);
    assert_eq!(shop.late(), 0);
    shop.change(0, -5);
    let outcome = check(&shop.0, MINUTES).expect_exit(75);
    assert!(outcome.error().contains("the oldest unread record of partition 0 is 29"), "{outcome:#?}");
    let lag = shop.0.world.run("lag", &["--topic", &shop.0.world.topic, "--group", &shop.0.world.group]);
    assert!(lag.summary["late_seconds"].is_null() && lag.summary["lag_seconds"].is_null(), "{lag:#?}");
    shop.0.world.ingest(&[]).expect_exit(0);
    assert_eq!(shop.late(), 0);
}

/// Not to know how late a table is, is not to know that it is not late.
#[test]
fn an_oldest_record_that_cannot_be_read_is_told() {
    let shop = Handmade::new("fresh_unreadable");
    shop.beat("u", 0);
    shop.change(1, 20);
    // The answer is larger than the reader takes.
    let options = [("KAFKA_OPTIONS", "message.max.bytes=1000 fetch.max.bytes=1000 receive.message.max.bytes=1512")];
    let large = Message { value: Some(vec![b'x'; 5_000]), ..Message::new(0, "{}", "") };
    shop.0.world.produce(&[large]);
    let seen = observe_with(&shop.0.world, &options, &[]).expect_exit(75);
    says(&seen, &[&shop.0.world.topic, "cannot be said", "the oldest unread record of partition 0 could not be read"]);
    assert!(seen.summary["lag_seconds"].is_null(), "{seen:#?}");
    let off = settings(&shop.0.world, "[observe.severity]\nlate = \"off\"\n");
    observe_with(&shop.0.world, &options, &["--config", &off]).expect_exit(0);
    // Behind a tombstone it is no older than that.
    shop.0.world.ingest(&[]).expect_exit(0);
    let key = r#"{"customer_id":"ALFKI"}"#;
    let tombstone: BaseRecord<'_, str, str> =
        BaseRecord::to(&shop.0.world.topic).partition(0).key(key).timestamp(shop.minutes_ago(125));
    let producer = producer(&[]);
    producer.send(tombstone).map_err(|(error, _)| error).unwrap();
    producer.flush(Duration::from_secs(30)).unwrap();
    shop.0.world.produce(&[Message { value: Some(vec![b'x'; 5_000]), ..Message::new(0, "{}", "") }]);
    let seen = observe_with(&shop.0.world, &options, &[]).expect_exit(78);
    says(&seen, &[&shop.0.world.topic, "dim_customers is 2 h late"]);
}
