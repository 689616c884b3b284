//! The envelope of a change that has a row, in one pass; with the converter's wrapper or without.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::cdc::{EventMeta, Lsn, Op, Sequence, Source};
use crate::rows::image::ImageSeed;

/// Reads the row behind the others, and what else is known of the event. `None` if it is not the usual shape.
pub struct EnvelopeSeed<'a> {
    image: ImageSeed<'a>,
    is_payload: bool,
}

impl<'a> EnvelopeSeed<'a> {
    /// The row goes where `image` says.
    pub fn new(image: ImageSeed<'a>) -> EnvelopeSeed<'a> {
        EnvelopeSeed { image, is_payload: false }
    }
}

impl<'de> DeserializeSeed<'de> for EnvelopeSeed<'_> {
    type Value = Option<EventMeta>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for EnvelopeSeed<'_> {
    type Value = Option<EventMeta>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an envelope as an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let table = self.image.schema.table();
        let mut image = Some(self.image);
        let (mut op, mut source, mut has_row): (Option<&str>, Option<Option<NamedSource<'de>>>, bool) =
            (None, None, false);
        while let Some(name) = map.next_key()? {
            match name {
                Part::Op if op.is_none() => op = Some(map.next_value()?),
                Part::Source if source.is_none() => source = Some(map.next_value()?),
                Part::After => {
                    let image = image.take().ok_or_else(|| de::Error::duplicate_field("after"))?;
                    has_row = map.next_value_seed(Optional(image))?;
                }
                Part::Payload if !self.is_payload && op.is_none() => {
                    let Some(image) = image.take() else { return Err(de::Error::duplicate_field("payload")) };
                    let meta = map.next_value_seed(EnvelopeSeed { image, is_payload: true })?;
                    return match map.next_key::<IgnoredAny>()? {
                        None => Ok(meta),
                        Some(_) => Err(de::Error::custom("more behind the payload")),
                    };
                }
                Part::Payload | Part::Other => drop(map.next_value::<IgnoredAny>()?),
                Part::Op | Part::Source => return Err(de::Error::custom("a part of the envelope is there twice")),
            }
        }
        let (Some(op), Some(Some(source)), true) = (op.and_then(|letter| letter.parse().ok()), source, has_row) else {
            return Ok(None);
        };
        // Read from a wrong topic, a row of another table that has the same columns would be believed.
        let is_ours = source.table.is_none_or(|named| named.is_empty() || named == table);
        Ok((is_ours && !matches!(op, Op::Delete | Op::Truncate)).then(|| EventMeta { op, source: source.into() }))
    }
}

/// `after`: a row, or null.
struct Optional<'a>(ImageSeed<'a>);

impl<'de> DeserializeSeed<'de> for Optional<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<bool, D::Error> {
        json.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Optional<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_none<E: de::Error>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_unit<E: de::Error>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<bool, D::Error> {
        self.0.deserialize(json).map(|()| true)
    }
}

/// `source`, and the table that it names.
#[derive(Deserialize)]
struct NamedSource<'m> {
    ts_ms: Option<i64>,
    lsn: Option<Lsn>,
    #[serde(rename = "txId")]
    tx_id: Option<u64>,
    #[serde(default)]
    sequence: Option<Sequence>,
    #[serde(borrow, default)]
    table: Option<&'m str>,
}

impl From<NamedSource<'_>> for Source {
    fn from(source: NamedSource<'_>) -> Source {
        let NamedSource { ts_ms, lsn, tx_id, sequence, .. } = source;
        Source { ts_ms, own_lsn: lsn, tx_id, sequence }
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Part {
    Op,
    After,
    Source,
    Payload,
    #[serde(other)]
    Other,
}
