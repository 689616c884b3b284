//! ClickHouse's side of a type: the DDL, and reading back what was written as RowBinary.

use std::borrow::Cow;

use crate::types::kind::Kind;
use crate::types::{ColumnType, time};

/// A value, as rules and checks see it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// NULL.
    Null,
    /// A whole number; an interval or a time of the day in µs.
    Int(i64),
    /// A binary floating-point number.
    Float(f64),
    /// An exact number: the bytes of its unscaled value, which `kind` reads.
    Decimal(&'a [u8]),
    /// A truth value.
    Bool(bool),
    /// Text.
    Text(&'a str),
    /// Days since 1970-01-01.
    Date(i32),
    /// µs since 1970-01-01.
    Timestamp(i64),
    /// A UUID's 16 bytes, as ClickHouse has them.
    Uuid(&'a [u8]),
    /// Length and SHA-256 of bytes.
    Digest(i64, &'a str),
}

impl ColumnType {
    /// The column's type in DDL.
    pub fn clickhouse_type(&self) -> String {
        let bare = self.kind.clickhouse_type();
        match (&self.kind, self.nullable(), self.low_cardinality) {
            (Kind::Digest(_), ..) => bare,
            (_, true, true) => "LowCardinality(Nullable(String))".to_owned(),
            (_, false, true) => "LowCardinality(String)".to_owned(),
            (_, true, false) => format!("Nullable({bare})"),
            (_, false, false) => bare,
        }
    }

    /// What the warehouse's column holds, where its name and the source's type do not say it.
    pub fn comment(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Bpchar => Some("without the trailing blanks of bpchar"),
            Kind::Digest(_) => Some("length in bytes, SHA-256 in hex; the bytes themselves are not kept here"),
            Kind::Time(_) | Kind::Interval => Some("in microseconds"),
            _ => None,
        }
    }

    /// Appends what a deleted row has in this column: NULL, or nothing of its type.
    pub fn write_default(&self, out: &mut Vec<u8>) {
        match self.kind {
            // The pair's parts are NULL, each.
            Kind::Digest(_) => self.kind.write_null(out),
            _ if self.nullable() => self.kind.write_null(out),
            _ => out.resize(out.len() + self.kind.width().unwrap_or(1), 0),
        }
    }

    /// The value of RowBinary bytes that this type wrote.
    pub fn value<'a>(&self, cell: &'a [u8]) -> Value<'a> {
        self.kind.value(cell, self.nullable())
    }

    /// Its canonical text: equal texts are equal values. `None` is NULL.
    pub fn text<'a>(&self, cell: &'a [u8]) -> Option<Cow<'a, str>> {
        self.kind.text(cell, self.nullable())
    }
}

impl Kind {
    fn clickhouse_type(&self) -> String {
        match self {
            Kind::Int { width } => format!("Int{}", 8 * width),
            Kind::Float { .. } => "Float64".to_owned(),
            Kind::Amount(amount) => format!("Decimal({}, {})", amount.0.precision, amount.0.scale),
            Kind::Decimal { kept, .. } => format!("Decimal({}, {})", kept.precision, kept.scale),
            Kind::Bool => "Bool".to_owned(),
            Kind::Date => "Date32".to_owned(),
            Kind::Timestamp(_) | Kind::TimestampTz => "DateTime64(6, 'UTC')".to_owned(),
            Kind::Time(_) | Kind::Interval => "Int64".to_owned(),
            Kind::Uuid => "UUID".to_owned(),
            Kind::Digest(_) => "Tuple(Nullable(Int64), Nullable(String))".to_owned(),
            _ => "String".to_owned(),
        }
    }

    /// Bytes that a value takes, if all take the same.
    fn width(&self) -> Option<usize> {
        Some(match self {
            Kind::Int { width } => *width,
            Kind::Float { .. } | Kind::Timestamp(_) | Kind::TimestampTz | Kind::Time(_) | Kind::Interval => 8,
            Kind::Amount(amount) => amount.0.width(),
            Kind::Decimal { kept, .. } => kept.width(),
            Kind::Bool => 1,
            Kind::Date => 4,
            Kind::Uuid => 16,
            _ => return None,
        })
    }

    fn value<'a>(&self, cell: &'a [u8], nullable: bool) -> Value<'a> {
        if let Kind::Digest(_) = self {
            return match cell {
                [0, rest @ ..] if rest.len() > 9 => Value::Digest(int(&rest[..8]), text(&rest[9..])),
                _ => Value::Null,
            };
        }
        let cell = match cell {
            [1, ..] if nullable => return Value::Null,
            [_, rest @ ..] if nullable => rest,
            cell => cell,
        };
        match self {
            Kind::Int { .. } | Kind::Time(_) | Kind::Interval => Value::Int(int(cell)),
            Kind::Float { .. } => Value::Float(f64::from_bits(int(cell) as u64)),
            Kind::Amount(_) | Kind::Decimal { .. } => Value::Decimal(cell),
            Kind::Bool => Value::Bool(cell.first() == Some(&1)),
            Kind::Date => Value::Date(int(cell) as i32),
            Kind::Timestamp(_) | Kind::TimestampTz => Value::Timestamp(int(cell)),
            Kind::Uuid => Value::Uuid(cell),
            _ => Value::Text(text(cell)),
        }
    }

    pub(super) fn text<'a>(&self, cell: &'a [u8], nullable: bool) -> Option<Cow<'a, str>> {
        Some(Cow::Owned(match self.value(cell, nullable) {
            Value::Null => return None,
            Value::Text(text) => return Some(Cow::Borrowed(text)),
            Value::Int(number) => number.to_string(),
            Value::Float(number) => self.float_text(number),
            Value::Decimal(bytes) => match self {
                Kind::Amount(amount) => amount.0.text(bytes),
                Kind::Decimal { kept, .. } => kept.text(bytes),
                _ => return None,
            },
            Value::Bool(value) => value.to_string(),
            Value::Date(days) => time::date_text(days),
            Value::Timestamp(micros) => time::timestamp_text(micros),
            Value::Uuid(bytes) => {
                let (high, low) = bytes.split_at(8.min(bytes.len()));
                uuid::Uuid::from_u64_pair(int(high) as u64, int(low) as u64).to_string()
            }
            Value::Digest(length, sha256) => format!("[{length},\"{sha256}\"]"),
        }))
    }

    fn float_text(&self, number: f64) -> String {
        if matches!(self, Kind::Float { single: true }) { (number as f32).to_string() } else { number.to_string() }
    }
}

/// A whole number of up to eight bytes, little-endian.
pub(super) fn int(bytes: &[u8]) -> i64 {
    let mut wide = [if bytes.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 }; 8];
    let bytes = &bytes[..bytes.len().min(8)];
    wide[..bytes.len()].copy_from_slice(bytes);
    i64::from_le_bytes(wide)
}

/// A String: its length in LEB128, its bytes.
fn text(bytes: &[u8]) -> &str {
    let length = bytes.iter().take_while(|byte| **byte & 0x80 != 0).count() + 1;
    std::str::from_utf8(bytes.get(length..).unwrap_or_default()).unwrap_or_default()
}
