//! `check-reconcile` on the real servers: it finds what was changed behind the pipeline's back, and refuses what it cannot check.

use std::time::{Duration, Instant};

use crate::support::checks::Checked;
use crate::support::standby::Standby;
use crate::support::{outcome, signal, wait_for};

#[test]
fn what_was_ingested_is_the_same_and_what_is_not_yet_is_inconclusive() {
    let tables = ["customers", "orders", "employees", "order_details"];
    let shop = Checked::new("reconcile_same", &tables);
    let chosen: Vec<&str> = tables.iter().flat_map(|table| ["--table", table]).collect();
    let outcome = shop.reconcile(&chosen).expect_exit(0);
    assert_eq!(outcome.count("pass"), 4, "{outcome:?}");
    let detail = shop.detail(&outcome, "orders");
    assert!(detail.starts_with("830 rows in the source, 830 in the warehouse: 830 the same, 0 different"), "{detail}");
    let all_pass =
        "reconcile customers pass\nreconcile employees pass\nreconcile order_details pass\nreconcile orders pass\n";
    assert_eq!(shop.statuses(&outcome), all_pass);

    shop.change("UPDATE customers SET city = 'Köln' WHERE customer_id = 'ALFKI'");
    let outcome = shop.reconcile(&["--table", "customers", "--wait", "5s"]).expect_exit(75);
    assert!(outcome.error().contains("Kafka to ClickHouse: 1 offsets of"), "{}", outcome.error());
    let outcome = shop.reconcile(&["--table", "customers", "--wait", "0s"]).expect_exit(0);
    assert!(shop.detail(&outcome, "customers").contains("1 undecided"), "{outcome:?}");
    shop.ingest(&["customers"]);
    shop.reconcile(&["--table", "customers"]).expect_exit(0);
}

/// The connector stops while the shop goes on.
#[test]
fn what_was_not_captured_yet_is_inconclusive() {
    let shop = Checked::new("reconcile_stopped", &["customers"]);
    shop.world.stop_connector(&shop.connector);
    // Nothing has changed since: what is the same is the same, wherever the pipeline stands.
    shop.reconcile(&["--table", "customers"]).expect_exit(0);
    shop.world.change("UPDATE customers SET city = 'Köln' WHERE customer_id = 'ALFKI'");
    let outcome = shop.reconcile(&["--table", "customers", "--wait", "5s"]).expect_exit(75);
    assert!(outcome.error().contains("PostgreSQL to Kafka: slot"), "{}", outcome.error());
    assert_eq!(shop.statuses(&outcome), "reconcile customers inconclusive\n");
    shop.world.resume_connector(&shop.connector);
    shop.world.wait_for_capture(&shop.connector);
    shop.ingest(&["customers"]);
    shop.reconcile(&["--table", "customers"]).expect_exit(0);
}

/// One value of each column type.
#[test]
fn a_value_changed_in_the_warehouse_is_found_with_key_and_column() {
    let shop = Checked::new("reconcile_values", &["customers", "orders", "employees", "order_details", "products"]);
    for (table, target, column, new, key) in [
        ("customers", "dim_customers", "company_name", "'Other'", "customer_id = 'ALFKI'"),
        ("customers", "dim_customers", "region", "'not null'", "customer_id = 'ALFKI'"),
        ("customers", "dim_customers", "city", "NULL", "customer_id = 'ALFKI'"),
        ("orders", "fact_orders", "order_date", "toDate32('1996-07-05')", "order_id = 10248"),
        ("orders", "fact_orders", "freight", "32.39", "order_id = 10248"),
        ("orders", "fact_orders", "employee_id", "6", "order_id = 10248"),
        ("orders", "fact_orders", "customer_id", "'vinet'", "order_id = 10248"),
        ("employees", "dim_employees", "photo", "tuple(photo.1 + 1, photo.2)", "employee_id = 1"),
        ("employees", "dim_employees", "notes", "concat(notes, ' ')", "employee_id = 1"),
        ("order_details", "fact_order_details", "discount", "discount + 0.0001", "order_id = 10248"),
        ("products", "dim_products", "discontinued", "2", "product_id = 1"),
    ] {
        shop.tamper(&format!("ALTER TABLE northwind_dw.{target} UPDATE {column} = {new} WHERE {key}"));
        let outcome = shop.reconcile(&["--table", table]).expect_exit(10);
        let failures = shop.failures(&outcome, "DISTINCT owner, column, isNotNull(partition), isNotNull(offset)");
        assert_eq!(failures, format!("pipeline {column} 1 1\n"), "{table}");
        // Read again what was changed: the same event, the same row.
        shop.tamper(&format!("ALTER TABLE northwind_dw.{target} DELETE WHERE {key}"));
        shop.world.ingest_table(table, &["--from-beginning"]).expect_exit(0);
    }
    shop.reconcile(&["--table", "orders", "--table", "employees"]).expect_exit(0);
}

#[test]
fn a_row_too_few_and_a_row_too_many_are_found() {
    let shop = Checked::new("reconcile_rows", &["customers", "order_details"]);
    shop.tamper("ALTER TABLE northwind_dw.dim_customers DELETE WHERE customer_id = 'BLAUS'");
    shop.world.clickhouse(
        "INSERT INTO northwind_dw.dim_customers (customer_id, company_name, _version) VALUES ('ZZZZZ', 'Nobody', 1)",
    );
    let outcome = shop.reconcile(&["--table", "customers"]).expect_exit(10);
    let failures = shop.failures(&outcome, "owner, row_key, detail");
    assert_eq!(failures, "pipeline BLAUS missing in the warehouse\npipeline ZZZZZ not in the source any more\n");
    assert!(outcome.stdout.contains("key \"BLAUS\"") && outcome.stdout.contains("key \"ZZZZZ\""), "{}", outcome.stdout);
    assert_eq!(outcome.summary["findings"][0]["measured"], 2.0);
}

/// A row whose change was refused differs, but everybody knows.
#[test]
fn a_row_in_quarantine_is_a_warning() {
    let shop = Checked::new("reconcile_quarantine", &["order_details"]);
    shop.change("UPDATE order_details SET discount = 0.9 WHERE order_id = 10248 AND product_id = 8");
    shop.ingest(&["order_details"]);
    let outcome = shop.reconcile(&["--table", "order_details"]).expect_exit(0);
    assert_eq!(shop.statuses(&outcome), "reconcile order_details warn\n");
    assert!(shop.detail(&outcome, "order_details").contains("1 in quarantine"), "{outcome:?}");
    let named = shop.failures(&outcome, "owner, replace(row_key, char(31), '/'), detail");
    assert_eq!(named, "source 10248/8 a newer event of this key lies in quarantine\n");
}

#[test]
fn what_cannot_be_checked_is_no_pass() {
    let mut shop = Checked::new("reconcile_refused", &["customers"]);
    shop.change("TRUNCATE us_states");
    shop.ingest(&["us_states"]);
    // The other tables have rows, so that it is the right database.
    shop.reconcile(&["--table", "us_states"]).expect_exit(0);

    shop.world.change("ALTER TABLE us_states RENAME TO away");
    let outcome = shop.reconcile(&["--table", "us_states"]).expect_exit(78);
    assert!(outcome.error().contains("relation \"public.us_states\" does not exist"), "{}", outcome.error());
    shop.world.change("ALTER TABLE away RENAME TO us_states");
    shop.reconcile(&["--table", "nonsense"]).expect_exit(2);
    // A difference cannot be judged without the slot.
    shop.tamper("ALTER TABLE northwind_dw.dim_customers DELETE WHERE customer_id = 'BLAUS'");
    let outcome =
        shop.world.run("check-reconcile", &["--prefix", &shop.world.name, "--slot", "no_slot", "--table", "customers"]);
    assert!(outcome.expect_exit(78).error().contains("there is no replication slot no_slot"));

    shop.world.clickhouse("DROP TABLE northwind_dw.dim_customers SYNC");
    let outcome = shop.reconcile(&["--table", "customers"]).expect_exit(78);
    assert!(outcome.error().contains("run `migrate` first"), "{}", outcome.error());

    let all = "SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') FROM pg_publication_tables WHERE schemaname = 'public'";
    let all: String = shop.world.postgres().query_one(all, &[]).unwrap().get(0);
    shop.change(&format!("TRUNCATE {all}"));
    let outcome = shop.reconcile(&["--table", "us_states"]).expect_exit(78);
    assert!(outcome.error().contains("both sides are empty, and so is every other table"), "{}", outcome.error());
    shop.reconcile(&["--table", "us_states", "--allow-empty"]).expect_exit(0);

    shop.world.environment.push(("TMPDIR".to_owned(), "/nowhere".to_owned()));
    let outcome = shop.reconcile(&["--table", "us_states"]).expect_exit(78);
    assert!(outcome.error().contains("no room in /nowhere"), "{}", outcome.error());
}

/// Somebody alters the table: not a no, and nobody is held up for longer than the lock timeout.
#[test]
fn a_locked_table_is_inconclusive() {
    let shop = Checked::new("reconcile_locked", &["customers"]);
    let mut locker = shop.world.postgres();
    let mut transaction = locker.transaction().unwrap();
    transaction.batch_execute("LOCK TABLE customers IN ACCESS EXCLUSIVE MODE").unwrap();
    let started = Instant::now();
    let outcome = shop.reconcile(&["--table", "customers"]).expect_exit(75);
    assert!(outcome.error().contains("locked by somebody else"), "{}", outcome.error());
    assert!(started.elapsed() < Duration::from_secs(10));
    transaction.rollback().unwrap();
}

/// The order of keys is that of bytes, whatever the database sorts by.
#[test]
fn keys_are_compared_in_the_order_of_their_bytes() {
    let shop = Checked::new("reconcile_order", &["customers"]);
    shop.change("ALTER TABLE customers ALTER COLUMN customer_id TYPE varchar(5) COLLATE \"en-x-icu\"");
    shop.change("INSERT INTO customers (customer_id, company_name) VALUES ('alfki', 'a'), ('Bloki', 'b'), ('_', 'c'), ('Ärger', 'd')");
    shop.ingest(&["customers"]);
    let outcome = shop.reconcile(&["--table", "customers"]).expect_exit(0);
    assert!(shop.detail(&outcome, "customers").contains("95 the same, 0 different"), "{outcome:?}");
}

/// Starts a reconcile of customers, and waits until it has its snapshot and waits for the ingest job.
pub fn waiting_for_ingest(shop: &Checked) -> std::process::Child {
    let args = ["--prefix", &shop.world.name, "--slot", &shop.connector, "--table", "customers", "--wait", "10m"];
    let waiting = shop.world.command("check-reconcile", &args).spawn().unwrap();
    let asked_slot = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND application_name LIKE 'check-reconcile run %'
         AND query LIKE '%replication_slots%' AND state = 'idle' AND now() - state_change > interval '500 ms'",
        shop.world.pg_db
    );
    let mut postgres = shop.world.postgres();
    wait_for("the fence", || postgres.query_one(&asked_slot, &[]).unwrap().get::<_, i64>(0) == 1);
    waiting
}

/// While the fence is waited for, a key changes again: the warehouse has a row that the snapshot does not know. It is in flight, and
/// settled by the next round.
#[test]
fn a_row_that_is_newer_than_the_snapshot_is_no_difference() {
    let shop = Checked::new("reconcile_in_flight", &["customers"]);
    shop.change("UPDATE customers SET city = 'Köln' WHERE customer_id = 'ALFKI'");
    let waiting = waiting_for_ingest(&shop);
    shop.change("UPDATE customers SET city = 'Bonn' WHERE customer_id = 'ALFKI'; DELETE FROM customers WHERE customer_id = 'PARIS'");
    shop.ingest(&["customers"]);
    let outcome = outcome(waiting).expect_exit(0);
    assert!(shop.detail(&outcome, "customers").contains("0 different"), "{outcome:?}");
}

/// The same, when the connector has sent the whole table again meanwhile: such events tell of no transaction.
#[test]
fn a_row_that_was_sent_again_after_the_snapshot_is_no_difference() {
    let shop = Checked::new("reconcile_sent_again", &["customers"]);
    shop.change("UPDATE customers SET city = 'Köln' WHERE customer_id = 'ALFKI'");
    let waiting = waiting_for_ingest(&shop);
    let end = shop.world.log_end(0);
    shop.change("UPDATE customers SET city = 'Bonn' WHERE customer_id = 'ALFKI'");
    shop.change("SELECT northwind_cdc.send_again('customers')");
    wait_for("the rows", || shop.world.log_end(0) == end + 1 + 91);
    shop.ingest(&["customers"]);
    let outcome = outcome(waiting).expect_exit(0);
    assert!(shop.detail(&outcome, "customers").contains("0 different"), "{outcome:?}");
}

#[test]
fn a_reconcile_that_waits_can_be_stopped() {
    let shop = Checked::new("reconcile_sigterm", &["customers"]);
    shop.change("UPDATE customers SET city = 'Köln' WHERE customer_id = 'ALFKI'");
    let waiting = waiting_for_ingest(&shop);
    let started = Instant::now();
    signal(&waiting, "TERM");
    let outcome = outcome(waiting).expect_exit(143);
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(outcome.error().contains("run again"), "{}", outcome.error());
}

/// Its snapshots leave out running transactions.
#[test]
fn a_standby_is_refused() {
    let shop = Checked::new("reconcile_standby", &["customers"]);
    let standby = Standby::start();
    let port = standby.port.to_string();
    let outcome = shop.reconcile(&["--table", "customers", "--postgres-port", &port]).expect_exit(78);
    assert!(outcome.error().contains("this PostgreSQL is a standby"), "{}", outcome.error());
}

/// SELECT on the tables is all it needs.
#[test]
fn a_reader_without_other_rights_may_reconcile() {
    let mut shop = Checked::new("reconcile_reader", &["customers"]);
    let role = format!("{}_reader", shop.world.name);
    shop.world.change(&format!("CREATE ROLE {role} LOGIN PASSWORD 'reader'; GRANT SELECT ON customers TO {role}"));
    shop.world.environment.push(("POSTGRES_PASSWORD".to_owned(), "reader".to_owned()));
    shop.tamper("ALTER TABLE northwind_dw.dim_customers DELETE WHERE customer_id = 'BLAUS'");
    let outcome = shop.reconcile(&["--table", "customers", "--postgres-user", &role]).expect_exit(10);
    assert_eq!(outcome.summary["findings"][0]["measured"], 1.0, "{outcome:?}");
    shop.world.change(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}
