//! Debezium messages made by hand, in the shape of the recorded ones.

use std::ops::Range;

use serde_json::{Value, json};

use super::{Message, Outcome, World};

/// What Debezium sends in place of a long value that did not change.
pub const UNAVAILABLE: &str = "__debezium_unavailable_value";

/// A customer's change event.
#[derive(Debug, Clone)]
pub struct Event {
    pub partition: i32,
    pub id: String,
    pub op: &'static str,
    pub lsn: u64,
    pub after: Value,
}

/// An insert, update or snapshot read of a customer.
pub fn customer(op: &'static str, id: &str, company_name: &str, lsn: u64) -> Event {
    let after = json!({
        "customer_id": id, "company_name": company_name, "contact_name": "Maria Anders", "contact_title": null,
        "address": "Obere Str. 57", "city": "Berlin", "region": null, "postal_code": "12209", "country": "Germany",
        "phone": "030-0074321", "fax": null,
    });
    Event { partition: 0, id: id.to_owned(), op, lsn, after }
}

/// Customers that Northwind has.
pub const KNOWN: [&str; 5] = ["ALFKI", "ANATR", "ANTON", "AROUT", "BERGS"];

/// Updates of these customers in turns; the number of each is in its name and in its LSN.
pub fn updates(ids: &[&str], name: &str, numbers: Range<usize>) -> Vec<Message> {
    let update = |i: usize| customer("u", ids[i % ids.len()], &format!("{name}{i}"), 1000 + i as u64).message();
    numbers.map(update).collect()
}

/// A delete: `before` has the key and placeholders.
pub fn delete(id: &str, lsn: u64) -> Event {
    Event { partition: 0, id: id.to_owned(), op: "d", lsn, after: Value::Null }
}

impl Event {
    /// In another partition than 0.
    pub fn at(mut self, partition: i32) -> Event {
        self.partition = partition;
        self
    }

    /// With another value in a column of `after`.
    pub fn set(mut self, column: &str, value: Value) -> Event {
        self.after[column] = value;
        self
    }

    /// Without the value of a column: it was too long to be sent again.
    pub fn unsent(self, column: &str) -> Event {
        self.set(column, json!(UNAVAILABLE))
    }

    /// The envelope.
    pub fn value(&self) -> Value {
        let before = if self.op == "d" {
            json!({"customer_id": self.id, "company_name": "", "contact_name": null})
        } else {
            Value::Null
        };
        json!({
            "before": before, "after": self.after,
            "source": {
                "version": "3.7.0.Final", "connector": "postgresql", "name": "northwind", "ts_ms": 1795375659250_i64,
                "snapshot": if self.op == "r" { "true" } else { "false" }, "db": "northwind",
                "sequence": format!("[\"{}\",\"{}\"]", self.lsn, self.lsn), "schema": "public", "table": "customers",
                "txId": 4156, "lsn": self.lsn, "xmin": null, "origin": null, "origin_lsn": null,
                "ts_us": 1795375659250634_i64, "ts_ns": 1795375659250634000_i64,
            },
            "transaction": null, "op": self.op, "ts_ms": 1795375659487_i64, "ts_us": 1795375659487125_i64, "ts_ns": 1795375659487125561_i64,
        })
    }

    /// As Kafka message.
    pub fn message(&self) -> Message {
        Message::new(self.partition, &json!({"customer_id": self.id}).to_string(), &self.value().to_string())
    }
}

/// A change of a row of any table.
pub fn row(op: &'static str, table: &str, key: &Value, after: &Value, lsn: u64) -> Message {
    let mut value = customer(op, "", "", lsn).value();
    value["source"]["table"] = json!(table);
    value["after"] = after.clone();
    Message::new(0, &key.to_string(), &value.to_string())
}

/// A TRUNCATE event: no key.
pub fn truncate(partition: i32, lsn: u64) -> Message {
    let mut event = customer("t", "", "", lsn).value();
    event["after"] = Value::Null;
    Message { key: None, ..Message::new(partition, "", &event.to_string()) }
}

/// A tombstone.
pub fn tombstone(partition: i32, id: &str) -> Message {
    Message { value: None, ..Message::new(partition, &json!({"customer_id": id}).to_string(), "") }
}

/// Any bytes as value.
pub fn raw(partition: i32, key: Option<&str>, value: &[u8]) -> Message {
    Message { partition, key: key.map(str::to_owned), value: Some(value.to_vec()), headers: Vec::new() }
}

/// The `_version` of the event at `offset` of a topic of generation 1.
pub fn version(offset: i64) -> u64 {
    (1 << 52) | ((offset as u64) << 8)
}

/// A customer's event with another `source.ts_ms`, or anything else changed in its envelope.
pub fn edited(event: &Event, edit: impl FnOnce(&mut Value)) -> Message {
    let mut value = event.value();
    edit(&mut value);
    Message { value: Some(value.to_string().into_bytes()), ..event.message() }
}

impl World {
    /// The ledger: partition, mode, seq, start..end, written, rejected, tombstones, truncates, gaps.
    pub fn ledger(&self) -> String {
        self.clickhouse(
            "SELECT partition, mode, seq, format('{}..{}', toString(start_offset), toString(end_offset)), written, rejected, tombstones, truncates, gaps
             FROM northwind_ops.windows ORDER BY partition, stream, seq, generation, mode, start_offset, end_offset",
        )
    }

    /// The quarantine: offset, row key, rule, status.
    pub fn quarantine(&self) -> String {
        self.clickhouse("SELECT offset, row_key, rule, status FROM northwind_ops.rejected FINAL ORDER BY partition, offset FORMAT TSVRaw")
    }

    /// The quarantine's state: offset, rule, attempts, status.
    pub fn attempts(&self) -> String {
        self.clickhouse("SELECT offset, rule, attempt, status FROM northwind_ops.rejected FINAL ORDER BY topic_id, partition, offset")
    }

    /// `replay-rejected`.
    pub fn replay(&self, args: &[&str]) -> Outcome {
        self.run("replay-rejected", args)
    }

    /// What the quarantine says about one record.
    pub fn detail(&self, offset: i64) -> String {
        let sql = format!("SELECT detail FROM northwind_ops.rejected FINAL WHERE offset = {offset} FORMAT TSVRaw");
        self.clickhouse(&sql).trim_end().to_owned()
    }
}
