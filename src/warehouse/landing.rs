//! Where a value of the source lands that no row type knows: a ClickHouse type, and the expression that takes the value out of
//! the JSON in `_extra`. A value that the type cannot hold is NULL there, never clamped or rounded; as Debezium sent it, it stays
//! in `_extra`.

use crate::old::Date;
use crate::source::SourceType;
use crate::warehouse::quote;

/// 0001-01-01 to 9999-12-31 in µs: what DateTime64(6) holds. Infinity lies beyond.
pub const MICROS: (i64, i64) = (-62_135_596_800_000_000, 253_402_300_799_999_999);
/// The most digits that a Decimal has.
const DIGITS: i64 = 76;

/// What becomes of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Landing {
    /// Whole numbers of any width: Int64, so that a widened column is nothing to do.
    Int,
    /// `real`, `double precision`: Float64. The catalogue has no scale for them, and any that we chose would round.
    Float,
    /// `numeric(p,s)`.
    Decimal {
        /// Digits.
        precision: i64,
        /// Digits behind the point.
        scale: i64,
    },
    /// `boolean`.
    Bool,
    /// Everything that has no other place: the text, or for an array its JSON.
    Text,
    /// `char(n)`, `bpchar`: without trailing blanks.
    Bpchar,
    /// `date`: comes as days since the epoch.
    Date,
    /// `timestamp`: comes as µs since the epoch, or as ms if it has no more digits.
    Timestamp {
        /// µs per unit.
        unit: i64,
    },
    /// `timestamptz`: comes as ISO text, in UTC.
    TimestampTz,
    /// `time`, `interval`: µs; a `time` comes as ms if it has no more digits.
    Micros {
        /// µs per unit.
        unit: i64,
    },
    /// `bytea`: length and SHA-256, as pictures are kept. (Unnamed: the client cannot read the type of a named tuple.)
    Bytes,
}

impl Landing {
    /// Where values of a type land.
    pub fn of(source: &SourceType) -> Landing {
        match (source.base.as_str(), source.modifiers.as_slice()) {
            ("smallint" | "integer" | "bigint", _) => Landing::Int,
            ("real" | "double precision", _) => Landing::Float,
            ("numeric", &[precision, scale]) if precision <= DIGITS && (0..=precision).contains(&scale) => {
                Landing::Decimal { precision, scale }
            }
            ("boolean", _) => Landing::Bool,
            ("character" | "bpchar", _) => Landing::Bpchar,
            ("date", _) => Landing::Date,
            ("timestamp without time zone", digits) => Landing::Timestamp { unit: unit(digits) },
            ("timestamp with time zone", _) => Landing::TimestampTz,
            ("time without time zone", digits) => Landing::Micros { unit: unit(digits) },
            ("interval", _) => Landing::Micros { unit: 1 },
            ("bytea", _) => Landing::Bytes,
            _ => Landing::Text,
        }
    }

    /// The ClickHouse type.
    pub fn column_type(self) -> String {
        let nullable = match self {
            Landing::Int | Landing::Micros { .. } => "Int64",
            Landing::Float => "Float64",
            Landing::Decimal { precision, scale } => return format!("Nullable(Decimal({precision}, {scale}))"),
            Landing::Bool => "Bool",
            Landing::Text | Landing::Bpchar => "String",
            Landing::Date => "Date32",
            Landing::Timestamp { .. } | Landing::TimestampTz => "DateTime64(6, 'UTC')",
            Landing::Bytes => return "Tuple(Nullable(Int64), Nullable(String))".to_owned(),
        };
        format!("Nullable({nullable})")
    }

    /// SQL that takes the value of field `name` out of the JSON object that `json` evaluates to.
    pub fn taken_from(self, json: &str, name: &str) -> String {
        // A number as it is written, a string without its quotes, anything else as JSON; null and no field are NULL.
        let text = format!("JSONExtract({json}, {}, 'Nullable(String)')", quote(name));
        match self {
            Landing::Int => format!("toInt64OrNull({text})"),
            Landing::Micros { unit } => format!("toInt64OrNull({text}) * {unit}"),
            Landing::Float => format!("toFloat64OrNull({text})"),
            Landing::Decimal { precision, scale } => {
                let bits = match precision {
                    ..=9 => 32,
                    10..=18 => 64,
                    19..=38 => 128,
                    _ => 256,
                };
                // ClickHouse would cut surplus digits off and say nothing.
                let digits = quote(&format!("^-?[0-9]+([.][0-9]{{0,{scale}}})?$"));
                format!("if(match({text}, {digits}), toDecimal{bits}OrNull({text}, {scale}), NULL)")
            }
            Landing::Bool => format!("multiIf({text} = 'true', true, {text} = 'false', false, NULL)"),
            Landing::Text => text,
            Landing::Bpchar => format!("trimRight({text})"),
            Landing::Date => {
                let days = format!("toInt32OrNull({text})");
                format!("if({days} BETWEEN {} AND {}, toDate32({days}), NULL)", Date::FIRST, Date::LAST)
            }
            Landing::Timestamp { unit } => {
                let micros = format!("toInt64OrNull({text}) * {unit}");
                let (first, last) = MICROS;
                format!("if({micros} BETWEEN {first} AND {last}, fromUnixTimestamp64Micro({micros}, 'UTC'), NULL)")
            }
            Landing::TimestampTz => {
                format!("if(match({text}, '^[0-9]{{4}}-'), parseDateTime64BestEffortOrNull({text}, 6, 'UTC'), NULL)")
            }
            Landing::Bytes => {
                let bytes = format!("tryBase64Decode({text})");
                format!("tuple(length({bytes}), lower(hex(SHA256({bytes}))))")
            }
        }
    }

    /// Does a column for `self` hold every value of `new` as it is? Then the source's change is nothing to do.
    pub fn holds(self, new: Landing) -> bool {
        match (self, new) {
            (Landing::Decimal { precision, scale }, Landing::Decimal { precision: p, scale: s }) => {
                scale == s && precision >= p
            }
            _ => self == new,
        }
    }

    /// Is every value of `self` a value of another landing `new` too, and does its JSON say it in a form that `new` reads? Then the column can be
    /// changed, and read from `_extra` again.
    pub fn widens_to(self, new: Landing) -> bool {
        use Landing::{Bool, Bpchar, Decimal, Float, Int, Text};
        match (self, new) {
            (Decimal { precision, scale }, Decimal { precision: p, scale: s }) => {
                self != new && s >= scale && p - s >= precision - scale
            }
            (Int, Decimal { .. } | Float) | (Decimal { .. }, Float) => true,
            (Int | Decimal { .. } | Bool, Text) | (Text, Bpchar) => true,
            _ => false,
        }
    }
}

/// µs per unit in which Debezium sends a time of this many digits (`time.precision.mode=adaptive`).
fn unit(digits: &[i64]) -> i64 {
    if matches!(digits, [0..=3]) { 1_000 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Landing {
        Landing::of(&SourceType::parse(text))
    }

    #[test]
    fn a_type_lands_where_its_values_fit() {
        for (source, column_type) in [
            ("smallint", "Nullable(Int64)"),
            ("numeric(10,2)", "Nullable(Decimal(10, 2))"),
            ("numeric", "Nullable(String)"),
            ("numeric(80,2)", "Nullable(String)"),
            ("numeric(5,-2)", "Nullable(String)"),
            ("timestamp(3) without time zone", "Nullable(DateTime64(6, 'UTC'))"),
            ("interval day to second", "Nullable(Int64)"),
            ("integer[]", "Nullable(String)"),
            ("mood", "Nullable(String)"),
            ("bytea", "Tuple(Nullable(Int64), Nullable(String))"),
        ] {
            assert_eq!(of(source).column_type(), column_type, "{source}");
        }
    }

    #[test]
    fn what_loses_digits_or_changes_its_meaning_is_no_widening() {
        assert!(of("numeric(10,2)").widens_to(of("numeric(12,3)")));
        assert!(!of("numeric(10,2)").widens_to(of("numeric(10,3)")), "a digit less before the point");
        assert!(!of("numeric(10,2)").widens_to(of("numeric(12,1)")));
        assert!(of("numeric(12,2)").holds(of("numeric(10,2)")));
        assert!(of("integer").holds(of("bigint")) && of("real").holds(of("double precision")));
        assert!(of("integer").widens_to(of("numeric(12,2)")) && of("integer").widens_to(of("text")));
        assert!(!of("text").widens_to(of("integer")));
        assert!(!of("date").widens_to(of("text")), "the JSON has days");
        assert!(!of("character(5)").widens_to(of("text")), "the JSON has blanks, which PostgreSQL cuts off");
        assert!(!of("integer").holds(of("time without time zone")), "the same type, another meaning");
        let (millis, micros) = (of("timestamp(3) without time zone"), of("timestamp without time zone"));
        assert!(!millis.holds(micros) && !millis.widens_to(micros), "the JSON has ms, then µs");
    }
}
