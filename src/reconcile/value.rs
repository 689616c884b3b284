//! One text for each value of an added column, whichever side it comes from: an event's JSON (or the source's, written like one), or the
//! warehouse's column. Equal texts are equal values.

use chrono::DateTime;
use serde_json::value::RawValue;

use crate::old::{Date, Picture};
use crate::source::SourceType;
use crate::warehouse::{Landing, MICROS};

/// How a column's values are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// What the warehouse keeps of them.
    pub landing: Landing,
    /// What they are in the source.
    pub source: SourceType,
}

/// What the warehouse should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Canonical {
    /// NULL, as the source.
    Null,
    /// This.
    Text(String),
    /// NULL, because its type cannot hold the value.
    Misfit,
}

impl Kind {
    /// The value that an event has.
    pub fn of_event(&self, json: Option<&RawValue>) -> Canonical {
        let Some(json) = json.map(RawValue::get).filter(|json| *json != "null") else { return Canonical::Null };
        self.text(json).map_or(Canonical::Misfit, Canonical::Text)
    }

    /// SQL for the text of a warehouse column's value, or NULL.
    pub fn in_warehouse(&self, column: &str) -> String {
        let text = match self.landing {
            Landing::Bytes => format!("concat('[', toString({column}.1), ',\"', {column}.2, '\"]')"),
            _ => format!("toString({column})"),
        };
        format!("toNullable({text})")
    }

    /// The value that the warehouse's text stands for.
    pub fn of_warehouse(&self, text: String) -> String {
        let written_otherwise = match self.landing {
            Landing::Float => self.float(&text),
            Landing::Decimal { .. } => decimal(&text),
            Landing::Text if self.source.base == "numeric" => decimal(&text),
            Landing::Text => self.elements(&text),
            _ => None,
        };
        written_otherwise.unwrap_or(text)
    }

    fn text(&self, json: &str) -> Option<String> {
        let text = serde_json::from_str::<String>(json).unwrap_or_else(|_| json.to_owned());
        match self.landing {
            Landing::Int => whole(&text, 1).map(|number| number.to_string()),
            Landing::Micros { unit } => whole(&text, unit).map(|number| number.to_string()),
            Landing::Float => self.float(&text),
            Landing::Decimal { .. } => decimal(&text),
            Landing::Bool => ["true", "false"].contains(&text.as_str()).then_some(text),
            Landing::Text if self.source.base == "numeric" => Some(decimal(&text).unwrap_or(text)),
            Landing::Text => Some(self.elements(json).unwrap_or(text)),
            Landing::Bpchar => Some(text.trim_end_matches(' ').to_owned()),
            Landing::Date => {
                let day = text.parse().ok().filter(|day| (Date::FIRST..=Date::LAST).contains(day))?;
                Some(Date(day).to_string())
            }
            Landing::Timestamp { unit } => micros(whole(&text, unit)?),
            Landing::TimestampTz => micros(DateTime::parse_from_rfc3339(&text).ok()?.timestamp_micros()),
            Landing::Bytes => serde_json::to_string(&serde_json::from_str::<Picture>(json).ok()?).ok(),
        }
    }

    /// A `real` has no more digits than a `real`, however it was written.
    fn float(&self, text: &str) -> Option<String> {
        let number: f64 = text.parse().ok()?;
        // Both zeros are equal, in PostgreSQL too.
        let number = if number == 0.0 { 0.0 } else { number };
        Some(if self.source.base.starts_with("real") { (number as f32).to_string() } else { number.to_string() })
    }

    /// An array, element by element.
    fn elements(&self, json: &str) -> Option<String> {
        let source = self.source.element()?;
        let element = Kind { landing: Landing::of(&source), source };
        let all: Vec<Option<&RawValue>> = serde_json::from_str(json).ok()?;
        let text = |json: &RawValue| element.text(json.get()).unwrap_or_else(|| json.get().to_owned());
        serde_json::to_string(&all.into_iter().map(|json| json.map(text)).collect::<Vec<_>>()).ok()
    }
}

fn whole(text: &str, unit: i64) -> Option<i64> {
    text.parse::<i64>().ok()?.checked_mul(unit)
}

fn micros(number: i64) -> Option<String> {
    let time = DateTime::from_timestamp_micros(number).filter(|_| (MICROS.0..=MICROS.1).contains(&number))?;
    Some(time.format("%Y-%m-%d %H:%M:%S%.6f").to_string())
}

/// A number without zeros that say nothing, and without an exponent.
fn decimal(text: &str) -> Option<String> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent = exponent.parse::<i32>().ok().filter(|exponent| exponent.abs() < 200_000)?;
    let (sign, digits) = mantissa.strip_prefix('-').map_or(("", mantissa), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let point = i32::try_from(whole.len()).ok()? + exponent;
    let before = "0".repeat(usize::try_from(-point).unwrap_or(0));
    let padded = format!("{before}{all:0<width$}", width = usize::try_from(point).unwrap_or(0));
    let (whole, fraction) = padded.split_at(usize::try_from(point).unwrap_or(0));
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(match fraction {
        "" if whole == "0" => "0".to_owned(),
        "" => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{fraction}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(source: &str) -> Kind {
        let source = SourceType::parse(source);
        Kind { landing: Landing::of(&source), source }
    }

    fn of_event(source: &str, json: &str) -> String {
        match kind(source).of_event(Some(serde_json::from_str(json).unwrap())) {
            Canonical::Null => "NULL".to_owned(),
            Canonical::Text(text) => text,
            Canonical::Misfit => "misfit".to_owned(),
        }
    }

    #[test]
    fn a_value_is_the_same_text_on_both_sides() {
        for (source, event, warehouse) in [
            ("bigint", "9223372036854775807", "9223372036854775807"),
            ("numeric(20,2)", r#""-123456789012345678.90""#, "-123456789012345678.9"),
            ("numeric", r#""1E-7""#, "0.0000001"),
            ("real", "16777218.0", "16777218"),
            ("real", "0.15", "0.15"),
            ("double precision", r#""-Infinity""#, "-inf"),
            ("double precision", "-0.0", "0"),
            ("boolean", "true", "true"),
            ("jsonb", r#""{\"a\": 1}""#, r#"{"a": 1}"#),
            ("character(5)", r#""ab   ""#, "ab"),
            ("date", "19782", "2024-02-29"),
            ("timestamp(3) without time zone", "1704164645678", "2024-01-02 03:04:05.678000"),
            ("timestamp with time zone", r#""2024-01-02T01:04:05.500000Z""#, "2024-01-02 01:04:05.500000"),
            ("time(0) without time zone", "3720000", "3720000000"),
            ("timestamp without time zone", "-62135596800000000", "0001-01-01 00:00:00.000000"),
            ("text[]", r#"["a","b c", null]"#, r#"["a", "b c",null]"#),
            ("double precision[]", "[1e22,0.15]", "[1e+22,0.15]"),
            ("numeric(10,2)[]", r#"["1.50"]"#, r#"["1.5"]"#),
            ("bytea", r#""YWJj""#, r#"[3,"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"]"#),
        ] {
            assert_eq!(of_event(source, event), kind(source).of_warehouse(warehouse.to_owned()), "{source} {event}");
        }
    }

    #[test]
    fn what_the_warehouse_cannot_hold_is_null_there() {
        for (source, json) in [
            ("date", "-56445"),
            ("date", r#""infinity""#),
            ("timestamp without time zone", "9223372036854775807"),
            ("timestamp with time zone", r#""BC 0044-03-15 00:00:00+00 BC""#),
            ("numeric(10,2)", r#""NAN""#),
        ] {
            assert_eq!(of_event(source, json), "misfit", "{source} {json}");
        }
        assert_eq!((of_event("numeric", r#""NAN""#), of_event("date", "null")), ("NAN".to_owned(), "NULL".to_owned()));
    }

    #[test]
    fn a_decimal_is_its_digits() {
        for (text, canonical) in [
            ("1E+3", "1000"),
            ("-0.00", "0"),
            ("007.10", "7.1"),
            ("12e-3", "0.012"),
            ("1.25e1", "12.5"),
            ("-.5", "-0.5"),
        ] {
            assert_eq!(decimal(text).as_deref(), Some(canonical), "{text}");
        }
        assert!(["", ".", "x", "1,5", "NaN", "1e"].iter().all(|text| decimal(text).is_none()));
    }
}
