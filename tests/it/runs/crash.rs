//! The crash table: SIGKILL of the shipped executable at every named point, then a rerun → the same end state as a run
//! that was never killed. And what else must not lose a record: a plan that was cut short, a reset that was cut
//! short, a reader that drops something.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::support::event::{customer, delete, raw, tombstone, truncate};
use crate::support::{Message, World};
use serde_json::{Value, json};

const WINDOWS: [&str; 2] = ["--window-records", "5"];

/// What becomes of a record.
#[derive(Clone, PartialEq)]
enum Fate {
    Written(String),
    Rejected,
    Counted,
}

fn change(partition: i32, op: &'static str, id: &str, name: &str, lsn: u64) -> (Message, Fate) {
    (customer(op, id, name, lsn).at(partition).message(), Fate::Written(id.to_owned()))
}

/// A change whose contact name was not sent.
fn partial(partition: i32, id: &str, name: &str, lsn: u64) -> (Message, Fate) {
    (customer("u", id, name, lsn).at(partition).unsent("contact_name").message(), Fate::Written(id.to_owned()))
}

fn gone(partition: i32, id: &str, lsn: u64) -> (Message, Fate) {
    (delete(id, lsn).at(partition).message(), Fate::Written(id.to_owned()))
}

/// PostgreSQL does not have the customer.
fn unknown(partition: i32, id: &str, lsn: u64) -> (Message, Fate) {
    (customer("c", id, "Nobody", lsn).at(partition).message(), Fate::Rejected)
}

fn counted(message: Message) -> (Message, Fate) {
    (message, Fate::Counted)
}

/// Nine windows of five records: five of partition 0, then four of partition 1.
fn history() -> Vec<(Message, Fate)> {
    let mismatch = Message {
        key: Some(json!({"customer_id": "BERGS"}).to_string()),
        ..customer("c", "BOLID", "Not Bergs", 226).at(1).message()
    };
    vec![
        change(0, "r", "ALFKI", "Alfreds", 100),
        change(0, "r", "ANATR", "Ana", 100),
        change(0, "u", "ALFKI", "Alfreds 2", 110),
        unknown(0, "NOON1", 120),
        (raw(0, None, b"{\"op\": torn in the mid"), Fate::Rejected),
        //
        gone(0, "ANATR", 130),
        counted(tombstone(0, "ANATR")),
        change(0, "c", "ANATR", "Ana again", 140),
        counted(truncate(0, 200)),
        unknown(0, "NOON2", 210), // its delete comes in a later window
        //
        change(0, "c", "ALFKI", "Alfreds after the truncate", 220),
        partial(0, "ALFKI", "Alfreds carried within the window", 230),
        change(0, "c", "NOON3", "Deleted soon", 240),
        gone(0, "NOON3", 250),
        counted(tombstone(0, "NOON3")),
        //
        partial(0, "ALFKI", "Alfreds carried from the warehouse", 260),
        gone(0, "NOON2", 270),
        counted(tombstone(0, "NOON2")),
        change(0, "c", "ANTON", "Antonio", 280),
        (
            customer("u", "ANTON", "Antonio 2", 290).set("loyalty", json!(7)).message(),
            Fate::Written("ANTON".to_owned()),
        ),
        //
        gone(0, "ANTON", 300),
        counted(tombstone(0, "ANTON")),
        change(0, "c", "ANTON", "Antonio again", 310),
        // Partition 1: rows below the truncate of partition 0 are still to come, and another truncate.
        change(1, "r", "AROUT", "Around", 100),
        change(1, "r", "BERGS", "Berglunds", 100),
        change(1, "u", "AROUT", "Around 2", 150),
        unknown(1, "NOON4", 160),
        (raw(1, Some("{}"), b"{}"), Fate::Rejected),
        //
        change(1, "u", "BERGS", "Berglunds 2", 190),
        change(1, "c", "BOLID", "Bolido", 205),
        change(1, "c", "BLAUS", "Blauer See", 215),
        counted(truncate(1, 216)),
        counted(tombstone(1, "BLAUS")),
        //
        change(1, "c", "BOLID", "Bolido again", 224),
        gone(1, "BOLID", 225),
        (mismatch, Fate::Rejected),
        unknown(1, "NOON5", 230),
        change(1, "c", "BOLID", "Bolido at last", 240),
        //
        change(1, "c", "BERGS", "Berglunds after the truncate", 250),
        change(1, "u", "BERGS", "Berglunds 3", 260),
    ]
}

fn with_history(test: &str) -> World {
    let world = World::with_topic(test, 2);
    world.produce(&history().into_iter().map(|(message, _)| message).collect::<Vec<_>>());
    world
}

/// Does the work for every row of a table of kill points, on several threads; failures are named by their row.
fn for_each(table: &[Vec<String>], work: impl Fn(&[String]) + Sync) {
    let queue = Mutex::new(table.iter());
    let failed = Mutex::new(Vec::new());
    let next = || queue.lock().unwrap().next();
    let worker = || {
        while let Some(points) = next() {
            let row = points.join(", then ");
            let thread = std::thread::Builder::new().name(row.clone());
            if std::thread::scope(|scope| thread.spawn_scoped(scope, || work(points)).unwrap().join()).is_err() {
                failed.lock().unwrap().push(row);
            }
        }
    };
    std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(worker))));
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "failed: {failed:#?}");
}

fn kill_points() -> Vec<Vec<String>> {
    // The first window, one whose values are carried from the warehouse, one of the other partition; where it matters
    // also the one with the truncate and the last one.
    let per_window = [
        ("read", vec![1, 4, 7]),
        ("validated", vec![1, 4, 7]),
        ("rejected-inserted", vec![1, 4, 7]),
        ("rows-inserted", vec![1, 4, 7]),
        ("truncates-stored", vec![1, 2, 4, 7]),
        ("truncates-applied", vec![1, 2, 4, 7]),
        ("quarantine-resolved", vec![1, 4, 7]),
        ("ledger-written", vec![1, 4, 7, 9]),
        ("committed", vec![1, 4, 7, 9]),
    ];
    let once = ["opened", "locked", "generation-taken", "origin-written", "plan-committed"]
        .map(|point| vec![point.to_owned()]);
    let later =
        per_window.into_iter().flat_map(|(point, nth)| nth.into_iter().map(move |n| vec![format!("{point}:{n}")]));
    let in_a_row = [
        vec!["origin-written", "plan-committed"],
        vec!["rows-inserted:2", "rejected-inserted:1"],
        vec!["ledger-written:2", "truncates-stored:1"],
        vec!["truncates-stored:2", "truncates-applied:1", "quarantine-resolved:1"],
        vec!["ledger-written:1", "ledger-written:1", "ledger-written:1", "ledger-written:1"],
        vec!["validated:6", "rows-inserted:1", "ledger-written:3", "opened"],
    ];
    let in_a_row = in_a_row.into_iter().map(|points| points.into_iter().map(str::to_owned).collect());
    once.into_iter().chain(later).chain(in_a_row).collect()
}

#[test]
fn a_run_that_is_killed_anywhere_and_run_again_ends_like_one_that_was_not() {
    let reference = with_history("crash");
    let outcome = reference.ingest(&WINDOWS).expect_exit(0);
    assert_eq!(
        (outcome.count("windows"), outcome.count("rejected"), outcome.count("truncates")),
        (9, 7, 2),
        "{outcome:#?}"
    );
    let expected = reference.end_state(2);
    for_each(&kill_points(), |points| {
        let world = with_history("crash");
        for point in points {
            world.kill_for_good_at(point, &WINDOWS);
            // A merge may come at any time, and leaves the newest row of a key alone.
            world.clickhouse("OPTIMIZE TABLE northwind_dw.dim_customers FINAL");
            nothing_counts_that_is_not_there(&world);
        }
        world.ingest(&WINDOWS).expect_exit(0);
        assert_eq!(world.end_state(2), expected);
    });
}

/// Between a kill and the rerun: commit and ledger fit together, and every record below the ledger's end has arrived.
fn nothing_counts_that_is_not_there(world: &World) {
    let newest = lines(world, "SELECT customer_id, max(_version) FROM northwind_dw.dim_customers GROUP BY customer_id");
    let quarantine = lines(
        world,
        "SELECT concat(toString(partition), ':', toString(offset)), status FROM northwind_ops.rejected FINAL",
    );
    for partition in 0..2 {
        let ledger =
            format!("SELECT count() > 0, max(end_offset) FROM northwind_ops.windows WHERE partition = {partition}");
        let ledger = world.clickhouse(&ledger);
        let ledger_end: Option<i64> = ledger.trim().strip_prefix("1\t").map(|end| end.parse().unwrap());
        match (world.committed(partition), ledger_end) {
            (None, None | Some(0)) => {}
            (Some((offset, plan)), Some(end)) if plan.is_empty() => assert_eq!(offset, end),
            // A rerun goes on at the ledger's end and does not repeat the missing commit: the two may lie far apart.
            (Some((offset, plan)), Some(end)) => {
                let plan_end = serde_json::from_str::<Value>(&plan).unwrap()["end"].as_i64().unwrap();
                assert!(offset <= end && end <= plan_end, "{offset} {plan} but the ledger ends at {end}");
            }
            other => panic!("partition {partition}: {other:?}"),
        }
        let records = history().into_iter().filter(|(message, _)| message.partition == partition);
        for (offset, (_, fate)) in records.enumerate().take(ledger_end.unwrap_or(0) as usize) {
            match fate {
                Fate::Written(key) => {
                    let version: u64 = newest.get(&key).unwrap_or_else(|| panic!("{key} is lost")).parse().unwrap();
                    assert!(version >= (1 << 52) | (offset as u64) << 8, "{key} at {offset} is lost");
                }
                Fate::Rejected => assert_eq!(quarantine[&format!("{partition}:{offset}")], "open"),
                Fate::Counted => {}
            }
        }
    }
}

fn lines(world: &World, sql: &str) -> BTreeMap<String, String> {
    let text = world.clickhouse(sql);
    text.lines()
        .map(|line| line.split_once('\t').unwrap())
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn a_rerun_finishes_exactly_the_plan_that_was_cut_short_whatever_it_is_asked() {
    let world = with_history("open_plan");
    world.kill_for_good_at("plan-committed", &WINDOWS);
    world.produce(&[
        change(0, "u", "ANTON", "Too late for the plan", 400).0,
        change(1, "u", "BERGS", "Too late too", 410).0,
    ]);
    let outcome = world.ingest(&["--window-records", "5", "--max-records", "1"]).expect_exit(0);
    assert_eq!(outcome.count("windows"), 9);
    assert_eq!([world.committed(0), world.committed(1)], [Some((23, String::new())), Some((17, String::new()))]);
    assert!(!world.customers().contains("Too late"));
    let outcome = world.ingest(&["--max-records", "1"]).expect_exit(0);
    assert_eq!(outcome.count("written"), 1);
    world.ingest(&[]).expect_exit(0);
    assert_eq!([world.committed(0), world.committed(1)], [Some((24, String::new())), Some((18, String::new()))]);
}

#[test]
fn a_reset_that_is_killed_is_finished_by_the_same_command() {
    let recreated = || {
        let world = with_history("reset");
        world.ingest(&WINDOWS).expect_exit(0);
        world.delete_topic();
        world.create_topic(2, &[]);
        world.produce(&[change(0, "u", "ALFKI", "In a new topic", 500).0, change(1, "u", "BERGS", "Here too", 510).0]);
        world
    };
    let reset = ["--resume-from", "log-start"];
    let reference = recreated();
    reference.ingest(&[]).expect_exit(78);
    reference.ingest(&reset).expect_exit(0);
    let expected = reference.end_state(2);
    let points = ["locked", "reset-written", "plan-committed", "ledger-written:1"].map(|point| vec![point.to_owned()]);
    for_each(&points, |points| {
        let world = recreated();
        world.kill_for_good_at(&points[0], &reset);
        world.ingest(&reset).expect_exit(0);
        assert_eq!(world.end_state(2), expected);
    });
}

#[test]
fn a_record_lost_by_the_reader_fails_the_run_and_nothing_else_is_lost() {
    let reference = with_history("lost");
    reference.ingest(&WINDOWS).expect_exit(0);
    let world = with_history("lost");
    let outcome = world.ingest(&["--window-records", "5", "--lose-record", "7"]).expect_exit(1);
    outcome.error_says(&[&world.topic, "partition 0", "offsets 5..11", "6 offsets", "= 5"]);
    assert_eq!(world.number("SELECT max(end_offset) FROM northwind_ops.windows"), 5);
    assert_eq!(world.committed(0).unwrap().0, 5);
    world.ingest(&WINDOWS).expect_exit(0);
    assert_eq!(world.end_state(2), reference.end_state(2));
}
