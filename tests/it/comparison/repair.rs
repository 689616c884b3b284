//! `check-reconcile --plan` and `--repair`: what is different is mended, out of the log where the log can, else from the source.

use crate::support::checks::Checked;
use crate::support::{go_on, outcome, signal, wait_until_frozen};

const REGION: [&str; 2] = ["--table", "region"];

fn with<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [&REGION[..], args].concat()
}

/// What the log still has is read again, by the command that the plan prints.
#[test]
fn the_plan_is_a_command_that_mends() {
    let shop = Checked::new("plan", &["region"]);
    shop.change("UPDATE region SET region_description = 'East' WHERE region_id = 1");
    shop.ingest(&["region"]);
    shop.tamper("ALTER TABLE northwind_dw.dim_regions DELETE WHERE region_id IN (1, 2)");
    shop.tamper("ALTER TABLE northwind_dw.dim_regions UPDATE region_description = 'x' WHERE region_id = 3");
    let outcome = shop.reconcile(&with(&["--plan"])).expect_exit(0);
    assert_eq!((outcome.count("different"), outcome.count("in_log"), outcome.count("to_repair")), (3, 3, 0));
    // Snapshot rows 1 to 4 stand at 0 to 3; the change of 1 behind them.
    let command = outcome.stdout.lines().find(|line| line.starts_with("  ingest-region")).unwrap().trim().to_owned();
    assert_eq!(command, "ingest-region --offsets 0:1..3 --offsets 0:4..5");
    let flags: Vec<&str> = command.split(' ').skip(1).collect();
    shop.world.ingest_table("region", &flags).expect_exit(0);
    shop.reconcile(&REGION).expect_exit(0);
}

#[test]
fn what_the_log_cannot_give_is_repaired_from_the_source() {
    let shop = Checked::new("repair", &["region", "territories"]);
    let sql = "DELETE FROM employee_territories; DELETE FROM territories; DELETE FROM region WHERE region_id = 4;
               UPDATE region SET region_description = 'Far north' WHERE region_id = 3;
               INSERT INTO region VALUES (5, 'Island')";
    shop.world.change("ALTER PUBLICATION northwind_publication DROP TABLE territories, employee_territories");
    shop.unseen("region", sql);
    // A row that claims to be newer than everything in the log of its generation.
    shop.world.clickhouse("INSERT INTO northwind_dw.dim_regions (region_id, region_description, _version) VALUES (2, 'Forged', 9007199254740480)");

    shop.reconcile(&REGION).expect_exit(10);
    let before = rows(&shop);
    let outcome = shop.reconcile(&with(&["--repair"])).expect_exit(0);
    assert_eq!((outcome.count("to_repair"), outcome.count("repaired")), (4, 0), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("\"4\": deleted"), "{}", outcome.stdout);
    assert_eq!(rows(&shop), before, "nothing is written without --yes");

    let outcome = shop.reconcile(&with(&["--repair", "--yes"])).expect_exit(0);
    assert_eq!(outcome.count("repaired"), 4);
    assert_eq!(rows(&shop), "1\tEastern\n2\tWestern\n3\tFar north\n5\tIsland\n");
    shop.reconcile(&REGION).expect_exit(0);
    let window = "SELECT sum(written), groupUniqArray(mode) FROM northwind_ops.windows WHERE mode = 'repair' AND endsWith(topic, '.region')";
    assert_eq!(shop.world.clickhouse(window), "4\t['repair']\n");
    // The windows are there for whoever follows the ledger.
    let outcome = shop.reconcile(&with(&["--scope", "new"])).expect_exit(0);
    assert!(shop.detail(&outcome, "region").contains("4 the same"), "{}", shop.detail(&outcome, "region"));

    // What comes out of the log afterwards wins against a repair.
    shop.change("UPDATE region SET region_description = 'North' WHERE region_id = 3; UPDATE region SET region_description = 'Isle' WHERE region_id = 5");
    shop.ingest(&["region"]);
    assert_eq!(rows(&shop), "1\tEastern\n2\tWestern\n3\tNorth\n5\tIsle\n");
    assert_eq!(shop.reconcile(&with(&["--repair", "--yes"])).expect_exit(0).count("repaired"), 0);
}

/// A change that is on its way is not a difference: nothing is written over it.
#[test]
fn a_key_in_flight_is_left_alone() {
    let shop = Checked::new("repair_in_flight", &["region"]);
    shop.change("UPDATE region SET region_description = 'East' WHERE region_id = 1");
    let outcome = shop.reconcile(&with(&["--repair", "--yes", "--wait", "2s"])).expect_exit(75);
    assert_eq!((outcome.count("undecided"), outcome.count("repaired")), (1, 0));
    shop.reconcile(&with(&["--yes"])).expect_exit(2);
    shop.reconcile(&with(&["--repair", "--plan"])).expect_exit(2);
}

fn rows(shop: &Checked) -> String {
    shop.world.clickhouse(
        "SELECT region_id, trimRight(region_description) FROM northwind_dw.dim_regions FINAL ORDER BY region_id",
    )
}

/// The row was looked at before the TRUNCATE, and is written after the ingest job has marked the table.
#[test]
fn a_truncate_between_the_look_and_the_write_removes_what_is_repaired() {
    let shop = Checked::new("repair_truncate", &["us_states"]);
    shop.unseen("us_states", "UPDATE us_states SET state_name = 'Nowhere' WHERE state_id <= 3");
    let args = ["--table", "us_states", "--repair", "--yes"];
    let repair = shop.frozen_at("repair-compared", "check-reconcile", &args);
    shop.change("TRUNCATE us_states");
    assert_eq!(shop.world.ingest_table("us_states", &[]).expect_exit(0).count("truncates"), 1);
    assert_eq!(go_on(repair).count("repaired"), 3);
    assert_eq!(shop.world.clickhouse("SELECT * FROM northwind_dw.dim_us_states FINAL"), "");
}

/// ClickHouse would cut the digits off and say nothing. The other rows are written.
#[test]
fn a_row_that_the_warehouse_cannot_hold_is_named_and_the_others_are_repaired() {
    let shop = Checked::new("repair_misfit", &["products"]);
    let sql = "UPDATE products SET unit_price = 1.23456 WHERE product_id = 1; UPDATE products SET unit_price = 1e16 WHERE product_id = 2;
               UPDATE products SET unit_price = 20.5 WHERE product_id IN (3, 4)";
    shop.unseen("products", sql);
    let prices = || {
        shop.world.clickhouse(
            "SELECT product_id, unit_price FROM northwind_dw.dim_products FINAL WHERE product_id < 5 ORDER BY product_id",
        )
    };
    let preview = shop.reconcile(&["--table", "products", "--repair"]).expect_exit(0);
    assert_eq!((preview.count("to_repair"), preview.count("not_repaired")), (2, 2), "{}", preview.stdout);
    let outcome = shop.reconcile(&["--table", "products", "--repair", "--yes"]).expect_exit(78);
    assert_eq!((outcome.count("repaired"), outcome.count("not_repaired")), (2, 2), "{}", outcome.stdout);
    for said in ["products \"1\": unit_price: ", "1.23456", "products \"2\": unit_price: "] {
        assert!(outcome.stdout.contains(said), "{said}: {}", outcome.stdout);
    }
    assert!(outcome.error().contains("2 keys"), "{}", outcome.error());
    assert_eq!(prices(), "1\t18\n2\t19\n3\t20.5\n4\t20.5\n");
    shop.change("UPDATE products SET unit_price = 1.23 WHERE product_id <= 2");
    shop.ingest(&["products"]);
    shop.reconcile(&["--table", "products"]).expect_exit(0);
}

/// Each part of a repair is an insert of its own, with its own rows of the ledger.
#[test]
fn long_rows_are_repaired_part_by_part() {
    let shop = Checked::new("repair_long", &["categories"]);
    shop.unseen("categories", "UPDATE categories SET description = repeat('long ', 4000000) WHERE category_id <= 2");
    let outcome = shop.reconcile(&["--table", "categories", "--repair", "--yes"]).expect_exit(0);
    assert_eq!(outcome.count("repaired"), 2);
    assert!(outcome.stdout.len() < 100_000, "nobody reads {} bytes", outcome.stdout.len());
    let lengths = "SELECT category_id, length(description) FROM northwind_dw.dim_categories FINAL WHERE category_id <= 2 ORDER BY category_id";
    assert_eq!(shop.world.clickhouse(lengths), "1\t20000000\n2\t20000000\n");
    let windows = "SELECT count(), sum(written), uniqExact(token) FROM northwind_ops.windows WHERE mode = 'repair'";
    assert_eq!(shop.world.clickhouse(windows), "2\t2\t2\n");
    shop.reconcile(&["--table", "categories"]).expect_exit(0);
}

/// Between two parts a signal is heard: what is written is told, the rest waits for the next run.
#[test]
fn a_signal_between_two_parts_of_a_repair_ends_the_run() {
    let shop = Checked::new("repair_part_signal", &["categories"]);
    shop.unseen("categories", "UPDATE categories SET description = repeat('long ', 2000000) WHERE category_id <= 5");
    let args = ["--table", "categories", "--repair", "--yes"];
    let mut repair = shop.start("check-reconcile", &[&args[..], &["--stop-at", "repair-told"]].concat());
    wait_until_frozen(&mut repair, "repair-told");
    signal(&repair, "TERM");
    signal(&repair, "CONT");
    let stopped = outcome(repair).expect_exit(143);
    // The signal is delivered beside the second part, or before it.
    let repaired = stopped.count("repaired");
    assert!(stopped.count("to_repair") == 5 && (1..5).contains(&repaired), "{}", stopped.stdout);
    assert_eq!(stopped.stdout.matches(" bytes)").count() as i64, repaired, "named as written: {}", stopped.stdout);
    let told = "SELECT sum(written) FROM northwind_ops.windows WHERE mode = 'repair'";
    let written = "SELECT count() FROM northwind_dw.dim_categories FINAL WHERE length(description) = 10000000";
    assert_eq!((shop.world.number(told), shop.world.number(written)), (repaired, repaired));
    let next = shop.reconcile(&args).expect_exit(0);
    assert_eq!((next.count("repaired"), shop.world.number(told), shop.world.number(written)), (5 - repaired, 5, 5));
}

/// Rows are kept up to a number of bytes, too; the keys of the others are named, and they wait for the next run.
#[test]
fn longer_rows_than_a_run_keeps_are_named_and_wait_for_the_next_one() {
    let shop = Checked::new("repair_kept", &["categories"]);
    shop.unseen("categories", "UPDATE categories SET description = repeat('long ', 4000000) WHERE category_id <= 4");
    let check = shop.reconcile(&["--table", "categories"]).expect_exit(10);
    assert!(shop.detail(&check, "categories").contains("4 different"), "{}", shop.detail(&check, "categories"));
    assert_eq!(shop.failures(&check, "row_key, source_value IS NULL"), "1 0\n2 0\n3 0\n4 1\n");
    let repair = || shop.reconcile(&["--table", "categories", "--repair", "--yes"]);
    let first = repair().expect_exit(75);
    assert_eq!((first.count("different"), first.count("repaired")), (4, 3), "{}", first.stdout);
    assert!(first.stdout.contains("\"4\""), "{}", first.stdout);
    assert!(first.error().contains("1 keys that differ are more than one run repairs"), "{}", first.error());
    assert_eq!(repair().expect_exit(0).count("repaired"), 1);
}

/// A run keeps so many differing rows; of the others it says that they wait for the next one.
#[test]
fn more_rows_than_a_run_repairs_wait_for_the_next_one() {
    let shop = Checked::new("repair_many", &["us_states"]);
    shop.unseen(
        "us_states",
        "INSERT INTO us_states SELECT 1000 + n, 'State', 'ST', 'any' FROM generate_series(1, 1001) AS n",
    );
    let repair = || shop.reconcile(&["--table", "us_states", "--repair", "--yes"]);
    let first = repair().expect_exit(75);
    assert_eq!((first.count("different"), first.count("repaired")), (1001, 1000));
    assert!(first.error().contains("1 keys"), "{}", first.error());
    assert_eq!(repair().expect_exit(0).count("repaired"), 1);
    assert_eq!(shop.world.number("SELECT count() FROM northwind_dw.dim_us_states FINAL WHERE state_id > 1000"), 1001);
    assert_eq!(repair().expect_exit(0).count("different"), 0);
}

/// The log's end would come too late: what it mends, too, would pass for what only the source can give.
#[test]
fn a_signal_while_the_log_is_read_ends_the_run_and_nothing_is_written() {
    let shop = Checked::new("repair_signal", &["region"]);
    shop.tamper("ALTER TABLE northwind_dw.dim_regions DELETE WHERE region_id IN (1, 2)");
    let before = rows(&shop);
    let repair = shop.frozen_at("repair-reads-log", "check-reconcile", &with(&["--repair", "--yes"]));
    signal(&repair, "TERM");
    let stopped = go_on(repair).expect_exit(143);
    assert_eq!((stopped.count("to_repair"), stopped.count("repaired")), (0, 0), "{}", stopped.stdout);
    assert_eq!(rows(&shop), before);
    let outcome = shop.reconcile(&with(&["--repair", "--yes"])).expect_exit(0);
    assert_eq!((outcome.count("in_log"), outcome.count("repaired")), (2, 0));
    let warning = outcome.summary["warning"].as_str().unwrap();
    assert!(warning.starts_with("2 keys still differ: the log has what they miss"), "{warning}");
}
