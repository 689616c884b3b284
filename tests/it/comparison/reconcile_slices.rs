//! `check-reconcile --rows-per-snapshot`: a table is compared slice by slice, each in a short transaction of its own, and the answer is the same.

use std::collections::HashSet;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::comparison::reconcile_moving::{StopAtEnd, number};
use crate::support::checks::Checked;
use crate::support::random::Random;
use crate::support::{Outcome, outcome};

/// What a run found, and in how many slices.
fn differences(shop: &Checked, table: &str, rows: &str) -> (String, i64) {
    let outcome = shop.reconcile(&["--table", table, "--rows-per-snapshot", rows]).expect_exit(10);
    let detail = shop.detail(&outcome, table);
    let slices = if detail.contains(" slices") { number(&detail, " slices") } else { 1 };
    (shop.failures(&outcome, "row_key, column, detail, source_value, warehouse_value"), slices)
}

/// A text key, whose order is that of bytes and not the database's; a number; two numbers; a number and a text.
#[test]
fn slices_of_seven_rows_find_the_same_differences_as_one() {
    let tables = ["customers", "orders", "order_details", "employee_territories"];
    let shop = Checked::new("slices_same", &tables);
    shop.change("INSERT INTO customers (customer_id, company_name) VALUES ('alfki', 'a'), ('_', 'c'), ('Ärger', 'd'), ('a b', 'e')");
    shop.ingest(&["customers"]);
    for sql in [
        "ALTER TABLE northwind_dw.dim_customers DELETE WHERE customer_id IN ('ALFKI', 'alfki', 'WOLZA', 'CHOPS', '_')",
        "ALTER TABLE northwind_dw.dim_customers UPDATE city = 'x' WHERE customer_id IN ('BERGS', 'BLAUS', 'Ärger')",
        "ALTER TABLE northwind_dw.fact_orders DELETE WHERE order_id IN (10248, 10249, 10500, 11077)",
        "ALTER TABLE northwind_dw.fact_orders UPDATE freight = 1.5 WHERE order_id % 100 = 54",
        "ALTER TABLE northwind_dw.fact_order_details DELETE WHERE (order_id, product_id) IN ((10248, 11), (10255, 2), (11077, 77))",
        "ALTER TABLE northwind_dw.fact_order_details UPDATE quantity = 999 WHERE product_id = 2",
        "ALTER TABLE northwind_dw.dim_employee_territories DELETE WHERE employee_id = 2",
    ] {
        shop.tamper(sql);
    }
    // Before the first row of the source, behind its last one, and between.
    for sql in [
        "INSERT INTO northwind_dw.dim_customers (customer_id, company_name, _version) VALUES (' ', 'x', 1), ('ALFK', 'x', 1), ('ALFKIA', 'x', 1), ('ÿÿÿ', 'x', 1)",
        "INSERT INTO northwind_dw.fact_orders (order_id, customer_id, _version) VALUES (-5, 'x', 1), (9, 'x', 1), (100, 'x', 1), (99999, 'x', 1)",
        "INSERT INTO northwind_dw.fact_order_details (order_id, product_id, _version) VALUES (-1, 99, 1), (10255, 1, 1), (10255, 100, 1), (99999, 1, 1)",
        "INSERT INTO northwind_dw.dim_employee_territories (employee_id, territory_id, _version) VALUES (0, '9', 1), (2, '00000', 1), (9, 'x', 1)",
    ] {
        shop.world.clickhouse(sql);
    }
    for (table, rows) in [("customers", "7"), ("orders", "50"), ("order_details", "101"), ("employee_territories", "7")]
    {
        let (whole, slices) = differences(&shop, table, "1000000");
        assert_eq!(slices, 1, "{table}");
        let (sliced, slices) = differences(&shop, table, rows);
        assert_eq!(sliced, whole, "{table}");
        assert!(slices >= 7, "{table}: {slices} slices");
        println!("{table}: {slices} slices, {} lines", whole.lines().count());
    }
    assert_eq!(differences(&shop, "employee_territories", "1").0, differences(&shop, "employee_territories", "49").0);
}

/// What is mended does not depend on the slices either.
#[test]
fn slices_are_planned_and_repaired() {
    let shop = Checked::new("slices_repair", &["us_states"]);
    shop.unseen("us_states", 
        "DELETE FROM us_states WHERE state_id IN (1, 30, 51); INSERT INTO us_states VALUES (0, 'first'), (60, 'last'), (61, 'behind');
         UPDATE us_states SET state_name = 'changed' WHERE state_id IN (7, 8, 14)",
    );
    shop.tamper("ALTER TABLE northwind_dw.dim_us_states DELETE WHERE state_id = 20");
    let with = |args: &[&str]| {
        shop.reconcile(&[&["--table", "us_states", "--rows-per-snapshot", "7"], args].concat()).expect_exit(0)
    };
    let counts = |outcome: &Outcome| ["different", "in_log", "to_repair", "repaired"].map(|name| outcome.count(name));
    assert_eq!(counts(&with(&["--plan"])), [10, 1, 9, 0]);
    assert_eq!(counts(&with(&["--repair", "--yes"])), [10, 1, 9, 9]);
    let plan = with(&["--plan"]);
    assert_eq!(counts(&plan), [1, 1, 0, 0]);
    let command = plan.stdout.lines().find(|line| line.starts_with("  ingest-us-states")).unwrap().trim().to_owned();
    shop.world.ingest_table("us_states", &command.split(' ').skip(1).collect::<Vec<_>>()).expect_exit(0);
    assert_eq!(counts(&with(&["--repair", "--yes"])), [0, 0, 0, 0]);
    shop.world.assert_same("us_states");
}

const KEYS: usize = 3_000;

/// Rows change, come and go, and move from one slice to another by a change of their key, while the slices are compared.
#[test]
fn rows_that_move_between_slices_are_no_failure() {
    let shop = Checked::new("slices_moving", &["customers"]);
    shop.change(&format!(
        "INSERT INTO customers (customer_id, company_name) SELECT 'K' || i, 'start' FROM generate_series(0, {KEYS} - 1) AS i"
    ));
    shop.ingest(&["customers"]);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _stop = StopAtEnd(&stop);
        for seed in 0..4 {
            let (shop, stop) = (&shop, &stop);
            scope.spawn(move || write(shop, seed, stop));
        }
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let outcome = shop.world.run("ingest-customers", &[]);
                assert!([0, 75].contains(&outcome.exit), "{outcome:?}");
            }
        });
        for round in 0..8 {
            let outcome = shop.reconcile(&["--table", "customers", "--rows-per-snapshot", "150"]);
            assert!([0, 75].contains(&outcome.exit), "{outcome:?}");
            let detail = shop.detail(&outcome, "customers");
            println!("{round}: {detail}");
            assert!(number(&detail, " slices") >= 10, "{detail}");
            assert!(outcome.count("undecided") * 20 <= number(&detail, " the same"), "{detail}");
        }
    });
    shop.world.wait_for_capture(&shop.connector);
    shop.ingest(&["customers"]);
    let outcome = shop.reconcile(&["--table", "customers", "--rows-per-snapshot", "150"]).expect_exit(0);
    assert!(shop.detail(&outcome, "customers").contains("0 different, in"), "{outcome:?}");
}

fn write(shop: &Checked, seed: u64, stop: &AtomicBool) {
    let mut random = Random::new(seed);
    let mut client = shop.world.postgres();
    while !stop.load(Ordering::Relaxed) {
        let (from, to) = (random.below(KEYS), random.below(KEYS));
        let sql = match random.below(6) {
            0 => format!("DELETE FROM customers WHERE customer_id = 'K{from}'"),
            1 | 2 => format!(
                "UPDATE customers SET customer_id = 'K{to}' WHERE customer_id = 'K{from}'
                 AND NOT EXISTS (SELECT FROM customers WHERE customer_id = 'K{to}')"
            ),
            3 => format!("UPDATE customers SET city = 'v{to}' WHERE customer_id = 'K{from}'"),
            _ => format!(
                "INSERT INTO customers (customer_id, company_name) VALUES ('K{from}', 'v{to}')
                 ON CONFLICT (customer_id) DO UPDATE SET company_name = EXCLUDED.company_name"
            ),
        };
        // Two writers may move rows to one key.
        let _ = client.batch_execute(&sql);
        std::thread::sleep(Duration::from_millis(20));
    }
}

const ROWS: i64 = 200_000;

/// The job's transactions that were seen while it ran, how long the longest of them was in milliseconds, and what the job said.
fn transactions(shop: &Checked, rows: &str) -> (usize, i64, Outcome) {
    let args =
        ["--prefix", &shop.world.name, "--slot", &shop.connector, "--table", "customers", "--rows-per-snapshot", rows];
    let mut job: Child = shop.world.command("check-reconcile", &args).spawn().unwrap();
    let mut client = shop.world.postgres();
    let sql = format!(
        "SELECT xact_start::text, (extract(epoch FROM clock_timestamp() - xact_start) * 1000)::int8 FROM pg_stat_activity
         WHERE datname = '{}' AND application_name LIKE 'check-reconcile run %' AND state <> 'idle' AND xact_start IS NOT NULL",
        shop.world.pg_db
    );
    let (mut seen, mut longest) = (HashSet::new(), 0);
    while job.try_wait().unwrap().is_none() {
        for row in client.query(&sql, &[]).unwrap() {
            seen.insert(row.get::<_, String>(0));
            longest = longest.max(row.get(1));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    (seen.len(), longest, outcome(job))
}

/// A slice has a transaction of its own: how long it is open does not grow with the table.
#[test]
fn a_large_table_needs_no_long_transaction() {
    let shop = Checked::new("slices_short", &["customers"]);
    let mut postgres = shop.world.postgres();
    postgres.batch_execute("ALTER PUBLICATION northwind_publication DROP TABLE customers").unwrap();
    let rows = format!("SELECT 'K' || i, 'Company ' || i, repeat('x', 60) FROM generate_series(1, {ROWS}) AS i");
    postgres.batch_execute(&format!("INSERT INTO customers (customer_id, company_name, address) {rows}")).unwrap();
    postgres.batch_execute("ALTER PUBLICATION northwind_publication ADD TABLE customers; ANALYZE customers").unwrap();
    shop.world.clickhouse(&format!(
        "INSERT INTO northwind_dw.dim_customers (customer_id, company_name, address, _version, _partition)
         SELECT 'K' || i, 'Company ' || i, repeat('x', 60), 1, 9 FROM (SELECT number + 1 AS i FROM numbers({ROWS}))"
    ));
    let (one, whole, outcome) = transactions(&shop, "1000000");
    assert!(shop.detail(&outcome.expect_exit(0), "customers").contains("200091 the same, 0 different"));
    let (many, slice, outcome) = transactions(&shop, "10000");
    let detail = shop.detail(&outcome.expect_exit(0), "customers");
    assert!(detail.contains("200091 the same, 0 different, in 21 slices"), "{detail}");
    println!("{one} transactions of at most {whole} ms, or {many} of at most {slice} ms");
    // A transaction may be over before anybody looks, but not many of them.
    assert!(many >= one + 10, "{one} transactions for one slice, {many} for 21");
}
