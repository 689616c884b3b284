//! The connector's settings that decide how Debezium writes a value.

use strum::{AsRefStr, VariantArray};

/// `decimal.handling.mode`: how `numeric` and `money` come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, AsRefStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum DecimalMode {
    /// As text: every value, exactly.
    #[default]
    String,
    /// As a double: fifteen digits.
    Double,
    /// As the unscaled number's bytes, in base64; or as a JSON number with the converter's `decimal.format=NUMERIC`. NaN is null.
    Precise,
}

/// `time.precision.mode`: how times without a zone come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, AsRefStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum TimeMode {
    /// In ms, if the type has at most three digits, else in µs.
    #[default]
    Adaptive,
    /// `timestamp` as adaptive, `time` in µs.
    AdaptiveTimeMicroseconds,
    /// In ms, whatever the type has.
    Connect,
    /// As ISO 8601 text.
    #[strum(serialize = "isostring")]
    IsoString,
    /// In µs.
    Microseconds,
    /// In ns.
    Nanoseconds,
}

/// `binary.handling.mode`: how `bytea` comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, AsRefStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum BinaryMode {
    /// In JSON the same as base64.
    #[default]
    Bytes,
    /// As base64.
    Base64,
    /// As base64 with `-` and `_`.
    Base64UrlSafe,
    /// As hexadecimal digits.
    Hex,
}

/// `interval.handling.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, AsRefStr)]
#[strum(serialize_all = "snake_case")]
pub enum IntervalMode {
    /// In µs; a month has 30.4375 days.
    #[default]
    Numeric,
    /// As `P1Y2M3DT4H5M6.5S`.
    String,
}

/// What the running connector is set to. The default is what this project's connector files say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Connector {
    /// `decimal.handling.mode`.
    pub decimal: DecimalMode,
    /// `time.precision.mode`.
    pub time: TimeMode,
    /// `binary.handling.mode`.
    pub binary: BinaryMode,
    /// `interval.handling.mode`.
    pub interval: IntervalMode,
}

/// What a whole number of a time counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// ms.
    Millis,
    /// µs.
    Micros,
    /// ns.
    Nanos,
}

impl Unit {
    /// As µs; `None` if that is no whole number of 64 bits.
    pub fn micros(self, number: i64) -> Option<i64> {
        match self {
            Unit::Millis => number.checked_mul(1_000),
            Unit::Micros => Some(number),
            Unit::Nanos => (number % 1_000 == 0).then_some(number / 1_000),
        }
    }
}

impl TimeMode {
    /// The unit in which a `timestamp` with this many digits behind the second comes, if it comes as a number.
    pub fn timestamp(self, digits: i64) -> Unit {
        match self {
            TimeMode::Adaptive | TimeMode::AdaptiveTimeMicroseconds if digits <= 3 => Unit::Millis,
            TimeMode::Connect => Unit::Millis,
            TimeMode::Nanoseconds => Unit::Nanos,
            _ => Unit::Micros,
        }
    }

    /// The same of a `time`.
    pub fn time(self, digits: i64) -> Unit {
        match self {
            TimeMode::AdaptiveTimeMicroseconds => Unit::Micros,
            other => other.timestamp(digits),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_has_debeziums_name() {
        let names: Vec<&str> = TimeMode::VARIANTS.iter().map(|mode| mode.as_ref()).collect();
        assert_eq!(names.join(" "), "adaptive adaptive_time_microseconds connect isostring microseconds nanoseconds");
        assert_eq!(
            BinaryMode::VARIANTS.iter().map(|mode| mode.as_ref()).collect::<Vec<_>>().join(" "),
            "bytes base64 base64-url-safe hex"
        );
    }

    #[test]
    fn the_unit_follows_from_mode_and_digits() {
        use TimeMode::{Adaptive, AdaptiveTimeMicroseconds, Connect, Nanoseconds};
        assert_eq!((Adaptive.timestamp(3), Adaptive.timestamp(6)), (Unit::Millis, Unit::Micros));
        assert_eq!((Adaptive.time(0), AdaptiveTimeMicroseconds.time(0)), (Unit::Millis, Unit::Micros));
        assert_eq!((AdaptiveTimeMicroseconds.timestamp(3), Connect.time(6)), (Unit::Millis, Unit::Millis));
        assert_eq!(Nanoseconds.timestamp(6).micros(1_500), None);
    }
}
