//! Dates: days since the epoch, as Debezium sends them and ClickHouse keeps them.

use std::fmt;

use chrono::NaiveDate;
use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};
use serde::{Serialize, Serializer};

/// `date`: Date32 in the warehouse, which reaches from 1900-01-01 to 2299-12-31. Days since 1970-01-01.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(pub i32);

impl Date {
    /// 1900-01-01.
    pub const FIRST: i32 = -25_567;
    /// 2299-12-31.
    pub const LAST: i32 = 120_529;

    /// The calendar date.
    pub fn calendar(self) -> Option<NaiveDate> {
        NaiveDate::from_epoch_days(self.0)
    }

    fn parse(text: &str) -> Option<Date> {
        let date: NaiveDate = text.trim_end_matches('Z').parse().ok()?;
        Some(Date(date.to_epoch_days())).filter(|date| (Date::FIRST..=Date::LAST).contains(&date.0))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.calendar() {
            Some(date) => date.fmt(f),
            None => write!(f, "day {}", self.0),
        }
    }
}

struct DateVisitor;

impl Visitor<'_> for DateVisitor {
    type Value = Date;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a date between 1900-01-01 and 2299-12-31, as days since 1970-01-01 or as text")
    }

    fn visit_i64<E: de::Error>(self, days: i64) -> Result<Date, E> {
        match i32::try_from(days) {
            Ok(days) if (Date::FIRST..=Date::LAST).contains(&days) => Ok(Date(days)),
            _ => Err(E::invalid_value(Unexpected::Signed(days), &self)),
        }
    }

    fn visit_u64<E: de::Error>(self, days: u64) -> Result<Date, E> {
        self.visit_i64(i64::try_from(days).unwrap_or(i64::MAX))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Date, E> {
        Date::parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(DateVisitor)
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        if out.is_human_readable() { out.collect_str(self) } else { out.serialize_i32(self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(json: &str) -> Result<String, String> {
        serde_json::from_str::<Date>(json).map(|d| d.to_string()).map_err(|e| e.to_string())
    }

    #[test]
    fn days_and_text_are_the_same_date() {
        assert_eq!(date("9681").as_deref(), Ok("1996-07-04"));
        assert_eq!(date("-7694").as_deref(), Ok("1948-12-08"));
        assert_eq!(date(r#""1996-07-04""#), date("9681"));
        assert_eq!(date(r#""1996-07-04Z""#), date("9681"));
        assert_eq!((date("-25567"), date("120529")), (Ok("1900-01-01".into()), Ok("2299-12-31".into())));
    }

    /// Infinity comes as 2146033979, the year 1 as -719162.
    #[test]
    fn dates_that_the_warehouse_cannot_hold_are_refused() {
        for json in ["2146033979", "-719162", "-25568", "120530", r#""1899-12-31""#, r#""infinity""#, "1.5", "true"] {
            assert!(date(json).is_err(), "{json}");
        }
    }
}
