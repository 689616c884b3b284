//! Unchanged TOAST values without a server: what the warehouse would have said is given.

use super::*;
use crate::cdc::message::Message;
use crate::tables::Pipeline;

const UNCHANGED: &str = r#""__debezium_unavailable_value""#;

/// A change of a row of `categories`, whose `description` may be long.
fn message(offset: i64, op: &str, description: &str) -> Message {
    let image = format!(r#"{{"category_id":1,"category_name":"c","description":{description},"picture":null}}"#);
    Message::change("categories", offset, op, r#"{"category_id":1}"#, &image)
}

/// What becomes of each record: the description, or why the record is refused.
fn completed(messages: &[Message], in_warehouse: Option<Carried>) -> Vec<String> {
    let table = Pipeline::embedded().table("categories").unwrap();
    let arena = Arena::new();
    let mut batch = Batch::decode(table, 1, messages.iter().map(Message::record).collect()).unwrap();
    let missing = batch.missing(|_| 1);
    let carried = in_warehouse.map(|row| ("1".to_owned(), row)).into_iter().collect();
    batch.complete(missing, carried, &arena).unwrap();
    let place = table.schema.place("description").unwrap();
    let column_type = &table.columns()[place].column_type;
    let said = |event: &Event<'_>| match event {
        Event::Change(change) => {
            column_type.text(batch.rows.row(change.row).cell(place)).map_or("NULL".to_owned(), |text| text.into_owned())
        }
        Event::Rejected(violation, _) => violation.detail.clone(),
        other => format!("{other:?}"),
    };
    batch.events.iter().map(said).collect()
}

#[test]
fn a_value_is_carried_from_the_earlier_event_of_the_key() {
    assert_eq!(completed(&[message(1, "c", r#""long""#), message(2, "u", UNCHANGED)], None), ["long", "long"]);
    let thrice = [message(1, "c", r#""long""#), message(2, "u", UNCHANGED), message(3, "u", UNCHANGED)];
    assert_eq!(completed(&thrice, None)[2], "long", "what was carried is carried on");
}

#[test]
fn else_from_the_warehouse() {
    let kept = || Some(Carried::Row(r#"{"description":"kept"}"#.to_owned()));
    assert_eq!(completed(&[message(2, "u", UNCHANGED)], kept()), ["kept"]);
    assert_eq!(completed(&[message(1, "c", r#""newer""#), message(2, "u", UNCHANGED)], kept())[1], "newer");
    let null = Some(Carried::Row(r#"{"description":null}"#.to_owned()));
    assert_eq!(completed(&[message(2, "u", UNCHANGED)], null), ["NULL"]);
}

#[test]
fn a_value_that_nobody_knows_is_refused_with_the_reason() {
    let partial = || message(9, "u", UNCHANGED);
    let said = |before: Option<Message>, in_warehouse| {
        let messages: Vec<Message> = before.into_iter().chain([partial()]).collect();
        completed(&messages, in_warehouse).pop().unwrap()
    };
    let unknown = "the unchanged value of description was not sent and ";
    assert_eq!(said(None, None), format!("{unknown}neither this window nor the warehouse has the row"));
    assert_eq!(said(Some(message(1, "d", "null")), None), format!("{unknown}the row was deleted before"));
    assert_eq!(
        said(Some(message(1, "c", "7")), None),
        format!("{unknown}an earlier event of this key was rejected"),
        "a number is no description"
    );
    let kept = || Some(Carried::Row(r#"{"description":"kept"}"#.to_owned()));
    assert_eq!(
        said(Some(Message::truncate("categories", 1)), kept()),
        format!("{unknown}the table was truncated before")
    );
    assert_eq!(
        said(None, Some(Carried::Quarantined)),
        format!("{unknown}a newer event of this key lies in quarantine")
    );
    assert_eq!(
        said(None, Some(Carried::Row(r#"{"picture":null}"#.to_owned()))),
        format!("{unknown}the known row has no column description")
    );
}

#[test]
fn a_long_value_is_sent_though_a_stand_in_is_judged() {
    let long = "x".repeat(1_000);
    let shown = completed(&[message(1, "c", &format!("{long:?}")), message(2, "u", UNCHANGED)], None);
    assert_eq!(shown[0], long);
    assert!(shown[1].starts_with("\0s1002:"), "its length and hash: {:?}", shown[1]);
}

#[test]
fn the_fingerprint_is_of_bytes_verdicts_and_what_was_carried() {
    let table = Pipeline::embedded().table("categories").unwrap();
    let of = |value: &'static str| {
        let record = Record { partition: 0, offset: 1, timestamp_ms: None, key: None, value: Some(value.as_bytes()) };
        Batch::decode(table, 1, vec![record]).unwrap()
    };
    let (one, same, other) = (of("{}"), of("{}"), of("[]"));
    assert_eq!(one.fingerprint(), same.fingerprint());
    assert_ne!(one.fingerprint(), other.fingerprint());
    let carried = Batch { carried: Completion { hash: Some(7), ..Completion::default() }, ..of("{}") };
    assert_ne!(one.fingerprint(), carried.fingerprint());
}
