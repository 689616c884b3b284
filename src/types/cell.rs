//! One value: Debezium's JSON → RowBinary, in one pass.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, SeqAccess, Unexpected, Visitor};

use crate::cdc::{UNAVAILABLE, UNAVAILABLE_BASE64};
use crate::types::connector::{BinaryMode, DecimalMode, Unit};
use crate::types::kind::Kind;
use crate::types::raw;
use crate::types::write::{Misfit, Written, write_digest};

/// What a placeholder is refused with: the slower way knows what to do about it.
const NOT_SENT: &str = "the unchanged value was not sent";

/// Appends a value of a column's type to `out`. After an error, `out` may have a part of it.
pub struct CellSeed<'a> {
    /// What the value is.
    pub kind: &'a Kind,
    /// May it be null?
    pub nullable: bool,
    /// May it be a placeholder, which is refused? Else that is a text like any other.
    pub placeholders: bool,
    /// RowBinary.
    pub out: &'a mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for CellSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        if self.kind.is_raw() {
            return raw::deserialize(self, json);
        }
        let visitor = CellVisitor { kind: self.kind, placeholders: self.placeholders, out: self.out };
        if self.nullable || matches!(self.kind, Kind::Digest(_)) {
            return json.deserialize_option(Optional { visitor, nullable: self.nullable });
        }
        visitor.read(json)
    }
}

struct Optional<'a> {
    visitor: CellVisitor<'a>,
    nullable: bool,
}

impl<'de> Visitor<'de> for Optional<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_none<E: de::Error>(self) -> Result<(), E> {
        if !self.nullable {
            return Err(E::invalid_type(Unexpected::Unit, &self));
        }
        self.visitor.kind.write_null(self.visitor.out);
        Ok(())
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        if !matches!(self.visitor.kind, Kind::Digest(_)) {
            self.visitor.out.push(0);
        }
        self.visitor.read(json)
    }
}

struct CellVisitor<'a> {
    kind: &'a Kind,
    placeholders: bool,
    out: &'a mut Vec<u8>,
}

impl CellVisitor<'_> {
    fn read<'de, D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        match self.kind {
            Kind::Text | Kind::Bpchar => json.deserialize_str(self),
            _ => json.deserialize_any(self),
        }
    }

    fn written<E: de::Error>(self, value: Unexpected<'_>, written: Written) -> Result<(), E> {
        match written {
            Ok(()) => Ok(()),
            Err(Misfit::Unexpected) => Err(E::invalid_value(value, &self)),
            Err(Misfit::Because(why)) => Err(E::custom(why)),
        }
    }
}

impl<'de> Visitor<'de> for CellVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind.expected())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<(), E> {
        match self.kind.write_i64(number, self.out) {
            None => Err(E::invalid_type(Unexpected::Signed(number), &self)),
            Some(written) => self.written(Unexpected::Signed(number), written),
        }
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<(), E> {
        let written = match i64::try_from(number) {
            Ok(number) => self.kind.write_i64(number, self.out),
            Err(_) => self.kind.write_u64(number, self.out),
        };
        match written {
            None => Err(E::invalid_type(Unexpected::Unsigned(number), &self)),
            Some(written) => self.written(Unexpected::Unsigned(number), written),
        }
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<(), E> {
        match self.kind.write_f64(number, self.out) {
            None => Err(E::invalid_type(Unexpected::Float(number), &self)),
            Some(written) => self.written(Unexpected::Float(number), written),
        }
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        if !matches!(self.kind, Kind::Bool) {
            return Err(E::invalid_type(Unexpected::Bool(value), &self));
        }
        self.out.push(u8::from(value));
        Ok(())
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<(), E> {
        let is_long = matches!(self.kind, Kind::Text | Kind::Bpchar | Kind::Digest(_));
        if self.placeholders && is_long && (text == UNAVAILABLE || text == UNAVAILABLE_BASE64) {
            return Err(E::custom(NOT_SENT));
        }
        self.visit_str(text)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        match self.kind.write_str(text, self.out) {
            None => Err(E::invalid_type(Unexpected::Str(text), &self)),
            Some(written) => self.written(Unexpected::Str(text), written),
        }
    }

    /// Bytes as the warehouse's row has them, from which an unchanged value is carried forward.
    fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<(), A::Error> {
        if !matches!(self.kind, Kind::Digest(_)) {
            return Err(de::Error::invalid_type(Unexpected::Seq, &self));
        }
        let length: Option<i64> = pair.next_element()?.flatten();
        let sha256: Option<String> = pair.next_element()?.flatten();
        match (length, sha256) {
            (Some(length), Some(sha256)) => write_digest(length, &sha256, self.out),
            (None, None) => self.kind.write_null(self.out),
            _ => return Err(de::Error::custom("no pair of length and SHA-256")),
        }
        Ok(())
    }
}

impl Kind {
    fn is_raw(&self) -> bool {
        match self {
            Kind::Decimal { sent, .. } | Kind::Numeric(sent) => sent.mode == DecimalMode::Precise,
            Kind::Hstore | Kind::TstzRange | Kind::Array(_) | Kind::Vector | Kind::Sent => true,
            _ => false,
        }
    }

    /// What the type's values look like, for people.
    pub(super) fn expected(&self) -> String {
        let number = |scale: u32, whole: u32| {
            format!("a number with at most {scale} digits after the point and {whole} before it")
        };
        match self {
            Kind::Int { width: 8 } => "a whole number of at most 64 bits".to_owned(),
            Kind::Int { width } => format!("a whole number of at most {} bits", 8 * width),
            Kind::Float { .. } => "a number".to_owned(),
            Kind::Amount(amount) => number(amount.0.scale, amount.whole_digits()),
            Kind::Decimal { kept, .. } => number(kept.scale, kept.precision - kept.scale),
            Kind::Numeric(_) => "a decimal number".to_owned(),
            Kind::Bool => "true or false".to_owned(),
            Kind::Text | Kind::Bpchar | Kind::Sent => "a string".to_owned(),
            Kind::Date => "a date between 1900-01-01 and 2299-12-31, as days since 1970-01-01 or as text".to_owned(),
            Kind::Timestamp(unit) => {
                let unit = match unit {
                    Unit::Millis => "ms",
                    Unit::Micros => "µs",
                    Unit::Nanos => "ns",
                };
                format!("a time between the years 1 and 9999, as {unit} since 1970-01-01 or as text")
            }
            Kind::TimestampTz => "a time between the years 1 and 9999, as text".to_owned(),
            Kind::Time(_) => "a time of the day".to_owned(),
            Kind::TimeTz => "a time of the day in UTC, as text".to_owned(),
            Kind::Interval => "an interval as µs, of less than 64 bits".to_owned(),
            Kind::Uuid => "a UUID".to_owned(),
            Kind::Digest(BinaryMode::Hex) => "bytes as hexadecimal digits".to_owned(),
            Kind::Digest(_) => "bytes as base64".to_owned(),
            Kind::Bits(length) => format!("{length} bits as base64"),
            Kind::Hstore => "an hstore as a JSON object".to_owned(),
            Kind::TstzRange => "a range as a string".to_owned(),
            Kind::Array(_) | Kind::Vector => "an array of one dimension".to_owned(),
        }
    }
}
