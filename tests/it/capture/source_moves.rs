//! The source moves on while the ingest is behind: rows and the rows they reference are gone when their events are read. The pipeline
//! goes on, and ends equal to the source.

use serde_json::{Value, json};

use crate::support::{World, wait_for};

const TABLES: [&str; 6] = ["customers", "employees", "shippers", "products", "orders", "order_details"];

fn captured(name: &str) -> (World, String) {
    let mut world = World::new(name);
    let connector = world.capture(&[]);
    (world, connector)
}

/// Keys of the live rows, source and warehouse.
fn keys(world: &World, table: &str, target: &str, key: &str) -> (Vec<String>, Vec<String>) {
    let sql = format!("SELECT concat_ws('/', {key}) FROM {table} ORDER BY concat_ws('/', {key}) COLLATE \"C\"");
    let source = world.postgres().query(&sql, &[]).unwrap().iter().map(|row| row.get(0)).collect();
    let warehouse = world.clickhouse(&format!(
        "SELECT concatWithSeparator('/', {key}) AS k FROM northwind_dw.{target} FINAL ORDER BY k"
    ));
    (source, warehouse.lines().map(str::to_owned).collect())
}

fn assert_equal_keys(world: &World) {
    for (table, target, key) in [
        ("customers", "dim_customers", "customer_id"),
        ("orders", "fact_orders", "order_id"),
        ("order_details", "fact_order_details", "order_id, product_id"),
    ] {
        let (source, warehouse) = keys(world, table, target, key);
        assert_eq!(source, warehouse, "{table}");
    }
}

#[test]
fn half_of_the_rows_are_deleted_while_the_ingest_is_behind() {
    let (world, connector) = captured("half_gone");
    let mut postgres = world.postgres();
    postgres
        .batch_execute(
            "DELETE FROM order_details WHERE order_id % 2 = 0;
             DELETE FROM orders WHERE order_id % 2 = 0;
             DELETE FROM customer_customer_demo;
             UPDATE orders SET customer_id = 'ALFKI' WHERE customer_id > 'M';
             DELETE FROM customers WHERE customer_id > 'M'",
        )
        .unwrap();
    world.wait_for_capture(&connector);
    let mut rejected = json!({});
    for table in TABLES {
        // Small windows: a row's delete comes in a later window, when its own event has been judged.
        let outcome =
            world.ingest_table(table, &["--window-records", "200", "--max-reject-ratio", "0.01"]).expect_exit(0);
        rejected[table] = outcome.summary["rejected_by_rule"].clone();
    }
    assert_equal_keys(&world);
    for table in ["customers", "orders", "order_details"] {
        let by_rule = rejected[table].as_object().unwrap();
        assert!(
            by_rule.keys().all(|rule| ["not-in-postgres", "customer-exists"].contains(&rule.as_str())),
            "{rejected}"
        );
    }
    assert!(rejected["order_details"]["not-in-postgres"].as_u64() > Some(500), "{rejected}");
}

/// Orders of a customer move to another one, and the first is deleted: by now nothing references it, but the events of then do.
#[test]
fn a_parent_is_deleted_after_its_childs_event() {
    let (world, connector) = captured("parent_gone");
    let mut postgres = world.postgres();
    postgres.batch_execute("INSERT INTO customers (customer_id, company_name) VALUES ('SHORT', 'Short life')").unwrap();
    let moves = "UPDATE orders SET customer_id = $1 WHERE order_id = 10248";
    for customer in ["SHORT", "ALFKI"] {
        postgres.execute(moves, &[&customer]).unwrap();
    }
    postgres.batch_execute("DELETE FROM customers WHERE customer_id = 'SHORT'").unwrap();
    world.wait_for_capture(&connector);
    let of_then = || world.number("SELECT count() FROM northwind_ops.rejected FINAL WHERE rule = 'customer-exists'");

    // In one window the later event settles it.
    let outcome = world.ingest_table("orders", &[]).expect_exit(0);
    assert_eq!((outcome.count("rejected"), of_then()), (0, 0));
    let customer = "SELECT customer_id FROM northwind_dw.fact_orders FINAL WHERE order_id = 10248";
    assert_eq!(world.clickhouse(customer), "ALFKI\n");

    // In two, the event of then cannot be written, and the later one is.
    postgres.batch_execute("INSERT INTO customers (customer_id, company_name) VALUES ('SHORT', 'Short life')").unwrap();
    for customer in ["SHORT", "ANATR"] {
        postgres.execute(moves, &[&customer]).unwrap();
    }
    postgres.batch_execute("DELETE FROM customers WHERE customer_id = 'SHORT'").unwrap();
    world.wait_for_capture(&connector);
    let outcome = world.ingest_table("orders", &["--window-records", "1"]).expect_exit(0);
    assert_eq!((outcome.count("written"), &outcome.summary["rejected_by_rule"]), (1, &json!({"customer-exists": 1})));
    assert!(
        outcome.log.contains("orders \"10248\" references customers \"SHORT\", which is NOT in Postgres"),
        "{}",
        outcome.log
    );
    assert_eq!(world.clickhouse(customer), "ANATR\n");
    world.ingest_table("customers", &[]).expect_exit(0);
    let (source, warehouse) = keys(&world, "orders", "fact_orders", "order_id");
    assert_eq!(source, warehouse);
}

/// Between two look-ups PostgreSQL stops answering, or dies: no line is an orphan because of that.
#[test]
fn postgres_is_gone_between_two_look_ups() {
    let (world, _) = captured("between_look_ups");
    let nothing_happened = |outcome: &crate::support::Outcome| {
        assert_eq!((outcome.count("written"), outcome.count("rejected"), outcome.count("remaining")), (0, 0, 0));
        assert_eq!(world.number("SELECT count() FROM northwind_ops.rejected"), 0);
        assert_eq!(world.number("SELECT count() FROM northwind_dw.fact_order_details"), 0);
    };
    // The orders are looked up before the products.
    let mut locker = world.postgres();
    let mut transaction = locker.transaction().unwrap();
    transaction.batch_execute("LOCK TABLE products IN ACCESS EXCLUSIVE MODE").unwrap();
    let outcome = world.ingest_table("order_details", &[]).expect_exit(75);
    assert!(outcome.error().contains("looking up 77 rows of public.products in PostgreSQL"), "{}", outcome.error());
    assert!(outcome.error().contains("lock timeout"), "{}", outcome.error());
    nothing_happened(&outcome);

    let run = world.command("ingest-order-details", &[]).spawn().unwrap();
    let waits = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
                 AND application_name LIKE 'ingest-order-details run%'";
    let mut watcher = world.postgres();
    let mut pid = None;
    wait_for("the products' look-up", || {
        pid = watcher.query_opt(waits, &[]).unwrap().map(|row| row.get::<_, i32>(0));
        pid.is_some()
    });
    watcher.query("SELECT pg_terminate_backend($1)", &[&pid]).unwrap();
    let outcome = crate::support::outcome(run).expect_exit(75);
    nothing_happened(&outcome);
    transaction.rollback().unwrap();

    let outcome = world.ingest_table("order_details", &[]).expect_exit(0);
    assert_eq!(
        (outcome.count("rejected"), &outcome.summary["warned_by_rule"]),
        (0, &Value::Object(Default::default()))
    );
    let (source, warehouse) = keys(&world, "order_details", "fact_order_details", "order_id, product_id");
    assert_eq!(source, warehouse);
}
