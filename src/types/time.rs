//! Dates and times as Debezium writes them, as ClickHouse keeps them (days and µs since the epoch), and as text.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Timelike};

/// 1900-01-01 and 2299-12-31: what Date32 holds. Days since 1970-01-01.
pub const DAYS: (i32, i32) = (-25_567, 120_529);
/// 0001-01-01 to 9999-12-31 in µs: what DateTime64(6) holds and both servers write alike.
pub const MICROS: (i64, i64) = (-62_135_596_800_000_000, 253_402_300_799_999_999);
/// 24:00, the last time of a day, in µs.
pub const DAY: i64 = 86_400_000_000;

/// Days that a Date32 holds.
pub fn days(number: i64) -> Option<i32> {
    i32::try_from(number).ok().filter(|days| (DAYS.0..=DAYS.1).contains(days))
}

/// `1996-07-04`, `1996-07-04Z`.
pub fn days_of(text: &str) -> Option<i32> {
    let date: NaiveDate = text.trim_end_matches('Z').parse().ok()?;
    days(i64::from(date.to_epoch_days()))
}

/// `1996-07-04`.
pub fn date_text(days: i32) -> String {
    NaiveDate::from_epoch_days(days).map_or_else(|| format!("day {days}"), |date| date.to_string())
}

/// µs that a DateTime64(6) holds.
pub fn micros(number: i64) -> Option<i64> {
    Some(number).filter(|number| (MICROS.0..=MICROS.1).contains(number))
}

/// `2024-01-02T03:04:05.678901Z`, `2024-01-02 03:04:05.678901`, with an offset or without.
pub fn micros_of(text: &str) -> Option<i64> {
    let zoned = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).ok();
    let read = |form| NaiveDateTime::parse_from_str(text, form).map(|time| time.and_utc()).ok();
    let plain = || read("%Y-%m-%d %H:%M:%S%.f").or_else(|| read("%Y-%m-%dT%H:%M:%S%.f"));
    let time = zoned.or_else(plain).filter(|time| time.nanosecond().is_multiple_of(1_000))?;
    micros(time.timestamp_micros())
}

/// `2024-01-02 03:04:05.678901`.
pub fn timestamp_text(micros: i64) -> String {
    match DateTime::from_timestamp_micros(micros) {
        Some(time) => time.format("%Y-%m-%d %H:%M:%S%.6f").to_string(),
        None => format!("{micros} µs"),
    }
}

/// µs of a time of the day.
pub fn time(number: i64) -> Option<i64> {
    Some(number).filter(|number| (0..=DAY).contains(number))
}

/// `01:02:03.456Z`, `24:00:00`.
pub fn time_of(text: &str) -> Option<i64> {
    let text = text.trim_end_matches('Z');
    if text == "24:00:00" {
        return Some(DAY);
    }
    let time = text.parse::<NaiveTime>().ok().filter(|time| time.nanosecond().is_multiple_of(1_000))?;
    Some(i64::from(time.num_seconds_from_midnight()) * 1_000_000 + i64::from(time.nanosecond() / 1_000))
}

/// Is this a time of the day in UTC, as Debezium writes it?
pub fn is_utc_time(text: &str) -> bool {
    text.ends_with('Z') && time_of(text).is_some_and(|micros| micros <= DAY)
}

/// A `tstzrange`, whatever zone its bounds are written in, with bounds in UTC.
pub fn range_in_utc(text: &str) -> String {
    let bounds = |bound: &str| {
        let inner = bound.trim_matches('"');
        let time = DateTime::parse_from_str(inner, "%Y-%m-%d %H:%M:%S%.f%#z").ok()?.to_utc();
        let fraction = time.format("%.6f").to_string();
        let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
        Some(format!("\"{}{fraction}+00\"", time.format("%Y-%m-%d %H:%M:%S")))
    };
    let inside = text.get(1..text.len().saturating_sub(1)).and_then(|inside| inside.split_once(','));
    let Some((from, to)) = inside else { return text.to_owned() };
    let (from_utc, to_utc) = (bounds(from), bounds(to));
    let (open, close) = (&text[..1], &text[text.len() - 1..]);
    format!("{open}{},{}{close}", from_utc.as_deref().unwrap_or(from), to_utc.as_deref().unwrap_or(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_time_is_the_same() {
        assert_eq!(days_of("1996-07-04Z"), Some(9681));
        assert_eq!(micros_of("2024-01-02T03:04:05.678901Z"), Some(1_704_164_645_678_901));
        assert_eq!(micros_of("2024-01-02 03:04:05.678901"), Some(1_704_164_645_678_901));
        assert_eq!(timestamp_text(1_704_164_645_678_000), "2024-01-02 03:04:05.678000");
        assert_eq!((time_of("01:02:03.5Z"), time_of("24:00:00")), (Some(3_723_500_000), Some(DAY)));
        assert!(is_utc_time("23:02:03.456789Z") && is_utc_time("24:00:00Z") && !is_utc_time("01:02:03+02"));
    }

    #[test]
    fn what_lies_outside_is_none() {
        assert_eq!((days(2_146_033_979), days(-719_162), days_of("+5877611-06-21Z")), (None, None, None));
        for text in ["infinity", "-0043-03-15T12:00:00.000000Z", "+12345-01-01T00:00:00.000Z", "x"] {
            assert_eq!(micros_of(text), None, "{text}");
        }
        assert_eq!((time(-1), time(DAY + 1)), (None, None));
    }

    #[test]
    fn a_range_has_bounds_in_utc() {
        for (text, utc) in [
            (r#"["2024-01-01 02:00:00.5+02",)"#, r#"["2024-01-01 00:00:00.5+00",)"#),
            (r#"(,"2024-01-01 00:00:00+05:30"]"#, r#"(,"2023-12-31 18:30:00+00"]"#),
            ("empty", "empty"),
            (r#"["0044-03-15 00:00:00+00 BC",infinity)"#, r#"["0044-03-15 00:00:00+00 BC",infinity)"#),
        ] {
            assert_eq!(range_in_utc(text), utc);
        }
    }
}
