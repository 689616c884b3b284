//! The business rules, end to end: a clean Northwind breaks none; and each of them, broken at the source as its own example says,
//! is noticed under its own name.

use serde_json::{Map, Value};

use crate::support::World;

/// A rule as `lockstep rules --json` prints it.
struct Listed {
    table: String,
    name: String,
    severity: String,
    example: Map<String, Value>,
}

fn rules() -> Vec<Listed> {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_lockstep")).args(["rules", "--json"]).output().unwrap();
    let rules: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let text = |rule: &Value, field: &str| rule[field].as_str().unwrap().to_owned();
    let listed = |rule: &Value| Listed {
        table: text(rule, "table"),
        name: text(rule, "rule"),
        severity: text(rule, "severity"),
        example: rule["example"].as_object().unwrap().clone(),
    };
    rules.iter().map(listed).collect()
}

/// A row on which the example breaks this rule and no other. Different rows for different rules of a table.
fn base(table: &str, rule: &str) -> &'static str {
    match (table, rule) {
        ("customer_customer_demo", "customer-exists") => "(customer_id, customer_type_id) = ('BLAUS', 'SPECIALTY')",
        ("customer_customer_demo", _) => "(customer_id, customer_type_id) = ('BOTTM', 'RETAIL')",
        ("employee_territories", "employee-exists") => "(employee_id, territory_id) = (1, '06897')",
        ("employee_territories", _) => "(employee_id, territory_id) = (2, '01581')",
        ("employees", "manager-exists") => "employee_id = 3",
        ("employees", "manager-not-self") => "employee_id = 1",
        ("employees", _) => "employee_id = 5",
        ("territories", _) => "territory_id = '01581'",
        ("products", "supplier-exists") => "product_id = 71",
        ("products", "category-exists") => "product_id = 72",
        ("products", "unit-price-not-negative") => "product_id = 73",
        ("products", _) => "product_id = 74",
        ("orders", "customer-exists") => "order_id = 10300",
        ("orders", "employee-exists") => "order_id = 10301",
        ("orders", "shipper-exists") => "order_id = 10302",
        ("orders", "required-after-order") => "order_id = 10303",
        ("orders", "shipped-after-order") => "order_id = 10304",
        ("orders", _) => "order_id = 10305",
        ("order_details", "order-exists") => "order_id = 10310",
        ("order_details", "product-exists") => "order_id = 10311",
        ("order_details", "quantity-positive") => "order_id = 10312",
        ("order_details", "unit-price-not-negative") => "order_id = 10313",
        ("order_details", "discount-limit") => "order_id = 10314",
        // Of an order that is not shipped yet.
        ("order_details", "open-line-discontinued") => {
            "order_id = (SELECT min(order_id) FROM orders WHERE shipped_date IS NULL)"
        }
        ("order_details", "open-line-inventory") => {
            "order_id = (SELECT max(order_id) FROM orders WHERE shipped_date IS NULL)"
        }
        ("order_details", _) => "order_id = 10315",
        _ => panic!("{table} has a new rule, {rule}: name a row for its example here"),
    }
}

const TABLES: [&str; 6] =
    ["customer_customer_demo", "employee_territories", "employees", "order_details", "products", "territories"];

fn all_tables() -> Vec<&'static str> {
    let others =
        ["categories", "customer_demographics", "customers", "orders", "region", "shippers", "suppliers", "us_states"];
    [&TABLES[..], &others[..]].concat()
}

/// The line's price is not that of its product any more; the order of an unshipped line asks for too much; and so on: what an example
/// breaks besides its own rule.
fn also(rule: &str) -> &'static [&'static str] {
    match rule {
        "open-line-discontinued" => &["list-price", "open-line-inventory"],
        "open-line-inventory" => &["list-price"],
        "unit-price-not-negative" | "product-exists" => &["list-price"],
        _ => &[],
    }
}

#[test]
fn each_rule_is_noticed_by_its_own_example() {
    let mut world = World::new("rules");
    let connector = world.capture(&[]);
    for table in all_tables() {
        let outcome = world.ingest_table(table, &[]).expect_exit(0);
        assert_eq!(
            (outcome.count("rejected"), &outcome.summary["warned_by_rule"]),
            (0, &Value::Object(Map::new())),
            "{table}"
        );
    }
    let mut postgres = world.postgres();
    drop_foreign_keys(&mut postgres);
    let rules = rules();
    for rule in &rules {
        let mut row =
            format!("ctid = (SELECT ctid FROM {} WHERE {} LIMIT 1)", rule.table, base(&rule.table, &rule.name));
        if rule.table != "order_details" {
            row = base(&rule.table, &rule.name).to_owned();
        }
        let set: Vec<String> =
            rule.example.iter().map(|(column, value)| format!("{column} = {}", literal(value))).collect();
        let changed =
            postgres.execute(&format!("UPDATE {} SET {} WHERE {row}", rule.table, set.join(", ")), &[]).unwrap();
        assert_eq!(changed, 1, "{} {}", rule.table, rule.name);
    }
    world.wait_for_capture(&connector);
    for table in all_tables() {
        let outcome = world.ingest_table(table, &[]).expect_exit(0);
        let by_rule = |severity: &str| -> Vec<&str> {
            let of_severity = |rule: &&Listed| rule.table == table && rule.severity == severity;
            rules.iter().filter(of_severity).map(|rule| rule.name.as_str()).collect()
        };
        let rejected = &outcome.summary["rejected_by_rule"];
        for rule in by_rule("reject") {
            assert_eq!(rejected[rule], 1, "{table} {rule}: {rejected}");
        }
        assert_eq!(rejected.as_object().unwrap().len(), by_rule("reject").len(), "{table}: {rejected}");
        let warned = &outcome.summary["warned_by_rule"];
        for rule in by_rule("warn") {
            let times =
                rules.iter().filter(|other| other.severity == "warn" && also(&other.name).contains(&rule)).count();
            assert!((1..=1 + times as u64).contains(&warned[rule].as_u64().unwrap_or(0)), "{table} {rule}: {warned}");
        }
        let stored = world.number(&format!("SELECT count() FROM northwind_ops.warnings FINAL WHERE table = '{table}'"));
        assert_eq!(stored, warned.as_object().unwrap().values().map(|n| n.as_i64().unwrap()).sum::<i64>(), "{table}");
    }
    checks_say_the_same(&world, &connector, &rules);
}

/// The rules as SQL see the same rows in the source, and know where they are; list-price is told by the moment of the change only.
fn checks_say_the_same(world: &World, connector: &str, rules: &[Listed]) {
    let chosen = ["--prefix", &world.name, "--slot", connector];
    let said = |job: &str| {
        let run = world.run(job, &chosen).expect_exit(0).run().to_owned();
        let failures = "check_name, `table`, owner, detail = 'in quarantine' FROM northwind_ops.check_failures";
        world.clickhouse(&format!("SELECT DISTINCT {failures} WHERE run_id = '{run}'"))
    };
    let (of_rules, of_integrity) = (said("check-rules"), said("check-integrity"));
    for rule in rules.iter().filter(|rule| rule.name != "list-price") {
        let line = |check: &str, quarantined: i32| format!("{check}\t{}\tsource\t{quarantined}\n", rule.table);
        if rule.name.ends_with("-exists") || rule.name == "manager-exists" {
            assert!(of_integrity.contains(&line("references", 1)), "{}: {of_integrity}", rule.name);
        } else {
            let quarantined = i32::from(rule.severity == "reject");
            assert!(of_rules.contains(&line(&rule.name, quarantined)), "{}: {of_rules}", rule.name);
        }
    }
}

/// The examples of references need rows that PostgreSQL itself would refuse.
fn drop_foreign_keys(postgres: &mut postgres::Client) {
    let keys = "SELECT conrelid::regclass::text, conname::text FROM pg_constraint WHERE contype = 'f'";
    for key in postgres.query(keys, &[]).unwrap() {
        let (table, name): (String, String) = (key.get(0), key.get(1));
        postgres.batch_execute(&format!("ALTER TABLE {table} DROP CONSTRAINT {name}")).unwrap();
    }
}

fn literal(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| format!("'{text}'"))
}

#[test]
fn severities_and_limits_can_be_moved() {
    let mut world = World::new("severities");
    let connector = world.capture(&[]);
    for table in ["customers", "employees", "shippers", "orders", "products", "order_details"] {
        world.ingest_table(table, &[]).expect_exit(0);
    }
    let change = |sql: &str| {
        assert_eq!(world.postgres().execute(sql, &[]).unwrap(), 1);
        world.wait_for_capture(&connector);
    };
    let line = "order_details SET discount = 0.4 WHERE (order_id, product_id) = (SELECT min(order_id), min(product_id) FROM order_details WHERE order_id = 10248)";
    change(&format!("UPDATE {line}"));
    let outcome = world.ingest_table("order_details", &["--limit", "discount=0.5"]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("rejected")), (1, 0));

    change(&format!("UPDATE {line}"));
    let outcome = world.ingest_table("order_details", &["--rule", "discount-limit=warn"]).expect_exit(0);
    assert_eq!((outcome.count("written"), &outcome.summary["warned_by_rule"]["discount-limit"]), (1, &Value::from(1)));
    assert!(
        outcome.log.contains("discount is 0.4; expected discount BETWEEN 0 AND 0.25: written all the same"),
        "{}",
        outcome.log
    );

    change(
        "UPDATE order_details SET unit_price = 1 WHERE ctid = (SELECT ctid FROM order_details WHERE order_id = 10249 LIMIT 1)",
    );
    let outcome = world.ingest_table("order_details", &["--rule", "list-price=reject"]).expect_exit(0);
    assert_eq!(&outcome.summary["rejected_by_rule"], &serde_json::json!({"list-price": 1}));
    assert!(outcome.log.contains("SKIP write, quarantined as list-price"), "{}", outcome.log);

    for (args, why) in [
        (["--rule", "no-such-rule=warn"], "no rule has this name; `lockstep rules` lists them"),
        (["--rule", "discount-limit=maybe"], "\"maybe\" is no severity: reject, warn or off"),
        (["--limit", "discount=25"], "discount=25: it is above 1"),
    ] {
        let outcome = world.ingest_table("order_details", &args).expect_exit(2);
        assert!(outcome.log.contains(why), "{args:?}: {}", outcome.log);
    }
}

#[test]
fn a_rule_is_explained_as_its_three_judges_have_it() {
    let explain = |name: &str| {
        let rules = ["rules", "--explain", name];
        std::process::Command::new(env!("CARGO_BIN_EXE_lockstep")).args(rules).output().unwrap()
    };
    let text = String::from_utf8(explain("order_details.open-line-inventory").stdout).unwrap();
    for part in [
        "-- As it is read\n\"order\".shipped_date IS NOT NULL OR quantity",
        "-- PostgreSQL\nBEGIN READ ONLY;\nSET LOCAL TimeZone = 'UTC';",
        "LEFT JOIN (SELECT \"order_id\", \"shipped_date\" FROM public.orders WHERE true) AS \"order\"",
        "-- ClickHouse\nSELECT",
        "FROM northwind_dw.dim_products FINAL",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    // A name may be of several tables.
    let text = String::from_utf8(explain("unit-price-not-negative").stdout).unwrap();
    assert_eq!(text.matches("-- As it is read").count(), 2, "{text}");
    let text = String::from_utf8(explain("customer-exists").stdout).unwrap();
    assert!(text.contains("NOT IN (SELECT \"customer_id\" FROM public.customers WHERE true)"), "{text}");
    assert!(String::from_utf8(explain("list-price").stdout).unwrap().contains("judged at ingest only"));
    assert_eq!(explain("no-such-rule").status.code(), Some(2));
}
