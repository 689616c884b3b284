//! Texts, and what all column types have in common: how a value comes out of Debezium's JSON and goes into ClickHouse.
//! Numbers, dates and pictures have files of their own.
//!
//! Strings borrow from the message whenever the JSON has no escapes in them.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};

/// `text`, `varchar`: kept as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

/// `char(n)`, `bpchar`: without trailing blanks, because PostgreSQL does not compare them either.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bpchar<'a>(pub Cow<'a, str>);

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Text(Cow::Borrowed(text))
    }
}

impl<'a> From<Cow<'a, str>> for Bpchar<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        match text {
            Cow::Borrowed(text) => Bpchar(Cow::Borrowed(text.trim_end_matches(' '))),
            Cow::Owned(mut text) => {
                text.truncate(text.trim_end_matches(' ').len());
                Bpchar(Cow::Owned(text))
            }
        }
    }
}

struct StrVisitor;

impl<'de> Visitor<'de> for StrVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_str(StrVisitor).map(Text)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Bpchar<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_str(StrVisitor).map(Bpchar::from)
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&self.0)
    }
}

impl Serialize for Bpchar<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&self.0)
    }
}

/// A column that can be part of a key.
pub trait KeyPart {
    /// The PostgreSQL type that look-ups cast to, so that the comparison and its index are the source's own.
    const SOURCE_TYPE: &'static str;

    /// The canonical text: equal text ⇔ equal in the source.
    fn text(&self) -> Cow<'_, str>;

    /// Appends bytes that compare as the column does in `ORDER BY`: numbers by value, texts byte by byte (`COLLATE "C"`).
    fn sort_key(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.text().as_bytes());
        out.push(0); // no text of PostgreSQL has it, so a prefix sorts first
    }
}

impl KeyPart for Text<'_> {
    const SOURCE_TYPE: &'static str = "text";

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }
}

impl KeyPart for Bpchar<'_> {
    const SOURCE_TYPE: &'static str = "bpchar";

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_without_escapes_are_borrowed() {
        let text: Text<'_> = serde_json::from_str(r#""Köln""#).unwrap();
        assert!(matches!(text.0, Cow::Borrowed("Köln")));
        let text: Text<'_> = serde_json::from_str(r#""a \"b\"""#).unwrap();
        assert_eq!(text.0, r#"a "b""#);
    }

    #[test]
    fn bpchar_loses_trailing_blanks_only() {
        let key: Bpchar<'_> = serde_json::from_str(r#"" AL FKI  ""#).unwrap();
        assert_eq!(key.0, " AL FKI");
        let key: Bpchar<'_> = serde_json::from_str(r#""A\u0042  ""#).unwrap();
        assert_eq!(key.0, "AB");
    }

    #[test]
    fn a_number_is_not_a_string() {
        assert!(serde_json::from_str::<Text<'_>>("5").is_err());
    }
}
