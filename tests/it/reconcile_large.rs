//! A large table: what a reconcile costs, in memory and in proportion to what it looks at.

use crate::support::World;
use crate::support::checks::Checked;

const ROWS: i64 = 1_000_000;

/// A million rows of which ten differ; then ten that are new.
#[test]
fn a_million_rows_are_reconciled_in_flat_memory() {
    let mut world = World::new("reconcile_large");
    world
        .postgres()
        .batch_execute(&format!(
            "INSERT INTO customers (customer_id, company_name, contact_name, address, city, country)
             SELECT 'K' || i, 'Company ' || i, 'Somebody', 'Street ' || i % 1000, 'City ' || i % 100, 'Germany'
             FROM generate_series(1, {ROWS}) AS i"
        ))
        .unwrap();
    let connector = world.capture(&[]);
    let shop = Checked { world, connector };
    shop.world.run("ingest-customers", &[]).expect_exit(0);
    shop.ingest(&["region"]);
    shop.tamper(
        "ALTER TABLE northwind_dw.dim_customers UPDATE city = 'Nowhere' WHERE customer_id IN ('K1', 'K77', 'K999999')",
    );
    shop.tamper(
        "ALTER TABLE northwind_dw.dim_customers DELETE WHERE customer_id IN ('K2', 'K5000', 'K500000', 'K1000000')",
    );
    shop.world.clickhouse(
        "INSERT INTO northwind_dw.dim_customers (customer_id, company_name, _version) VALUES ('A', 'x', 1), ('M', 'x', 1), ('Z', 'x', 1)",
    );

    let small = shop.reconcile(&["--table", "region"]).expect_exit(0);
    let full = shop.reconcile(&["--table", "customers", "--wait", "3m"]).expect_exit(10);
    let keys = shop.failures(&full, "groupArraySorted(20)(row_key)");
    assert_eq!(keys, "['A','K1','K1000000','K2','K5000','K500000','K77','K999999','M','Z']\n");
    let cost =
        |outcome: &crate::support::Outcome| ["duration_ms", "cpu_ms", "peak_mib"].map(|field| outcome.count(field));
    println!("4 rows: [ms, CPU ms, MiB] {:?}; {ROWS} rows: {:?}", cost(&small), cost(&full));
    assert!(full.count("peak_mib") - small.count("peak_mib") < 32, "{:?} {:?}", cost(&small), cost(&full));

    // The first look at what is new takes up everything; the second one ten rows.
    let new = ["--table", "customers", "--scope", "new"];
    shop.reconcile(&new).expect_exit(10);
    shop.change("UPDATE customers SET city = 'Köln' WHERE customer_id IN ('K10', 'K11', 'K12', 'K13', 'K14', 'K15', 'K16', 'K17', 'K18', 'K19')");
    shop.ingest(&["customers"]);
    let ten = shop.reconcile(&new).expect_exit(0);
    let detail = shop.detail(&ten, "customers");
    assert!(detail.starts_with("10 rows in the source, 10 in the warehouse: 10 the same"), "{detail}");
    println!("10 new rows of {ROWS}: {:?}", cost(&ten));
    assert!(ten.count("cpu_ms") * 10 < full.count("cpu_ms"), "{:?} {:?}", cost(&ten), cost(&full));
}
