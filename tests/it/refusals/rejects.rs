//! What a run says and leaves behind when records are refused, sent again, or only looked at.

use crate::support::event::{customer, delete, raw, tombstone, truncate};
use crate::support::{Message, World};
use serde_json::json;

fn good(i: i64) -> Message {
    customer("u", "ALFKI", &format!("good {i}"), i as u64).message()
}

fn poison() -> Message {
    raw(0, Some(r#"{"customer_id":"ALFKI"}"#), b"poison")
}

fn orphan() -> Message {
    customer("c", "ZZZZZ", "an orphan", 5).message()
}

/// `bad` poison records spread among good ones.
fn mixed(total: i64, bad: i64) -> Vec<Message> {
    (0..total).map(|i| if i * bad / total == (i + 1) * bad / total { good(i) } else { poison() }).collect()
}

#[test]
fn a_rejected_record_is_resolved_when_it_is_accepted_later() {
    let world = World::with_topic("resolved", 1);
    world.produce(&[
        customer("c", "NEW01", "early", 10).message(),
        poison(),
        customer("c", "NEW02", "early", 20).message(),
    ]);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!(outcome.summary["rejected_by_rule"], json!({"decode": 1, "not-in-postgres": 2}));
    assert_eq!((outcome.count("resolved"), world.customers()), (0, String::new()));

    // Nothing has changed: the same record is open still, and not another attempt.
    assert_eq!(world.ingest(&["--offsets", "0:0..3"]).expect_exit(0).count("rejected"), 3);
    let attempts = "SELECT offset, attempt, status FROM northwind_ops.rejected FINAL ORDER BY offset";
    assert_eq!(world.clickhouse(attempts), "0\t1\topen\n1\t1\topen\n2\t1\topen\n");

    world.change("INSERT INTO customers (customer_id, company_name) VALUES ('NEW01', 'x')");
    let outcome = world.ingest(&["--offsets", "0:0..3"]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("rejected"), outcome.count("resolved")), (1, 2, 1));
    assert_eq!(world.customers(), "NEW01\tearly\n");
    assert_eq!(world.clickhouse(attempts), "0\t2\tresolved\n1\t1\topen\n2\t1\topen\n");

    // And open again, should PostgreSQL and the warehouse lose it.
    world.change("DELETE FROM customers WHERE customer_id = 'NEW01'");
    world.clickhouse("TRUNCATE TABLE northwind_dw.dim_customers");
    assert_eq!(world.ingest(&["--offsets", "0:0..1"]).expect_exit(0).count("rejected"), 1);
    assert_eq!(world.clickhouse(attempts), "0\t3\topen\n1\t1\topen\n2\t1\topen\n");
    let range = |seq, end, written, rejected| format!("0\trange\t{seq}\t0..{end}\t{written}\t{rejected}\t0\t0\t0\n");
    let ranges = [range(1, 3, 0, 3), range(2, 3, 1, 2), range(3, 1, 0, 1)].concat();
    let ledger = format!("{ranges}0\torigin\t1\t0..0\t0\t0\t0\t0\t0\n0\tplan\t2\t0..3\t0\t3\t0\t0\t0\n");
    assert_eq!(world.ledger(), ledger);
    assert_eq!(world.committed(0), Some((3, String::new())));
}

#[test]
fn too_many_rejects_stop_the_run_until_a_higher_ratio_is_allowed() {
    let world = World::with_topic("ratio", 1);
    // The first window is fine, the second one is not.
    world.produce(&mixed(100, 2));
    world.produce(&mixed(100, 28));
    let windows = ["--window-records", "100", "--max-reject-ratio"];
    let outcome = world.ingest(&[&windows[..], &["0.1"]].concat()).expect_exit(65);
    assert_eq!(outcome.summary["status"], "too-many-rejects");
    assert_eq!((outcome.count("written"), outcome.count("rejected"), outcome.count("windows")), (98, 2, 1));
    assert!(
        outcome.error().contains("30 of 200 records would be rejected, more than --max-reject-ratio 0.1"),
        "{outcome:?}"
    );
    assert!(outcome.error().contains("decode: not a JSON object"), "{outcome:?}");
    let first = "0\torigin\t1\t0..0\t0\t0\t0\t0\t0\n0\tplan\t2\t0..100\t98\t2\t0\t0\t0\n";
    assert_eq!(world.ledger(), first);
    assert_eq!(world.number("SELECT count() FROM northwind_ops.rejected"), 2);
    assert_eq!(world.customers(), "ALFKI\tgood 98\n");

    // The open window is the first one of the next run, and the ratio is counted over that run: 28 of 100.
    let outcome = world.ingest(&[&windows[..], &["0.27"]].concat()).expect_exit(65);
    assert_eq!((outcome.count("written"), outcome.count("windows")), (0, 0));
    let outcome = world.ingest(&[&windows[..], &["0.28"]].concat()).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("rejected")), (72, 28));
    assert_eq!(world.ledger(), format!("{first}0\tplan\t3\t100..200\t72\t28\t0\t0\t0\n"));
    assert_eq!(world.committed(0), Some((200, String::new())));
    let exits = "SELECT exit_code FROM northwind_ops.runs FINAL WHERE job = 'ingest-customers' ORDER BY started_at";
    assert_eq!(world.clickhouse(exits), "65\n65\n0\n");
}

/// The ratio is for what is broken: rows that PostgreSQL does not have are not, and a few records say nothing.
#[test]
fn orphans_and_small_numbers_do_not_count_for_the_ratio() {
    let world = World::with_topic("ratio_few", 1);
    world.produce(&mixed(99, 98));
    let outcome = world.ingest(&["--max-reject-ratio", "0"]).expect_exit(0);
    assert_eq!(outcome.count("rejected"), 98);
    let orphans: Vec<Message> = (0..200).map(|_| orphan()).collect();
    world.produce(&orphans);
    assert_eq!(world.ingest(&["--max-reject-ratio", "0"]).expect_exit(0).count("rejected"), 200);
    world.produce(&mixed(100, 1));
    world.ingest(&["--max-reject-ratio", "0"]).expect_exit(65);
    world.ingest(&["--max-reject-ratio", "0.01"]).expect_exit(0);
}

/// After a crash the connector sends the end of its log again.
#[test]
fn a_tail_that_is_sent_again_is_counted_and_changes_nothing() {
    let world = World::with_topic("redelivered", 2);
    let changes = |partition| {
        let id = ["ALFKI", "ANATR"][partition as usize];
        (1..=5)
            .map(move |i| customer("u", id, &format!("change {i}"), 10 * i).at(partition).message())
            .collect::<Vec<_>>()
    };
    world.produce(&changes(0));
    world.produce(&changes(0)[2..]);
    // A snapshot sends everything again on purpose; a key change has one LSN for two keys; partitions are in no order.
    world.produce(&[customer("r", "ALFKI", "snapshot", 5).message(), delete("OLD01", 60).message(), good(60)]);
    world.produce(&changes(1));
    let outcome = world.ingest(&["--window-records", "4"]).expect_exit(0);
    assert_eq!((outcome.count("redelivered"), outcome.count("written"), outcome.count("rejected")), (3, 16, 0));
    assert_eq!(world.customers(), "ALFKI\tgood 60\nANATR\tchange 5\n");
}

#[test]
fn a_dry_run_writes_and_commits_nothing() {
    let world = World::with_topic("dry_run", 2);
    world.produce(&mixed(20, 5));
    world.ingest(&["--max-records", "4"]).expect_exit(0);
    world.produce(&[truncate(0, 500), orphan(), delete("ANATR", 510).message(), tombstone(0, "ANATR"), good(520)]);
    world.produce(&[customer("c", "ANTON", "elsewhere", 10).at(1).message()]);
    let state = || {
        let ops = ["runs", "windows", "rejected", "truncates", "positions", "warnings"];
        let counts = ops.map(|table| world.number(&format!("SELECT count() FROM northwind_ops.{table}")));
        let rows = world.number("SELECT count() FROM northwind_dw.dim_customers");
        format!("{}\n{counts:?} {rows}", world.end_state(2))
    };
    let before = state();
    let rest = (12 + 2 + 1, 4);
    let range = (3 + 12 + 2, 5);
    for (args, (written, poison)) in [
        (&["--dry-run"][..], rest),
        (&["--dry-run", "--window-records", "3"], rest),
        (&["--dry-run", "--max-records", "1000", "--skip-empty"], rest),
        (&["--dry-run", "--offsets", "0:0..25"], range),
    ] {
        let outcome = world.ingest(args).expect_exit(0);
        assert_eq!(outcome.summary["dry_run"], true);
        assert_eq!(outcome.summary["rejected_by_rule"], json!({"decode": poison, "not-in-postgres": 1}), "{args:?}");
        assert_eq!(
            (outcome.count("written"), outcome.count("truncates"), outcome.count("tombstones")),
            (written, 1, 1),
            "{args:?}"
        );
        assert_eq!(state(), before, "{args:?}");
    }
    // What it said is what the real run does.
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("rejected")), (rest.0, rest.1 + 1));
}

/// Not even the plan and the first row of the ledger.
#[test]
fn a_dry_run_is_no_first_run() {
    let world = World::with_topic("dry_first", 1);
    world.produce(&mixed(4, 1));
    let outcome = world.ingest(&["--dry-run"]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("rejected")), (3, 1));
    assert_eq!((world.committed(0), world.ledger()), (None, String::new()));
    assert_eq!(world.number("SELECT count() FROM northwind_ops.runs WHERE job = 'ingest-customers'"), 0);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("written"), 3);
}
