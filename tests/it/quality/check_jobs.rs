//! What all checks share: what is new, late or unusual, settings, and the SQL that they print.

use crate::support::World;
use crate::support::checks::Checked;

/// `--scope new` looks at what was written since, once; what it could not decide, it looks at again.
#[test]
fn new_is_what_no_check_has_taken_up() {
    let shop = Checked::new("checks_new", &["customers"]);
    let new = ["--table", "customers", "--scope", "new", "--wait", "0s"];
    let looked_at = |outcome| shop.detail(outcome, "customers");
    let outcome = shop.reconcile(&new).expect_exit(0);
    assert!(looked_at(&outcome).starts_with("91 rows in the source"), "{}", looked_at(&outcome));
    assert_eq!(shop.reconcile(&new).expect_exit(0).count("nothing_new"), 1);
    // Each check follows the ledger by itself.
    assert_eq!(shop.run("check-integrity", &new).expect_exit(0).count("pass"), 3);

    shop.change("UPDATE customers SET city = 'Köln' WHERE customer_id IN ('ALFKI', 'ANATR')");
    shop.ingest(&["customers"]);
    shop.change("UPDATE customers SET city = 'Bonn' WHERE customer_id = 'ALFKI'");
    let outcome = shop.reconcile(&new).expect_exit(0);
    assert!(looked_at(&outcome).contains("1 undecided"), "{}", looked_at(&outcome));
    let outcome = shop.reconcile(&new).expect_exit(0);
    assert!(looked_at(&outcome).contains("1 undecided"), "it is looked at again: {}", looked_at(&outcome));
    shop.ingest(&["customers"]);
    let outcome = shop.reconcile(&new).expect_exit(0);
    assert!(
        looked_at(&outcome).starts_with("2 rows in the source, 2 in the warehouse: 2 the same"),
        "{}",
        looked_at(&outcome)
    );
    assert_eq!(shop.reconcile(&new).expect_exit(0).count("nothing_new"), 1);
    // A fail is a result, too: it is not said again and again.
    shop.change("UPDATE customers SET city = 'Berlin' WHERE customer_id = 'ALFKI'");
    shop.ingest(&["customers"]);
    shop.tamper("ALTER TABLE northwind_dw.dim_customers UPDATE city = 'Rome' WHERE customer_id = 'ALFKI'");
    shop.reconcile(&new).expect_exit(10);
    assert_eq!(shop.reconcile(&new).expect_exit(0).count("nothing_new"), 1);
    shop.reconcile(&["--table", "customers", "--scope", "recent"]).expect_exit(10);
    // A TRUNCATE touches every row.
    shop.change("TRUNCATE us_states");
    shop.world.change("INSERT INTO us_states VALUES (1, 'Alabama', 'AL', 'south')");
    shop.world.wait_for_capture(&shop.connector);
    shop.ingest(&["us_states"]);
    let states = ["--table", "us_states", "--scope", "new"];
    shop.world.clickhouse("INSERT INTO northwind_dw.dim_us_states (state_id, _version) VALUES (77, 1)");
    shop.reconcile(&states).expect_exit(10);
}

#[test]
fn a_run_is_judged_by_those_before_it() {
    let world = World::with_topic("checks_volume", 1);
    let runs = [10, 12, 9, 11, 10, 300];
    for (i, records) in runs.iter().enumerate() {
        let run = |mode: &str, written: i64| {
            let started = format!("now() - INTERVAL {} MINUTE", runs.len() - i);
            world.clickhouse(&format!(
                r#"INSERT INTO northwind_ops.runs (job, run_id, status, written, summary, started_at, updated_at)
                   VALUES ('ingest-customers', '{mode} {i}', 'done', {written}, '{{"plan":{{"mode":"{mode}"}}}}', {started}, {started})"#
            ));
        };
        run("plan", *records);
        // Runs that found nothing, and those of explicit ranges, are no measure.
        run("idle", 0);
        run("range", 5_000);
    }
    let shop = Checked { world, connector: String::new() };
    let check = |config: &str| shop.run("check-volume", &["--table", "customers", "--config", config]);
    let outcome = check(&shop.config("[volume]\nfewest_runs = 5\ntolerance = 100\n")).expect_exit(0);
    assert_eq!(shop.statuses(&outcome), "volume customers warn\n");
    assert_eq!(shop.failures(&outcome, "row_key, splitByString(' records', detail)[1]"), "plan 5 300\n");
    check(&shop.config("[volume]\nfewest_runs = 5\ntolerance = 100\n[severity]\nvolume = \"fail\"\n")).expect_exit(10);
    // Too few runs, or a deviation that is tolerated.
    assert_eq!(check(&shop.config("[volume]\nfewest_runs = 6\ntolerance = 100\n")).expect_exit(0).count("pass"), 1);
    assert_eq!(check(&shop.config("[volume]\nfewest_runs = 5\ntolerance = 1000\n")).expect_exit(0).count("pass"), 1);
}

/// A run that read as much as ever and wrote no row is a run like the others, for the check of its size.
#[test]
fn a_run_that_wrote_no_row_is_judged_too() {
    let world = World::with_topic("checks_volume_empty", 1);
    for run in 0..5 {
        world.clickhouse(&format!(
            r#"INSERT INTO northwind_ops.runs (job, run_id, status, written, summary, started_at, updated_at)
               VALUES ('ingest-customers', 'run {run}', 'done', 10, '{{"plan":{{"mode":"plan"}}}}', now() - 60, now() - 60)"#
        ));
    }
    world.produce(&(0..400).map(|n| crate::support::event::tombstone(0, &format!("N{n}"))).collect::<Vec<_>>());
    let ingest = world.ingest(&[]).expect_exit(0);
    assert_eq!((ingest.count("tombstones"), ingest.count("written")), (400, 0));
    let shop = Checked { world, connector: String::new() };
    let config = shop.config("[volume]\nfewest_runs = 5\ntolerance = 100\n[severity]\nvolume = \"fail\"\n");
    let check = |code| {
        shop.run("check-volume", &["--table", "customers", "--scope", "new", "--config", &config]).expect_exit(code)
    };
    assert_eq!(shop.statuses(&check(10)), "volume customers fail\n");
    assert_eq!(check(0).count("nothing_new"), 1, "it was taken up");
}

#[test]
fn settings_that_are_not_known_are_refused_with_their_line() {
    let shop = Checked { world: World::with_topic("checks_settings", 1), connector: String::new() };
    let refused =
        |text: &str| shop.run("check-all", &["--config", &shop.config(text)]).expect_exit(78).error().to_owned();
    assert!(refused("[volume]\n\nfewest = 5\n").contains("line 3"));
    assert!(refused("[severity]\nreconcil = \"warn\"\n").contains("line 2: there is no check \"reconcil\""));
    let listed =
        shop.run("check-all", &["--list", "--config", &shop.config("[severity]\n\"orders.reconcile\" = \"off\"\n")]);
    assert!(listed.stdout.contains("in source and warehouse.; orders: off"), "{}", listed.stdout);
    let explained = shop.run("check-rules", &["--explain", "--table", "order_details"]).expect_exit(0).stdout;
    assert!(
        explained.contains("FROM public.order_details") && explained.contains("fact_order_details FINAL"),
        "{explained}"
    );
}

/// A column whose type has changed in the source is no bug of a check: where it cannot ask, it says so, and goes on.
#[test]
fn a_column_of_another_type_is_an_answer_or_an_error() {
    let shop = Checked::new("checks_retyped", &["shippers", "order_details"]);
    shop.change("ALTER TABLE shippers ALTER COLUMN phone TYPE integer USING shipper_id");
    let outcome = shop.run("check-integrity", &["--table", "shippers"]).expect_exit(0);
    assert_eq!(outcome.count("pass"), 3, "{outcome:?}");
    shop.run("check-reconcile", &["--table", "shippers"]).expect_exit(10);
    shop.change("ALTER TABLE order_details ALTER COLUMN discount TYPE text USING 'much'");
    // Every line differs, but not in what it references: that the orders are not ingested yet is nobody's fault.
    let outcome = shop.run("check-integrity", &["--table", "order_details", "--wait", "0s"]).expect_exit(0);
    assert!(shop.detail(&outcome, "order_details").contains("2155 rows are undecided"), "{outcome:?}");
    shop.ingest(&["orders", "products"]);
    let outcome = shop.run("check-all", &["--table", "order_details"]);
    assert!([10, 78].contains(&outcome.exit), "{outcome:?}");
    let statuses = shop.statuses(&outcome);
    assert!(
        statuses.contains("rules order_details error\n") && statuses.contains("references order_details pass\n"),
        "{statuses}"
    );
}

/// The SQL that `--explain` prints can be run as it is.
#[test]
fn explained_statements_run() {
    let shop = Checked { world: World::new("checks_explain"), connector: String::new() };
    // A reader who has seen enough is no error.
    let mut impatient = shop.world.command("check-all", &["--explain"]).spawn().unwrap();
    drop(impatient.stdout.take());
    let log = String::from_utf8(impatient.wait_with_output().unwrap().stderr).unwrap();
    assert!(log.lines().all(|line| line.contains("INFO pipeline ")), "{log}");
    let text = shop.run("check-all", &["--explain"]).expect_exit(0).stdout;
    let mut postgres = shop.world.postgres();
    let mut ran = [0, 0];
    for part in text.split("\n\n") {
        let Some((_, statements)) = part.split_once("-- PostgreSQL\n") else {
            if let Some((_, warehouse)) = part.split_once("-- ClickHouse\n") {
                shop.world.clickhouse(warehouse.trim_end_matches(';'));
                ran[1] += 1;
            }
            continue;
        };
        let (source, warehouse) = statements.split_once("-- ClickHouse\n").unwrap();
        postgres.batch_execute(source).unwrap_or_else(|error| panic!("{source}\n{error:?}"));
        shop.world.clickhouse(warehouse.trim_end().trim_end_matches(';'));
        ran[0] += 1;
    }
    assert!(ran[0] > 60 && ran[1] == 14, "{ran:?}");
}
