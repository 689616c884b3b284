//! Messages as Debezium sends them, for unit tests.

use crate::cdc::Record;

/// A record that owns its bytes.
pub struct Message {
    offset: i64,
    key: String,
    value: String,
}

impl Message {
    /// A change of a row, whose image is `after`, or `before` of a delete.
    pub fn change(table: &str, offset: i64, op: &str, key: &str, image: &str) -> Message {
        let (before, after) = if op == "d" { (image, "null") } else { ("null", image) };
        Message::new(table, offset, op, key, before, after)
    }

    /// A TRUNCATE.
    pub fn truncate(table: &str, offset: i64) -> Message {
        Message::new(table, offset, "t", "", "null", "null")
    }

    fn new(table: &str, offset: i64, op: &str, key: &str, before: &str, after: &str) -> Message {
        let source = format!(r#"{{"ts_ms":1000,"lsn":500,"table":"{table}","sequence":"[\"400\",\"500\"]"}}"#);
        let value = format!(r#"{{"before":{before},"after":{after},"op":"{op}","source":{source}}}"#);
        Message { offset, key: key.to_owned(), value }
    }

    /// As it is read from a topic.
    pub fn record(&self) -> Record<'_> {
        let (key, value) = (Some(self.key.as_bytes()), Some(self.value.as_bytes()));
        Record { partition: 0, offset: self.offset, timestamp_ms: None, key, value }
    }
}
