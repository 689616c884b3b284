//! The checks that are SQL: what they see, and whose fault it is.

use crate::support::checks::Checked;
use crate::support::registry::registry;

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
    let outcome = shop.run("check-rules", &["--table", "order_details", "--limit", "discount=0.2"]).expect_exit(0);
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
    let ddl = std::fs::read_to_string("clickhouse/init/10_dim_shippers.sql").unwrap();
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

/// The source lets no such row in: one in the warehouse is a fault of the pipeline.
#[test]
fn what_the_sources_constraints_forbid_is_the_pipelines_fault() {
    let shop = Checked::new("checks_constraints", &["categories", "suppliers", "products"]);
    shop.change(
        "CREATE DOMAIN stock AS smallint CHECK (VALUE >= 0);
         ALTER TABLE products ALTER COLUMN units_in_stock TYPE stock,
             ADD CONSTRAINT price CHECK (unit_price BETWEEN 0 AND 10000),
             ADD CONSTRAINT name CHECK (length(product_name) < 60 AND product_name !~ '^ '),
             ADD CONSTRAINT hashed CHECK (md5(quantity_per_unit) <> ''),
             ADD CONSTRAINT reorder CHECK (reorder_level < 1000) NOT VALID",
    );
    let products = ["--table", "products"];
    let outcome = shop.run("check-integrity", &products).expect_exit(0);
    assert!(shop.statuses(&outcome).contains("source-constraints products pass\n"), "{}", shop.statuses(&outcome));
    let detail = shop.detail(&outcome, "products");
    assert!(
        detail.contains("3 of 5 CHECK constraints looked at; no row breaks it; not looked at: CHECK hashed: "),
        "{detail}"
    );
    assert!(detail.contains("CHECK reorder: NOT VALID"), "{detail}");
    shop.tamper("ALTER TABLE northwind_dw.dim_products UPDATE unit_price = -5 WHERE product_id = 1");
    shop.tamper("ALTER TABLE northwind_dw.dim_products UPDATE units_in_stock = -1 WHERE product_id = 2");
    let outcome = shop.run("check-integrity", &products).expect_exit(10);
    let failures = shop.failures(&outcome, "check_name, owner, row_key, column, source_value, warehouse_value");
    let expected =
        "source-constraints pipeline 1 unit_price 18 -5\nsource-constraints pipeline 2 units_in_stock 17 -1\n";
    assert_eq!(failures.replace('"', ""), expected);
    let details = shop.failures(&outcome, "detail");
    assert!(details.contains("breaks the source's CHECK price with"), "{details}");
    assert!(details.contains("breaks the source's CHECK stock_check of units_in_stock's domain with"), "{details}");
    let off = shop.config("[severity]\n\"products.source-constraints\" = \"off\"\n");
    shop.run("check-integrity", &[&products[..], &["--config", &off]].concat()).expect_exit(0);
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
