//! The checks that are SQL, and what all checks share: whose fault a broken row is, what is looked at again, settings, exit codes.

use crate::support::checks::Checked;
use crate::support::registry::registry;
use crate::support::{World, wait_for};

#[test]
fn a_clean_northwind_passes_every_check() {
    let tables: Vec<&str> = registry().iter().map(|table| table.source).collect();
    let shop = Checked::new("checks_clean", &tables);
    let outcome = shop.run("check-all", &[]).expect_exit(0);
    let others: String = shop.statuses(&outcome).lines().filter(|line| !line.ends_with(" pass")).collect();
    assert_eq!((others.as_str(), outcome.count("warn")), ("", 0));
    for check in [
        "discount-limit order_details",
        "references orders",
        "freshness region",
        "volume region",
        "reconcile us_states",
    ] {
        assert!(shop.statuses(&outcome).contains(&format!("{check} pass")), "{check}: {}", shop.statuses(&outcome));
    }
}

/// The same row, broken in the source: the source's fault, and everybody knows where it is.
#[test]
fn a_rule_broken_in_the_source_is_a_warning() {
    let shop = Checked::new("checks_source", &["order_details"]);
    shop.change("UPDATE order_details SET discount = 1.5 WHERE order_id = 10248 AND product_id = 8");
    let rules = ["--table", "order_details"];
    let outcome = shop.run("check-rules", &rules).expect_exit(0);
    let failures = |outcome| shop.failures(outcome, "check_name, owner, replace(row_key, char(31), '/'), detail");
    assert_eq!(failures(&outcome), "discount-limit source 10248/8 not in quarantine\n");
    shop.ingest(&["order_details"]);
    let outcome = shop.run("check-rules", &rules).expect_exit(0);
    assert_eq!(failures(&outcome), "discount-limit source 10248/8 in quarantine\n");
    assert!(shop.statuses(&outcome).contains("discount-limit order_details warn\n"));
    assert!(outcome.stdout.contains("1 rows break it in the source (1 of them in quarantine)"), "{}", outcome.stdout);
    // 0.2 is no more than 0.2, though PostgreSQL's real is a little more.
    let strict = shop.config("[rules]\ndiscount_limit = \"0.2\"\n");
    let outcome = shop.run("check-rules", &["--table", "order_details", "--config", &strict]).expect_exit(0);
    let above = "SELECT count(*) FROM order_details WHERE discount::text::numeric > 0.2 OR discount < 0";
    let (above, of_limit): (i64, i64) = {
        let mut postgres = shop.world.postgres();
        let mut count = |sql: &str| postgres.query_one(sql, &[]).unwrap().get(0);
        (count(above), count("SELECT count(*) FROM order_details WHERE discount::text = '0.2'"))
    };
    let found = shop.failures(&outcome, "row_key").lines().count() as i64;
    assert!(of_limit > 0 && found == above, "{found} rows found, {above} are above, {of_limit} at the limit");
    // A rule that only warns lets the row into the warehouse: it is still the source's.
    shop.change("UPDATE order_details SET discount = 1.4 WHERE order_id = 10248 AND product_id = 8");
    shop.world.ingest_table("order_details", &["--rule", "discount-limit=warn"]).expect_exit(0);
    let outcome = shop.run("check-rules", &rules).expect_exit(0);
    assert_eq!(failures(&outcome), "discount-limit source 10248/8 not in quarantine\n");
}

#[test]
fn a_rule_broken_in_the_warehouse_alone_is_the_pipelines_fault() {
    let shop = Checked::new("checks_pipeline", &["order_details"]);
    shop.tamper(
        "ALTER TABLE northwind_dw.fact_order_details UPDATE discount = 1.5 WHERE order_id = 10248 AND product_id = 8",
    );
    let outcome = shop.run("check-rules", &["--table", "order_details"]).expect_exit(10);
    let failures = shop.failures(&outcome, "check_name, owner, column, source_value, warehouse_value");
    assert_eq!(failures, "discount-limit pipeline discount \"0\" \"1.5\"\n");
    assert!(
        outcome.error().starts_with("discount-limit of order_details: fail: 1 rows break it"),
        "{}",
        outcome.error()
    );
    // What it is worth, a file says.
    let config = shop.config("[severity]\n\"order_details.discount-limit\" = \"warn\"\n");
    shop.run("check-rules", &["--table", "order_details", "--config", &config]).expect_exit(0);
    let config = shop.config("[severity]\ndiscount-limit = \"off\"\n");
    let outcome = shop.run("check-rules", &["--table", "order_details", "--config", &config]).expect_exit(0);
    assert!(!shop.statuses(&outcome).contains("discount-limit"));
}

#[test]
fn a_broken_row_whose_mended_version_lies_in_quarantine_is_a_warning() {
    let shop = Checked::new("checks_held_back", &["order_details"]);
    shop.change("UPDATE order_details SET discount = 1.5 WHERE order_id = 10248 AND product_id = 8");
    shop.world.ingest_table("order_details", &["--rule", "discount-limit=warn"]).expect_exit(0);
    shop.change("UPDATE order_details SET discount = 0.1, quantity = 0 WHERE order_id = 10248 AND product_id = 8");
    shop.ingest(&["order_details"]);
    let outcome = shop.run("check-rules", &["--table", "order_details"]).expect_exit(0);
    let statuses = shop.statuses(&outcome);
    assert!(statuses.contains("discount-limit order_details warn\n"), "{statuses}");
    assert!(statuses.contains("quantity-positive order_details warn\n"), "{statuses}");
    assert!(outcome.stdout.contains("what mends them lies in quarantine"), "{}", outcome.stdout);
}

#[test]
fn each_integrity_check_sees_what_it_is_for() {
    let shop = Checked::new("checks_integrity", &["customers", "orders", "shippers", "employees"]);
    shop.tamper("ALTER TABLE northwind_dw.dim_customers DELETE WHERE customer_id = (SELECT customer_id FROM northwind_dw.fact_orders WHERE order_id = 10248)");
    shop.tamper("ALTER TABLE northwind_dw.dim_customers UPDATE company_name = '' WHERE customer_id = 'ANATR'");
    shop.tamper(
        "ALTER TABLE northwind_dw.dim_employees UPDATE notes = '__debezium_unavailable_value' WHERE employee_id = 1",
    );
    shop.world.clickhouse("DROP TABLE northwind_dw.dim_shippers SYNC");
    let ddl = std::fs::read_to_string("clickhouse/init/18_dim_shippers.sql").unwrap();
    assert!(ddl.contains("ORDER BY shipper_id"), "{ddl}");
    shop.world.clickhouse(&ddl.replace("ORDER BY shipper_id", "ORDER BY (shipper_id, company_name)").replace(';', ""));
    shop.world.ingest_table("shippers", &["--from-beginning"]).expect_exit(0);
    shop.change("UPDATE shippers SET company_name = 'Other' WHERE shipper_id = 1");
    shop.ingest(&["shippers"]);

    let tables = ["--table", "customers", "--table", "orders", "--table", "shippers", "--table", "employees"];
    let outcome = shop.run("check-integrity", &tables).expect_exit(10);
    let statuses = shop.statuses(&outcome);
    for wrong in [
        "references orders",
        "required-columns customers",
        "no-placeholders employees",
        "one-live-row-per-key shippers",
    ] {
        assert!(statuses.contains(&format!("{wrong} fail\n")), "{wrong}: {statuses}");
    }
    assert_eq!(outcome.count("fail"), 4, "{statuses}");
    let failures = shop.failures(&outcome, "DISTINCT check_name, owner");
    assert_eq!(failures.matches("pipeline").count(), 4, "{failures}");
    assert!(outcome.stdout.contains("missing in the warehouse"), "{}", outcome.stdout);
}

/// An order overtakes its new customer, who was committed with it: customers are ingested later than orders here.
#[test]
fn an_order_that_overtook_its_customer_is_no_orphan() {
    let shop = Checked::new("checks_overtaken", &["customers", "employees", "shippers", "orders"]);
    let order = |i: i32| {
        format!(
            "INSERT INTO customers (customer_id, company_name) VALUES ('N{i}', 'New {i}');
             INSERT INTO orders (order_id, customer_id, employee_id, order_date) VALUES (20000 + {i}, 'N{i}', 1, '1998-01-01')"
        )
    };
    let orders = ["--table", "orders"];
    for i in 0..3 {
        shop.change(&format!("BEGIN; {}; COMMIT", order(i)));
        shop.ingest(&["orders"]);
        let outcome = shop.run("check-integrity", &[&orders[..], &["--wait", "0s"]].concat()).expect_exit(0);
        assert!(
            shop.detail(&outcome, "orders").contains("1 rows are undecided"),
            "{}",
            shop.detail(&outcome, "orders")
        );
        shop.run("check-integrity", &[&orders[..], &["--wait", "1s"]].concat()).expect_exit(75);
        shop.ingest(&["customers"]);
        shop.run("check-integrity", &orders).expect_exit(0);
    }
    // And with both ingests running beside the check.
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut client = shop.world.postgres();
            for i in 100..200 {
                client.batch_execute(&format!("BEGIN; {}; COMMIT", order(i))).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(30));
            }
        });
        while !writer.is_finished() {
            shop.ingest(&["orders", "customers"]);
            let outcome = shop.run("check-integrity", &[&orders[..], &["--wait", "0s"]].concat());
            assert_eq!(outcome.exit, 0, "{outcome:?}");
        }
    });
}

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
    shop.world.postgres().batch_execute("INSERT INTO us_states VALUES (1, 'Alabama', 'AL', 'south')").unwrap();
    shop.world.wait_for_capture(&shop.connector);
    shop.ingest(&["us_states"]);
    let states = ["--table", "us_states", "--scope", "new"];
    shop.world.clickhouse("INSERT INTO northwind_dw.dim_us_states (state_id, _version) VALUES (77, 1)");
    shop.reconcile(&states).expect_exit(10);
}

#[test]
fn freshness_is_about_changes_that_wait() {
    let shop = Checked::new("checks_fresh", &["customers"]);
    let strict = shop.config("[freshness]\nwarn_after = \"1s\"\nfail_after = \"2s\"\n");
    let check = |config: &str| shop.run("check-freshness", &["--table", "customers", "--config", config]);
    let lax = shop.config("[freshness.tables]\ncustomers = { warn_after = \"1s\", fail_after = \"1d\" }\n");
    // Nothing waits, however long ago the last change was.
    check(&lax).expect_exit(0);
    shop.change("UPDATE customers SET city = 'Köln' WHERE customer_id = 'ALFKI'");
    wait_for("the change to be old", || check(&strict).exit == 10);
    let outcome = check(&strict).expect_exit(10);
    assert!(outcome.error().contains("Kafka to ClickHouse 1 offsets"), "{}", outcome.error());
    let outcome = check(&lax).expect_exit(0);
    assert_eq!(shop.statuses(&outcome), "freshness customers warn\n");
    shop.ingest(&["customers"]);
    wait_for("the connector's next heartbeat", || check(&lax).count("pass") == 1);

    shop.world.stop_connector(&shop.connector);
    shop.world.postgres().batch_execute("UPDATE customers SET city = 'Bonn' WHERE customer_id = 'ALFKI'").unwrap();
    wait_for("the heartbeat to be old", || check(&strict).exit == 10);
    let outcome = check(&strict).expect_exit(10);
    assert!(outcome.error().contains("s behind; Kafka to ClickHouse 0 offsets"), "{}", outcome.error());
}

#[test]
fn a_run_is_judged_by_those_before_it() {
    let world = World::with_topic("checks_volume", 1);
    let runs = [10, 12, 9, 11, 10, 300];
    for (i, records) in runs.iter().enumerate() {
        let window = format!(
            "('{i}', 'plan', 'ingest-customers', 'run {i}', '{i}', {records}, now() - INTERVAL {} MINUTE)",
            runs.len() - i
        );
        world.clickhouse(&format!(
            "INSERT INTO northwind_ops.windows (topic, mode, job, run_id, token, written, closed_at) VALUES {window}"
        ));
    }
    let shop = Checked { world, connector: String::new() };
    let check = |config: &str| shop.run("check-volume", &["--table", "customers", "--config", config]);
    let outcome = check(&shop.config("[volume]\nfewest_runs = 5\ntolerance = 100\n")).expect_exit(0);
    assert_eq!(shop.statuses(&outcome), "volume customers warn\n");
    assert_eq!(shop.failures(&outcome, "row_key, splitByString(' records', detail)[1]"), "run 5 300\n");
    check(&shop.config("[volume]\nfewest_runs = 5\ntolerance = 100\n[severity]\nvolume = \"fail\"\n")).expect_exit(10);
    // Too few runs, or a deviation that is tolerated.
    assert_eq!(check(&shop.config("[volume]\nfewest_runs = 6\ntolerance = 100\n")).expect_exit(0).count("pass"), 1);
    assert_eq!(check(&shop.config("[volume]\nfewest_runs = 5\ntolerance = 1000\n")).expect_exit(0).count("pass"), 1);
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
    // Every line differs, but not in what it points at: that the orders are not ingested yet is nobody's fault.
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
    let log = impatient.wait_with_output().unwrap().stderr;
    assert!(log.is_empty(), "{}", String::from_utf8_lossy(&log));
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
