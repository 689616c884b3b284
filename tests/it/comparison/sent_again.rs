//! The connector is asked to send a table again, by `SELECT northwind_cdc.send_again(…)` in the source: what the log can no longer
//! give comes once more.

use crate::support::checks::Checked;
use crate::support::{World, wait_for};

fn number(world: &World, sql: &str) -> i64 {
    world.postgres().query_one(sql, &[]).unwrap().get(0)
}

/// Ingests until so many rows have been written, in however many runs.
fn ingest_rows(world: &World, table: &str, rows: i64, args: &[&str]) {
    let mut written = 0;
    wait_for(&format!("{rows} rows of {table}"), || {
        let outcome = world.ingest_table(table, args).expect_exit(0);
        assert_eq!(outcome.count("rejected"), 0, "{outcome:?}");
        written += outcome.count("written");
        written >= rows
    });
    assert_eq!(written, rows);
}

/// Partitions were added: no key's order can be trusted any more, so the run stops; what it then skips comes again.
#[test]
fn after_partitions_were_added_the_table_comes_again() {
    let shop = Checked::new("again_partitions", &["customers", "orders"]);
    shop.change("UPDATE customers SET city = 'before' WHERE customer_id < 'B'");
    let world = &shop.world;
    world.add_partitions(3);
    let outcome = world.ingest(&[]).expect_exit(78);
    assert!(outcome.error().contains("SELECT northwind_cdc.send_again("), "{}", outcome.error());
    world.ingest(&["--resume-from", "log-end"]).expect_exit(0);
    assert_ne!(world.difference("customers"), "", "the changes were skipped");

    shop.change("SELECT northwind_cdc.send_again('customers', 'public.orders')");
    ingest_rows(world, "customers", 91, &[]);
    ingest_rows(world, "orders", number(world, "SELECT count(*) FROM orders"), &[]);
    for table in ["customers", "orders"] {
        world.assert_same(table);
        assert_eq!(shop.reconcile(&["--table", table]).exit, 0);
    }
    wait_for("Debezium's own marks to be gone", || number(world, "SELECT count(*) FROM northwind_cdc.signal") == 2);
}

/// An event that is sent again has no position of its own in the log; it is not older than a TRUNCATE before it.
#[test]
fn what_is_sent_again_is_newer_than_an_earlier_truncate() {
    let shop = Checked::new("again_truncate", &["us_states"]);
    shop.change("TRUNCATE us_states");
    shop.change("INSERT INTO us_states SELECT i, 'state ' || i FROM generate_series(1, 50) AS i");
    shop.ingest(&["us_states"]);
    shop.tamper("ALTER TABLE northwind_dw.dim_us_states DELETE WHERE state_id <= 10");
    shop.change("SELECT northwind_cdc.send_again('us_states')");
    ingest_rows(&shop.world, "us_states", 50, &[]);
    assert_eq!(shop.world.assert_same("us_states"), 50);
    assert_eq!(shop.reconcile(&["--table", "us_states"]).exit, 0);
}

/// The price list of today says nothing about a line of yesterday, also when that comes again today.
#[test]
fn a_line_that_is_sent_again_is_not_held_against_a_newer_price() {
    let shop = Checked::new("again_prices", &["products", "order_details"]);
    shop.change("UPDATE products SET unit_price = unit_price + 1");
    shop.ingest(&["products"]);
    shop.change("SELECT northwind_cdc.send_again('order_details')");
    let lines = number(&shop.world, "SELECT count(*) FROM order_details");
    ingest_rows(&shop.world, "order_details", lines, &["--rule", "list-price=reject"]);
}

#[test]
fn a_table_that_is_not_captured_is_refused() {
    let world = World::new("again_unknown");
    let mut client = world.postgres();
    client.batch_execute("CREATE TABLE notes (id int PRIMARY KEY)").unwrap();
    let error = client.batch_execute("SELECT northwind_cdc.send_again('customers', 'notes')").unwrap_err();
    assert_eq!(error.as_db_error().unwrap().message(), "not captured: notes");
    assert!(client.batch_execute("SELECT northwind_cdc.send_again('nothing')").is_err());
    assert_eq!(number(&world, "SELECT count(*) FROM northwind_cdc.signal"), 0);
}
