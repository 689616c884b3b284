//! PostgreSQL → Debezium → Kafka → the job: whatever happens to the source or the connector, the warehouse ends equal.

use std::time::{Duration, Instant};

use crate::support::{World, connect_postgres, wait_for};

#[test]
fn every_kind_of_change_ends_equal_to_the_source() {
    let mut world = World::new("changes");
    let connector = world.capture(&[]);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("written"), 91);
    assert_eq!(world.assert_same_customers(), 91);

    world.change("INSERT INTO customers (customer_id, company_name, address, fax) VALUES ('NEWCO', E'\"Zażółć\" \\\\ gęślą\\t\\njaźń 🦀', '', NULL);
         UPDATE customers SET city = 'Dresden', fax = NULL WHERE customer_id = 'ALFKI';
         UPDATE customers SET city = city WHERE customer_id = 'ANATR';
         DELETE FROM customers WHERE customer_id = 'PARIS'",
    );
    world.wait_for_capture(&connector);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("tombstones"), outcome.count("rejected")), (4, 1, 0));
    assert_eq!(world.assert_same_customers(), 91);

    world.change(
        "INSERT INTO customers (customer_id, company_name) VALUES ('PARIS', 'back again');
         UPDATE customers SET customer_id = 'FISSB' WHERE customer_id = 'FISSA'",
    );
    world.wait_for_capture(&connector);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("tombstones"), outcome.count("redelivered")), (3, 1, 0));
    assert_eq!(world.assert_same_customers(), 92);
    let key = "SELECT customer_id, _deleted FROM northwind_dw.dim_customers WHERE customer_id LIKE 'FISS%' ORDER BY _version DESC LIMIT 1 BY customer_id";
    assert_eq!(world.clickhouse(key), "FISSB\t0\nFISSA\t1\n");

    world.change("UPDATE customers SET city = 'gone' WHERE customer_id = 'ALFKI'");
    world.change("TRUNCATE customers CASCADE");
    world.change("INSERT INTO customers (customer_id, company_name) VALUES ('AFTER', 'one'), ('ALFKI', 'two')");
    world.wait_for_capture(&connector);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("truncates"), outcome.count("rejected")), (3, 1, 0));
    assert_eq!(world.assert_same_customers(), 2);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("windows"), 0);

    the_slot_moves_although_only_another_database_is_written_to(&world, &connector);
}

/// The heartbeat: else WAL would pile up, and a reconciliation would wait for nothing.
fn the_slot_moves_although_only_another_database_is_written_to(world: &World, connector: &str) {
    let busy = format!("{}_busy", world.pg_db);
    let mut admin = connect_postgres("postgres");
    admin.batch_execute(&format!("CREATE DATABASE {busy}")).unwrap();
    let mut other = connect_postgres(&busy);
    other.batch_execute("CREATE TABLE t AS SELECT generate_series(1, 100000) AS n").unwrap();
    let written: String = other.query_one("SELECT pg_current_wal_insert_lsn()::text", &[]).unwrap().get(0);
    let since = Instant::now();
    let passed =
        format!("SELECT confirmed_flush_lsn >= '{written}' FROM pg_replication_slots WHERE slot_name = '{connector}'");
    wait_for("the slot to pass a write to another database", || admin.query_one(&passed, &[]).unwrap().get(0));
    println!("the slot passed another database's write after {:?}", since.elapsed());
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    drop(other);
    admin.batch_execute(&format!("DROP DATABASE {busy} WITH (FORCE)")).unwrap();
}

/// A transaction that was open at the snapshot comes after the snapshot's row, with a lower LSN: it must win.
///
/// PostgreSQL makes a slot in three steps, and each waits for the transactions that run when it begins. What begins in the
/// third step is decoded whole, and the snapshot does not see it unless it commits first.
#[test]
fn changes_that_were_open_at_the_snapshot_win_over_its_rows() {
    let mut world = World::new("overlap");
    let database = world.pg_db.clone();
    let mut watcher = connect_postgres("postgres");
    let begin = |id: &str| {
        let mut client = connect_postgres(&database);
        client
            .batch_execute(&format!("BEGIN; UPDATE customers SET city = 'open {id}' WHERE customer_id = '{id}'"))
            .unwrap();
        let xid: String = client.query_one("SELECT pg_current_xact_id()::xid::text", &[]).unwrap().get(0);
        (client, xid)
    };
    // Other tests' slots wait for these transactions as well: only this database's counts.
    let mut wait_until_waited_for = |xid: &str| {
        let sql = format!(
            "SELECT count(*) > 0 FROM pg_locks JOIN pg_stat_activity USING (pid)
             WHERE locktype = 'transactionid' AND transactionid = '{xid}' AND NOT granted AND datname = '{database}'"
        );
        wait_for("the slot's creation to wait for a transaction", || watcher.query_one(&sql, &[]).unwrap().get(0));
    };

    let (mut first, first_xid) = begin("ALFKI");
    let (connector, mut during, mut after) = std::thread::scope(|scope| {
        let capture = scope.spawn(|| world.capture(&[]));
        wait_until_waited_for(&first_xid);
        let (mut second, second_xid) = begin("ANATR");
        first.batch_execute("COMMIT").unwrap();
        wait_until_waited_for(&second_xid);
        let (mut during, _) = begin("ANTON");
        let (after, _) = begin("AROUT");
        second.batch_execute("COMMIT").unwrap();
        wait_for("the slot to be consistent", || {
            let sql =
                "SELECT count(*) FROM pg_replication_slots WHERE database = $1 AND confirmed_flush_lsn IS NOT NULL";
            during.query_one(sql, &[&database]).unwrap().get::<_, i64>(0) == 1
        });
        during.batch_execute("COMMIT").unwrap();
        (capture.join().unwrap(), during, after)
    });
    assert_eq!(world.ingest(&["--max-records", "91"]).expect_exit(0).count("rejected"), 0);
    after.batch_execute("COMMIT").unwrap();
    during.batch_execute("UPDATE customers SET fax = 'later' WHERE customer_id = 'ANTON'").unwrap();
    world.wait_for_capture(&connector);
    world.ingest(&[]).expect_exit(0);

    assert_eq!(world.assert_same_customers(), 91);
    let winner = "SELECT op, city, _lsn < (SELECT max(_lsn) FROM northwind_dw.dim_customers WHERE op = 'r')
                  FROM northwind_dw.dim_customers FINAL WHERE customer_id = 'AROUT'";
    assert_eq!(world.clickhouse(winner), "u\topen AROUT\t1\n", "the situation did arise");
}

/// After a lost slot the connector takes its snapshot anew, into the same topic.
#[test]
fn a_new_snapshot_wins_over_older_changes() {
    let mut world = World::new("new_snapshot");
    let connector = world.capture(&[]);
    world.change("UPDATE customers SET city = 'seen' WHERE customer_id IN ('ALFKI', 'ANATR')");
    world.wait_for_capture(&connector);
    world.ingest(&[]).expect_exit(0);
    world.change("UPDATE customers SET city = 'unread' WHERE customer_id = 'ANTON'");
    world.wait_for_capture(&connector);
    world.forget_connector(&connector);
    world.change(
        "UPDATE customers SET city = 'not seen' WHERE customer_id IN ('ALFKI', 'ANTON');
         INSERT INTO customers (customer_id, company_name) VALUES ('NEWCO', 'not seen')",
    );
    world.capture(&[]);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("rejected"), outcome.count("redelivered")), (93, 0, 0));
    assert_eq!(world.assert_same_customers(), 92);
    let ops = "SELECT groupUniqArray(op) FROM northwind_dw.dim_customers FINAL";
    assert_eq!(world.clickhouse(ops), "['r']\n");
}

/// A connector that is killed sends again what it had not noted down. Here: its slot and its offsets as they were before.
#[test]
fn a_tail_that_is_sent_again_is_counted_and_changes_nothing() {
    let mut world = World::new("tail");
    let connector = world.capture(&[]);
    let slot = |sql: &str| world.postgres().query_one(sql, &[]).map(drop).unwrap();
    world.ingest(&[]).expect_exit(0);
    world.stop_connector(&connector);
    let before = world.connector_offsets(&connector);
    slot(&format!("SELECT pg_copy_logical_replication_slot('{connector}', '{connector}_before')"));
    world.resume_connector(&connector);
    world.change("UPDATE customers SET city = 'first' WHERE customer_id = 'ALFKI'");
    world.change("INSERT INTO customers (customer_id, company_name) VALUES ('NEWCO', 'new')");
    world.change("UPDATE customers SET city = 'second' WHERE customer_id = 'ALFKI'");
    world.change("DELETE FROM customers WHERE customer_id = 'PARIS'");
    world.change("UPDATE customers SET customer_id = 'FISSB' WHERE customer_id = 'FISSA'");
    world.wait_for_capture(&connector);
    let once = world.log_end(0) - 91;
    assert_eq!(once, 8, "six events and two tombstones");

    world.stop_connector(&connector);
    slot(&format!("SELECT pg_drop_replication_slot('{connector}')"));
    slot(&format!("SELECT pg_copy_logical_replication_slot('{connector}_before', '{connector}')"));
    world.set_connector_offsets(&connector, &before);
    world.resume_connector(&connector);
    wait_for("the tail to be there twice", || world.log_end(0) == 91 + 2 * once);
    slot(&format!("SELECT pg_drop_replication_slot('{connector}_before')"));

    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("rejected"), outcome.count("tombstones")), (12, 0, 4));
    assert_eq!(outcome.count("redelivered"), 6);
    assert_eq!(world.assert_same_customers(), 91);
}
