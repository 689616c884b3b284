//! The prototype's three tests, word for word in effect.

use crate::support::event::raw;
use crate::support::{Message, World};

const FAKE: &str = r#"{"after":{"customer_id":"ZZZ_NOT_EXISTS","company_name":"Fake Co"},"op":"c"}"#;

/// A valid update through PostgreSQL and Debezium lands, newest by src_ts, with op and src_ts.
#[test]
fn a_valid_update_lands() {
    let mut world = World::new("valid_update");
    let connector = world.capture(&[]);
    world.ingest(&[]).expect_exit(0);
    world.change("UPDATE customers SET company_name = company_name || ' TEST_VALID' WHERE customer_id = 'ALFKI'");
    world.wait_for_capture(&connector);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!(outcome.count("written"), 1);
    let newest = world.clickhouse(
        "SELECT company_name, op, src_ts > now() - INTERVAL 5 MINUTE FROM northwind_dw.dim_customers
         WHERE customer_id = 'ALFKI' ORDER BY src_ts DESC, _version DESC LIMIT 1",
    );
    assert_eq!(newest, "Alfreds Futterkiste TEST_VALID\tu\t1\n");
}

/// A raw message without a key, about a customer that PostgreSQL does not have, never lands.
#[test]
fn an_unknown_customer_never_lands() {
    let world = World::with_topic("unknown_customer", 1);
    world.produce(&[raw(0, None, FAKE.as_bytes())]);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!(world.number("SELECT count() FROM northwind_dw.dim_customers WHERE customer_id = 'ZZZ_NOT_EXISTS'"), 0);
    assert!(outcome.log.contains("NOT in Postgres") && outcome.log.contains("SKIP write"), "{}", outcome.log);
    let quarantined =
        world.clickhouse("SELECT rule, row_key, payload, status FROM northwind_ops.rejected FINAL FORMAT TSVRaw");
    assert_eq!(quarantined, format!("not-in-postgres\tZZZ_NOT_EXISTS\t{FAKE}\topen\n"));
}

fn only_the_valid_one_lands(test: &str, wrap: fn(&str) -> String) {
    let world = World::with_topic(test, 1);
    let valid = r#"{"after":{"customer_id":"ALFKI","company_name":"Alfreds Futterkiste TEST_BOTH"},"op":"u"}"#;
    let messages: Vec<Message> = [valid, FAKE].iter().map(|text| raw(0, None, wrap(text).as_bytes())).collect();
    world.produce(&messages);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("rejected")), (1, 1));
    assert_eq!(world.customers(), "ALFKI\tAlfreds Futterkiste TEST_BOTH\n");
}

#[test]
fn of_a_valid_and_an_unknown_one_only_the_valid_one_lands() {
    only_the_valid_one_lands("both", str::to_owned);
}

#[test]
fn the_same_inside_payload() {
    only_the_valid_one_lands("both_payload", |text| format!(r#"{{"payload":{text}}}"#));
}
