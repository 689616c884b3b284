//! Dates, timestamps and intervals: read at parse, counted in days and microseconds.

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use strum::{EnumString, IntoStaticStr};

/// Microseconds of a day.
pub(super) const DAY: i64 = 86_400_000_000;

/// The days that the warehouse can hold: 1900-01-01 to 2299-12-31.
pub(super) const DAYS: std::ops::RangeInclusive<i64> = -25_567..=120_529;

/// Longest interval, so that no sum leaves what the servers hold.
const MOST_MONTHS: i64 = 12 * 100;
const MOST_DAYS: i64 = 36_525;

/// A part of a date that EXTRACT knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "UPPERCASE", ascii_case_insensitive)]
pub(super) enum Field {
    Year,
    Quarter,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Dow,
    Isodow,
    Doy,
}

impl Field {
    /// PostgreSQL's name.
    pub fn name(self) -> &'static str {
        self.into()
    }

    pub fn is_of_time(self) -> bool {
        matches!(self, Field::Hour | Field::Minute)
    }

    /// That part of a moment.
    pub fn of(self, micros: i64) -> Option<i64> {
        let moment = DateTime::from_timestamp_micros(micros)?.naive_utc();
        let date = moment.date();
        Some(i64::from(match self {
            Field::Year => return Some(i64::from(date.year())),
            Field::Quarter => date.quarter(),
            Field::Month => date.month(),
            Field::Week => date.iso_week().week(),
            Field::Day => date.day(),
            Field::Hour => moment.hour(),
            Field::Minute => moment.minute(),
            Field::Dow => date.weekday().num_days_from_sunday(),
            Field::Isodow => date.weekday().number_from_monday(),
            Field::Doy => date.ordinal(),
        }))
    }
}

/// Months, then days, then microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Interval {
    pub months: i64,
    pub days: i64,
    pub micros: i64,
}

impl Interval {
    /// As PostgreSQL writes it: `1 month`, `2 days 03:00:00`, `0.5 seconds`, `-1 year`.
    ///
    /// # Errors
    /// What of it is not read.
    pub fn parse(text: &str) -> Result<Interval, String> {
        let mut interval = Interval::default();
        let mut words = text.split_whitespace();
        let mut is_empty = true;
        while let Some(word) = words.next() {
            is_empty = false;
            if word.contains(':') {
                interval.micros = add(interval.micros, clock(word)?)?;
                continue;
            }
            // `1day` is two words in one.
            let split = word.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(word.len());
            let (number, unit) = word.split_at(split);
            let unit = if unit.is_empty() {
                words.next().ok_or_else(|| format!("{text:?} has a number without a unit"))?
            } else {
                unit
            };
            interval.add(number, unit)?;
        }
        let is_short = interval.months.abs() <= MOST_MONTHS
            && interval.days.abs() <= MOST_DAYS
            && interval.micros.abs() <= MOST_DAYS * DAY;
        match (is_empty, is_short) {
            (false, true) => Ok(interval),
            (true, _) => Err(format!("{text:?} is no interval")),
            (_, false) => Err(format!("{text:?} is longer than a hundred years")),
        }
    }

    fn add(&mut self, number: &str, unit: &str) -> Result<(), String> {
        let (field, times): (&mut i64, i64) = match unit.to_ascii_lowercase().as_str() {
            "year" | "years" | "y" => (&mut self.months, 12),
            "month" | "months" | "mon" | "mons" => (&mut self.months, 1),
            "week" | "weeks" | "w" => (&mut self.days, 7),
            "day" | "days" | "d" => (&mut self.days, 1),
            "hour" | "hours" | "h" => (&mut self.micros, 3_600_000_000),
            "minute" | "minutes" | "min" | "mins" => (&mut self.micros, 60_000_000),
            "second" | "seconds" | "sec" | "secs" | "s" => {
                self.micros = add(self.micros, seconds(number)?)?;
                return Ok(());
            }
            _ => return Err(format!("{unit:?} is no unit from year to second")),
        };
        let number: i64 = number
            .parse()
            .map_err(|_| format!("{number:?} is no whole number of {unit}: only seconds can have a fraction"))?;
        *field = add(*field, number.checked_mul(times).ok_or("too long an interval")?)?;
        Ok(())
    }

    pub fn negated(self) -> Interval {
        Interval { months: -self.months, days: -self.days, micros: -self.micros }
    }

    /// That much later.
    pub fn after(self, micros: i64) -> Option<i64> {
        let moment = DateTime::from_timestamp_micros(micros)?.naive_utc();
        let months = Months::new(u32::try_from(self.months.unsigned_abs()).ok()?);
        let moved = if self.months < 0 { moment.checked_sub_months(months) } else { moment.checked_add_months(months) };
        let rest = self.days.checked_mul(DAY)?.checked_add(self.micros)?;
        moved?.and_utc().timestamp_micros().checked_add(rest)
    }
}

fn add(a: i64, b: i64) -> Result<i64, String> {
    a.checked_add(b).ok_or_else(|| "too long an interval".to_owned())
}

/// `1.5`, `-0.000001`: seconds in microseconds.
fn seconds(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text:?} is no number of seconds with at most 6 digits behind the point");
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || fraction.len() > 6 || whole.len() + fraction.len() == 0 {
        return Err(wrong());
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| wrong())? };
    let fraction: i64 = format!("{fraction:0<6}").parse().map_err(|_| wrong())?;
    whole
        .checked_mul(1_000_000)
        .and_then(|micros| micros.checked_add(fraction))
        .map(|micros| sign * micros)
        .ok_or_else(wrong)
}

/// `03:00`, `-01:30:00.5`.
fn clock(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text:?} is no time like 03:00:00");
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let mut parts = digits.split(':');
    let mut number = || parts.next().and_then(|part| part.parse::<u32>().ok()).map(i64::from);
    let (hours, minutes) = number().zip(number()).ok_or_else(wrong)?;
    let micros = parts.next().map_or(Ok(0), seconds)?;
    if parts.next().is_some() || minutes > 59 || !(0..60_000_000).contains(&micros) {
        return Err(wrong());
    }
    Ok(sign * (hours * 3_600_000_000 + minutes * 60_000_000 + micros))
}

/// Days since 1970-01-01 of `2024-02-29`.
///
/// # Errors
/// It is no day, or none that the warehouse can hold.
pub(super) fn date(text: &str) -> Result<i64, String> {
    let is_shaped = text.len() == 10
        && text.bytes().enumerate().all(|(i, b)| if matches!(i, 4 | 7) { b == b'-' } else { b.is_ascii_digit() });
    let day: Option<NaiveDate> = text.parse().ok().filter(|_| is_shaped);
    let day = day.ok_or_else(|| format!("{text:?} is no day: write it as 2024-02-29"))?;
    in_range(i64::from(day.to_epoch_days()), text)
}

fn in_range(days: i64, text: &str) -> Result<i64, String> {
    let held = DAYS.contains(&days);
    held.then_some(days)
        .ok_or_else(|| format!("{text:?} is not between 1900-01-01 and 2299-12-31, which the warehouse can hold"))
}

/// Microseconds since 1970-01-01 of `2024-02-29 12:00:00.5`; with `zone` an offset may follow.
///
/// # Errors
/// It is no moment, or none that the warehouse can hold.
pub(super) fn timestamp(text: &str, zone: bool) -> Result<i64, String> {
    let wrong = || {
        format!("{text:?} is no timestamp: write it as 2024-02-29 12:00:00.123456, with at most 6 digits of a second")
    };
    let (day, time) = text.split_once([' ', 'T']).unwrap_or((text, "00:00:00"));
    let days = date(day)?;
    let (time, offset) = match time.find(['+', '-', 'Z']) {
        Some(at) if zone => (&time[..at], offset(&time[at..]).ok_or_else(wrong)?),
        _ => (time, 0),
    };
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let clock = if clock.len() == 5 { format!("{clock}:00") } else { clock.to_owned() };
    let is_shaped = clock.len() == 8 && clock.bytes().all(|b| b.is_ascii_digit() || b == b':');
    let clock: NaiveTime = clock.parse().ok().filter(|_| is_shaped).ok_or_else(wrong)?;
    let fraction = seconds(&format!("0.{fraction}"))
        .ok()
        .filter(|_| fraction.bytes().all(|b| b.is_ascii_digit()))
        .ok_or_else(wrong)?;
    let micros = days * DAY + i64::from(clock.num_seconds_from_midnight()) * 1_000_000 + fraction - offset;
    in_range(micros.div_euclid(DAY), text)?;
    Ok(micros)
}

/// `+02`, `-05:30`, `Z`: microseconds.
fn offset(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits = text.get(1..)?;
    let (hours, minutes) = digits.split_once(':').unwrap_or((digits, "00"));
    let number =
        |part: &str| part.parse::<i64>().ok().filter(|_| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()));
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours <= 15 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60_000_000)
}

/// `2024-02-29`.
pub(super) fn print_date(days: i64) -> String {
    let day = i32::try_from(days).ok().and_then(NaiveDate::from_epoch_days);
    day.map_or_else(|| days.to_string(), |day| day.to_string())
}

/// `2024-02-29 12:00:00.500000`.
pub(super) fn print_timestamp(micros: i64) -> String {
    let moment: Option<NaiveDateTime> = DateTime::from_timestamp_micros(micros).map(|moment| moment.naive_utc());
    moment.map_or_else(|| micros.to_string(), |moment| moment.format("%Y-%m-%d %H:%M:%S%.6f").to_string())
}
