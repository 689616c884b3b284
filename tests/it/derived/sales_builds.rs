//! Builds of `agg_sales_daily`, whose rows are made of lines that move from one to another: whatever happens, and wherever a build is killed, the next
//! one shows what a join would add up. The join knows nothing of where a line was before.

use serde_json::json;

use crate::support::World;
use crate::support::observe::{alarms, observe_with, says, settings};
use crate::support::random::Random;
use crate::support::shop::Shop;
use crate::support::{go_on, kill};

const JOB: &str = "build-agg-sales-daily";

/// A shop whose sales are built.
fn built(test: &str) -> Shop {
    let shop = Shop::new(test);
    let outcome = shop.world.build_sales(&[]).expect_exit(0);
    assert_eq!(["windows", "touched", "written", "deleted"].map(|field| outcome.count(field)), [11, 4, 3, 0]);
    assert_right(&shop.world, "built");
    shop
}

#[track_caller]
fn assert_right(world: &World, what: &str) {
    assert_eq!(world.sales(), world.sales_added_up(), "{what}");
    let remembered = "SELECT count(), uniqExact(order_id, product_id) FROM northwind_dw.agg_sales_daily_members FINAL";
    let remembered = world.clickhouse(remembered);
    let (rows, lines) = remembered.trim().split_once('\t').unwrap();
    assert_eq!(rows, lines, "{what}: a line is remembered in two places");
    let left = "SELECT name FROM system.tables WHERE database = 'northwind_dw' AND name LIKE '%\\_build\\_%'";
    assert_eq!(world.clickhouse(left), "", "{what}: a build has left a table");
}

/// Merges everything: no trace of older versions is left.
fn merge(world: &World) {
    for table in ["fact_orders", "fact_order_details", "dim_products", "dim_categories", "dim_customers"] {
        world.clickhouse(&format!("OPTIMIZE TABLE northwind_dw.{table} FINAL"));
    }
}

#[test]
fn what_a_line_has_left_does_not_count_it_any_more() {
    let shop = built("sales_moves");
    let first = "1997-03-05\tFrance\tTea\t1\t2\t6\t56.70\t6.30\n";
    assert!(shop.world.sales().starts_with(first), "{}", shop.world.sales());
    let moves: [(&str, &dyn Fn()); 10] = [
        ("to another day", &|| _ = shop.order(1, Some("1997-04-10"))),
        ("to another year", &|| _ = shop.order(1, Some("1998-01-01"))),
        ("to no day", &|| _ = shop.order(1, None)),
        ("back", &|| _ = shop.order(1, Some("1997-03-05"))),
        ("to the customer's country", &|| {
            shop.put("orders", json!({"order_id": 1, "order_date": "1997-03-05", "customer_id": "ALFKI"}));
        }),
        ("where the customer has moved to", &|| {
            shop.put("customers", json!({"customer_id": "ALFKI", "company_name": "Alfreds", "country": "Spain"}));
        }),
        ("to another category", &|| {
            shop.put("categories", json!({"category_id": 2, "category_name": "Coffee"}));
            shop.put("products", json!({"product_id": 1, "product_name": "Chai", "category_id": 2}));
        }),
        ("with its category's name", &|| {
            _ = shop.put("categories", json!({"category_id": 2, "category_name": "Beans"}))
        }),
        ("away", &|| _ = shop.gone("order_details", json!({"order_id": 2, "product_id": 1}))),
        ("away with its order", &|| _ = shop.gone("orders", json!({"order_id": 3}))),
    ];
    for (what, change) in moves {
        change();
        merge(&shop.world);
        shop.world.build_sales(&[]).expect_exit(0);
        assert_right(&shop.world, what);
    }
    assert_eq!(shop.world.sales().lines().count(), 2, "{}", shop.world.sales());
    assert_eq!(shop.world.build_sales(&[]).expect_exit(0).count("windows"), 0);
}

#[test]
fn parents_that_are_late_move_their_lines_when_they_come() {
    let shop = built("sales_late");
    shop.put(
        "order_details",
        json!({"order_id": 9, "product_id": 9, "unit_price": "2", "quantity": 5, "discount": "0"}),
    );
    let steps: [(&str, &dyn Fn()); 4] = [
        ("no order yet", &|| {}),
        ("no product yet", &|| {
            _ = shop.put("orders", json!({"order_id": 9, "order_date": "1997-06-01", "customer_id": "LATER"}))
        }),
        ("no country yet", &|| {
            _ = shop.put("products", json!({"product_id": 9, "product_name": "Niku", "category_id": 1}))
        }),
        ("all there", &|| {
            _ = shop.put("customers", json!({"customer_id": "LATER", "company_name": "L", "country": "Peru"}))
        }),
    ];
    for (what, arrives) in steps {
        arrives();
        shop.world.build_sales(&[]).expect_exit(0);
        assert_right(&shop.world, what);
    }
    assert!(shop.world.sales().contains("1997-06-01\tPeru\tTea\t1\t1\t5\t10.00\t0.00\n"), "{}", shop.world.sales());
}

/// A line that goes on moving while a build is at work, or after it was killed, is never counted where nobody looks any more.
#[test]
fn a_build_that_is_killed_anywhere_leaves_nothing_behind_that_the_next_one_does_not_see() {
    let incremental = [
        "number-taken",
        "older-ended",
        "touched-written",
        "members-noted",
        "members-written",
        "keys-written",
        "rows-written",
        "markers-written",
        "members-forgotten",
        "windows-consumed",
    ];
    let full = ["members-written", "rows-written", "shadow-filled", "swapped", "members-forgotten", "old-dropped"];
    let full = full.map(|at| (at, &["--full"][..]));
    let kills: Vec<(&str, &[&str])> = incremental.map(|at| (at, &[][..])).into_iter().chain(full).collect();
    std::thread::scope(|scope| {
        for kills in kills.chunks(4) {
            scope.spawn(move || {
                for (point, args) in kills {
                    let shop = built("sales_kill");
                    shop.order(1, Some("1997-08-01"));
                    let build = shop.world.frozen_at(point, JOB, args);
                    // While it stands still, …
                    shop.order(1, Some("1997-08-02"));
                    shop.order(2, Some("1997-08-02"));
                    kill(build);
                    shop.world.wait_until_no_session_of(JOB);
                    // … and after it.
                    shop.order(1, Some("1997-08-03"));
                    merge(&shop.world);
                    shop.world.build_sales(&[]).expect_exit(0);
                    assert_right(&shop.world, &format!("{point} {args:?}"));
                }
            });
        }
    });
}

#[test]
fn lines_that_move_while_a_build_is_at_work_are_the_next_ones() {
    for point in ["touched-written", "members-noted", "keys-written", "rows-written", "markers-written"] {
        let shop = built("sales_moving");
        shop.order(1, Some("1997-08-01"));
        let build = shop.world.frozen_at(point, JOB, &[]);
        shop.order(1, Some("1997-08-02"));
        merge(&shop.world);
        go_on(build).expect_exit(0);
        shop.order(1, Some("1997-08-03"));
        merge(&shop.world);
        shop.world.build_sales(&[]).expect_exit(0);
        assert_right(&shop.world, point);
    }
}

/// What was changed by hand is in no window, and a full build that is killed on the way has done half of it.
#[test]
fn a_full_build_heals_what_no_window_says_also_if_it_was_killed() {
    for point in ["", "members-written", "shadow-filled", "swapped", "members-forgotten"] {
        let shop = built("sales_full");
        shop.world.clickhouse(
            "INSERT INTO northwind_dw.fact_orders (order_id, order_date, ship_country, _version)
             SELECT order_id, '1999-01-01', ship_country, _version + 1 FROM northwind_dw.fact_orders FINAL WHERE order_id = 1",
        );
        shop.world.clickhouse("TRUNCATE TABLE northwind_dw.dim_categories");
        match point {
            "" => _ = shop.world.build_sales(&["--full"]).expect_exit(0),
            point => {
                shop.world.kill_job_at(JOB, point, &["--full"]);
                // Another line comes to where the first order was.
                shop.order(2, Some("1997-03-05"));
                shop.world.build_sales(&[]).expect_exit(0);
                let days = "SELECT day, sum(lines) FROM northwind_dw.agg_sales_daily FINAL GROUP BY day ORDER BY day";
                let expected = "1997-03-05\t1\n1997-05-15\t1\n1999-01-01\t2\n";
                assert_eq!(shop.world.clickhouse(days), expected, "{point}: each is counted once, where it is");
                shop.world.build_sales(&["--full"]).expect_exit(0);
            }
        }
        assert_right(&shop.world, point);
    }
}

#[test]
fn a_day_that_does_not_fit_sets_its_lines_aside_alone() {
    let shop = built("sales_misfit");
    let set_aside = || {
        let open =
            "SELECT key, misfits FROM northwind_ops.derived_rejected FINAL WHERE healed = 0 ORDER BY ALL FORMAT TSVRaw";
        shop.world.clickhouse(open)
    };
    shop.order(1, Some("2150-01-01"));
    shop.line(2, 1, 4);
    let outcome = shop.world.build_sales(&[]).expect_exit(0);
    assert_eq!((outcome.count("rejected"), outcome.count("written"), outcome.count("deleted")), (2, 1, 1));
    let line = |product| format!("{{\"order_id\":1,\"product_id\":{product}}}\t['day 2150-01-01 does not fit Date']\n");
    assert_eq!(set_aside(), line(1) + &line(2));
    // A sum that does not fit is the row's own.
    shop.put(
        "order_details",
        json!({"order_id": 2, "product_id": 1, "unit_price": "90000000000000", "quantity": 9000, "discount": "0"}),
    );
    assert_eq!(shop.world.build_sales(&[]).expect_exit(0).count("rejected"), 1);
    let sum = "{\"day\":\"1997-04-10\",\"country\":\"France\",\"category\":\"Tea\"}\t['revenue 810000000000000000 does not fit Decimal(18, 2)']\n";
    assert_eq!(set_aside(), format!("{sum}{}{}", line(1), line(2)));
    let config = settings(&shop.world, "");
    let look = || observe_with(&shop.world, &[], &["--config", &config]);
    let seen = look().expect_exit(78);
    assert!(alarms(&seen).contains(&"derived-rejected"), "{seen:?}");
    says(&seen, &["agg_sales_daily: 3 row(s) have values that it cannot hold", "does not fit Decimal(18, 2)"]);
    assert!(!alarms(&look()).contains(&"derived-rejected"), "said once a day");
    assert_eq!(shop.world.sales().lines().count(), 1);
    shop.order(1, Some("1997-03-05"));
    shop.line(2, 1, 4);
    shop.world.build_sales(&[]).expect_exit(0);
    assert_eq!(set_aside(), "");
    assert!(!look().summary["problems"].to_string().contains("agg_sales_daily"));
    assert_right(&shop.world, "healed");
}

/// Changes at random, written as the ingest jobs write them, with builds that are killed, of small batches, and full ones between.
#[test]
fn of_any_history() {
    let seed = std::env::var("HISTORY_SEEDS")
        .ok()
        .and_then(|seeds| seeds.parse().ok())
        .unwrap_or(u64::from(std::process::id()));
    let shop = built("sales_any");
    let mut random = Random::new(seed);
    for step in 0..60 {
        for _ in 0..=random.below(4) {
            change(&shop, &mut random);
        }
        if random.once_in(3) {
            merge(&shop.world);
        }
        let mut args = vec!["--batch", random.of(&["1", "2", "3", "1000"])];
        if random.once_in(6) {
            args.push("--full");
        }
        let points = [
            "number-taken",
            "older-ended",
            "touched-written",
            "members-noted",
            "members-written",
            "keys-written",
            "rows-written",
            "rows-written:2",
            "members-forgotten",
        ];
        if random.once_in(2) {
            args.extend(["--stop-at", random.of(&points)]);
            let mut build = shop.world.command(JOB, &args).spawn().unwrap();
            if crate::support::freezes(&mut build, "the point") {
                (0..random.below(3)).for_each(|_| change(&shop, &mut random));
                kill(build);
                shop.world.wait_until_no_session_of(JOB);
                continue;
            }
        } else {
            shop.world.build_sales(&args).expect_exit(0);
        }
        shop.world.build_sales(&[]).expect_exit(0);
        assert_right(&shop.world, &format!("seed {seed}, step {step}"));
    }
}

fn change(shop: &Shop, random: &mut Random) {
    let (order, product) = (1 + random.below(6) as i64, 1 + random.below(3) as i64);
    let date = random.of(&["1997-03-05", "1997-03-06", "1998-01-01", "1998-01-02", ""]);
    let country = random.of(&["", "France", "Peru"]);
    match random.below(9) {
        0 => {
            shop.put(
                "customers",
                json!({"customer_id": "ALFKI", "company_name": "A", "country": random.of(&["Spain", "Peru"])}),
            );
        }
        1 => {
            _ = shop.put(
                "categories",
                json!({"category_id": 1 + random.below(2), "category_name": random.of(&["Tea", "Beans", "Fish"])}),
            )
        }
        2 => {
            _ = shop.put(
                "products",
                json!({"product_id": product, "product_name": "P", "category_id": 1 + random.below(3)}),
            )
        }
        3 => _ = shop.gone("orders", json!({"order_id": order})),
        4 => _ = shop.gone("order_details", json!({"order_id": order, "product_id": product})),
        5 | 6 => {
            let date = (!date.is_empty()).then_some(date);
            shop.put(
                "orders",
                json!({"order_id": order, "order_date": date, "customer_id": "ALFKI", "ship_country": country}),
            );
        }
        _ => _ = shop.line(order, product, 1 + random.below(9) as i64),
    }
}
