//! The section `[observe]` of `checks.toml`: what an alarm is worth, and from when on it is one.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer};
use toml::Spanned;

use super::alarm::Alarm;
use crate::cli::parse_duration;
use crate::jobs::checks::settings::Severity;

/// A time, as in `90s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time(pub Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(toml: D) -> Result<Self, D::Error> {
        parse_duration(&String::deserialize(toml)?).map(Time).map_err(de::Error::custom)
    }
}

impl Time {
    const fn minutes(minutes: u64) -> Time {
        Time(Duration::from_secs(60 * minutes))
    }

    /// In milliseconds.
    pub fn ms(self) -> i64 {
        i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX)
    }
}

/// What `observe` goes by.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Observe {
    /// The same alarm is said again after this time; the exit code stays.
    pub repeat_after: Time,
    /// What lies and waits for a person is an alarm again after this time.
    pub remind_after: Time,
    /// A job may end without success less often than this in a row.
    pub tries_in_a_row: u32,
    /// So long ago at most a slot was read that nobody reads now.
    pub slot_inactive_after: Time,
    /// Limits of the quarantine.
    pub quarantine: Quarantine,
    severity: BTreeMap<Alarm, Severity>,
    silent_after: BTreeMap<Spanned<String>, Time>,
}

/// Limits of the quarantine, of one rule of one table each.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quarantine {
    /// Attempts after which a record waits for a person.
    pub attempts: u32,
    /// Open records.
    pub most_open: u64,
    /// Time since a record was tried the last time.
    pub oldest: Time,
    /// A number of open records that has risen and never fallen for this time only grows.
    pub grows_for: Time,
}

impl Default for Observe {
    fn default() -> Self {
        Observe {
            repeat_after: Time::minutes(60),
            remind_after: Time::minutes(24 * 60),
            tries_in_a_row: 10,
            slot_inactive_after: Time::minutes(2),
            quarantine: Quarantine::default(),
            severity: BTreeMap::new(),
            silent_after: BTreeMap::new(),
        }
    }
}

impl Default for Quarantine {
    fn default() -> Self {
        Quarantine { attempts: 12, most_open: 1_000, oldest: Time::minutes(24 * 60), grows_for: Time::minutes(6 * 60) }
    }
}

/// Jobs that have rows in `northwind_ops.runs`; `ingest` is all ingest jobs.
const INGEST: &str = "ingest";
const SILENT_AFTER: [(&str, Time); 3] =
    [(INGEST, Time::minutes(60)), ("build-order-wide", Time::minutes(60)), ("replay-rejected", Time::minutes(60))];

impl Observe {
    /// What an alarm is worth.
    pub fn severity(&self, alarm: Alarm) -> Severity {
        self.severity.get(&alarm).copied().unwrap_or(alarm.severity())
    }

    /// How long ago a job that has run before may have been started the last time.
    pub fn silent_after(&self, job: &str) -> Option<Duration> {
        let own =
            |name: &str| self.silent_after.iter().find(|(known, _)| known.as_ref() == name).map(|(_, time)| *time);
        let built_in = |name: &str| SILENT_AFTER.iter().find(|(known, _)| *known == name).map(|(_, time)| *time);
        let kind = if job.starts_with("ingest-") { INGEST } else { job };
        own(job).or_else(|| own(kind)).or_else(|| built_in(kind)).map(|time| time.0)
    }

    /// A job that is not known, and where it stands.
    pub fn unknown_job(&self) -> Option<&Spanned<String>> {
        let is_known = |name: &str| {
            name.strip_prefix("ingest-").map_or(SILENT_AFTER.iter().any(|(known, _)| *known == name), |table| {
                crate::tables::chosen(&[table.replace('-', "_")]).is_ok()
            })
        };
        self.silent_after.keys().find(|name| !is_known(name.as_ref()))
    }
}

#[cfg(test)]
impl Observe {
    /// Does it say the same, whether it is written down or built in? It has to name every alarm and every job.
    pub fn is_like(&self, other: &Observe) -> bool {
        let written = |settings: &Observe| Observe {
            severity: BTreeMap::new(),
            silent_after: BTreeMap::new(),
            ..settings.clone()
        };
        written(self) == written(other)
            && Alarm::ALL
                .iter()
                .all(|alarm| *alarm == Alarm::Unseen || self.severity.get(alarm) == Some(&alarm.severity()))
            && SILENT_AFTER
                .iter()
                .all(|(job, time)| self.silent_after.iter().any(|(name, own)| name.as_ref() == *job && own == time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_in_the_file_is_the_name_in_the_books() {
        for alarm in Alarm::ALL {
            let file = format!("[severity]\n{} = \"off\"\n", alarm.name());
            let settings: Observe = toml::from_str(&file).unwrap();
            assert_eq!(settings.severity(alarm), Severity::Off);
        }
    }

    #[test]
    fn a_job_may_have_its_own_limit() {
        let settings: Observe = toml::from_str("[silent_after]\ningest = \"2h\"\ningest-orders = \"10m\"\n").unwrap();
        assert_eq!(settings.silent_after("ingest-orders"), Some(Duration::from_secs(600)));
        assert_eq!(settings.silent_after("ingest-region"), Some(Duration::from_secs(7_200)));
        assert_eq!(settings.silent_after("build-order-wide"), Some(Duration::from_secs(3_600)));
        assert_eq!(settings.silent_after("observe"), None);
        assert!(settings.unknown_job().is_none());
    }
}
