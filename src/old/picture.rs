//! Pictures stay out of the warehouse: it keeps how long they are, and their SHA-256, by which the bytes can be found.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

/// `bytea`: Tuple(Nullable(Int64), Nullable(String)) in the warehouse, length and SHA-256; both are NULL where the source has NULL.
/// (ClickHouse has no nullable tuples, and its Rust client no named ones.)
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Picture(Option<Facts>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Facts {
    length: i64,
    sha256: String,
}

impl Picture {
    fn of(bytes: &[u8]) -> Picture {
        let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Picture(Some(Facts { length: bytes.len() as i64, sha256 }))
    }
}

struct PictureVisitor;

impl<'de> Visitor<'de> for PictureVisitor {
    type Value = Picture;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes as base64")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Picture, E> {
        Ok(Picture(None))
    }

    fn visit_none<E: de::Error>(self) -> Result<Picture, E> {
        Ok(Picture(None))
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<Picture, D::Error> {
        json.deserialize_any(self)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Picture, E> {
        STANDARD.decode(text).map(|bytes| Picture::of(&bytes)).map_err(|e| E::custom(format!("no base64: {e}")))
    }

    /// As the warehouse's row has it, from which an unchanged value is carried forward.
    fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<Picture, A::Error> {
        let length: Option<i64> = pair.next_element()?.flatten();
        let sha256: Option<String> = pair.next_element()?.flatten();
        match (length, sha256) {
            (Some(length), Some(sha256)) => Ok(Picture(Some(Facts { length, sha256 }))),
            (None, None) => Ok(Picture(None)),
            _ => Err(de::Error::custom("no pair of length and SHA-256")),
        }
    }
}

impl<'de> Deserialize<'de> for Picture {
    /// As an option: a column that is not there is NULL.
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_option(PictureVisitor)
    }
}

impl Serialize for Picture {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let facts = self.0.as_ref();
        (facts.map(|facts| facts.length), facts.map(|facts| facts.sha256.as_str())).serialize(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(json: &str) -> String {
        match serde_json::from_str::<Picture>(json) {
            Ok(picture) => serde_json::to_string(&picture).unwrap(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_picture_is_its_length_and_hash() {
        let abc = r#"[3,"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"]"#;
        assert_eq!(picture(r#""YWJj""#), abc);
        assert_eq!(picture(abc), abc);
        assert_eq!(picture(r#""""#), r#"[0,"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]"#);
    }

    #[test]
    fn no_picture_is_null() {
        assert_eq!(picture("null"), "[null,null]");
        assert_eq!(picture("[null,null]"), "[null,null]");
        assert!(picture(r#""not base64!""#).starts_with("no base64"));
        assert!(picture("5").starts_with("invalid type"));
        assert!(picture("[1]").starts_with("no pair of length and SHA-256"));
    }
}
