//! The Debezium envelope, with or without `payload` around it, with schema or without.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use strum::{EnumString, IntoStaticStr};

use crate::cdc::Lsn;

/// What happened to the row; as text, Debezium's letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr)]
pub enum Op {
    /// Read by a snapshot.
    #[strum(serialize = "r")]
    Read,
    /// Inserted.
    #[strum(serialize = "c")]
    Create,
    /// Updated.
    #[strum(serialize = "u")]
    Update,
    /// Deleted.
    #[strum(serialize = "d")]
    Delete,
    /// The table was truncated.
    #[strum(serialize = "t")]
    Truncate,
}

impl Op {
    /// Debezium's letter.
    pub fn letter(self) -> &'static str {
        self.into()
    }
}

/// The parts of `source` that the pipeline uses.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct Source {
    /// Commit time, milliseconds since the epoch.
    pub ts_ms: Option<i64>,
    /// The event's own position in the log.
    #[serde(rename = "lsn")]
    pub own_lsn: Option<Lsn>,
    /// Top-level transaction id.
    #[serde(rename = "txId")]
    pub tx_id: Option<u64>,
    /// Position of the last commit and of this event.
    #[serde(default)]
    pub sequence: Option<Sequence>,
}

impl Source {
    /// Position in the log. A row that was sent again (an incremental snapshot) has none of its own: it is what the row was when the
    /// connector had read so far.
    pub fn lsn(&self) -> Option<Lsn> {
        self.own_lsn.or_else(|| self.sequence.map(|Sequence(_, read)| read).filter(|read| *read > Lsn(0)))
    }
}

/// `source.sequence`, the JSON text `["<last commit LSN>","<LSN>"]`: rises within what a connector sends once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sequence(pub Lsn, pub Lsn);

impl<'de> Deserialize<'de> for Sequence {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Sequence;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a pair of LSNs")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Sequence, E> {
                let lsn = |part: Option<&str>| {
                    let digits = part.map(|part| part.trim_matches(|c: char| !c.is_ascii_digit()));
                    Lsn(digits.and_then(|digits| digits.parse().ok()).unwrap_or(0))
                };
                let mut parts = text.split(',');
                Ok(Sequence(lsn(parts.next()), lsn(parts.next())))
            }
        }
        json.deserialize_str(Text)
    }
}

/// What is known of an event besides its row.
#[derive(Debug, Clone, Copy)]
pub struct EventMeta {
    /// What happened.
    pub op: Op,
    /// `source`; empty for a message without it.
    pub source: Source,
}

/// The envelope with its row images undecoded.
#[derive(Debug, Default, Deserialize)]
pub struct RawEnvelope<'m> {
    /// `op`.
    #[serde(borrow, default)]
    pub op: Option<Cow<'m, str>>,
    /// The row before.
    #[serde(borrow, default)]
    pub before: Option<&'m RawValue>,
    /// The row after.
    #[serde(borrow, default)]
    pub after: Option<&'m RawValue>,
    /// Where the event comes from.
    #[serde(default)]
    pub source: Option<Source>,
    /// The envelope itself, when the converter wraps it.
    #[serde(borrow, default)]
    pub payload: Option<&'m RawValue>,
}

impl<'m> RawEnvelope<'m> {
    /// Parses a message value and takes the wrapper off.
    ///
    /// # Errors
    /// It is not JSON, or not an envelope.
    pub fn parse(value: &'m [u8]) -> Result<RawEnvelope<'m>, String> {
        // serde would read an array as well, field by field.
        if value.trim_ascii_start().first() == Some(&b'[') {
            return Err("not a JSON object: an array".to_owned());
        }
        let outer: RawEnvelope<'m> = serde_json::from_slice(value).map_err(|e| format!("not a JSON object: {e}"))?;
        match outer.payload {
            Some(payload) if outer.op.is_none() => match payload.get().starts_with('{') {
                true => serde_json::from_str(payload.get()).map_err(|e| format!("payload is not an envelope: {e}")),
                false => Err("payload is not a JSON object".to_owned()),
            },
            _ => Ok(outer),
        }
    }
}

/// Is the event about this table, or does it not say? A delete or a TRUNCATE of another one, read from a wrong topic, would be believed:
/// they hardly look different.
///
/// # Errors
/// It names another table.
pub fn is_about(table: &str, value: &[u8]) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Named {
        table: Option<String>,
    }
    #[derive(Deserialize)]
    struct Envelope {
        source: Option<Named>,
        payload: Option<Box<Envelope>>,
    }
    let Ok(outer) = serde_json::from_slice::<Envelope>(value) else { return Ok(()) };
    let source = outer.source.or_else(|| outer.payload.and_then(|inner| inner.source));
    match source.and_then(|source| source.table) {
        Some(other) if !other.is_empty() && other != table => {
            Err(format!("source.table says {other}: is this the topic of {table}?"))
        }
        _ => Ok(()),
    }
}

/// The fields of a JSON object, in order, values undecoded.
#[derive(Debug, Clone, Default)]
pub struct Fields<'m>(pub Vec<(Cow<'m, str>, &'m RawValue)>);

impl<'m> Fields<'m> {
    /// Parses a JSON object.
    ///
    /// # Errors
    /// It is not an object.
    pub fn parse(json: &'m str) -> serde_json::Result<Fields<'m>> {
        serde_json::from_str(json)
    }

    /// The value of a field; of the last one, if it is there twice.
    pub fn get(&self, name: &str) -> Option<&'m RawValue> {
        self.0.iter().rev().find(|(field, _)| field == name).map(|(_, value)| *value)
    }

    /// The object as JSON text.
    pub fn to_json(&self) -> String {
        let mut out = String::from("{");
        for (i, (name, value)) in self.0.iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            out.push_str(&serde_json::Value::from(name.as_ref()).to_string());
            out.push(':');
            out.push_str(value.get());
        }
        out.push('}');
        out
    }
}

impl<'de: 'm, 'm> Deserialize<'de> for Fields<'m> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some((name, value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    fields.push((name.0, value));
                }
                Ok(fields)
            }
        }
        json.deserialize_map(Object).map(Fields)
    }
}

/// A field's name; borrowed, unless it has escapes. (serde's own `Cow` is never borrowed.)
#[derive(Deserialize)]
struct Name<'m>(#[serde(borrow)] Cow<'m, str>);

/// The object inside a message key, wrapper taken off; `None` if the key is no object.
pub fn key_object(key: &[u8]) -> Option<&str> {
    #[derive(Deserialize)]
    struct Wrapper<'m> {
        #[serde(borrow, default)]
        schema: Option<&'m RawValue>,
        #[serde(borrow, default)]
        payload: Option<&'m RawValue>,
    }
    let text = std::str::from_utf8(key).ok().filter(|text| text.trim_start().starts_with('{'))?;
    let wrapper: Wrapper<'_> = serde_json::from_str(text).ok()?;
    Some(match (wrapper.schema, wrapper.payload) {
        (Some(_), Some(payload)) => payload.get(),
        _ => text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_wrapper_is_taken_off() {
        let envelope = RawEnvelope::parse(br#"{"schema":{},"payload":{"op":"c","after":{"a":1}}}"#).unwrap();
        assert_eq!(envelope.op.as_deref(), Some("c"));
        assert_eq!(envelope.after.map(RawValue::get), Some(r#"{"a":1}"#));
    }

    #[test]
    fn a_sequence_is_two_numbers_and_null_is_zero() {
        let parse = |json| serde_json::from_str::<Sequence>(json).unwrap();
        assert_eq!(parse(r#""[\"27460264\",\"27460320\"]""#), Sequence(Lsn(27460264), Lsn(27460320)));
        assert_eq!(parse(r#""[null,\"27459944\"]""#), Sequence(Lsn(0), Lsn(27459944)));
    }

    #[test]
    fn a_row_that_was_sent_again_stands_where_the_connector_had_read_to() {
        let lsn = |json| serde_json::from_str::<Source>(json).unwrap().lsn();
        assert_eq!(lsn(r#"{"lsn":null,"sequence":"[\"336952168\",\"336952272\"]"}"#), Some(Lsn(336_952_272)));
        assert_eq!(lsn(r#"{"lsn":7,"sequence":"[\"5\",\"9\"]"}"#), Some(Lsn(7)));
        assert_eq!(lsn(r#"{"lsn":null,"sequence":"[\"5\",null]"}"#), None);
        assert_eq!(lsn("{}"), None);
    }

    #[test]
    fn fields_keep_their_order_and_bytes() {
        let fields = Fields::parse(r#"{"b":9.80,"a\"q":null}"#).unwrap();
        assert_eq!(fields.to_json(), r#"{"b":9.80,"a\"q":null}"#);
    }

    #[test]
    fn a_key_with_schema_is_unwrapped() {
        assert_eq!(key_object(br#"{"schema":{"type":"struct"},"payload":{"id":1}}"#), Some(r#"{"id":1}"#));
        assert_eq!(key_object(br#"{"id":1}"#), Some(r#"{"id":1}"#));
        assert_eq!(key_object(b"ALFKI"), None);
    }
}
