//! The section `[observe]` of `checks.toml`: what an alarm is worth, and from when on it is one.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer};
#[cfg(test)]
use strum::VariantArray;
use toml::Spanned;

use super::alarm::Alarm;
use crate::cli::parse_duration;
use crate::health::severity::Severity;
use crate::tables::Pipeline;

/// The job of all checks.
pub const CHECK_ALL: &str = "check-all";

/// The jobs that check.
pub const CHECK_JOBS: [&str; 6] =
    [CHECK_ALL, "check-freshness", "check-volume", "check-integrity", "check-rules", "check-reconcile"];

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
    /// A check or a build may not have taken up a row of the ledger for so long.
    pub consumer_behind_after: Time,
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
            consumer_behind_after: Time::minutes(7 * 24 * 60),
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

/// Jobs that are listened for; `ingest` is all ingest jobs, `build` all builds, `check` all checks, `rejected` its prunings.
const SILENT_AFTER: [(&str, Time); 5] = [
    ("ingest", Time::minutes(60)),
    ("build", Time::minutes(60)),
    ("replay-rejected", Time::minutes(60)),
    ("check", Time::minutes(3 * 60)),
    ("rejected", Time::minutes(2 * 24 * 60)),
];
/// What may be listened for besides. It runs in each round, but most of the time a person has run it.
const SYNC_SCHEMA: &str = "sync-schema";

impl Observe {
    /// What an alarm is worth.
    pub fn severity(&self, alarm: Alarm) -> Severity {
        self.severity.get(&alarm).copied().unwrap_or(alarm.severity())
    }

    /// How long ago a job that has run before may have been started the last time. A check that a person has made once is not waited for, unless
    /// the file names it: `by_schedule` says whether Airflow's schedule has started it. One of some tables is waited for by schedule only.
    pub fn silent_after(&self, job: &str, by_schedule: bool) -> Option<Duration> {
        if job.contains(" --table ") && !by_schedule {
            return None;
        }
        let own =
            |name: &str| self.silent_after.iter().find(|(known, _)| known.as_ref() == name).map(|(_, time)| *time);
        let built_in = |name: &str| SILENT_AFTER.iter().find(|(known, _)| *known == name).map(|(_, time)| *time);
        let (command, kind) = (command_of(job), kind_of(job));
        let is_waited_for = kind != "check" || command == CHECK_ALL || by_schedule;
        let of_kind = || own(kind).or_else(|| built_in(kind)).filter(|_| is_waited_for);
        own(job).or_else(|| own(command)).or_else(of_kind).map(|time| time.0)
    }

    /// A job that is not known, and where it stands.
    pub fn unknown_job(&self, pipeline: &Pipeline) -> Option<&Spanned<String>> {
        self.silent_after.keys().find(|name| !is_known(pipeline, name.as_ref()))
    }
}

/// Is there such a job, or kind of jobs, in the books?
fn is_known(pipeline: &Pipeline, name: &str) -> bool {
    let (command, flags) = name.split_once(' ').unwrap_or((name, ""));
    match command.starts_with("ingest-") {
        true => flags.is_empty() && pipeline.tables.iter().any(|table| table.ingest_job() == command),
        false if command.starts_with("build-") => {
            flags.is_empty() && pipeline.spec.derived.iter().any(|table| table.build_job() == command)
        }
        false if CHECK_JOBS.contains(&command) => ["", "--scope new", "--scope recent"].contains(&flags),
        false if command == "rejected" => ["", "--prune", "--prune-ledger", "--prune --prune-ledger"].contains(&flags),
        false => {
            flags.is_empty() && (command == SYNC_SCHEMA || SILENT_AFTER.iter().any(|(known, _)| *known == command))
        }
    }
}

/// The job without the flags that tell its runs apart in the books.
pub fn command_of(job: &str) -> &str {
    job.split(' ').next().unwrap_or(job)
}

/// What a limit may be set for at once.
fn kind_of(job: &str) -> &str {
    let command = command_of(job);
    match command.split_once('-') {
        Some((kind @ ("ingest" | "build" | "check"), _)) => kind,
        _ => command,
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
            && Alarm::VARIANTS
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
        for alarm in Alarm::VARIANTS.iter().copied() {
            let file = format!("[severity]\n{} = \"off\"\n", alarm.name());
            let settings: Observe = toml::from_str(&file).unwrap();
            assert_eq!(settings.severity(alarm), Severity::Off);
        }
    }

    #[test]
    fn a_job_may_have_its_own_limit() {
        let settings: Observe = toml::from_str("[silent_after]\ningest = \"2h\"\ningest-orders = \"10m\"\n").unwrap();
        let hours = |job: &str| settings.silent_after(job, false).map(|time| time.as_secs_f64() / 3600.0);
        assert_eq!(hours("ingest-orders"), Some(1.0 / 6.0));
        assert_eq!(hours("ingest-region"), Some(2.0));
        assert_eq!(hours("build-sales"), Some(1.0));
        assert_eq!((hours("observe"), hours("sync-schema")), (None, None));
        assert_eq!((hours("rejected --prune"), hours("rejected --prune --prune-ledger")), (Some(48.0), Some(48.0)));
        assert!(settings.unknown_job(Pipeline::embedded()).is_none());
    }

    #[test]
    fn a_check_is_waited_for_if_it_is_scheduled_or_named() {
        let of = |text: &str| toml::from_str::<Observe>(text).unwrap();
        let hours = |settings: &Observe, job: &str, by_schedule: bool| {
            settings.silent_after(job, by_schedule).map(|time| time.as_secs() / 3600)
        };
        let built_in = Observe::default();
        assert_eq!(hours(&built_in, "check-all --scope new", false), Some(3));
        assert_eq!(hours(&built_in, "check-rules", false), None, "a person has made it");
        assert_eq!(hours(&built_in, "check-rules --scope new", true), Some(3));
        let named = of("[silent_after]\ncheck = \"5h\"\ncheck-rules = \"7h\"\n\"check-rules --scope new\" = \"9h\"\n");
        assert_eq!((hours(&named, "check-all", false), hours(&named, "check-volume", false)), (Some(5), None));
        assert_eq!(hours(&named, "check-rules", false), Some(7));
        assert_eq!(hours(&named, "check-rules --scope recent", false), Some(7));
        assert_eq!(hours(&named, "check-rules --scope new", false), Some(9));
        assert!(named.unknown_job(Pipeline::embedded()).is_none());
        for unknown in ["check-rule", "check-rules --scope old", "rejected --show", "ingest-nothing", "observe"] {
            assert!(
                of(&format!("[silent_after]\n\"{unknown}\" = \"5h\"\n")).unknown_job(Pipeline::embedded()).is_some(),
                "{unknown}"
            );
        }
    }
}
