//! A replay comes late, and yet everything ends in the log's order: what was not sent is filled in from the right state, truncates
//! remove what stood before them, and an older topic stays older.

use crate::support::event::{Event, customer, edited, raw, truncate};
use crate::support::{Message, World, wait_for};
use serde_json::json;

fn with_address(id: &str, name: &str, address: &str, lsn: u64) -> Message {
    customer("u", id, name, lsn).set("address", json!(address)).message()
}

/// An update whose address was too long to be sent again.
fn update(id: &str, name: &str, lsn: u64) -> Event {
    customer("u", id, name, lsn).unsent("address")
}

fn addresses(world: &World) -> String {
    world.clickhouse(
        "SELECT customer_id, company_name, address FROM northwind_dw.dim_customers FINAL ORDER BY customer_id",
    )
}

fn poison(id: &str, lsn: u64) -> Message {
    edited(&customer("u", id, "poison", lsn), |value| value["after"]["address"] = json!(5))
}

#[test]
fn an_unchanged_value_comes_from_a_record_that_lands_in_the_same_replay() {
    for batch in ["10000", "1"] {
        let world = World::with_topic("replay_toast", 1);
        world.produce(&[
            with_address("NEW01", "first", "long value", 10),
            update("NEW01", "second", 20).message(),
            update("NEW01", "third", 30).message(),
        ]);
        let outcome = world.ingest(&["--window-records", "1"]).expect_exit(0);
        assert_eq!(outcome.summary["rejected_by_rule"], json!({"not-in-postgres": 1, "toast-unavailable": 2}));
        world.insert_customers(&["NEW01"]);
        let alone = world.replay(&["--only-rule", "toast-unavailable"]).expect_exit(0);
        assert_eq!((alone.count("still_rejected"), addresses(&world)), (2, String::new()), "their base is missing");
        let outcome = world.replay(&["--batch-records", batch]).expect_exit(0);
        assert_eq!((outcome.count("written"), outcome.count("resolved")), (3, 3));
        assert_eq!(addresses(&world), "NEW01\tthird\tlong value\n");
    }
}

/// Between the update and the state that it builds on stands a record that changed nobody knows what.
#[test]
fn no_value_is_carried_past_a_record_that_stays() {
    let world = World::with_topic("replay_barrier", 1);
    world.produce(&[with_address("ALFKI", "base", "old value", 10), with_address("ANATR", "base", "other value", 20)]);
    world.ingest(&[]).expect_exit(0);
    // Refused for the rule, not for what is missing: all three wait with their placeholders.
    world.produce(&[poison("ALFKI", 25), update("ALFKI", "1", 30).message()]);
    world.produce(&[poison("ALFKI", 40), update("ALFKI", "2", 50).message()]);
    world.ingest(&[]).expect_exit(0);
    for args in [&[][..], &["--only-rule", "toast-unavailable"]] {
        let outcome = world.replay(args).expect_exit(0);
        assert_eq!(outcome.summary["still_rejected_by_rule"]["toast-unavailable"], 2, "{args:?}");
    }
    // The first barrier goes: the first update lands, and the second one still stands behind the second barrier.
    world.clickhouse("ALTER TABLE northwind_ops.rejected DELETE WHERE offset = 2 SETTINGS mutations_sync = 1");
    let outcome = world.replay(&["--only-rule", "toast-unavailable"]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("still_rejected")), (1, 1), "{outcome:?}");
    assert_eq!(addresses(&world), "ALFKI\t1\told value\nANATR\tbase\tother value\n");
    world.clickhouse("ALTER TABLE northwind_ops.rejected DELETE WHERE offset = 4 SETTINGS mutations_sync = 1");
    assert_eq!(world.replay(&[]).expect_exit(0).count("written"), 1);
    assert_eq!(addresses(&world), "ALFKI\t2\told value\nANATR\tbase\tother value\n");
}

/// The warehouse's state of the key stands between records of the batch: the later one builds on it, not on the older record.
#[test]
fn an_older_record_is_no_base_for_a_later_one() {
    let world = World::with_topic("replay_base", 1);
    world.produce(&[with_address("NEW01", "refused", "older value", 10)]);
    world.ingest(&[]).expect_exit(0);
    world.insert_customers(&["NEW01"]);
    world.produce(&[with_address("NEW01", "landed", "newer value", 20)]);
    world.ingest(&[]).expect_exit(0);
    world.change("DELETE FROM customers WHERE customer_id = 'NEW01'");
    world.produce(&[update("NEW01", "refused, too", 30).message()]);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("rejected"), 1);
    world.insert_customers(&["NEW01"]);
    let outcome = world.replay(&[]).expect_exit(0);
    assert_eq!((outcome.count("superseded"), outcome.count("written")), (1, 1));
    assert_eq!(addresses(&world), "NEW01\trefused, too\tnewer value\n");
}

#[test]
fn a_truncate_after_the_record_removes_the_row() {
    let world = World::with_topic("replay_truncate", 2);
    let at_1 = |message: Message| Message { partition: 1, ..message };
    world.produce(&[
        customer("c", "NEW01", "before", 10).message(),
        customer("c", "NEW02", "before", 20).message(),
        at_1(truncate(0, 50)),
        customer("c", "NEW03", "after", 60).message(),
    ]);
    world.ingest(&["--offsets", "0:0..3"]).expect_exit(0);
    world.ingest(&["--offsets", "1:0..1"]).expect_exit(0);
    // NEW01 and NEW03 are back in PostgreSQL; NEW02 is not, and need not be: a truncate took it.
    world.insert_customers(&["NEW01", "NEW03"]);
    let outcome = world.replay(&[]).expect_exit(0);
    assert_eq!((outcome.count("resolved"), outcome.count("truncated_rows")), (3, 2));
    assert_eq!(world.customers(), "NEW03\tafter\n");
    let marks =
        "SELECT customer_id, op, _lsn, _partition, _offset FROM northwind_dw.dim_customers WHERE op = 't' ORDER BY 1";
    assert_eq!(world.clickhouse(marks), "NEW01\tt\t50\t0\t0\nNEW02\tt\t50\t0\t0\n");
}

fn recreated(test: &str) -> World {
    let world = World::with_topic(test, 1);
    let filler = (0..5).map(|i| customer("u", "ALFKI", &format!("old {i}"), 100 + i).message());
    let refused = ["NEW01", "NEW02"].map(|id| customer("c", id, "old", 200).message());
    world.produce(&filler.chain(refused).collect::<Vec<_>>());
    assert_eq!(world.ingest(&[]).expect_exit(0).count("rejected"), 2);
    world.delete_topic();
    world.create_topic(1, &[]);
    wait_for("the group's offsets to go with the topic", || world.committed(0).is_none());
    world.insert_customers(&["NEW01", "NEW02"]);
    world
}

#[test]
fn a_record_of_an_older_topic_stays_below_the_newer_one() {
    let world = recreated("replay_recreated");
    world.produce(&[customer("r", "NEW01", "new", 50).message()]);
    world.ingest(&["--resume-from", "log-start"]).expect_exit(0);
    let outcome = world.replay(&[]).expect_exit(0);
    assert_eq!((outcome.count("superseded"), outcome.count("written")), (1, 1));
    assert_eq!(world.customers(), "ALFKI\told 4\nNEW01\tnew\nNEW02\told\n");
    let ledger =
        "SELECT generation, start_offset, end_offset, written FROM northwind_ops.windows WHERE mode = 'replay'";
    assert_eq!(world.clickhouse(ledger), "1\t5\t7\t1\n");
    // Offset 1 of the new topic wins over offset 6 of the old one.
    world.produce(&[customer("r", "NEW02", "new", 51).message()]);
    world.ingest(&[]).expect_exit(0);
    assert_eq!(world.customers(), "ALFKI\told 4\nNEW01\tnew\nNEW02\tnew\n");
}

/// LSNs of two topics cannot be compared, but a truncate of the newer one comes after everything in the older one.
#[test]
fn a_truncate_of_a_newer_topic_removes_rows_of_an_older_one_only() {
    let world = recreated("replay_recreated_truncate");
    world.produce(&[truncate(0, 30), customer("c", "ANTON", "new", 50).message()]);
    world.ingest(&["--resume-from", "log-start"]).expect_exit(0);
    assert_eq!(world.customers(), "ANTON\tnew\n");
    let outcome = world.replay(&[]).expect_exit(0);
    assert_eq!((outcome.count("resolved"), outcome.count("truncated_rows")), (2, 2));
    assert_eq!(world.customers(), "ANTON\tnew\n");
}

#[test]
fn a_truncate_of_an_older_topic_removes_nothing_of_a_newer_one() {
    let world = World::with_topic("replay_truncate_older", 1);
    world.produce(&[customer("c", "NEW01", "old", 200).message(), truncate(0, 900)]);
    assert_eq!(world.ingest(&["--window-records", "1"]).expect_exit(0).count("rejected"), 1);
    world.delete_topic();
    world.create_topic(1, &[]);
    wait_for("the group's offsets to go with the topic", || world.committed(0).is_none());
    world.produce(&[customer("r", "ANTON", "restored source, lower LSN", 50).message()]);
    world.ingest(&["--resume-from", "log-start"]).expect_exit(0);
    world.insert_customers(&["NEW01"]);
    let outcome = world.replay(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("truncated_rows")), (1, 1));
    assert_eq!(world.customers(), "ANTON\trestored source, lower LSN\n");
}

/// A killed run has quarantined part of a window and written nothing of it: that is still the run's own.
#[test]
fn records_of_an_open_window_are_left_to_the_ingest_job() {
    let world = World::with_topic("replay_ahead", 1);
    world.produce(&[raw(0, None, b"poison")]);
    world.ingest(&[]).expect_exit(0);
    world.produce(&[customer("c", "NEW01", "first", 10).message(), customer("c", "ALFKI", "second", 20).message()]);
    world.kill_at("rejected-inserted", &[]);
    world.insert_customers(&["NEW01"]);
    // Another table's job has read this topic, too, and further: that is not this one's end.
    world.clickhouse(
        "INSERT INTO northwind_ops.windows SELECT * REPLACE ('region' AS source, seq + 1 AS seq, 3 AS end_offset) FROM northwind_ops.windows WHERE mode = 'plan'",
    );
    let outcome = world.replay(&[]).expect_exit(0);
    assert_eq!((outcome.count("ahead"), outcome.count("replayed"), outcome.count("written")), (1, 1, 0));
    assert!(outcome.log.contains("1 records stand above the ledger's end"), "{}", outcome.log);
    wait_for("the dead run's locks to be free", || world.ingest(&[]).exit == 0);
    assert_eq!(world.customers(), "ALFKI\tsecond\nNEW01\tfirst\n");
    assert_eq!(world.attempts(), "0\tdecode\t2\topen\n1\tnot-in-postgres\t2\tresolved\n");
}
