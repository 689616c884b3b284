//! `check-reconcile` and transaction ids, of which an event has the lower 32 bits: what is old is seen, what is running is in flight,
//! and what stays in flight is no pass.

use postgres::Client;

use crate::comparison::reconcile::waiting_for_ingest;
use crate::support::checks::Checked;
use crate::support::outcome;

const REGION: [&str; 2] = ["--table", "region"];
const HOUR: i64 = 3_600_000;

/// Row 1 of the warehouse says something else, and claims to come from this transaction.
fn pretend(shop: &Checked, tx_id: i64, lsn: i64, age_ms: i64) {
    shop.tamper(&format!(
        "ALTER TABLE northwind_dw.dim_regions UPDATE region_description = 'x', _tx_id = {tx_id}, _lsn = {lsn},
         _source_ts_ms = toUnixTimestamp64Milli(now64(3)) - {age_ms} WHERE region_id = 1"
    ));
}

fn number(client: &mut Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).unwrap().get::<_, String>(0).parse().unwrap()
}

/// The next transaction id that PostgreSQL would give, about.
fn next_id(shop: &Checked) -> i64 {
    number(&mut shop.world.postgres(), "SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
}

const NOW: &str = "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::int8::text";

/// A difference that counts, however its transaction's id looks.
#[test]
fn what_is_old_is_seen_whatever_its_transaction_id() {
    let shop = Checked::new("reconcile_old_ids", &["region"]);
    let mut running = shop.world.postgres();
    let mut transaction = running.transaction().unwrap();
    let id = transaction.query_one("SELECT pg_current_xact_id()::text", &[]).unwrap().get::<_, String>(0);
    let running_id: i64 = id.parse().unwrap();
    let next = next_id(&shop);
    for (why, tx_id, lsn, age_ms) in [
        ("unchanged for 2^31 + 10 transactions", (next - (1 << 31) - 10).rem_euclid(1 << 32), 1 << 40, 48 * HOUR),
        ("an id of the server before a logical move", next + 3_000_000_000, 1 << 40, 48 * HOUR),
        ("the same, ten minutes after the move", next + 3_000_000_000, 1 << 40, HOUR / 6),
        ("an id that comes next, of long ago", next + 1, 1 << 40, 48 * HOUR),
        ("an id that comes next, in the log before the snapshot", next + 1, 100, 0),
        ("the id of one that is running, of long ago", running_id, 1 << 40, 48 * HOUR),
    ] {
        pretend(&shop, tx_id & 0xffff_ffff, lsn, age_ms);
        let outcome = shop.reconcile(&REGION);
        assert_eq!(outcome.exit, 10, "{why}: {outcome:?}");
        let failures = shop.failures(&outcome, "row_key, column");
        assert_eq!(failures, "1 region_description\n", "{why}");
    }
    transaction.rollback().unwrap();
}

/// The source's clock may have been ten minutes back when it committed; and nobody knows whether it is a difference.
#[test]
fn what_is_running_is_in_flight_and_never_a_pass() {
    let shop = Checked::new("reconcile_running", &["region"]);
    let mut running = shop.world.postgres();
    let mut transaction = running.transaction().unwrap();
    let id = transaction.query_one("SELECT pg_current_xact_id()::text", &[]).unwrap().get::<_, String>(0);
    let lsn = number(&mut shop.world.postgres(), NOW);
    pretend(&shop, id.parse::<i64>().unwrap() & 0xffff_ffff, lsn, HOUR / 6);
    for wait in ["3s", "0s"] {
        let outcome = shop.reconcile(&[&REGION[..], &["--wait", wait]].concat()).expect_exit(75);
        assert_eq!(shop.statuses(&outcome), "reconcile region inconclusive\n");
        assert!(shop.detail(&outcome, "region").contains("1 undecided"), "{outcome:?}");
    }
    let mended = shop.reconcile(&[&REGION[..], &["--repair", "--yes", "--wait", "3s"]].concat()).expect_exit(75);
    assert_eq!((mended.count("undecided"), mended.count("repaired")), (1, 0));
    transaction.rollback().unwrap();
    shop.reconcile(&REGION).expect_exit(10);
}

/// Open before the snapshot, committed and ingested after it: the row that it changed is no difference.
#[test]
fn what_commits_after_the_snapshot_is_no_difference() {
    let shop = Checked::new("reconcile_commits_late", &["customers"]);
    let mut open = shop.world.postgres();
    let mut transaction = open.transaction().unwrap();
    transaction.batch_execute("UPDATE customers SET city = 'Bonn' WHERE customer_id = 'PARIS'").unwrap();
    shop.change("UPDATE customers SET city = 'Köln' WHERE customer_id = 'ALFKI'");
    let waiting = waiting_for_ingest(&shop);
    transaction.commit().unwrap();
    shop.change("UPDATE customers SET city = 'Bonn' WHERE customer_id = 'ALFKI'");
    shop.ingest(&["customers"]);
    let outcome = outcome(waiting).expect_exit(0);
    assert!(shop.detail(&outcome, "customers").contains("0 different"), "{outcome:?}");
}
