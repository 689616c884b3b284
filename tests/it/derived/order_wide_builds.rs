//! Builds of `order_wide`: what they touch, what they write, what they refuse, and the full one.

use serde_json::json;

use crate::support::shop::{Shop, built, changed, counts, shown};
use crate::support::{World, go_on, root, wait_for};

/// Puts a value into the warehouse that order_wide cannot hold.
type Misfit = Box<dyn Fn(&Shop) -> i64>;

#[test]
fn a_row_has_the_names_the_amount_and_the_newest_time_of_its_parts() {
    let shop = built("wide_row");
    let first = "1\t1997-03-05\tALFKI\tAlfreds\t1\tNancy Davolio\tp/1\t1\tChai\tTea\tExotic Liquids\t10.50\t3\t0.10\t28.35\t1000009\n";
    assert!(shop.world.order_wide().starts_with(first), "{}", shop.world.order_wide());
    let second =
        "1\t1997-03-05\tALFKI\tAlfreds\t1\tNancy Davolio\tp/1\t2\tChang\tTea\t\t10.50\t3\t0.10\t28.35\t1000010\n";
    assert_eq!(shop.world.order_wide().lines().nth(1), Some(second.trim_end()));
    shop.order(1, Some("1997-03-06"));
    shop.world.build(&[]).expect_exit(0);
    let newest = "SELECT DISTINCT _source_ts_ms FROM northwind_dw.order_wide FINAL WHERE order_id = 1";
    assert_eq!(shop.world.number(newest), 1_000_013, "the order's, which is newer than the lines'");
}

#[test]
fn nothing_to_do_writes_nothing() {
    let shop = built("wide_idle");
    // Windows of other tables, and rows of the ledger that are no windows, are no work.
    shop.close_window("shippers", "plan", 0, 5);
    shop.close_window("orders", "origin", 0, 0);
    shop.close_window("orders", "reset", 0, 7);
    let books = "SELECT (SELECT count() FROM northwind_dw.order_wide), (SELECT count() FROM northwind_ops.positions), (SELECT max(build) FROM northwind_ops.builds)";
    let before = shop.world.clickhouse(books);
    let outcome = shop.world.build(&[]).expect_exit(0);
    assert_eq!((counts(&outcome), &outcome.summary["build"]), ([0; 5], &json!(null)));
    // However busy the machine is: in one of many tries.
    wait_for("an idle build in less than a second", || {
        shop.world.build(&[]).expect_exit(0).count("duration_ms") < 1000
    });
    assert_eq!(shop.world.clickhouse(books), before);
    let runs = "SELECT status, written FROM northwind_ops.runs FINAL WHERE job = 'build-order-wide' ORDER BY started_at LIMIT 2";
    assert_eq!(shop.world.clickhouse(runs), "done\t4\ndone\t0\n");
}

#[test]
fn a_dry_run_counts_and_writes_nothing() {
    let shop = Shop::new("wide_dry");
    let outcome = shop.world.build(&["--dry-run"]).expect_exit(0);
    assert_eq!(counts(&outcome), [13, 4, 0, 0, 0]);
    assert_eq!(counts(&shop.world.build(&["--dry-run", "--full"]).expect_exit(0)), [13, 4, 0, 0, 0]);
    for table in [
        "northwind_dw.order_wide",
        "northwind_ops.positions",
        "northwind_ops.builds",
        "northwind_ops.derived_rejected",
        "northwind_ops.runs",
    ] {
        assert_eq!(shop.world.number(&format!("SELECT count() FROM {table}")), 0, "{table}");
    }
    shop.line(1, 1, 40_000);
    let outcome = shop.world.build(&["--dry-run"]).expect_exit(0);
    let warning = outcome.summary["warning"].as_str().unwrap();
    assert!(warning.contains(r#"{"order_id":1,"product_id":1}: quantity 40000 does not fit Int16"#), "{warning}");
}

#[test]
fn a_parent_that_arrives_after_its_child_fills_in_its_name() {
    let shop = built("wide_late");
    let order = json!({"order_id": 4, "order_date": "1997-06-01", "customer_id": "LATER", "employee_id": 7});
    shop.put("orders", order);
    shop.put(
        "order_details",
        json!({"order_id": 4, "product_id": 9, "unit_price": "1", "quantity": 1, "discount": "0"}),
    );
    shop.put(
        "order_details",
        json!({"order_id": 5, "product_id": 1, "unit_price": "2", "quantity": 1, "discount": "0"}),
    );
    assert_eq!(counts(&shop.world.build(&[]).expect_exit(0)), [3, 2, 1, 0, 0], "the line without an order waits");
    let row = |order: i64| {
        shop.world.clickhouse(&format!(
            "SELECT customer_id, customer_name, employee_id, employee_name, product_id, product_name, category_name, supplier_name
             FROM northwind_dw.order_wide FINAL WHERE order_id = {order}"
        ))
    };
    assert_eq!(row(4), "LATER\t\t7\t\t9\t\t\t\n");
    shop.put("customers", json!({"customer_id": "LATER", "company_name": "Later & Co."}));
    shop.put("employees", json!({"employee_id": 7, "first_name": "Robert", "last_name": "King"}));
    shop.put("products", json!({"product_id": 9, "product_name": "Niku", "category_id": 6, "supplier_id": 4}));
    shop.put("orders", json!({"order_id": 5, "order_date": "1997-06-02"}));
    assert_eq!(counts(&shop.world.build(&[]).expect_exit(0)), [4, 2, 2, 0, 0]);
    assert_eq!(row(4), "LATER\tLater & Co.\t7\tRobert King\t9\tNiku\t\t\n");
    assert_eq!(row(5), "\t\t0\t\t1\tChai\tTea\tExotic Liquids\n");
    shop.put("categories", json!({"category_id": 6, "category_name": "Meat"}));
    shop.put("suppliers", json!({"supplier_id": 4, "company_name": "Tokyo Traders"}));
    assert_eq!(counts(&shop.world.build(&[]).expect_exit(0)), [2, 1, 1, 0, 0]);
    assert_eq!(row(4), "LATER\tLater & Co.\t7\tRobert King\t9\tNiku\tMeat\tTokyo Traders\n");
}

#[test]
fn an_order_without_a_date_is_counted_and_comes_and_goes_with_its_date() {
    let shop = built("wide_date");
    shop.order(4, None);
    shop.line(4, 1, 1);
    assert_eq!(counts(&shop.world.build(&[]).expect_exit(0)), [2, 1, 0, 0, 1]);
    shop.order(4, Some("1970-01-01"));
    assert_eq!(counts(&shop.world.build(&[]).expect_exit(0)), [1, 1, 1, 0, 0]);
    shop.order(4, Some("2149-06-06"));
    assert_eq!(counts(&shop.world.build(&[]).expect_exit(0)), [1, 1, 1, 1, 0]);
    assert!(shown(&shop.world).contains("4\t1\t"));
    shop.order(4, None);
    assert_eq!(counts(&shop.world.build(&[]).expect_exit(0)), [1, 1, 0, 1, 1]);
    assert!(!shown(&shop.world).contains("4\t1\t"));
    shop.order(4, None);
    assert_eq!(counts(&shop.world.build(&[]).expect_exit(0)), [1, 1, 0, 0, 1], "a partition is marked once");
}

#[test]
fn a_value_that_does_not_fit_sets_its_line_aside_alone() {
    let shop = built("wide_misfit");
    let line = |price: &str, quantity: i64, discount: &str| {
        let row =
            json!({"order_id": 2, "product_id": 1, "unit_price": price, "quantity": quantity, "discount": discount});
        move |shop: &Shop| shop.put("order_details", row.clone())
    };
    let order = |date: &'static str, employee: i64| {
        let row = json!({"order_id": 2, "order_date": date, "employee_id": employee});
        move |shop: &Shop| shop.put("orders", row.clone())
    };
    let table: [(Misfit, &str); 9] = [
        (Box::new(line("1.2345", 1, "0")), "unit_price 1.2345 does not fit Decimal(10, 2)"),
        (Box::new(line("100000000", 1, "0")), "unit_price 100000000 does not fit Decimal(10, 2)"),
        (Box::new(line("1", 32_768, "0")), "quantity 32768 does not fit Int16"),
        (Box::new(line("1", -32_769, "0")), "quantity -32769 does not fit Int16"),
        (Box::new(line("1", 1, "0.125")), "discount 0.125 does not fit Decimal(10, 2)"),
        (Box::new(line("99999999", 32_767, "-99")), "does not fit Decimal(15, 2)"),
        (Box::new(order("1969-12-31", 1)), "order_date 1969-12-31 does not fit Date"),
        (Box::new(order("2149-06-07", 1)), "order_date 2149-06-07 does not fit Date"),
        (Box::new(order("1997-04-10", 1 << 31)), "employee_id 2147483648 does not fit Int32"),
    ];
    for (quantity, (misfit, said)) in (10..).zip(table) {
        misfit(&shop);
        shop.line(1, 1, quantity);
        let outcome = shop.world.build(&[]).expect_exit(0);
        assert_eq!(
            (outcome.count("rejected"), outcome.count("written"), outcome.count("deleted")),
            (1, 1, 1),
            "{said}"
        );
        let warning = outcome.summary["warning"].as_str().unwrap();
        for words in ["1 row(s)", r#"{"order_id":2,"product_id":1}: "#, said, "Correct them in PostgreSQL"] {
            assert!(warning.contains(words), "{words}: {warning}");
        }
        let shown = format!("1\t1\t{quantity}\n1\t2\t3\n3\t1\t3\n");
        assert_eq!(quantities(&shop.world), shown, "{said}: the others go on, and nothing old is shown");
        assert!(set_aside(&shop.world).contains(said), "{}", set_aside(&shop.world));
        let full = shop.world.build(&["--full"]).expect_exit(0);
        assert_eq!((full.count("rejected"), quantities(&shop.world)), (1, shown));
        assert!(set_aside(&shop.world).contains(said), "{}", set_aside(&shop.world));
        shop.line(2, 1, 3);
        shop.order(2, Some("1997-04-10"));
        let healed = shop.world.build(&[]).expect_exit(0);
        assert_eq!((healed.count("rejected"), healed.count("touched"), set_aside(&shop.world).as_str()), (0, 1, ""));
        assert!(quantities(&shop.world).contains("\n2\t1\t3\n"));
    }
    shop.put("orders", json!({"order_id": 3_000_000_000_i64, "order_date": "1997-01-01"}));
    shop.line(3_000_000_000, 1, 1);
    assert_eq!(shop.world.build(&[]).expect_exit(0).count("rejected"), 1);
    let said = "{\"order_id\":3000000000,\"product_id\":1}\t['order_id 3000000000 does not fit Int32']\n";
    assert_eq!(set_aside(&shop.world), said);
    shop.gone("orders", json!({"order_id": 3_000_000_000_i64}));
    assert_eq!(counts(&shop.world.build(&[]).expect_exit(0))[1..], [1, 0, 0, 0]);
    assert_eq!(set_aside(&shop.world), "", "what is gone is no misfit");
}

fn quantities(world: &World) -> String {
    world.order_wide();
    world.clickhouse("SELECT order_id, product_id, quantity FROM northwind_dw.order_wide FINAL ORDER BY ALL")
}

fn set_aside(world: &World) -> String {
    world.clickhouse(
        "SELECT key, misfits FROM northwind_ops.derived_rejected FINAL WHERE healed = 0 ORDER BY ALL FORMAT TSVRaw",
    )
}

/// One statement is about some rows only, as many as the flag says.
#[test]
fn rows_are_written_in_batches() {
    let shop = changed("wide_batches");
    let stopped = shop.world.build_frozen_at("rows-written:3", &["--batch", "1"]);
    assert_eq!(shop.world.number("SELECT uniqExact(_batch) FROM northwind_dw.order_wide_build_2_touched"), 5);
    assert_eq!(counts(&go_on(stopped).expect_exit(0)), [5, 5, 3, 4, 1]);
    let incremental = shop.world.order_wide();
    assert_eq!(counts(&shop.world.build(&["--full", "--batch", "2"]).expect_exit(0)), [0, 4, 3, 0, 1]);
    assert_eq!(shop.world.order_wide(), incremental);
}

/// Offsets that were read before are read again by a range or a replay: older rows never come back, changed ones do.
#[test]
fn ranges_replays_and_marks_of_a_truncate_touch_their_lines() {
    let shop = built("wide_modes");
    let at = shop.line(2, 1, 5);
    shop.world.clickhouse(
        "INSERT INTO northwind_ops.positions (consumer, source, topic, stream, seq)
         SELECT 'build-order-wide', source, topic, stream, max(seq) FROM northwind_ops.windows GROUP BY source, topic, stream",
    );
    assert_eq!(shop.world.build(&[]).expect_exit(0).count("windows"), 0);
    shop.close_window("order_details", "replay", at, at + 1);
    assert_eq!(counts(&shop.world.build(&[]).expect_exit(0)), [1, 1, 1, 0, 0]);
    shop.close_window("order_details", "range", 0, at + 1);
    assert_eq!(counts(&shop.world.build(&[]).expect_exit(0)), [1, 4, 4, 0, 0]);

    // A truncate in a topic that was recreated: the mark has the old row's generation and the new topic's offset.
    shop.world.clickhouse(
        "INSERT INTO northwind_dw.fact_orders (order_id, op, _version, _deleted, _offset)
         SELECT order_id, 't', _version + 1, 1, 0 FROM northwind_dw.fact_orders FINAL WHERE order_id = 1",
    );
    shop.world.clickhouse(
        "INSERT INTO northwind_ops.windows (source, topic, stream, seq, generation, mode, start_offset, end_offset, token)
         SELECT 'orders', 'shop.public.orders', 0, max(seq) + 1, 2, 'plan', 0, 1, 'of the new topic'
         FROM northwind_ops.windows WHERE source = 'orders' AND stream = 0",
    );
    assert_eq!(counts(&shop.world.build(&[]).expect_exit(0)), [1, 2, 0, 2, 0]);
    assert_eq!(shown(&shop.world), "2\t1\tAlfreds\n3\t1\tAlfreds\n");
}

#[test]
fn a_full_build_is_equal_to_the_incremental_ones() {
    let shop = changed("wide_full");
    shop.world.build(&[]).expect_exit(0);
    shop.order(2, Some("1999-09-09"));
    shop.gone("orders", json!({"order_id": 3}));
    shop.line(1, 1, 9);
    shop.world.build(&[]).expect_exit(0);
    let incremental = shop.world.order_wide();
    shop.line(2, 2, 8);
    let full = shop.world.build(&["--full"]).expect_exit(0);
    assert_eq!(counts(&full), [1, 3, 3, 0, 0]);
    assert_eq!(shop.world.number("SELECT count() FROM northwind_dw.order_wide"), 3, "no marker is left");
    assert_ne!(shop.world.order_wide(), incremental);
    shop.line(2, 2, 7);
    shop.world.build(&[]).expect_exit(0);
    let times = |rows: &str| rows.lines().map(|row| row.rsplit_once('\t').unwrap().0.to_owned()).collect::<Vec<_>>();
    assert_eq!(times(&shop.world.order_wide()), times(&incremental), "builds go on where the full one has ended");
    let incremental = shop.world.order_wide();
    assert_eq!(counts(&shop.world.build(&["--full"]).expect_exit(0)), [0, 3, 3, 0, 0]);
    assert_eq!(shop.world.order_wide(), incremental);
}

#[test]
fn a_build_may_write_any_number_of_months() {
    let shop = built("wide_months");
    let dated: Vec<String> = (0..240)
        .map(|i| json!({"order_id": 1000 + i, "order_date": format!("{}-{:02}-28", 1990 + i / 12, 1 + i % 12), "_version": 1}).to_string())
        .collect();
    shop.world.clickhouse(&format!("INSERT INTO northwind_dw.fact_orders FORMAT JSONEachRow {}", dated.join("\n")));
    shop.world.clickhouse(
        "INSERT INTO northwind_dw.fact_order_details (order_id, product_id, unit_price, quantity, _version, _offset)
         SELECT number + 1000, 1, 1, 1, 1, 5000 FROM numbers(240)",
    );
    shop.close_window("order_details", "plan", 5000, 5001);
    assert_eq!(counts(&shop.world.build(&[]).expect_exit(0)), [1, 240, 240, 0, 0]);
    // All of them move by a month.
    shop.world.clickhouse(
        "INSERT INTO northwind_dw.fact_orders (order_id, order_date, _version, _offset)
         SELECT order_id, addMonths(order_date, 1), 2, 6000 FROM northwind_dw.fact_orders FINAL WHERE order_id >= 1000",
    );
    shop.close_window("orders", "plan", 6000, 6001);
    assert_eq!(counts(&shop.world.build(&[]).expect_exit(0)), [1, 240, 240, 240, 0]);
    assert_eq!(shown(&shop.world).lines().count(), 244);
}

/// Of two rows with one key the table would show one, and nobody could say which.
#[test]
fn a_key_that_two_rows_have_is_a_stop() {
    let shop = Shop::new("wide_twins");
    // Of two alike, one may be one that does not fit.
    let quantity = "if(supplier.company_name = 'Twin', 100000, line.quantity) AS quantity";
    for twin in ["line.quantity AS quantity", quantity] {
        assert_twins_are_a_stop(&shop, twin);
    }
    shop.world.build(&[]).expect_exit(0);
    assert_eq!(shop.world.order_wide().lines().count(), 4);
}

fn assert_twins_are_a_stop(shop: &Shop, quantity: &str) {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = std::fs::read_to_string(root().join("pipelines/northwind.toml")).unwrap();
    let file = folder.path().join("northwind.toml");
    std::fs::write(&file, pipeline).unwrap();
    std::fs::create_dir(folder.path().join("northwind")).unwrap();
    for entry in std::fs::read_dir(root().join("pipelines/northwind")).unwrap() {
        let entry = entry.unwrap();
        let text = std::fs::read_to_string(entry.path()).unwrap();
        let twins = text.replace("{db}.dim_suppliers FINAL)", "{db}.dim_suppliers FINAL UNION ALL SELECT 1, 'Twin')");
        let twins = twins.replace("line.quantity AS quantity", quantity);
        std::fs::write(folder.path().join("northwind").join(entry.file_name()), twins).unwrap();
    }
    let pipeline = ["--pipeline", file.to_str().unwrap()];
    for args in [&["--dry-run"][..], &[], &["--full"]] {
        let outcome = shop.world.build(&[&pipeline, args].concat()).expect_exit(78);
        let said = outcome.error();
        let key = r#"order_wide.sql gives 3 row(s) of order_wide a key that another one has: {"order_id":1,"product_id":1}; {"order_id":2,"product_id":1}; {"order_id":3,"product_id":1}."#;
        assert!(said.starts_with(key) && said.contains("Does a JOIN find more than one row?"), "{said}");
        assert_eq!(shop.world.order_wide(), "", "{args:?}");
    }
}
