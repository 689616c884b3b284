//! All fourteen tables through PostgreSQL, Debezium and their jobs: in any order, with Northwind's data or others', the warehouse
//! ends equal in every column.

use crate::support::World;
use crate::support::registry::{Registered, registry};

/// Rows of the source that comes with the project.
const NORTHWIND: usize = 3384;

/// Runs the jobs of these tables to their ends: nothing is rejected, all is equal. Returns how many rows there are.
#[track_caller]
fn ingest_and_compare(world: &World, tables: &[Registered]) -> usize {
    for table in tables {
        let outcome = world.ingest_table(table.source, &[]).expect_exit(0);
        assert_eq!(outcome.count("rejected"), 0, "{}\n{}", table.source, world.quarantine());
    }
    tables.iter().map(|table| world.assert_same(table.source)).sum()
}

/// How many rows of each table are written by a first run, table by table.
fn ingest_a_snapshot(world: &World, tables: &[Registered]) -> usize {
    let mut written = 0;
    for table in tables {
        let outcome = world.ingest_table(table.source, &[]).expect_exit(0);
        let rows = world.assert_same(table.source);
        assert_eq!((outcome.count("written"), outcome.count("rejected")), (rows as i64, 0), "{}", table.source);
        written += rows;
    }
    written
}

#[test]
fn northwind_flows_parents_first() {
    let mut world = World::new("all_forward");
    let connector = world.capture(&[]);
    let tables = registry();
    assert_eq!(ingest_a_snapshot(&world, &tables), NORTHWIND);

    world.change(
        "UPDATE order_details SET quantity = quantity + 1 WHERE order_id = 10248;
         UPDATE order_details SET product_id = 78 - product_id WHERE order_id = 10249;
         DELETE FROM order_details WHERE order_id = 10250;
         UPDATE customer_customer_demo SET customer_type_id = 'RETAIL' WHERE customer_id = 'BLAUS';
         DELETE FROM customer_customer_demo WHERE customer_id = 'OTTIK';
         DELETE FROM employee_territories WHERE employee_id = 2 AND territory_id = '01581';
         UPDATE employee_territories SET employee_id = 3 WHERE employee_id = 2 AND territory_id = '01730'",
    );
    world.wait_for_capture(&connector);
    ingest_and_compare(&world, &tables);
    let gone = "SELECT count() FROM northwind_dw.fact_order_details FINAL WHERE order_id = 10250";
    assert_eq!(world.number(gone), 0);
}

#[test]
fn northwind_flows_children_first() {
    let mut world = World::new("all_backward");
    world.capture(&[]);
    let mut tables = registry();
    tables.reverse();
    assert_eq!(ingest_a_snapshot(&world, &tables), NORTHWIND);
    // And once more, all of it: nothing is doubled, nothing changes.
    for table in &tables {
        world.ingest_table(table.source, &["--from-beginning"]).expect_exit(0);
        world.assert_same(table.source);
    }
}

/// Another load of the same schema: empty pictures and links as in the dumps that are around, rows of NULLs, long texts.
#[test]
fn other_data_flows_as_well() {
    let mut world = World::new("all_other");
    world.change(
        r"DELETE FROM order_details WHERE order_id > 10300;
          DELETE FROM orders WHERE order_id > 10300;
          TRUNCATE customer_customer_demo, customer_demographics;
          UPDATE employees SET photo = '', notes = repeat('Zażółć gęślą jaźń 🦀 ', 5000) WHERE employee_id < 5;
          UPDATE categories SET picture = '', description = repeat(md5(category_id::text), 9000) WHERE category_id < 5;
          UPDATE categories SET picture = decode(repeat('00ff', 100000), 'hex') WHERE category_id = 5;
          UPDATE suppliers SET homepage = NULL WHERE supplier_id < 5;
          INSERT INTO categories (category_id, category_name) VALUES (-1, '');
          INSERT INTO customers (customer_id, company_name) VALUES ('Ünïçö', ''), ('it''s', E'tab\there \\ ');
          INSERT INTO employees (employee_id, last_name, first_name) VALUES (-32768, '', '');
          INSERT INTO region VALUES (0, 'nowhere   ');
          INSERT INTO territories VALUES ('  blanks', 'kept in front', 0);
          INSERT INTO employee_territories VALUES (-32768, '  blanks');
          INSERT INTO shippers VALUES (32767, 'nobody', NULL);
          INSERT INTO suppliers (supplier_id, company_name) VALUES (32767, '日本');
          INSERT INTO products (product_id, product_name, discontinued) VALUES (32767, 'nothing', -2147483648);
          INSERT INTO orders (order_id) VALUES (32767);
          INSERT INTO order_details VALUES (32767, 32767, 0, 32767, 0);
          INSERT INTO us_states VALUES (0, NULL, NULL, NULL)",
    );
    let connector = world.capture(&[]);
    let tables = registry();
    let rows = ingest_a_snapshot(&world, &tables);
    assert!((400..1000).contains(&rows), "{rows}");

    // Long values that the change does not touch.
    world.change("UPDATE employees SET city = 'Köln'; UPDATE categories SET category_name = 'all the same'");
    world.wait_for_capture(&connector);
    assert_eq!(ingest_and_compare(&world, &tables), rows);
}

#[test]
fn amounts_are_those_that_were_written() {
    let mut world = World::new("all_amounts");
    world.change(
        "UPDATE order_details SET unit_price = 9.8, discount = 0.15 WHERE (order_id, product_id) =
             (SELECT order_id, min(product_id) FROM order_details WHERE order_id = 10248 GROUP BY order_id)",
    );
    let connector = world.capture(&[]);
    let line = "SELECT unit_price, discount FROM northwind_dw.fact_order_details FINAL WHERE order_id = 10248 ORDER BY product_id LIMIT 1";
    world.ingest_table("order_details", &[]).expect_exit(0);
    assert_eq!(world.clickhouse(line), "9.8\t0.15\n");

    world.change("ALTER TABLE order_details ALTER unit_price TYPE numeric(10,2)");
    let lines =
        world.postgres().execute("UPDATE order_details SET unit_price = 10.50 WHERE order_id = 10248", &[]).unwrap();
    world.wait_for_capture(&connector);
    let last = world.records_of("order_details").pop().unwrap();
    let value = String::from_utf8(last.value.unwrap()).unwrap();
    assert!(value.contains(r#""unit_price":"10.50""#), "the situation did arise: {value}");
    let outcome = world.ingest_table("order_details", &[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("rejected")), (lines as i64, 0));
    assert_eq!(world.clickhouse(line), "10.5\t0.15\n");
    world.assert_same("order_details");
}

#[test]
fn what_is_no_number_is_rejected_and_what_comes_after_it_is_written() {
    let mut world = World::new("all_nan");
    let connector = world.capture(&[]);
    world.ingest_table("orders", &[]).expect_exit(0);
    for (order, freight) in [(10248, "NaN"), (10249, "Infinity"), (10250, "-Infinity")] {
        world.change(&format!("UPDATE orders SET freight = '{freight}' WHERE order_id = {order}"));
    }
    world.wait_for_capture(&connector);
    let outcome = world.ingest_table("orders", &[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("rejected")), (0, 3));
    let refused = "830\t10248\tnot-finite\topen\n831\t10249\tnot-finite\topen\n832\t10250\tnot-finite\topen\n";
    assert_eq!(world.quarantine(), refused);

    world.change("UPDATE orders SET freight = 32.38 WHERE order_id IN (10248, 10249, 10250)");
    world.wait_for_capture(&connector);
    assert_eq!(world.ingest_table("orders", &[]).expect_exit(0).count("rejected"), 0);
    world.assert_same("orders");
}
