//! `check-reconcile` while both sides move: it never says a wrong no.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::checks::Checked;
use crate::support::random::Random;
use crate::support::{Outcome, World};

/// Writers stop, however the test ends.
pub struct StopAtEnd<'s>(pub &'s AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

const KEYS: usize = 20_000;

/// A number from the environment: RECONCILES=100 WRITE_PAUSE_MS=3 is some two thousand writes a second. (With 0, two cores are not enough for
/// the shop, Debezium, Kafka and ClickHouse together: nearly every key still settles, but each reconcile waits for Debezium.)
fn number_of(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Eight writers over 20,000 keys, ingests in a loop, the whole table sent again and again, and reconciles one after the other: none of
/// them may say a wrong no, and each has to have compared 99 % of the keys.
#[test]
fn while_both_sides_move_there_is_no_false_failure() {
    let rounds = number_of("RECONCILES", 30);
    let pause = Duration::from_millis(number_of("WRITE_PAUSE_MS", 20));
    let shop = Checked::new("reconcile_moving", &["customers"]);
    shop.change(&format!(
        "INSERT INTO customers (customer_id, company_name) SELECT 'K' || i, 'start' FROM generate_series(0, {KEYS} - 1) AS i"
    ));
    shop.ingest(&["customers"]);
    let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let _stop = StopAtEnd(&stop);
        for seed in 0..8 {
            let (shop, stop, written) = (&shop, &stop, &written);
            scope.spawn(move || write(shop, seed, pause, stop, written));
        }
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let outcome = shop.world.run("ingest-customers", &[]);
                assert!([0, 75].contains(&outcome.exit), "{outcome:?}");
            }
        });
        scope.spawn(|| {
            let mut client = shop.world.postgres();
            while !stop.load(Ordering::Relaxed) {
                client.batch_execute("SELECT northwind_cdc.send_again('customers')").unwrap();
                std::thread::sleep(Duration::from_secs(3));
            }
        });
        let started = Instant::now();
        for round in 0..rounds {
            let outcome = shop.reconcile(&["--table", "customers"]);
            if outcome.exit == 10 {
                assert_stale_reads(&shop.world, &outcome);
                continue;
            }
            assert!([0, 75].contains(&outcome.exit), "{outcome:?}");
            let detail = shop.detail(&outcome, "customers");
            let (same, undecided) = (number(&detail, " the same"), outcome.count("undecided"));
            println!(
                "{round}: {} writes, {same} the same, {undecided} undecided, {}",
                written.load(Ordering::Relaxed),
                outcome.summary["duration_ms"]
            );
            assert!(undecided * 99 <= same, "{detail}");
        }
        println!(
            "{rounds} reconciles in {} s beside {} writes",
            started.elapsed().as_secs(),
            written.load(Ordering::Relaxed)
        );
    });
}

/// A no is right where Debezium has read a row too early. A transaction is in the log before other sessions see it; where an incremental snapshot
/// looks just then, it sends the row as it was, behind the change, and so says the warehouse until the next change.
fn assert_stale_reads(world: &World, outcome: &Outcome) {
    let failures = format!(
        "SELECT row_key, JSONExtractString(source_value), JSONExtractString(warehouse_value), `offset` FROM northwind_ops.check_failures WHERE run_id = '{}'",
        outcome.run()
    );
    let failures = world.clickhouse(&failures);
    assert_ne!(failures, "", "{outcome:?}");
    for failure in failures.lines() {
        let [key, source, warehouse, offset] = failure.split('\t').collect::<Vec<_>>()[..] else { panic!("{failure}") };
        let offset: i64 = offset.parse().unwrap();
        let earlier = world.records_within("customers", (offset - 20_000).max(0)..offset + 1);
        let of_key =
            earlier.iter().rev().filter_map(|record| serde_json::from_slice::<Value>(record.value.as_deref()?).ok());
        let mut of_key = of_key.filter(|event| event["after"]["customer_id"] == key);
        let shown = of_key.next().expect("what the warehouse shows");
        assert_eq!(
            (&shown["source"]["snapshot"], &shown["after"]["company_name"]),
            (&json!("incremental"), &json!(warehouse)),
            "{failure}"
        );
        let streamed = of_key.find(|event| event["op"] != "r").expect("a change before it");
        assert_eq!(streamed["after"]["company_name"], source, "{failure}: {streamed}");
        println!("a stale read of {key} at offset {offset}: {source} was {warehouse} once more");
    }
}

fn write(shop: &Checked, seed: u64, pause: Duration, stop: &AtomicBool, written: &AtomicU64) {
    let mut random = Random::new(seed);
    let mut client = shop.world.postgres();
    while !stop.load(Ordering::Relaxed) {
        let (key, value) = (format!("K{}", random.below(KEYS)), format!("v{}", random.below(1 << 30)));
        let sql = match random.below(8) {
            0 => format!("DELETE FROM customers WHERE customer_id = '{key}'"),
            1 => format!("BEGIN; UPDATE customers SET address = '{value}' WHERE customer_id = '{key}'; ROLLBACK"),
            _ => format!(
                "INSERT INTO customers (customer_id, company_name) VALUES ('{key}', '{value}')
                 ON CONFLICT (customer_id) DO UPDATE SET company_name = EXCLUDED.company_name"
            ),
        };
        client.batch_execute(&sql).unwrap();
        written.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(pause);
    }
}

/// The number before these words.
pub fn number(text: &str, before: &str) -> i64 {
    let digits = text.split(before).next().and_then(|head| head.rsplit(' ').next());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("no number before {before:?} in {text:?}"))
}

/// The table is truncated and altered again and again, and filled again.
#[test]
fn truncates_and_alters_are_no_failure() {
    let shop = Checked::new("reconcile_truncate", &["us_states"]);
    let mut client = shop.world.postgres();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _stop = StopAtEnd(&stop);
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let outcome = shop.world.run("ingest-us-states", &[]);
                assert!([0, 75].contains(&outcome.exit), "{outcome:?}");
            }
        });
        let checks = scope.spawn(|| {
            let mut passed = 0;
            for _ in 0..10 {
                let outcome = shop.reconcile(&["--table", "us_states", "--allow-empty", "--wait", "30s"]);
                assert!([0, 75].contains(&outcome.exit), "{outcome:?}");
                passed += i32::from(outcome.exit == 0);
            }
            passed
        });
        let mut longest = Duration::ZERO;
        let mut round = 0;
        while !checks.is_finished() {
            round += 1;
            for sql in [
                "TRUNCATE us_states".to_owned(),
                format!("INSERT INTO us_states SELECT i, 'state {round}' FROM generate_series(1, 50) AS i"),
                format!("ALTER TABLE us_states ADD COLUMN note_{round} text"),
                format!("ALTER TABLE us_states DROP COLUMN note_{round}"),
            ] {
                let started = Instant::now();
                client.batch_execute(&sql).unwrap();
                longest = longest.max(started.elapsed());
            }
            std::thread::sleep(Duration::from_millis(300));
        }
        println!("{round} rounds, the longest statement took {longest:?}");
        assert!(longest < Duration::from_secs(5), "the shop was held up for {longest:?}");
        // Rows that are new every third of a second may stay in flight: then it is inconclusive, and never a no.
        println!("{} of 10 reconciles could decide", checks.join().unwrap());
    });
    shop.world.wait_for_capture(&shop.connector);
    shop.ingest(&["us_states"]);
    let outcome = shop.reconcile(&["--table", "us_states"]).expect_exit(0);
    assert!(shop.detail(&outcome, "us_states").contains("50 the same, 0 different"), "{outcome:?}");
}
