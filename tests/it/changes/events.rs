//! The life of a customer as change events: what stands in the warehouse after each of them.

use crate::support::World;
use crate::support::event::{customer, delete, edited, raw, tombstone, version};
use serde_json::json;

#[test]
fn insert_update_delete_and_insert_again_in_one_run() {
    let world = World::with_topic("life_one_run", 1);
    world.produce(&[
        customer("c", "ALFKI", "first", 10).message(),
        customer("u", "ALFKI", "second", 20).message(),
        delete("ALFKI", 30).message(),
        tombstone(0, "ALFKI"),
        customer("c", "ALFKI", "again", 40).message(),
        customer("c", "ANATR", "first", 50).message(),
        delete("ANATR", 60).message(),
        tombstone(0, "ANATR"),
    ]);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("tombstones")), (6, 2));
    assert_eq!((outcome.count("rejected"), outcome.count("gaps"), outcome.count("redelivered")), (0, 0, 0));
    let rows = world.clickhouse(
        "SELECT customer_id, company_name, contact_name, region, op, src_ts, _version, _deleted, _source_ts_ms, _lsn, _tx_id, _partition,
                _offset, _extra FROM northwind_dw.dim_customers FINAL",
    );
    let system = format!("c\t2026-11-22 19:27:39\t{}\t0\t1795375659250\t40\t4156\t0\t4\t", version(4));
    assert_eq!(rows, format!("ALFKI\tagain\tMaria Anders\t\\N\t{system}\n"));
    let newest = "SELECT customer_id, argMax(op, _version), max(_version), argMax(_deleted, _version)
                  FROM northwind_dw.dim_customers GROUP BY customer_id ORDER BY customer_id";
    assert_eq!(world.clickhouse(newest), format!("ALFKI\tc\t{}\t0\nANATR\td\t{}\t1\n", version(4), version(6)));
    assert_eq!(world.ledger(), "0\torigin\t1\t0..0\t0\t0\t0\t0\t0\n0\tplan\t2\t0..8\t6\t0\t2\t0\t0\n");
    assert_eq!(world.committed(0), Some((8, String::new())));
}

/// For PostgreSQL it is another value of the key, for Debezium a delete and a create at one position, and here the same key.
#[test]
fn a_key_that_only_loses_its_blanks_is_no_event_that_was_sent_again() {
    let world = World::with_topic("life_blanks", 1);
    world.produce(&[
        customer("c", "ALFKI  ", "with blanks", 10).message(),
        delete("ALFKI  ", 20).message(),
        tombstone(0, "ALFKI  "),
        customer("c", "ALFKI", "without", 20).message(),
    ]);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("redelivered")), (3, 0));
    assert_eq!(world.customers(), "ALFKI\twithout\n");
}

#[test]
fn insert_update_delete_and_insert_again_over_several_runs() {
    let world = World::with_topic("life_runs", 1);
    let mut postgres = world.postgres();
    postgres.batch_execute("INSERT INTO customers (customer_id, company_name) VALUES ('NEW01', 'x')").unwrap();
    let steps = [
        (customer("c", "NEW01", "first", 10), "NEW01\tfirst\n"),
        (customer("u", "NEW01", "second", 20), "NEW01\tsecond\n"),
        (delete("NEW01", 30), ""),
        (customer("c", "NEW01", "again", 40), "NEW01\tagain\n"),
    ];
    for (event, live) in steps {
        world.produce(&[event.message()]);
        assert_eq!(world.ingest(&[]).expect_exit(0).count("written"), 1);
        assert_eq!(world.customers(), live);
    }
    let windows: String = (0..4).map(|i| format!("0\tplan\t{}\t{i}..{}\t1\t0\t0\t0\t0\n", i + 2, i + 1)).collect();
    assert_eq!(world.ledger(), format!("0\torigin\t1\t0..0\t0\t0\t0\t0\t0\n{windows}"));
    assert_eq!(world.quarantine(), "");
}

/// A transaction that was open when the snapshot was taken arrives after the snapshot's row with a lower LSN, and wins.
#[test]
fn the_order_of_the_log_wins_not_the_lsn() {
    let world = World::with_topic("log_order", 1);
    world.produce(&[customer("r", "ALFKI", "snapshot", 200).message(), customer("u", "ALFKI", "newer", 100).message()]);
    world.ingest(&["--window-records", "1"]).expect_exit(0);
    assert_eq!(world.customers(), "ALFKI\tnewer\n");
}

#[test]
fn a_changed_primary_key_moves_the_row() {
    let world = World::with_topic("key_change", 1);
    let mut postgres = world.postgres();
    postgres
        .batch_execute("INSERT INTO customers (customer_id, company_name) VALUES ('OLD01', 'x'), ('NEW02', 'x')")
        .unwrap();
    world.produce(&[
        customer("c", "OLD01", "moves", 10).message(),
        customer("c", "OLD02", "moves at once", 20).message(),
    ]);
    // OLD02 is NEW02 by now: its delete comes in the same window, so it is no orphan.
    world.produce(&[delete("OLD02", 30).message(), customer("c", "NEW02", "moves at once", 30).message()]);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("rejected")), (4, 0));
    assert_eq!(world.customers(), "NEW02\tmoves at once\nOLD01\tmoves\n");

    postgres.batch_execute("UPDATE customers SET customer_id = 'NEW01' WHERE customer_id = 'OLD01'").unwrap();
    world.produce(&[
        delete("OLD01", 40).message(),
        tombstone(0, "OLD01"),
        customer("c", "NEW01", "moves", 40).message(),
    ]);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("tombstones"), outcome.count("redelivered")), (2, 1, 0));
    assert_eq!(world.customers(), "NEW01\tmoves\nNEW02\tmoves at once\n");
}

#[test]
fn a_delete_of_a_customer_that_nobody_knows_lands_as_its_mark() {
    let world = World::with_topic("delete_unknown", 1);
    // The second one has its key in `before` alone.
    let keyless = raw(0, None, delete("NOB02", 20).value().to_string().as_bytes());
    world.produce(&[delete("NOB01", 10).message(), keyless]);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("rejected")), (2, 0));
    assert_eq!(world.customers(), "");
    let marks = world.clickhouse(
        "SELECT customer_id, company_name, op, _deleted, _version, _lsn FROM northwind_dw.dim_customers ORDER BY customer_id",
    );
    assert_eq!(marks, format!("NOB01\t\td\t1\t{}\t10\nNOB02\t\td\t1\t{}\t20\n", version(0), version(1)));
}

#[test]
fn a_customer_that_is_deleted_later_in_the_window_is_no_orphan() {
    let world = World::with_topic("deleted_later", 1);
    let events = [
        customer("c", "GONE1", "short life", 10).message(),
        customer("u", "GONE1", "still short", 20).message(),
        delete("GONE1", 30).message(),
        // After its delete it would have to be there again.
        customer("c", "GONE1", "a ghost", 40).message(),
    ];
    world.produce(&events);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("rejected")), (3, 1));
    assert_eq!(world.customers(), "");
    assert_eq!(world.quarantine(), "3\tGONE1\tnot-in-postgres\topen\n");
}

#[test]
fn trailing_blanks_of_a_key_do_not_count() {
    let world = World::with_topic("blanks", 1);
    world.change("INSERT INTO customers (customer_id, company_name) VALUES ('BLANK   ', 'x')");
    world.produce(&[
        customer("c", "ALFKI", "without", 10).message(),
        customer("u", "ALFKI  ", "with", 20).message(),
        customer("c", "BLANK", "without", 30).message(),
        customer("c", "BERGS    ", "gone", 40).message(),
        delete("BERGS", 50).message(),
    ]);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("rejected")), (5, 0));
    assert_eq!(world.customers(), "ALFKI\twith\nBLANK\twithout\n");
}

#[test]
fn a_column_that_the_warehouse_does_not_have_yet_lands_in_extra() {
    let world = World::with_topic("extra", 1);
    let more =
        customer("u", "ALFKI", "more", 10).set("loyalty", json!("BNI=")).set("tags", json!({"a": [1, null, "é\""]}));
    world.produce(&[more.message(), customer("u", "ANATR", "as usual", 20).message()]);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("written"), 2);
    let extra = world.clickhouse("SELECT customer_id, company_name, _extra FROM northwind_dw.dim_customers FINAL ORDER BY customer_id FORMAT TSVRaw");
    assert_eq!(extra, "ALFKI\tmore\t{\"loyalty\":\"BNI=\",\"tags\":{\"a\":[1,null,\"é\\\"\"]}}\nANATR\tas usual\t\n");
}

/// Recorded from a connector with `schemas.enable=true`.
#[test]
fn an_envelope_with_schema_and_payload_lands() {
    let world = World::with_topic("with_schema", 1);
    let key = include_str!("../../fixtures/customer_with_schema.key.json");
    let value = include_str!("../../fixtures/customer_with_schema.value.json");
    world.produce(&[
        raw(0, Some(key), value.as_bytes()),
        raw(0, Some(r#"{"schema":{},"payload":{"customer_id":"ANATR"}}"#), value.as_bytes()),
    ]);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("rejected")), (1, 1));
    let row = world.clickhouse("SELECT * EXCEPT (_updated_at) FROM northwind_dw.dim_customers FINAL FORMAT TSVRaw");
    let expected = "ALFKI\tAlfreds Futterkiste\tMaria Anders\tSales Representative\tObere Str. 57\tBerlin\t\\N\t12209\tGermany\t030-0074321\t\
                    030-0076545\tr\tTIME\t4503599627370496\t0\tTS\tLSN\tTX\t0\t0\t\n";
    let source = &serde_json::from_str::<serde_json::Value>(value).unwrap()["payload"]["source"];
    let seconds = source["ts_ms"].as_i64().unwrap() / 1000;
    let time = world.clickhouse(&format!("SELECT toDateTime({seconds}, 'UTC')"));
    let expected = expected
        .replace("TIME", time.trim())
        .replace("TS", &source["ts_ms"].to_string())
        .replace("LSN", &source["lsn"].to_string())
        .replace("TX", &source["txId"].to_string());
    assert_eq!(row, expected);
    // The key's wrapper is looked into as well.
    assert_eq!(world.detail(1), r#"the message key says "ANATR", `after` says "ALFKI""#);
}

#[test]
fn columns_that_were_not_sent_are_null_if_they_may_be() {
    let world = World::with_topic("partial_after", 1);
    let partial = |id: &str, after| edited(&customer("u", id, "", 10), |value| value["after"] = after);
    world.produce(&[
        partial("ALFKI", json!({"customer_id": "ALFKI", "company_name": "only a name", "city": null})),
        partial("ANATR", json!({"customer_id": "ANATR", "contact_name": "no company"})),
        // The key column comes from the message key.
        partial("ANTON", json!({"company_name": "key outside"})),
    ]);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("rejected")), (2, 1));
    let rows = world.clickhouse(
        "SELECT customer_id, company_name, contact_name, contact_title, address, city, region, postal_code, country, phone, fax
         FROM northwind_dw.dim_customers FINAL ORDER BY customer_id",
    );
    let nulls = "\\N\t".repeat(9).trim_end().to_owned();
    assert_eq!(rows, format!("ALFKI\tonly a name\t{nulls}\nANTON\tkey outside\t{nulls}\n"));
    assert_eq!(world.quarantine(), "1\tANATR\tdecode\topen\n");
    assert!(world.detail(1).contains("missing field `company_name`"), "{}", world.detail(1));
}

/// Without `source` (a message made by hand) the record's own timestamp is the time of the change.
#[test]
fn a_message_without_source_has_the_records_time_and_no_lsn() {
    let world = World::with_topic("no_source", 1);
    world.produce(&[edited(&customer("c", "ALFKI", "by hand", 10), |value| value["source"] = json!(null))]);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("written"), 1);
    let row = "SELECT _lsn, _tx_id, abs(dateDiff('second', src_ts, now())) < 300 FROM northwind_dw.dim_customers FINAL";
    assert_eq!(world.clickhouse(row), "\\N\t\\N\t1\n");
}
