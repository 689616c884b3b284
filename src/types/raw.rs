//! Values that are read in two steps: their JSON as a whole, then what is in it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error};
use serde_json::value::RawValue;

use crate::cdc::is_placeholder;
use crate::types::CellSeed;
use crate::types::kind::{Kind, Number};
use crate::types::write::{Misfit, write_text};
use crate::types::{digits, time};

/// What Java makes of an array within an array.
const NESTED: &str = "[Ljava.lang.";

pub fn deserialize<'de, D: Deserializer<'de>>(cell: CellSeed<'_>, json: D) -> Result<(), D::Error> {
    let raw = <&RawValue>::deserialize(json)?;
    if raw.get() == "null" {
        if !cell.nullable {
            return Err(D::Error::custom(format!("invalid type: null, expected {}", cell.kind.expected())));
        }
        cell.kind.write_null(cell.out);
        return Ok(());
    }
    if cell.placeholders && is_placeholder(raw) {
        return Err(D::Error::custom("the unchanged value was not sent"));
    }
    if cell.nullable {
        cell.out.push(0);
    }
    cell.kind.write_raw(raw.get(), cell.out).map_err(|misfit| {
        let why = match misfit {
            Misfit::Unexpected => format!("expected {}", cell.kind.expected()),
            Misfit::Because(why) => why,
        };
        D::Error::custom(format!("invalid value: {}, {why}", shortened(raw.get())))
    })
}

/// The value as far as a message has room for it.
fn shortened(json: &str) -> String {
    match json.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &json[..end]),
        None => json.to_owned(),
    }
}

impl Kind {
    fn write_raw(&self, json: &str, out: &mut Vec<u8>) -> Result<(), Misfit> {
        match self {
            Kind::Decimal { sent, .. } | Kind::Numeric(sent) => self.write_decimal(&unscaled(*sent, json)?, out),
            Kind::Hstore => {
                let text = match json.starts_with('"') {
                    true => string(json)?,
                    false => json.to_owned(),
                };
                write_text(&pairs(&text)?, out);
                Ok(())
            }
            Kind::TstzRange => {
                write_text(&time::range_in_utc(&string(json)?), out);
                Ok(())
            }
            Kind::Array(element) => {
                write_text(&element.array(json)?, out);
                Ok(())
            }
            Kind::Vector => {
                write_text(&Kind::Float { single: true }.array(json)?, out);
                Ok(())
            }
            _ => {
                write_text(json, out);
                Ok(())
            }
        }
    }

    /// An array of this, as canonical JSON: `["2024-02-29",null]`.
    pub(super) fn array(&self, json: &str) -> Result<String, Misfit> {
        let elements: Vec<&RawValue> = serde_json::from_str(json).map_err(|_| Misfit::Unexpected)?;
        let mut text = String::from("[");
        let mut bytes = Vec::new();
        for (n, element) in elements.iter().enumerate() {
            if n > 0 {
                text.push(',');
            }
            if element.get().starts_with(&format!("\"{NESTED}")) {
                return Err(Misfit::Because(
                    "an array of more than one dimension, which the connector cannot send: exclude the column"
                        .to_owned(),
                ));
            }
            bytes.clear();
            let seed = CellSeed { kind: self, nullable: true, placeholders: false, out: &mut bytes };
            let mut json = serde_json::Deserializer::from_str(element.get());
            seed.deserialize(&mut json).map_err(|error| Misfit::Because(format!("element {}: {error}", n + 1)))?;
            match self.text(&bytes, true) {
                None => text.push_str("null"),
                Some(value) => text.push_str(&self.as_json(&value)),
            }
        }
        text.push(']');
        Ok(text)
    }

    /// Canonical text, as an element of a JSON array. Decimals are strings, since most readers of JSON take numbers for doubles.
    pub(super) fn as_json(&self, text: &str) -> String {
        let is_number = || text.bytes().next_back().is_some_and(|byte| byte.is_ascii_digit());
        match self {
            Kind::Int { .. } | Kind::Bool | Kind::Digest(_) => text.to_owned(),
            Kind::Float { .. } if is_number() => text.to_owned(),
            _ => serde_json::Value::from(text).to_string(),
        }
    }
}

fn string(json: &str) -> Result<String, Misfit> {
    serde_json::from_str(json).map_err(|_| Misfit::Unexpected)
}

/// The number that Debezium means in mode `precise`: base64 of its unscaled bytes, these and the scale, or the number itself.
fn unscaled(sent: Number, json: &str) -> Result<String, Misfit> {
    #[derive(Deserialize)]
    struct WithScale {
        scale: u32,
        value: String,
    }
    let (value, scale) = match (json.as_bytes().first(), sent.scale) {
        (Some(b'{'), _) => {
            let WithScale { scale, value } = serde_json::from_str(json).map_err(|_| Misfit::Unexpected)?;
            (value, scale)
        }
        (Some(b'"'), Some(scale)) => (string(json)?, scale),
        (Some(b'"'), None) => return Err(Misfit::Unexpected),
        _ => return Ok(json.to_owned()),
    };
    let bytes = STANDARD.decode(value).map_err(|_| {
        Misfit::Because("no base64: is the connector's decimal.handling.mode what the pipeline file says?".to_owned())
    })?;
    Ok(digits::of_bytes(&bytes, scale))
}

/// An hstore's pairs as canonical JSON.
pub(super) fn pairs(json: &str) -> Result<String, Misfit> {
    let pairs: BTreeMap<String, Option<String>> = serde_json::from_str(json).map_err(|_| Misfit::Unexpected)?;
    serde_json::to_string(&pairs).map_err(|error| Misfit::Because(error.to_string()))
}
