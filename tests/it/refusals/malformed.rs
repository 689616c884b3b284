//! Records that cannot be decoded: each lies in quarantine with its exact bytes, and the good ones around it land.

use crate::support::event::{Event, customer, delete, edited, raw, truncate, version};
use crate::support::{Message, World};
use serde_json::{Value, json};

const MEGABYTE: usize = 1_000_000;

fn alfki() -> Event {
    customer("u", "ALFKI", "poison", 10)
}

fn with(edit: impl FnOnce(&mut Value)) -> Message {
    edited(&alfki(), edit)
}

fn keyed(key: &str, message: Message) -> Message {
    Message { key: Some(key.to_owned()), ..message }
}

/// Poison, the row key that the quarantine shows, and what its detail must say.
fn malformed() -> Vec<(Message, &'static str, &'static str)> {
    let alfki_key = r#"{"customer_id":"ALFKI"}"#;
    let text = alfki().value().to_string();
    let broken = |value: &[u8]| raw(0, Some(alfki_key), value);
    let keyless = |value: Value| raw(0, None, value.to_string().as_bytes());
    // The fields of an envelope and a row, in an order that a decoder might take them in.
    let in_array = format!(r#"["c",{},{{"ts_ms":1,"lsn":1}}]"#, alfki().after);
    let lone_surrogate = text.replace("poison", "\\ud800");
    let mut not_utf8 = text.clone().into_bytes();
    let at = text.find("poison").unwrap();
    not_utf8[at] = 0xff;
    vec![
        (broken(&[0xff, 0xfe, 0x00, 0x80]), "ALFKI", "not a JSON object: "),
        (broken(&not_utf8), "ALFKI", "invalid unicode code point"),
        (broken(b""), "ALFKI", "not a JSON object: EOF"),
        (broken(b"null"), "ALFKI", "not a JSON object: "),
        (broken(b"\"text\""), "ALFKI", "not a JSON object: "),
        (broken(b"[1, 2]"), "ALFKI", "not a JSON object: an array"),
        (broken(in_array.as_bytes()), "ALFKI", "not a JSON object: an array"),
        (broken(format!(r#"{{"payload":{in_array}}}"#).as_bytes()), "ALFKI", "payload is not a JSON object"),
        (broken(b"not JSON at all"), "ALFKI", "not a JSON object: expected"),
        (broken(&text.as_bytes()[..text.len() / 2]), "ALFKI", "not a JSON object: EOF while parsing"),
        (broken(format!("{text}{text}").as_bytes()), "ALFKI", "not a JSON object: trailing characters"),
        (broken(lone_surrogate.as_bytes()), "ALFKI", "company_name"),
        (broken(b"{}"), "ALFKI", "no `op`: not a Debezium envelope"),
        (broken(br#"{"payload":5}"#), "ALFKI", "payload is not a JSON object"),
        (with(|value| drop(value.as_object_mut().unwrap().remove("op"))), "ALFKI", "no `op`: not a Debezium envelope"),
        (with(|value| value["op"] = json!("x")), "ALFKI", "unknown op \"x\""),
        (with(|value| value["op"] = json!(5)), "ALFKI", "not a JSON object: invalid type: integer `5`"),
        (with(|value| value["after"] = json!(null)), "ALFKI", "op \"u\" without `after`"),
        (with(|value| value["after"] = json!("ALFKI")), "ALFKI", "after: "),
        (
            with(|value| {
                value["after"] = json!(["ALFKI", "array", null, null, null, null, null, null, null, null, null])
            }),
            "ALFKI",
            "after: invalid type: sequence, expected an object",
        ),
        (with(|value| value["after"]["company_name"] = json!(null)), "ALFKI", "company_name: invalid type: null"),
        (
            with(|value| value["after"]["city"] = json!(5)),
            "ALFKI",
            "city: invalid type: integer `5`, expected a string",
        ),
        (with(|value| value["after"]["fax"] = json!({"a": 1})), "ALFKI", "fax: invalid type: map, expected a string"),
        (with(|value| value["source"]["lsn"] = json!("10")), "ALFKI", "invalid type: string \"10\", expected u64"),
        (with(|value| value["source"]["lsn"] = json!(-1)), "ALFKI", "invalid value: integer `-1`, expected u64"),
        (with(|value| value["source"]["ts_ms"] = json!(-1)), "ALFKI", "source.ts_ms -1 is outside 1970..2106"),
        (
            with(|value| value["source"]["ts_ms"] = json!(4_294_967_296_000_i64)),
            "ALFKI",
            "source.ts_ms 4294967296000 is outside 1970..2106",
        ),
        (
            keyless(json!({"op": "c", "after": {"company_name": "nobody"}})),
            "",
            "no key column customer_id in the message key or in `after`",
        ),
        (
            keyless(json!({"op": "d", "before": null})),
            "",
            "no key column (customer_id) in the message key or in `before`",
        ),
        (
            keyed(r#"{"customer_id":"ANATR"}"#, alfki().message()),
            "ANATR",
            "the message key says \"ANATR\", `after` says \"ALFKI\"",
        ),
        (
            keyed(r#"{"customer_id":5}"#, with(|value| value["after"]["customer_id"] = json!(5))),
            "",
            "customer_id: invalid type: integer `5`",
        ),
        (
            Message {
                value: truncate(0, 10)
                    .value
                    .map(|v| String::from_utf8(v).unwrap().replace("\"lsn\":10,", "").into_bytes()),
                ..truncate(0, 10)
            },
            "",
            "a truncate without source.lsn says nothing about which rows are gone",
        ),
    ]
}

#[test]
fn malformed_records_lie_in_quarantine_byte_by_byte_and_the_rest_lands() {
    let world = World::with_topic("malformed", 1);
    let malformed = malformed();
    let mut messages = vec![customer("c", "ANATR", "before", 1).message()];
    for (i, (message, ..)) in malformed.iter().enumerate() {
        let headers =
            vec![("__debezium.context.taskId".to_owned(), "0".to_owned()), ("n".to_owned(), format!("é\"{i}"))];
        messages.push(Message { headers, ..message.clone() });
        messages.push(customer("u", "ANTON", &format!("between {i}"), 2).message());
    }
    messages.push(customer("c", "AROUT", "after", 3).message());
    let offsets = world.produce(&messages);

    let outcome = world.ingest(&[]).expect_exit(0);
    let count = malformed.len() as i64;
    assert_eq!((outcome.count("written"), outcome.count("rejected")), (count + 2, count));
    assert_eq!(outcome.summary["rejected_by_rule"], json!({"decode": count}));
    assert_eq!(world.customers(), format!("ANATR\tbefore\nANTON\tbetween {}\nAROUT\tafter\n", count - 1));

    let quarantine = world.clickhouse(
        "SELECT topic, partition, offset, hex(key), row_key, hex(payload), headers, version, rule, status, attempt,
                abs(dateDiff('second', record_ts, now())) < 300, abs(dateDiff('second', rejected_at, now())) < 300
         FROM northwind_ops.rejected FINAL ORDER BY offset FORMAT TSVRaw",
    );
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
    for (i, (line, (message, row_key, detail))) in quarantine.lines().zip(&malformed).enumerate() {
        let offset = offsets[1 + 2 * i];
        let key = hex(message.key.as_deref().unwrap_or_default().as_bytes());
        let payload = hex(message.value.as_deref().unwrap());
        let headers = format!(r#"[["__debezium.context.taskId","0"],["n","é\"{i}"]]"#);
        let topic = &world.topic;
        let version = version(offset);
        let expected =
            format!("{topic}\t0\t{offset}\t{key}\t{row_key}\t{payload}\t{headers}\t{version}\tdecode\topen\t1\t1\t1");
        assert_eq!(line, expected, "{detail}");
        let said = world.detail(offset);
        assert!(said.contains(detail), "{said:?} does not say {detail:?}");
    }
    assert_eq!(quarantine.lines().count(), malformed.len());
}

/// PostgreSQL and ClickHouse are asked about keys that only a broken producer can send; they must not stumble.
#[test]
fn a_key_with_control_characters_does_not_stop_the_run() {
    let world = World::with_topic("control_characters", 1);
    let keys = ["A\0B", "A\u{1f}B", "\u{1f}", "A'B\\", "A\tB\n", "\u{202e}é𝄞", ""];
    let mut messages: Vec<Message> = keys.iter().map(|key| customer("c", key, "odd", 10).message()).collect();
    messages.push(customer("c", "ALFKI", "good", 20).message());
    messages.extend(keys.iter().map(|key| delete(key, 30).message()));
    messages.extend(keys.iter().map(|key| customer("c", key, "odd", 40).message()));
    world.produce(&messages);
    let outcome = world.ingest(&["--window-records", &(keys.len() + 1).to_string()]).expect_exit(0);
    assert_eq!(outcome.summary["rejected_by_rule"], json!({"not-in-postgres": 2 * keys.len()}));
    assert_eq!(world.customers(), "ALFKI\tgood\n");
    let marks = world.number("SELECT countIf(_deleted = 1 AND op = 'd') FROM northwind_dw.dim_customers");
    assert_eq!(marks, keys.len() as i64);
}

#[test]
fn times_at_the_edge_of_what_the_warehouse_can_hold_land() {
    let world = World::with_topic("times", 1);
    let at = |id: &str, ts_ms: i64| {
        edited(&customer("c", id, "on the edge", 10), |value| value["source"]["ts_ms"] = json!(ts_ms))
    };
    world.produce(&[at("ALFKI", 0), at("ANATR", 4_294_967_295_999)]);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("written"), 2);
    let times =
        world.clickhouse("SELECT src_ts, _source_ts_ms FROM northwind_dw.dim_customers FINAL ORDER BY customer_id");
    assert_eq!(times, "1970-01-01 00:00:00\t0\n2106-02-07 06:28:15\t4294967295999\n");
}

/// 80 MB in 16 messages: windows are cut by bytes, and memory does not grow with the topic.
#[test]
fn messages_of_five_megabytes_land_or_lie_in_quarantine_within_bounded_memory() {
    let world = World::with_topic("big", 1);
    let ids = ["ALFKI", "ANATR", "ANTON", "AROUT", "BERGS", "BLAUS", "BLONP", "BOLID"];
    let filler = "x".repeat(5 * MEGABYTE);
    let malformed = format!(r#"{{"op":"c","after":{{"customer_id":"ALFKI","contact_name":"{filler}"}}}}"#);
    for (i, id) in ids.iter().enumerate() {
        let big = customer("c", id, "big", i as u64).set("contact_name", json!(filler));
        world.produce(&[big.message(), raw(0, None, malformed.as_bytes())]);
    }
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("rejected")), (8, 8));
    let landed =
        "SELECT count(), min(length(contact_name)), max(length(contact_name)) FROM northwind_dw.dim_customers FINAL";
    assert_eq!(world.clickhouse(landed), "8\t5000000\t5000000\n");
    let kept = "SELECT count(), countIf(rule = 'decode'), min(length(payload)), uniqExact(payload) FROM northwind_ops.rejected FINAL";
    assert_eq!(world.clickhouse(kept), format!("8\t8\t{}\t1\n", malformed.len()));
    assert!(outcome.count("windows") >= 4, "{outcome:?}");
    assert!(outcome.count("peak_mib") < 100, "{outcome:?}");
}
