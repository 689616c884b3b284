//! Numbers: whole ones of any width, and amounts without float noise.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};
use serde::{Serialize, Serializer};

use crate::old::KeyPart;
use crate::old::noise::without_noise;

/// `smallint`, `integer`, `bigint`: Int64 in the warehouse, so that a widened column is nothing to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Int(pub i64);

/// `real`, `double precision`, `numeric`: Decimal(18, 4) in the warehouse, here as ten-thousandths. 0.15 is 1500.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decimal(pub i64);

/// Digits after the point.
const SCALE: u32 = 4;
const ONE: i64 = 10_i64.pow(SCALE);
/// The largest whole number up to which a double knows every one.
const LARGEST: i64 = 1 << 53;

impl Decimal {
    /// From whole numbers.
    pub const fn whole(number: i64) -> Decimal {
        Decimal(number * ONE)
    }

    /// The decimal that this floating-point number stands for: its shortest text, less the noise of binary arithmetic. `None` if there are more
    /// than four digits after the point for another reason, or the number is too large: a digit that somebody has written is never rounded.
    pub fn from_f64(number: f64) -> Option<Decimal> {
        let nearest = Decimal::nearest(number)?;
        if nearest.digits() <= f64::DIGITS && nearest.to_f64() == number {
            return Some(nearest);
        }
        let text = number.to_string();
        Decimal::parse(&text).or_else(|| without_noise(number, &text))
    }

    /// The decimal that lies nearest, however far away.
    pub(super) fn nearest(number: f64) -> Option<Decimal> {
        let scaled = (number * ONE as f64).round();
        (scaled.abs() <= LARGEST as f64).then_some(Decimal(scaled as i64))
    }

    /// The floating-point number that lies nearest.
    pub(super) fn to_f64(self) -> f64 {
        self.0 as f64 / ONE as f64
    }

    /// Significant digits.
    pub(super) fn digits(self) -> u32 {
        let mut digits = self.0.unsigned_abs();
        while digits != 0 && digits.is_multiple_of(10) {
            digits /= 10;
        }
        digits.checked_ilog10().map_or(0, |log| log + 1)
    }

    /// From text: `12.50`, `-0.15`, `1.5E+3`; exactly.
    pub fn parse(text: &str) -> Option<Decimal> {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let exponent = exponent.parse::<i16>().ok()?;
        let digits = mantissa.strip_prefix('-').unwrap_or(mantissa);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !is_number(whole) || !is_number(fraction) {
            return None;
        }
        // All digits as one number, and how many of them stand behind the point, which has moved by the exponent.
        let all = format!("{whole}{}", fraction.trim_end_matches('0'));
        let behind = (all.len() - whole.len()) as i64 - i64::from(exponent);
        let zeros = u32::try_from(i64::from(SCALE) - behind).ok()?;
        let all = all.parse::<i64>().ok()?;
        let all = if all == 0 { 0 } else { all.checked_mul(10_i64.checked_pow(zeros)?)? };
        (all <= LARGEST).then_some(Decimal(if digits.len() < mantissa.len() { -all } else { all }))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, tail) = (self.0.unsigned_abs() / ONE as u64, self.0.unsigned_abs() % ONE as u64);
        let sign = if self.0 < 0 { "-" } else { "" };
        let tail = format!("{tail:04}");
        let tail = tail.trim_end_matches('0');
        if tail.is_empty() { write!(f, "{sign}{whole}") } else { write!(f, "{sign}{whole}.{tail}") }
    }
}

struct IntVisitor;

impl Visitor<'_> for IntVisitor {
    type Value = Int;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number of at most 64 bits")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Int, E> {
        Ok(Int(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Int, E> {
        i64::try_from(number).map(Int).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Int, E> {
        let is_whole = number.fract() == 0.0 && number.abs() <= LARGEST as f64;
        if is_whole { Ok(Int(number as i64)) } else { Err(E::invalid_value(Unexpected::Float(number), &self)) }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Int, E> {
        text.parse().map(Int).map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }
}

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(IntVisitor)
    }
}

impl Serialize for Int {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_i64(self.0)
    }
}

impl KeyPart for Int {
    const SOURCE_TYPE: &'static str = "int8";

    fn text(&self) -> Cow<'_, str> {
        Cow::Owned(self.0.to_string())
    }

    fn sort_key(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.0 ^ i64::MIN).to_be_bytes());
    }
}

struct DecimalVisitor;

impl Visitor<'_> for DecimalVisitor {
    type Value = Decimal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number with at most 4 digits after the point and 12 before it")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Decimal, E> {
        let scaled = number.checked_mul(ONE).filter(|scaled| scaled.abs() <= LARGEST);
        scaled.map(Decimal).ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Decimal, E> {
        match i64::try_from(number) {
            Ok(number) => self.visit_i64(number),
            Err(_) => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
        }
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Decimal, E> {
        Decimal::from_f64(number).ok_or_else(|| E::invalid_value(Unexpected::Float(number), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Decimal, E> {
        Decimal::parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(DecimalVisitor)
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        if out.is_human_readable() { out.collect_str(self) } else { out.serialize_i64(self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(json: &str) -> Result<String, String> {
        serde_json::from_str::<Decimal>(json).map(|d| d.to_string()).map_err(|e| e.to_string())
    }

    #[test]
    fn amounts_have_no_float_noise() {
        for (json, text) in [
            ("0.15", "0.15"),
            ("9.8", "9.8"),
            ("14.0", "14"),
            ("263.5", "263.5"),
            ("0.15000000596046448", "0.15"),
            ("35.120003", "35.12"),
            ("14.719999", "14.72"),
            ("35.120000000000005", "35.12"),
            ("-1.0E-4", "-0.0001"),
            ("16777218.0", "16777218"),
            ("42", "42"),
            (r#""12345.67""#, "12345.67"),
            (r#""-0.5000""#, "-0.5"),
            (r#""1E+3""#, "1000"),
            (r#""1.5e-3""#, "0.0015"),
            ("1234.56005859375", "1234.56"),
            ("123456.78900000001", "123456.789"),
            ("999999999.1235", "999999999.1235"),
        ] {
            assert_eq!(decimal(json).as_deref(), Ok(text), "{json}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_not_rounded() {
        for json in [
            "0.00001",
            "35.12344",
            "0.333333",
            "1234.56789",
            "1234.03125",
            "123456.78901",
            "200.00012",
            "123456789012.12345",
            r#""1.4719999E1""#,
            r#""1E+12""#,
            r#""1E""#,
            "1e-20",
            "1e30",
            r#""0.12345""#,
            r#""NaN""#,
            r#""Infinity""#,
            r#""""#,
            r#""1,5""#,
        ] {
            assert!(decimal(json).is_err(), "{json}");
        }
    }

    #[test]
    fn sort_keys_compare_as_numbers() {
        let key = |number: i64| {
            let mut out = Vec::new();
            Int(number).sort_key(&mut out);
            out
        };
        assert!(key(i64::MIN) < key(-1) && key(-1) < key(0) && key(9) < key(10) && key(10) < key(i64::MAX));
    }

    #[test]
    fn whole_numbers_come_as_numbers_or_text() {
        for (json, number) in [("5", 5), ("-32768", -32768), (r#""9223372036854775807""#, i64::MAX), ("7.0", 7)] {
            assert_eq!(serde_json::from_str::<Int>(json).unwrap(), Int(number), "{json}");
        }
        for json in ["7.5", "9223372036854775808", r#""x""#, "true", "null"] {
            assert!(serde_json::from_str::<Int>(json).is_err(), "{json}");
        }
    }
}
