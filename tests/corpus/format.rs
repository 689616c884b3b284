//! How the corpus is written down: one text file for several messages, each followed by what it decodes to, so that input and
//! output are read together.
//!
//! ```text
//! === orders, offset 3: u {"order_id":1}
//! timestamp 1795375559487
//! header __debezium.newkey {"order_id":2}
//! key {"order_id":1}
//! value {"before":null,"after":{…
//! ---
//! what comes of it, over any number of lines
//! ```
//!
//! Keys and values are the exact bytes. Without `key` the message has none; without `value` it is a tombstone.

use std::fmt::Write;
use std::path::Path;

/// A message, and what comes of it.
#[derive(Debug, Clone, Default)]
pub struct Message {
    pub table: String,
    pub offset: i64,
    pub title: String,
    pub timestamp: Option<i64>,
    pub headers: Vec<(String, String)>,
    pub key: Option<String>,
    pub value: Option<String>,
    /// `None` if it was never looked at.
    pub outcome: Option<String>,
}

impl Message {
    fn parse(section: &str) -> Option<Message> {
        let (message, outcome) = match section.split_once("\n---\n") {
            Some((message, outcome)) => (message, Some(outcome.trim_end().to_owned())),
            None => (section.trim_end(), None),
        };
        let mut lines = message.lines();
        let (place, title) = lines.next()?.split_once(": ")?;
        let (table, offset) = place.split_once(", offset ")?;
        let mut parsed = Message {
            table: table.to_owned(),
            offset: offset.parse().ok()?,
            title: title.to_owned(),
            outcome,
            ..Message::default()
        };
        for line in lines {
            let (field, content) = line.split_once(' ')?;
            match field {
                "timestamp" => parsed.timestamp = Some(content.parse().ok()?),
                "header" => parsed.headers.push(content.split_once(' ').map(|(k, v)| (k.to_owned(), v.to_owned()))?),
                "key" => parsed.key = Some(content.to_owned()),
                "value" => parsed.value = Some(content.to_owned()),
                _ => return None,
            }
        }
        Some(parsed)
    }

    fn write(&self, text: &mut String) {
        let _ = writeln!(text, "=== {}, offset {}: {}", self.table, self.offset, self.title);
        let mut field = |name: &str, content: Option<&str>| {
            if let Some(content) = content {
                let _ = writeln!(text, "{name} {content}");
            }
        };
        field("timestamp", self.timestamp.map(|ts| ts.to_string()).as_deref());
        for (name, value) in &self.headers {
            field(&format!("header {name}"), Some(value));
        }
        field("key", self.key.as_deref());
        field("value", self.value.as_deref());
        if let Some(outcome) = &self.outcome {
            let _ = writeln!(text, "---\n{outcome}");
        }
        text.push('\n');
    }
}

/// The messages of a file.
pub fn read(file: &Path) -> Vec<Message> {
    let text = std::fs::read_to_string(file).expect("a file of the corpus");
    let sections = format!("\n{text}");
    let sections = sections.split("\n=== ").skip(1);
    let parse = |section: &str| {
        let line = section.lines().next().unwrap_or_default();
        Message::parse(section).unwrap_or_else(|| panic!("{}: cannot be read: === {line}", file.display()))
    };
    sections.map(parse).collect()
}

/// Writes the messages of a file.
pub fn write(file: &Path, messages: &[Message]) {
    let mut text = String::new();
    messages.iter().for_each(|message| message.write(&mut text));
    std::fs::write(file, text.trim_end().to_owned() + "\n").expect("writing a file of the corpus");
}
