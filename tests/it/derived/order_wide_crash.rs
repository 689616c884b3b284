//! Builds of `order_wide` that are killed, stopped, overtaken or not alone: the next one always ends like one that was never disturbed.

use serde_json::json;

use crate::support::shop::{Shop, changed, counts, shown};
use crate::support::{World, clickhouse_url, go_on, signal, wait_for};

/// What must be the same however often a build was killed.
fn end_state(world: &World) -> String {
    let consumed =
        world.clickhouse("SELECT consumer, source, stream, seq FROM northwind_ops.positions FINAL ORDER BY ALL");
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
    let incremental = [
        "opened",
        "locked",
        "number-taken",
        "older-ended",
        "touched-written",
        "rows-written",
        "markers-written",
        "windows-consumed",
    ];
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
    second.error_says(&["another run is at work", "build-order-wide run ", "(pid ", "nothing was done"]);
    assert_eq!(counts(&go_on(first).expect_exit(0)), [5, 5, 3, 4, 1]);
}

/// A build that lost its lock while it stood still wakes up when another one has done its work: it must not write any more.
#[test]
fn a_build_that_was_overtaken_writes_nothing() {
    for (point, args) in
        [("older-ended", &[][..]), ("touched-written", &[]), ("rows-written", &[]), ("shadow-filled", &["--full"])]
    {
        let shop = changed("wide_overtaken");
        let sleeper = shop.world.build_frozen_at(point, args);
        shop.world.end_sessions_of("build-order-wide");
        // The line is there when the sleeper begins and gone when it wakes: written now, it would stay for ever.
        shop.gone("order_details", json!({"order_id": 2, "product_id": 2}));
        shop.world.build(&[]).expect_exit(0);
        let expected = end_state(&shop.world);
        let rows = "SELECT count(), max(_version) FROM northwind_dw.order_wide";
        let before = shop.world.clickhouse(rows);
        let overtaken = go_on(sleeper).expect_exit(75);
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
    assert_eq!((outcome.count("build"), counts(&outcome)), (3, [1, 2, 1, 1, 0]));
    assert!(shop.world.order_wide().contains("\n2\t1996-01-01\t"));
}

#[test]
fn a_build_that_is_asked_to_stop_ends_with_143_and_the_next_one_does_its_work() {
    let shop = changed("wide_stop");
    let build = shop.world.build_frozen_at("rows-written", &[]);
    signal(&build, "TERM");
    let stopped = go_on(build).expect_exit(143);
    assert_eq!(
        (stopped.count("windows"), stopped.count("touched"), stopped.error().contains("next build")),
        (5, 5, true)
    );
    assert_eq!(shop.world.number("SELECT sum(seq) FROM northwind_ops.positions FINAL"), 13);
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
