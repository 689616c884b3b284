//! An update that does not touch a long value sends a placeholder instead of it. What lands is the value.

use crate::support::event::{Event, UNAVAILABLE, customer, delete, edited, truncate, version};
use crate::support::{Message, World};
use serde_json::{Value, json};

/// An update whose address was too long to be sent again.
fn update(id: &str, company_name: &str, lsn: u64) -> Event {
    customer("u", id, company_name, lsn).unsent("address")
}

fn with_address(op: &'static str, id: &str, company_name: &str, address: &str, lsn: u64) -> Message {
    customer(op, id, company_name, lsn).set("address", json!(address)).message()
}

/// The live rows' names and addresses; on the way a look at every row, live or not: the literal never stands there.
#[track_caller]
fn addresses(world: &World) -> String {
    let literal = format!(
        "SELECT count() FROM northwind_dw.dim_customers
         WHERE toString(tuple(*)) LIKE '%{UNAVAILABLE}%' OR toString(tuple(*)) LIKE '%X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==%'"
    );
    assert_eq!(world.number(&literal), 0);
    world.clickhouse(
        "SELECT customer_id, company_name, address FROM northwind_dw.dim_customers FINAL ORDER BY customer_id FORMAT TSVRaw",
    )
}

#[test]
fn an_unchanged_value_comes_from_an_earlier_event_of_the_window() {
    let world = World::with_topic("toast_window", 1);
    world.produce(&[
        with_address("c", "ALFKI", "first", "long \"value\" é", 10),
        with_address("c", "ANATR", "other", "not this one", 20),
        update("ALFKI", "second", 30).message(),
        // And on from the one that was completed.
        update("ALFKI", "third", 40).message(),
        // A null is a value, too.
        customer("c", "ANTON", "first", 50).set("address", json!(null)).message(),
        update("ANTON", "second", 60).message(),
    ]);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("rejected")), (6, 0));
    assert_eq!(addresses(&world), "ALFKI\tthird\tlong \"value\" é\nANATR\tother\tnot this one\nANTON\tsecond\t\\N\n");
    let newest = "SELECT op, _version, _lsn FROM northwind_dw.dim_customers FINAL WHERE customer_id = 'ALFKI'";
    assert_eq!(world.clickhouse(newest), format!("u\t{}\t40\n", version(3)));
}

#[test]
fn an_unchanged_value_comes_from_the_warehouse() {
    let world = World::with_topic("toast_warehouse", 1);
    world.produce(&[
        with_address("c", "ALFKI", "first", "tab\there, 'quotes' \\ and é𝄞", 10),
        customer("c", "ANATR", "first", 20).set("address", json!(null)).message(),
    ]);
    world.ingest(&[]).expect_exit(0);
    world.produce(&[update("ALFKI", "second", 30).message(), update("ANATR", "second", 40).message()]);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("rejected")), (2, 0));
    assert_eq!(addresses(&world), "ALFKI\tsecond\ttab\there, 'quotes' \\ and é𝄞\nANATR\tsecond\t\\N\n");
}

/// With windows of one record the value is in the insert that is still in flight.
#[test]
fn an_unchanged_value_comes_from_the_window_in_flight() {
    let world = World::with_topic("toast_in_flight", 1);
    let mut messages = vec![with_address("c", "ALFKI", "0", "long value", 10)];
    messages.extend((1..20).map(|i| update("ALFKI", &i.to_string(), 10 + i).message()));
    world.produce(&messages);
    let outcome = world.ingest(&["--window-records", "1"]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("rejected"), outcome.count("windows")), (20, 0, 20));
    assert_eq!(addresses(&world), "ALFKI\t19\tlong value\n");
}

#[test]
fn a_value_that_was_never_seen_is_rejected() {
    let world = World::with_topic("toast_never", 1);
    let base64 = customer("u", "ANATR", "bytea", 20).set("fax", json!("X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="));
    world.produce(&[update("ALFKI", "first", 10).unsent("city").message(), base64.message()]);
    // The rejected one is not a state to carry on from, in this window or a later one; a complete one is.
    world.produce(&[update("ALFKI", "second", 30).message()]);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!(outcome.summary["rejected_by_rule"], json!({"toast-unavailable": 3}));
    assert_eq!((outcome.count("written"), addresses(&world)), (0, String::new()));
    let open =
        "0\tALFKI\ttoast-unavailable\topen\n1\tANATR\ttoast-unavailable\topen\n2\tALFKI\ttoast-unavailable\topen\n";
    assert_eq!(world.quarantine(), open);
    assert!(
        world.detail(0).starts_with("the unchanged value of address, city was not sent and "),
        "{}",
        world.detail(0)
    );
    assert!(world.detail(1).starts_with("the unchanged value of fax was not sent and "), "{}", world.detail(1));

    world.produce(&[update("ALFKI", "third", 40).message()]);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("rejected"), 1);
    world.produce(&[with_address("u", "ALFKI", "whole", "new value", 50), update("ALFKI", "fifth", 60).message()]);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("written"), 2);
    assert_eq!(addresses(&world), "ALFKI\tfifth\tnew value\n");
}

#[test]
fn nothing_is_carried_over_a_delete_or_a_truncate() {
    for window_records in ["100", "1"] {
        let world = World::with_topic("toast_delete", 1);
        world.produce(&[
            with_address("c", "ALFKI", "first", "gone", 10),
            delete("ALFKI", 20).message(),
            update("ALFKI", "after its delete", 30).message(),
            with_address("c", "ANATR", "first", "gone", 40),
            truncate(0, 50),
            update("ANATR", "after the truncate", 60).message(),
        ]);
        let outcome = world.ingest(&["--window-records", window_records]).expect_exit(0);
        assert_eq!((outcome.count("written"), outcome.count("rejected")), (3, 2));
        assert_eq!(world.quarantine(), "2\tALFKI\ttoast-unavailable\topen\n5\tANATR\ttoast-unavailable\topen\n");
        assert_eq!(addresses(&world), "");
    }
}

/// A change that lies in quarantine may have changed the value: the warehouse's row is not the latest state.
#[test]
fn nothing_is_carried_past_an_open_quarantine_record() {
    let world = World::with_topic("toast_quarantine", 1);
    world.produce(&[with_address("c", "ALFKI", "first", "old value", 10)]);
    world.ingest(&[]).expect_exit(0);
    world.produce(&[edited(&customer("u", "ALFKI", "poison", 20), |value| value["after"]["address"] = json!(5))]);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("rejected"), 1);
    world.produce(&[update("ALFKI", "third", 30).message()]);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!(outcome.summary["rejected_by_rule"], json!({"toast-unavailable": 1}));
    assert!(world.detail(2).contains("a newer event of this key lies in quarantine"), "{}", world.detail(2));
    assert_eq!(addresses(&world), "ALFKI\tfirst\told value\n");
}

/// The same inside one window; and another customer's poison concerns nobody else.
#[test]
fn nothing_is_carried_past_poison_in_the_same_window() {
    let world = World::with_topic("toast_poison", 1);
    let poison = |id: &str, lsn| {
        edited(&customer("u", id, "poison", lsn), |value: &mut Value| value["after"]["address"] = json!(5))
    };
    world.produce(&[
        with_address("c", "ALFKI", "first", "old value", 10),
        with_address("c", "ANATR", "first", "other value", 20),
        poison("ALFKI", 30),
        update("ALFKI", "third", 40).message(),
        update("ANATR", "second", 50).message(),
    ]);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!(outcome.summary["rejected_by_rule"], json!({"decode": 1, "toast-unavailable": 1}));
    assert_eq!(addresses(&world), "ALFKI\tfirst\told value\nANATR\tsecond\tother value\n");
}

/// The quarantine is cleared by reading again: then the value is there to be carried.
#[test]
fn a_rejected_update_lands_when_it_is_read_again_with_its_predecessor() {
    let world = World::with_topic("toast_again", 1);
    world.produce(&[with_address("c", "NEW01", "first", "value", 10), update("NEW01", "second", 20).message()]);
    let outcome = world.ingest(&["--window-records", "1"]).expect_exit(0);
    assert_eq!(outcome.summary["rejected_by_rule"], json!({"not-in-postgres": 1, "toast-unavailable": 1}));
    world.change("INSERT INTO customers (customer_id, company_name) VALUES ('NEW01', 'x')");
    let outcome = world.ingest(&["--offsets", "0:0..2"]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("resolved")), (2, 2));
    assert_eq!(addresses(&world), "NEW01\tsecond\tvalue\n");
    assert_eq!(world.quarantine(), "0\tNEW01\tnot-in-postgres\tresolved\n1\tNEW01\ttoast-unavailable\tresolved\n");
}

/// A long value in a column that the warehouse does not have yet.
#[test]
fn an_unchanged_value_of_an_unknown_column_comes_from_extra() {
    let world = World::with_topic("toast_extra", 1);
    let notes = |name: &str, notes: &str, lsn| customer("u", "ALFKI", name, lsn).set("notes", json!(notes)).message();
    world.produce(&[notes("first", "a long \"note\"", 10), notes("second", UNAVAILABLE, 20)]);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("written"), 2);
    world.produce(&[notes("third", UNAVAILABLE, 30)]);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("written"), 1);
    assert_eq!(addresses(&world), "ALFKI\tthird\tObere Str. 57\n");
    let extra = "SELECT JSONExtractString(_extra, 'notes') FROM northwind_dw.dim_customers FINAL FORMAT TSVRaw";
    assert_eq!(world.clickhouse(extra), "a long \"note\"\n");
}

/// The crash comes after the rows are in and before they count; a merge throws the row away that the value came from.
#[test]
fn a_killed_run_finds_the_value_again_in_what_it_has_written() {
    let world = World::with_topic("toast_killed", 1);
    world.produce(&[with_address("c", "ALFKI", "first", "long value", 10)]);
    world.ingest(&[]).expect_exit(0);
    world.produce(&[update("ALFKI", "second", 20).message(), update("ALFKI", "third", 30).message()]);
    world.kill_at("rows-inserted", &[]);
    world.clickhouse("OPTIMIZE TABLE northwind_dw.dim_customers FINAL");
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("rejected")), (2, 0));
    assert_eq!(addresses(&world), "ALFKI\tthird\tlong value\n");
}

/// As PostgreSQL and Debezium really do it.
#[test]
fn a_long_value_survives_an_update_of_another_column() {
    let mut world = World::new("toast_real");
    let mut postgres = world.postgres();
    let alter = "ALTER TABLE customers ALTER contact_name TYPE text, ALTER contact_name SET STORAGE EXTERNAL";
    postgres.batch_execute(&format!("{alter}, REPLICA IDENTITY DEFAULT")).unwrap();
    let connector = world.capture(&[]);
    world.ingest(&[]).expect_exit(0);
    let long = "UPDATE customers SET contact_name = repeat('long ', 4000) WHERE customer_id IN ('ALFKI', 'ANATR')";
    postgres.batch_execute(long).unwrap();
    postgres.batch_execute("UPDATE customers SET city = 'Bonn' WHERE customer_id = 'ALFKI'").unwrap();
    world.wait_for_capture(&connector);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("written"), 3);
    postgres.batch_execute("UPDATE customers SET city = 'Ulm' WHERE customer_id = 'ANATR'").unwrap();
    world.wait_for_capture(&connector);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("rejected")), (1, 0));
    addresses(&world);
    let rows = "SELECT customer_id, city, contact_name = repeat('long ', 4000) FROM northwind_dw.dim_customers FINAL
                WHERE customer_id IN ('ALFKI', 'ANATR') ORDER BY customer_id";
    assert_eq!(world.clickhouse(rows), "ALFKI\tBonn\t1\nANATR\tUlm\t1\n");
}
