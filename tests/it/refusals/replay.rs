//! What was refused once is judged again: late rows land, what is out of date is closed, the rest stays.

use crate::support::event::{customer, delete, edited, raw, row, version};
use crate::support::{Message, World};
use serde_json::{Value, json};

fn new(id: &str, name: &str, lsn: u64) -> Message {
    customer("c", id, name, lsn).message()
}

#[test]
fn a_row_that_postgres_gets_later_lands() {
    let world = World::with_topic("replay_late", 1);
    world.produce(&[new("NEW01", "early", 10), new("NEW02", "never", 20), new("ALFKI", "fine", 30)]);
    world.ingest(&[]).expect_exit(0);
    let outcome = world.replay(&[]).expect_exit(0);
    assert_eq!((outcome.count("replayed"), outcome.count("written"), outcome.count("still_rejected")), (2, 0, 2));
    assert!(outcome.log.contains("\"NEW01\" is NOT in Postgres: SKIP write"), "{}", outcome.log);
    assert_eq!(world.attempts(), "0\tnot-in-postgres\t2\topen\n1\tnot-in-postgres\t2\topen\n");

    world.insert_customers(&["NEW01"]);
    let outcome = world.replay(&[]).expect_exit(0);
    assert_eq!((outcome.count("replayed"), outcome.count("written"), outcome.count("resolved")), (2, 1, 1));
    assert_eq!(outcome.summary["still_rejected_by_rule"], json!({"not-in-postgres": 1}));
    assert_eq!(world.attempts(), "0\tnot-in-postgres\t3\tresolved\n1\tnot-in-postgres\t3\topen\n");
    assert_eq!(world.customers(), "ALFKI\tfine\nNEW01\tearly\n");
    let place =
        "SELECT op, _version, _lsn, _partition, _offset FROM northwind_dw.dim_customers WHERE customer_id = 'NEW01'";
    assert_eq!(world.clickhouse(place), format!("c\t{}\t10\t0\t0\n", version(0)));

    // The books: a ledger row that moves nothing, and the run.
    assert!(world.ledger().contains("0\treplay\t1\t0..2\t1\t1\t0\t0\t0\n"), "{}", world.ledger());
    let row = "SELECT generation, job, run_id = '{run}', startsWith(token, 'replay-rejected/') AND endsWith(token, run_id) FROM northwind_ops.windows WHERE mode = 'replay'"
        .replace("{run}", outcome.run());
    assert_eq!(world.clickhouse(&row), "1\treplay-rejected\t1\t1\n");
    let runs = "SELECT status, written, rejected FROM northwind_ops.runs FINAL WHERE job = 'replay-rejected' ORDER BY started_at";
    assert_eq!(world.clickhouse(runs), "done\t0\t2\ndone\t1\t1\n");

    // Nothing is left to resolve, and the ingest job goes on as if nothing had been.
    assert_eq!(world.replay(&[]).expect_exit(0).count("written"), 0);
    world.produce(&[customer("u", "NEW01", "later", 40).message()]);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("written"), 1);
    assert_eq!(world.customers(), "ALFKI\tfine\nNEW01\tlater\n");
}

#[test]
fn what_the_key_has_left_behind_is_superseded() {
    let world = World::with_topic("replay_superseded", 1);
    world.produce(&[new("NEW01", "old", 10), new("NEW02", "deleted since", 20)]);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("rejected"), 2);
    world.insert_customers(&["NEW01", "NEW02"]);
    world.produce(&[customer("u", "NEW01", "new", 30).message(), delete("NEW02", 40).message()]);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("written"), 2);
    let outcome = world.replay(&[]).expect_exit(0);
    assert_eq!((outcome.count("superseded"), outcome.count("written"), outcome.count("resolved")), (2, 0, 0));
    assert_eq!(world.attempts(), "0\tnot-in-postgres\t2\tsuperseded\n1\tnot-in-postgres\t2\tsuperseded\n");
    assert_eq!(world.customers(), "NEW01\tnew\n");
    assert!(!world.ledger().contains("replay"), "nothing was written");
}

/// The very same rows again, because somebody has deleted them: no deduplication token stands in the way.
#[test]
fn a_repair_is_never_swallowed() {
    let world = World::with_topic("replay_repair", 1);
    world.produce(&[new("NEW01", "early", 10)]);
    world.ingest(&[]).expect_exit(0);
    world.insert_customers(&["NEW01"]);
    for _ in 0..2 {
        assert_eq!(world.replay(&[]).expect_exit(0).count("written"), 1);
        assert_eq!(world.customers(), "NEW01\tearly\n");
        world.clickhouse("ALTER TABLE northwind_dw.dim_customers DELETE WHERE 1 SETTINGS mutations_sync = 1");
        world.clickhouse("INSERT INTO northwind_ops.rejected SELECT * REPLACE ('open' AS status, attempt + 1 AS attempt) FROM northwind_ops.rejected FINAL");
    }
}

#[test]
fn an_order_waits_for_its_customer() {
    let world = World::new("replay_order");
    world.create_topic_of("orders", 1, &[]);
    let mut postgres = world.postgres();
    postgres
        .batch_execute(
            "ALTER TABLE orders DROP CONSTRAINT fk_orders_customers;
             INSERT INTO orders (order_id, customer_id) VALUES (20000, 'LATER')",
        )
        .unwrap();
    let order =
        row("c", "orders", &json!({"order_id": 20000}), &json!({"order_id": 20000, "customer_id": "LATER"}), 10);
    world.produce_to("orders", &[order]);
    let outcome = world.ingest_table("orders", &[]).expect_exit(0);
    assert_eq!(outcome.summary["rejected_by_rule"], json!({"customer-exists": 1}));
    assert_eq!(world.replay(&["--table", "customers"]).expect_exit(0).count("replayed"), 0);
    assert_eq!(world.replay(&["--table", "orders"]).expect_exit(0).count("still_rejected"), 1);
    world.insert_customers(&["LATER"]);
    let outcome = world.replay(&["--table", "customers,orders"]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("resolved")), (1, 1));
    assert_eq!(world.clickhouse("SELECT order_id, customer_id FROM northwind_dw.fact_orders FINAL"), "20000\tLATER\n");
    assert_eq!(world.attempts(), "0\tcustomer-exists\t3\tresolved\n");
}

#[test]
fn a_rule_can_be_softened_for_a_replay() {
    let world = World::new("replay_rule");
    world.create_topic_of("order_details", 1, &[]);
    let product = "SELECT min(product_id) FROM order_details WHERE order_id = 10248";
    let product: i16 = world.postgres().query_one(product, &[]).unwrap().get(0);
    let key = json!({"order_id": 10248, "product_id": product});
    let line = json!({"order_id": 10248, "product_id": product, "unit_price": 14.0, "quantity": 12, "discount": 1.5});
    world.produce_to("order_details", &[row("u", "order_details", &key, &line, 10)]);
    let outcome = world.ingest_table("order_details", &[]).expect_exit(0);
    assert_eq!(outcome.summary["rejected_by_rule"], json!({"discount-limit": 1}));
    let soften = ["--only-rule", "discount-limit", "--rule", "discount-limit=warn"];

    let outcome = world.replay(&[&soften[..], &["--dry-run"]].concat()).expect_exit(0);
    assert_eq!((outcome.count("written"), &outcome.summary["dry_run"]), (1, &Value::from(true)));
    assert_eq!(world.attempts(), "0\tdiscount-limit\t1\topen\n");
    assert_eq!(world.number("SELECT count() FROM northwind_ops.runs WHERE job = 'replay-rejected'"), 0);

    let outcome = world.replay(&soften).expect_exit(0);
    assert_eq!((outcome.count("written"), &outcome.summary["warned_by_rule"]), (1, &json!({"discount-limit": 1})));
    assert_eq!(world.attempts(), "0\tdiscount-limit\t2\tresolved\n");
    assert_eq!(
        world.clickhouse("SELECT order_id, discount FROM northwind_dw.fact_order_details FINAL"),
        "10248\t1.5\n"
    );
    let warned = "SELECT table, offset, rule, detail FROM northwind_ops.warnings FINAL";
    let expected = "order_details\t0\tdiscount-limit\tdiscount is 1.5; expected discount BETWEEN 0 AND 0.25\n";
    assert_eq!(world.clickhouse(warned), expected);
}

#[test]
fn what_cannot_be_decoded_stays_with_its_bytes() {
    let world = World::with_topic("replay_poison", 1);
    let number = edited(&customer("u", "ALFKI", "poison", 10), |value| value["after"]["city"] = json!(5));
    world.produce(&[raw(0, None, &[0xff, 0x00, b'{']), number, raw(0, None, b"")]);
    world.ingest(&[]).expect_exit(0);
    let bytes = "SELECT hex(key), hex(payload), headers, version, lsn, row_key, detail, rejected_at FROM northwind_ops.rejected FINAL ORDER BY offset";
    let before = world.clickhouse(bytes);
    for attempt in 2..4 {
        let outcome = world.replay(&[]).expect_exit(0);
        assert_eq!(outcome.summary["still_rejected_by_rule"], json!({"decode": 3}));
        let open = |offset: i64| format!("{offset}\tdecode\t{attempt}\topen\n");
        assert_eq!(world.attempts(), [open(0), open(1), open(2)].concat());
        assert_eq!(world.clickhouse(bytes), before);
    }
    assert!(!world.ledger().contains("replay"), "nothing was written");
    assert_eq!(world.customers(), "");
}

/// A later build may read what this one could not: as if it had happened.
fn as_if_decodable(world: &World, offset: i64, message: &Message) {
    let value = String::from_utf8(message.value.clone().unwrap()).unwrap();
    world.clickhouse(&format!(
        "INSERT INTO northwind_ops.rejected SELECT * REPLACE ('{}' AS payload) FROM northwind_ops.rejected FINAL WHERE offset = {offset}",
        value.replace('\\', "\\\\").replace('\'', "\\'")
    ));
}

#[test]
fn deletes_and_truncates_land_when_they_can_be_read() {
    let world = World::with_topic("replay_deletes", 1);
    world.produce(&[new("ALFKI", "here", 10), new("ANATR", "here", 20), new("ANTON", "here", 30)]);
    world.produce(&[
        raw(0, Some(r#"{"customer_id":"ALFKI"}"#), b"unreadable"),
        raw(0, None, b"unreadable"),
        customer("u", "ANTON", "after the truncate", 90).message(),
    ]);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("rejected"), 2);
    as_if_decodable(&world, 3, &delete("ALFKI", 40).message());
    let outcome = world.replay(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("resolved"), outcome.count("still_rejected")), (1, 1, 1));
    assert_eq!(world.customers(), "ANATR\there\nANTON\tafter the truncate\n");

    as_if_decodable(&world, 4, &crate::support::event::truncate(0, 50));
    let outcome = world.replay(&[]).expect_exit(0);
    assert_eq!((outcome.count("truncates"), outcome.count("truncated_rows"), outcome.count("resolved")), (1, 1, 1));
    assert_eq!(world.customers(), "ANTON\tafter the truncate\n");
    assert_eq!(world.clickhouse("SELECT offset, lsn FROM northwind_ops.truncates FINAL"), "4\t50\n");
    assert!(world.ledger().contains("0\treplay\t2\t4..5\t0\t0\t0\t1\t0\n"), "{}", world.ledger());
    assert_eq!(world.attempts(), "3\tdecode\t2\tresolved\n4\tdecode\t3\tresolved\n");
}

#[test]
fn records_are_chosen_by_rule_table_run_time_and_attempts() {
    let world = World::with_topic("replay_choice", 1);
    world.produce(&[new("NEW01", "1", 10), raw(0, None, b"poison")]);
    let first = world.ingest(&[]).expect_exit(0);
    world.produce(&[new("NEW02", "2", 20)]);
    world.ingest(&[]).expect_exit(0);
    let replayed = |args: &[&str]| world.replay(&[args, &["--dry-run"]].concat()).expect_exit(0).count("replayed");
    let run = first.run();
    for (args, count) in [
        (&[][..], 3),
        (&["--only-rule", "not-in-postgres"], 2),
        (&["--only-rule", "decode"], 1),
        (&["--only-rule", "decode,not-in-postgres"], 3),
        (&["--table", "customers"], 3),
        (&["--table", "orders", "--table", "products"], 0),
        (&["--run", run], 2),
        (&["--run", run, "--only-rule", "decode"], 1),
        (&["--since", "1h"], 3),
        (&["--until", "1h"], 0),
        (&["--max-records", "2"], 2),
        (&["--attempts-below", "1"], 0),
        (&["--attempts-below", "2"], 3),
    ] {
        assert_eq!(replayed(args), count, "{args:?}");
    }
    assert_eq!(world.replay(&["--only-rule", "decode"]).expect_exit(0).count("replayed"), 1);
    assert_eq!(replayed(&["--attempts-below", "2"]), 2);
    let outcome = world.replay(&["--max-records", "1"]).expect_exit(0);
    assert_eq!((outcome.count("replayed"), outcome.count("remaining")), (1, 2));
    assert_eq!(replayed(&["--attempts-below", "2"]), 1);
    for args in [&["--table", "unicorns"][..], &["--rule", "decode"], &["--since", "soon"]] {
        world.replay(args).expect_exit(2);
    }
}
