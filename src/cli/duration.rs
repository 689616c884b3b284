//! Durations on the command line.

use std::time::Duration;

/// `90s`, `10m`, `1h`, `30d`, `1h 30m`.
///
/// # Errors
/// It is no number with a unit, or more than there is time.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    // Without a unit, humantime takes a zero for what it is.
    let has_unit = text.ends_with(|c: char| c.is_ascii_alphabetic());
    let parsed = humantime::parse_duration(text).ok().filter(|time| has_unit && *time <= LONGEST);
    parsed.ok_or_else(|| format!("{text:?} is not a duration: use 90s, 10m, 1h or 30d"))
}

/// What can be taken from a date without leaving the calendar: a thousand years.
const LONGEST: Duration = Duration::from_secs(1_000 * 366 * 86_400);

/// A time in seconds, in the unit that people use.
pub fn age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(parse_duration("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(parse_duration("90d"), Ok(Duration::from_secs(90 * 86_400)));
        assert_eq!(parse_duration("0s"), Ok(Duration::ZERO));
        for wrong in ["10", "0", "", "d", "-1d", "1 day ago", "213503982334602d", "99999999999999999999d"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
