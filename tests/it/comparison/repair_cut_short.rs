//! A repair that is cut short after its rows are written: the next reconcile tells of them.

use crate::support::checks::Checked;
use crate::support::{go_on, kill, wait_for};

fn repair_windows(shop: &Checked) -> i64 {
    shop.world.number("SELECT count() FROM northwind_ops.windows WHERE mode = 'repair'")
}

/// ClickHouse fails behind the insert; the check of the next hour finds both sides equal.
#[test]
fn derived_tables_take_up_a_repair_that_an_error_cut_short() {
    let tables =
        ["categories", "suppliers", "products", "customers", "employees", "shippers", "orders", "order_details"];
    let shop = Checked::new("repair_cut", &tables);
    shop.world.build(&[]).expect_exit(0);
    shop.unseen("customers", "UPDATE customers SET company_name = 'Repaired' WHERE customer_id = 'ALFKI'");
    let args = ["--table", "customers", "--repair", "--yes"];
    let repair = shop.frozen_at("repair-compared", "check-reconcile", &args);
    shop.world.clickhouse("RENAME TABLE northwind_ops.side_by_side TO northwind_ops.away");
    let cut_short = go_on(repair);
    assert_ne!(cut_short.summary["exit"], 0, "{cut_short:?}");
    shop.world.clickhouse("RENAME TABLE northwind_ops.away TO northwind_ops.side_by_side");
    let name = |table: &str, column: &str| {
        let sql = format!("SELECT DISTINCT {column} FROM northwind_dw.{table} FINAL WHERE customer_id = 'ALFKI'");
        shop.world.clickhouse(&sql)
    };
    assert_eq!((name("dim_customers", "company_name").as_str(), repair_windows(&shop)), ("Repaired\n", 0));

    shop.reconcile(&["--table", "customers"]).expect_exit(0);
    shop.world.build(&[]).expect_exit(0);
    assert_eq!(name("order_wide", "customer_name"), "Repaired\n");
}

/// The same row each time: the windows of earlier repairs stand at its offset already.
#[test]
fn whoever_follows_the_ledger_sees_what_a_killed_repair_has_written() {
    let shop = Checked::new("repair_killed", &["region"]);
    let reconcile = |args: &[&str]| shop.reconcile(&[&["--table", "region"], args].concat()).expect_exit(0);
    let take_up = || reconcile(&["--scope", "new"]);
    take_up();
    for point in ["repair-compared", "repair-inserted", "repair-marked", "repair-told"] {
        let change = format!("UPDATE region SET region_description = '{point}' WHERE region_id = 3");
        shop.unseen("region", &change);
        let args = ["--table", "region", "--repair", "--yes"];
        kill(shop.frozen_at(point, "check-reconcile", &args));
        let again = reconcile(&["--repair", "--yes"]);
        assert_eq!(again.count("repaired"), i64::from(point == "repair-compared"), "{point}");
        let taken_up = shop.detail(&take_up(), "region");
        assert!(taken_up.contains("1 the same"), "{point}: {taken_up:?}");
    }
    wait_for("a reconcile that has nothing to tell", || {
        let before = repair_windows(&shop);
        reconcile(&[]);
        repair_windows(&shop) == before
    });
}

/// Rows far from each other in the log: what follows the ledger does not look at all that lies between them.
#[test]
fn what_was_not_told_is_told_in_pieces() {
    let shop = Checked::new("repair_pieces", &["region"]);
    shop.world.clickhouse(
        "INSERT INTO northwind_dw.dim_regions (region_id, op, _version, _updated_at, _partition, _offset)
         SELECT 1000 + number, 'r', 4503599627370497 + 256 * at, now(), 0, at FROM
         (SELECT number, [5, 6, 900000][number + 1] AS at FROM numbers(3))",
    );
    shop.reconcile(&["--table", "region"]).expect_exit(10);
    let windows =
        "SELECT start_offset, end_offset FROM northwind_ops.windows WHERE mode = 'repair' ORDER BY start_offset";
    assert_eq!(shop.world.clickhouse(windows), "5\t7\n900000\t900001\n");
    shop.reconcile(&["--table", "region"]).expect_exit(10);
    assert_eq!(repair_windows(&shop), 2, "once");
}
