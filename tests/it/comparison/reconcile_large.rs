//! A large table: what a reconcile costs, in memory and in proportion to what it looks at.

use crate::support::Outcome;
use crate::support::checks::Checked;

const ROWS: i64 = 1_000_000;

/// A million rows of which ten differ; then ten that are new.
#[test]
fn a_million_rows_are_reconciled_in_flat_memory() {
    let shop = Checked::new("reconcile_large", &["customers", "region"]);
    // Written on both sides at once: Debezium would take minutes for them, and a reconcile does not care how they came.
    let (key, name, street) = ("'K' || i", "'Company ' || i", "'Street ' || i % 1000");
    let row = format!("{key}, {name}, 'Somebody', {street}, 'City', 'Germany'");
    let columns = "customer_id, company_name, contact_name, address, city, country";
    let mut postgres = shop.world.postgres();
    postgres.batch_execute("ALTER PUBLICATION northwind_publication DROP TABLE customers").unwrap();
    let rows = format!("SELECT {row} FROM generate_series(1, {ROWS}) AS i");
    postgres.batch_execute(&format!("INSERT INTO customers ({columns}) {rows}")).unwrap();
    postgres.batch_execute("ALTER PUBLICATION northwind_publication ADD TABLE customers").unwrap();
    let rows = format!("SELECT {row}, 256, 9 FROM (SELECT number + 1 AS i FROM numbers({ROWS}))");
    shop.world.clickhouse(&format!("INSERT INTO northwind_dw.dim_customers ({columns}, _version, _partition) {rows}"));
    shop.world.wait_for_capture(&shop.connector);

    shop.tamper(
        "ALTER TABLE northwind_dw.dim_customers UPDATE city = 'Nowhere' WHERE customer_id IN ('K1', 'K77', 'K999999')",
    );
    shop.tamper(
        "ALTER TABLE northwind_dw.dim_customers DELETE WHERE customer_id IN ('K2', 'K5000', 'K500000', 'K1000000')",
    );
    shop.world.clickhouse(
        "INSERT INTO northwind_dw.dim_customers (customer_id, company_name, _version, _partition) VALUES ('A', 'x', 256, 9), ('M', 'x', 256, 9), ('Z', 'x', 256, 9)",
    );

    let small = shop.reconcile(&["--table", "region"]).expect_exit(0);
    let full = shop.reconcile(&["--table", "customers", "--wait", "3m"]).expect_exit(10);
    let keys = shop.failures(&full, "groupArraySorted(20)(row_key)");
    assert_eq!(keys, "['A','K1','K1000000','K2','K5000','K500000','K77','K999999','M','Z']\n");
    let cost = |outcome: &Outcome| ["duration_ms", "cpu_ms", "peak_mib"].map(|field| outcome.count(field));
    println!("4 rows: [ms, CPU ms, MiB] {:?}; {ROWS} rows: {:?}", cost(&small), cost(&full));
    assert!(full.count("peak_mib") - small.count("peak_mib") < 32, "{:?} {:?}", cost(&small), cost(&full));

    let new = ["--table", "customers", "--scope", "new"];
    shop.reconcile(&new).expect_exit(0);
    shop.change("UPDATE customers SET city = 'Köln' WHERE customer_id IN ('K10', 'K11', 'K12', 'K13', 'K14', 'K15', 'K16', 'K17', 'K18', 'K19')");
    shop.ingest(&["customers"]);
    let ten = shop.reconcile(&new).expect_exit(0);
    let detail = shop.detail(&ten, "customers");
    assert!(detail.starts_with("10 rows in the source, 10 in the warehouse: 10 the same"), "{detail}");
    println!("10 new rows of {ROWS}: {:?}", cost(&ten));
    assert!(ten.count("cpu_ms") * 10 < full.count("cpu_ms"), "{:?} {:?}", cost(&ten), cost(&full));
}
