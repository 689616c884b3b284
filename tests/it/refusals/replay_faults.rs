//! A replay that is killed, or meets a server that is gone, or another replay; and one with much to do.

use std::process::Child;

use crate::support::event::{customer, delete, raw, truncate};
use crate::support::private_stack::free_port;
use crate::support::{Message, World, go_on, kill, signal};
use serde_json::json;

/// Records of every kind in quarantine: some can land, some are out of date, some stay. The truncate has a partition to itself, so that
/// LSNs say what stands before it.
fn with_quarantine(test: &str) -> World {
    let world = World::with_topic(test, 3);
    let partial = |id: &str, name: &str, lsn| customer("u", id, name, lsn).unsent("address").message();
    let new = |partition, id: &str, name: &str, lsn| customer("c", id, name, lsn).at(partition).message();
    world.produce(&[
        new(0, "NEW01", "first", 10),
        partial("NEW01", "second", 20),
        new(0, "NEVER", "stays", 80),
        new(0, "NEW02", "superseded", 40),
        raw(0, None, b"poison"),
        new(1, "NEW03", "before the truncate", 45),
        new(1, "NEW04", "after the truncate", 60),
    ]);
    world.ingest(&["--window-records", "1"]).expect_exit(0);
    world.insert_customers(&["NEW01", "NEW02", "NEW03", "NEW04"]);
    world.produce(&[truncate(2, 50), delete("NEW02", 55).message()]);
    // NEW01 stands before the truncate in the log, and would be gone; it was touched again after it.
    world.clickhouse("INSERT INTO northwind_ops.rejected SELECT * REPLACE (replaceAll(replaceAll(payload, '\"lsn\":10', '\"lsn\":70'), '\"lsn\":20', '\"lsn\":71') AS payload, if(offset = 0, 70, 71) AS lsn) FROM northwind_ops.rejected FINAL WHERE partition = 0 AND offset IN (0, 1)");
    world.ingest(&[]).expect_exit(0);
    world
}

/// What must be the same: rows, newest versions, quarantine, truncates, and that the ledger tells of every place that landed. After a
/// kill, an earlier record of a key may be found superseded by a later one that landed with it: closed is closed.
fn end_state(world: &World) -> String {
    [
        "SELECT * EXCEPT (_updated_at) FROM northwind_dw.dim_customers FINAL ORDER BY customer_id",
        "SELECT customer_id, max(_version) FROM northwind_dw.dim_customers GROUP BY 1 ORDER BY 1",
        "SELECT partition, offset, payload, rule, attempt, status = 'open' FROM northwind_ops.rejected FINAL ORDER BY 1, 2",
        "SELECT partition, offset, lsn FROM northwind_ops.truncates FINAL ORDER BY 1, 2",
        "SELECT DISTINCT partition, start_offset, end_offset FROM northwind_ops.windows WHERE mode = 'replay' ORDER BY 1, 2",
    ]
    .map(|sql| world.clickhouse(sql))
    .join("\n")
}

fn frozen_at(world: &World, point: &str) -> Child {
    world.frozen_at(point, "replay-rejected", &[])
}

#[test]
fn a_replay_that_is_killed_anywhere_and_run_again_ends_like_one_that_was_not() {
    let reference = with_quarantine("replay_crash");
    let done = reference.replay(&[]).expect_exit(0);
    assert_eq!((done.count("written"), done.count("superseded"), done.count("still_rejected")), (4, 1, 2), "{done:?}");
    assert_eq!(reference.customers(), "NEW01\tsecond\nNEW04\tafter the truncate\n");
    let expected = end_state(&reference);
    for point in
        ["locked", "read", "validated", "rows-inserted", "truncates-stored", "truncates-applied", "ledger-written"]
    {
        for batch in [1, 2] {
            if point == "locked" && batch == 2 {
                continue;
            }
            let world = with_quarantine("replay_crash");
            kill(frozen_at(&world, &format!("{point}:{batch}")));
            world.wait_until_no_session_of("replay-rejected");
            world.clickhouse("OPTIMIZE TABLE northwind_dw.dim_customers FINAL");
            let attempts = if batch == 2 { &["--attempts-below", "2"][..] } else { &[] };
            world.replay(attempts).expect_exit(0);
            assert_eq!(end_state(&world), expected, "{point}:{batch}");
        }
    }
    // Killed after its last word, it has nothing left to do.
    let world = with_quarantine("replay_crash");
    kill(frozen_at(&world, "closed:2"));
    assert_eq!(end_state(&world), expected);
}

/// The rows are in, and not closed yet: then somebody makes the rule stricter, or PostgreSQL loses the row.
#[test]
fn what_has_landed_is_not_refused_afterwards() {
    let world = World::with_topic("replay_landed", 1);
    world.produce(&[customer("c", "NEW01", "lands", 10).message()]);
    world.ingest(&[]).expect_exit(0);
    world.insert_customers(&["NEW01"]);
    kill(frozen_at(&world, "rows-inserted"));
    world.wait_until_no_session_of("replay-rejected");
    world.change("DELETE FROM customers WHERE customer_id = 'NEW01'");
    let outcome = world.replay(&[]).expect_exit(0);
    assert_eq!((outcome.count("already_there"), outcome.count("written"), outcome.count("resolved")), (1, 0, 1));
    assert_eq!(world.attempts(), "0\tnot-in-postgres\t2\tresolved\n");
    assert_eq!(world.number("SELECT sum(written) FROM northwind_ops.windows WHERE mode = 'replay'"), 1);
}

#[test]
fn postgres_gone_is_try_again_and_nothing_is_closed() {
    let mut world = with_quarantine("replay_postgres");
    let before = end_state(&world);
    // In the middle: the session dies between reading and looking up.
    let child = frozen_at(&world, "read");
    world.end_sessions_of("replay-rejected");
    let failed = go_on(child).expect_exit(75);
    assert!(failed.error().contains("public.customers in PostgreSQL"), "{failed:?}");
    assert_eq!(end_state(&world), before);
    // And from the beginning.
    let port = free_port().to_string();
    world.environment.push(("POSTGRES_PORT".to_owned(), port.clone()));
    let failed = world.replay(&[]).expect_exit(75);
    assert!(failed.error().contains(&format!("127.0.0.1:{port}")), "{failed:?}");
    world.environment.clear();
    assert_eq!(end_state(&world), before);
    let exits = "SELECT status FROM northwind_ops.runs FINAL WHERE job = 'replay-rejected' ORDER BY started_at";
    assert_eq!(world.clickhouse(exits), "try-again\n");
}

#[test]
fn one_replay_per_table_at_a_time() {
    let world = with_quarantine("replay_two");
    let child = world.frozen_at("validated", "replay-rejected", &["--table", "customers"]);
    let failed = world.replay(&["--table", "orders,customers"]).expect_exit(75);
    assert!(
        failed.error().contains("replay-rejected of customers: another run is at work: replay-rejected run "),
        "{failed:?}"
    );
    assert_eq!(world.replay(&["--table", "orders"]).expect_exit(0).count("replayed"), 0);
    go_on(child).expect_exit(0);
    assert_eq!(world.replay(&[]).expect_exit(0).count("written"), 0);
}

/// The lock went with its session: nothing is closed by a run that may not be alone any more.
#[test]
fn a_lost_lock_ends_the_replay_before_it_closes_anything() {
    let world = with_quarantine("replay_lost_lock");
    let child = frozen_at(&world, "truncates-applied");
    world.end_sessions_of("replay-rejected");
    go_on(child).expect_exit(75);
    assert_eq!(world.number("SELECT count() FROM northwind_ops.rejected FINAL WHERE status != 'open'"), 0);
    let again = world.replay(&[]).expect_exit(0);
    assert_eq!((again.count("already_there"), again.count("superseded"), again.count("written")), (1, 2, 2));
}

#[test]
fn a_stopped_replay_finishes_its_batch() {
    let world = with_quarantine("replay_stopped");
    let child = frozen_at(&world, "validated");
    signal(&child, "TERM");
    let stopped = go_on(child).expect_exit(143);
    assert_eq!(stopped.count("batches"), 1);
    assert_eq!(world.replay(&["--attempts-below", "2"]).expect_exit(0).count("written"), 2);
}

#[test]
fn much_is_replayed_in_batches_with_little_memory() {
    let world = World::with_topic("replay_much", 1);
    let id = |i: i32| format!("N{i:05}");
    let filler = "x".repeat(400);
    let messages: Vec<Message> =
        (0..25_000).map(|i| customer("c", &id(i), "much", i as u64).set("address", json!(filler)).message()).collect();
    world.produce(&messages);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("rejected"), 25_000);
    let first = world.replay(&[]).expect_exit(0);
    assert_eq!((first.count("replayed"), first.count("remaining"), first.count("batches")), (10_000, 15_000, 1));
    world.change("INSERT INTO customers (customer_id, company_name) SELECT 'N' || lpad(i::text, 5, '0'), 'x' FROM generate_series(0, 24999) i");
    let outcome = world.replay(&["--max-records", "100000"]).expect_exit(0);
    assert_eq!((outcome.count("replayed"), outcome.count("written"), outcome.count("remaining")), (25_000, 25_000, 0));
    assert!(outcome.count("batches") >= 3, "{outcome:?}");
    println!("{} records: peak {} MiB, {} ms", 25_000, outcome.count("peak_mib"), outcome.count("duration_ms"));
    assert!(outcome.count("peak_mib") < 150, "{outcome:?}");
    assert_eq!(world.number("SELECT count() FROM northwind_dw.dim_customers FINAL"), 25_000);
    assert_eq!(world.number("SELECT count() FROM northwind_ops.rejected FINAL WHERE status = 'resolved'"), 25_000);
}
