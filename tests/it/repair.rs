//! `check-reconcile --plan` and `--repair`: what is different is mended, out of the log where the log can, else from the source.

use crate::support::checks::Checked;
use crate::support::{outcome, signal, wait_until_frozen};

/// Changes the source without the connector seeing it.
fn unseen(shop: &Checked, table: &str, sql: &str) {
    let publication = format!("ALTER PUBLICATION northwind_publication DROP TABLE {table}");
    shop.world.postgres().batch_execute(&publication).unwrap();
    shop.change(sql);
    shop.change(&format!("ALTER PUBLICATION northwind_publication ADD TABLE {table}"));
}

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
    shop.world
        .postgres()
        .batch_execute("ALTER PUBLICATION northwind_publication DROP TABLE territories, employee_territories")
        .unwrap();
    unseen(&shop, "region", sql);
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
    unseen(&shop, "us_states", "UPDATE us_states SET state_name = 'Nowhere' WHERE state_id <= 3");
    let args = ["--table", "us_states", "--repair", "--yes", "--stop-at", "repair-compared"];
    let mut repair = shop.start("check-reconcile", &args);
    wait_until_frozen(&mut repair, "repair-compared");
    shop.change("TRUNCATE us_states");
    assert_eq!(shop.world.ingest_table("us_states", &[]).expect_exit(0).count("truncates"), 1);
    signal(&repair, "CONT");
    assert_eq!(outcome(repair).count("repaired"), 3);
    assert_eq!(shop.world.clickhouse("SELECT * FROM northwind_dw.dim_us_states FINAL"), "");
}
