//! Builds of `order_wide`: what they touch, what they refuse, killed anywhere, two at once, the full one.

use serde_json::json;

use crate::support::shop::Shop;
use crate::support::{Outcome, World, clickhouse_url, outcome, signal, wait_for};

/// order, product and customer of the rows shown.
fn shown(world: &World) -> String {
    world.order_wide();
    world.clickhouse(
        "SELECT order_id, product_id, customer_name FROM northwind_dw.order_wide FINAL ORDER BY ALL FORMAT TSVRaw",
    )
}

fn counts(outcome: &Outcome) -> [i64; 5] {
    ["windows", "touched", "written", "deleted", "without_date"].map(|field| outcome.count(field))
}

fn built(test: &str) -> Shop {
    let shop = Shop::new(test);
    assert_eq!(counts(&shop.world.build(&[]).expect_exit(0)), [13, 4, 4, 0, 0]);
    shop
}

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
    let books = "SELECT (SELECT count() FROM northwind_dw.order_wide), (SELECT count() FROM northwind_ops.consumed), (SELECT max(build) FROM northwind_ops.builds)";
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
        "northwind_ops.consumed",
        "northwind_ops.builds",
        "northwind_ops.touched_lines",
        "northwind_ops.runs",
    ] {
        assert_eq!(shop.world.number(&format!("SELECT count() FROM {table}")), 0, "{table}");
    }
    shop.line(1, 1, 40_000);
    let refused = shop.world.build(&["--dry-run"]).expect_exit(78);
    assert!(refused.error().contains("order 1, product 1: quantity 40000"), "{}", refused.error());
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
fn a_value_that_does_not_fit_is_refused_by_name_and_nothing_counts() {
    let shop = built("wide_misfit");
    let before = shop.world.order_wide();
    let line = |price: &str, quantity: i64, discount: &str| {
        let row =
            json!({"order_id": 2, "product_id": 1, "unit_price": price, "quantity": quantity, "discount": discount});
        move |shop: &Shop| shop.put("order_details", row.clone())
    };
    let order = |date: &'static str, employee: i64| {
        let row = json!({"order_id": 2, "order_date": date, "employee_id": employee});
        move |shop: &Shop| shop.put("orders", row.clone())
    };
    let fine_line = line("1.25", 2, "0.25");
    let table: Vec<(Box<dyn Fn(&Shop) -> i64>, &str)> = vec![
        (Box::new(line("1.2345", 1, "0")), "unit_price 1.2345 has more than two decimals"),
        (Box::new(line("100000000", 1, "0")), "unit_price 100000000 has more than eight digits before the point"),
        (Box::new(line("1", 32_768, "0")), "quantity 32768 is beyond Int16"),
        (Box::new(line("1", -32_769, "0")), "quantity -32769 is beyond Int16"),
        (Box::new(line("1", 1, "0.125")), "discount 0.125 has more than two decimals"),
        (Box::new(line("99999999", 32_767, "-99")), "has more than thirteen digits before the point"),
        (Box::new(order("1969-12-31", 1)), "order_date 1969-12-31 is not between 1970-01-01 and 2149-06-06"),
        (Box::new(order("2149-06-07", 1)), "order_date 2149-06-07 is not between"),
        (Box::new(order("1997-04-10", 1 << 31)), "employee_id 2147483648 is beyond Int32"),
    ];
    for (misfit, said) in table {
        misfit(&shop);
        let refused = shop.world.build(&[]).expect_exit(78);
        for part in ["order 2, product 1: ", said, "Correct them in PostgreSQL"] {
            assert!(refused.error().contains(part), "{part}: {}", refused.error());
        }
        assert_eq!(shop.world.build(&["--full"]).expect_exit(78).error(), refused.error());
        assert_eq!(shop.world.order_wide(), before);
        fine_line(&shop);
        shop.order(2, Some("1997-04-10"));
    }
    let mended = shop.world.build(&[]).expect_exit(0);
    assert_eq!((mended.count("windows"), mended.count("touched")), (27, 1));
    shop.put("orders", json!({"order_id": 3_000_000_000_i64, "order_date": "1997-01-01"}));
    shop.line(3_000_000_000, 1, 1);
    let refused = shop.world.build(&[]).expect_exit(78);
    assert!(refused.error().contains("order 3000000000, product 1: order_id is beyond Int32"), "{}", refused.error());
    shop.gone("orders", json!({"order_id": 3_000_000_000_i64}));
    assert_eq!(counts(&shop.world.build(&[]).expect_exit(0))[1..], [1, 0, 0, 0]);
}

/// Offsets that were read before are read again by a range or a replay: older rows never come back, changed ones do.
#[test]
fn ranges_replays_and_marks_of_a_truncate_touch_their_lines() {
    let shop = built("wide_modes");
    let at = shop.line(2, 1, 5);
    shop.world.clickhouse("INSERT INTO northwind_ops.consumed (consumer, token) SELECT 'build-order-wide', token FROM northwind_ops.windows");
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
        "INSERT INTO northwind_ops.windows (topic, generation, mode, start_offset, end_offset, token)
         VALUES ('shop.public.orders', 2, 'plan', 0, 1, 'of the new topic')",
    );
    assert_eq!(counts(&shop.world.build(&[]).expect_exit(0)), [1, 2, 0, 2, 0]);
    assert_eq!(shown(&shop.world), "2\t1\tAlfreds\n3\t1\tAlfreds\n");
}

/// Order 1 moves to another month, order 2 loses its line, order 3 its date; the customer is renamed; a line is added.
fn changed(test: &str) -> Shop {
    let shop = built(test);
    shop.order(1, Some("1996-12-24"));
    shop.gone("order_details", json!({"order_id": 2, "product_id": 1}));
    shop.order(3, None);
    shop.put("customers", json!({"customer_id": "ALFKI", "company_name": "Alfreds & Co."}));
    shop.line(2, 2, 7);
    shop
}

/// What must be the same however often a build was killed.
fn end_state(world: &World) -> String {
    let consumed = world.clickhouse("SELECT consumer, token FROM northwind_ops.consumed FINAL ORDER BY ALL");
    let tables =
        world.clickhouse("SELECT name FROM system.tables WHERE database = 'northwind_dw' AND name LIKE 'order_wide%'");
    let twice = "SELECT build FROM northwind_ops.builds GROUP BY build HAVING count() > 1";
    assert_eq!(world.clickhouse(twice), "", "a build's number was used twice");
    format!("{}{consumed}{tables}", world.order_wide())
}

#[test]
fn a_build_that_is_killed_anywhere_and_run_again_ends_like_one_that_was_not() {
    let reference = changed("wide_kill");
    assert_eq!(counts(&reference.world.build(&[]).expect_exit(0)), [5, 5, 3, 4, 1]);
    let expected = end_state(&reference.world);
    assert_eq!(shown(&reference.world), "1\t1\tAlfreds & Co.\n1\t2\tAlfreds & Co.\n2\t2\tAlfreds & Co.\n");
    let incremental =
        ["opened", "locked", "number-taken", "touched-written", "rows-written", "markers-written", "windows-consumed"];
    let full = ["number-taken", "shadow-filled", "swapped", "old-dropped", "windows-consumed"];
    let kills: Vec<(&str, &[&str])> =
        incremental.map(|at| (at, &[][..])).into_iter().chain(full.map(|at| (at, &["--full"][..]))).collect();
    std::thread::scope(|scope| {
        for kills in kills.chunks(3) {
            let expected = &expected;
            scope.spawn(move || {
                for (point, args) in kills {
                    let shop = changed("wide_kill");
                    shop.world.kill_build_at(point, args);
                    // Until the rerun a line that has moved is shown once, and one that has not changed is not lost.
                    shop.world.clickhouse("OPTIMIZE TABLE northwind_dw.order_wide FINAL");
                    let twice = "SELECT order_id FROM northwind_dw.order_wide FINAL GROUP BY order_id, product_id HAVING count() > 1";
                    assert_eq!(shop.world.clickhouse(twice), "", "{point} {args:?}");
                    let first = "SELECT count() FROM northwind_dw.order_wide FINAL WHERE order_id = 1";
                    assert_eq!(shop.world.number(first), 2, "{point} {args:?}");
                    shop.world.build(args).expect_exit(0);
                    assert_eq!(&end_state(&shop.world), expected, "{point} {args:?}");
                }
            });
        }
    });
}

#[test]
fn a_second_build_is_told_who_is_at_work() {
    let shop = changed("wide_two");
    let first = shop.world.build_frozen_at("touched-written", &[]);
    let second = shop.world.build(&[]).expect_exit(75);
    for part in ["another run is at work", "build-order-wide run ", "(pid ", "nothing was done"] {
        assert!(second.error().contains(part), "{part}: {}", second.error());
    }
    signal(&first, "CONT");
    assert_eq!(counts(&outcome(first).expect_exit(0)), [5, 5, 3, 4, 1]);
}

/// A build that lost its lock while it stood still wakes up when another one has done its work: it must not write any more.
#[test]
fn a_build_that_was_overtaken_writes_nothing() {
    for (point, args) in [("touched-written", &[][..]), ("rows-written", &[]), ("shadow-filled", &["--full"])] {
        let shop = changed("wide_overtaken");
        let sleeper = shop.world.build_frozen_at(point, args);
        shop.world
            .postgres()
            .execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name LIKE 'build-order-wide run%'",
                &[],
            )
            .unwrap();
        shop.world.wait_until_no_build_has_a_session();
        // The line is there when the sleeper begins and gone when it wakes: written now, it would stay for ever.
        shop.gone("order_details", json!({"order_id": 2, "product_id": 2}));
        shop.world.build(&[]).expect_exit(0);
        let expected = end_state(&shop.world);
        let rows = "SELECT count(), max(_version) FROM northwind_dw.order_wide";
        let before = shop.world.clickhouse(rows);
        signal(&sleeper, "CONT");
        let overtaken = outcome(sleeper).expect_exit(75);
        assert!(overtaken.error().contains("another build has begun"), "{point}: {}", overtaken.error());
        assert_eq!((shop.world.clickhouse(rows), end_state(&shop.world)), (before, expected), "{point}");
    }
}

/// The books may have been restored from an old copy.
#[test]
fn a_number_is_above_every_version_in_the_table_whatever_the_books_say() {
    let shop = changed("wide_books");
    shop.world.build(&[]).expect_exit(0);
    shop.world.clickhouse("TRUNCATE TABLE northwind_ops.builds");
    shop.order(2, Some("1996-01-01"));
    let outcome = shop.world.build(&[]).expect_exit(0);
    assert_eq!((outcome.count("build"), counts(&outcome)), (3, [1, 1, 1, 1, 0]));
    assert!(shop.world.order_wide().contains("\n2\t1996-01-01\t"));
}

#[test]
fn a_build_that_is_asked_to_stop_ends_with_143_and_the_next_one_does_its_work() {
    let shop = changed("wide_stop");
    let build = shop.world.build_frozen_at("rows-written", &[]);
    signal(&build, "TERM");
    signal(&build, "CONT");
    let stopped = outcome(build).expect_exit(143);
    assert_eq!(
        (stopped.count("windows"), stopped.count("touched"), stopped.error().contains("next build")),
        (5, 5, true)
    );
    assert_eq!(shop.world.number("SELECT count() FROM northwind_ops.consumed"), 13);
    assert_eq!(shop.world.build(&[]).expect_exit(0).count("windows"), 5);
    assert_eq!(shown(&shop.world).lines().count(), 3);
}

#[test]
fn without_its_table_the_job_names_the_remedy() {
    let shop = Shop::new("wide_missing");
    shop.world.clickhouse("DROP TABLE northwind_ops.builds");
    let refused = shop.world.build(&[]).expect_exit(78);
    assert!(refused.error().contains("run `migrate` first"), "{}", refused.error());
    shop.world.run("migrate", &[]).expect_exit(0);
    shop.world.build(&[]).expect_exit(0);
}

/// The server goes on with a statement whose client was killed.
#[test]
fn a_statement_that_a_killed_build_has_left_is_ended_first() {
    let shop = changed("wide_left");
    let id = format!("build-order-wide/{}/killed/writing rows", shop.world.dw);
    let running = format!("SELECT count() FROM system.processes WHERE query_id = '{id}'");
    std::thread::scope(|scope| {
        let left = scope.spawn(|| {
            let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
            let forever = "SELECT sum(sleepEachRow(1)) FROM numbers(120) SETTINGS max_block_size = 1";
            let request = agent.post(clickhouse_url()).query("query_id", &id);
            request.send(forever).unwrap().body_mut().read_to_string().unwrap()
        });
        wait_for("the statement to run", || shop.world.number(&running) == 1);
        shop.world.build(&[]).expect_exit(0);
        assert!(left.join().unwrap().contains("QUERY_WAS_CANCELLED"));
    });
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
