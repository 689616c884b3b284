//! Severities and limits: compiled in, documented in `checks.toml`, changed by a file of the same form.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use toml::Spanned;

use crate::checks::catalogue;
use crate::exit::needs_person;
use crate::health::freshness::Freshness;
use crate::health::observe::settings::Observe;
use crate::health::severity::Severity;
use crate::pipeline::RuleSpec;
use crate::tables::{Pipeline, Table};

/// All of it.
#[derive(Debug, Clone, PartialEq, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    severity: BTreeMap<Spanned<String>, Severity>,
    /// How late the warehouse may be.
    pub freshness: Freshness,
    /// Limits of check-volume.
    pub volume: Volume,
    /// Severities and limits of `observe`.
    pub observe: Observe,
}

/// What a usual run is.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Volume {
    /// Runs before it without which a run is not judged.
    pub fewest_runs: u32,
    /// Runs before it that are looked at.
    pub most_runs: u32,
    /// Median absolute deviations (scaled by 1.4826) that a run may be away from the median.
    pub deviations: f64,
    /// Records that it may be away in any case.
    pub tolerance: u64,
}

impl Default for Volume {
    fn default() -> Self {
        Volume { fewest_runs: 20, most_runs: 100, deviations: 6.0, tolerance: 1_000 }
    }
}

impl Settings {
    /// Those of a file, or the built-in ones.
    ///
    /// # Errors
    /// Exit 78, with the line: the file cannot be read, is no TOML, or names something that is not there.
    pub fn read(file: Option<&Path>, pipeline: &'static Pipeline) -> Result<Settings> {
        let Some(file) = file else { return Ok(Settings::default()) };
        let wrong = |why: String| needs_person(format!("{}: {why}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
        Settings::parse(&text, pipeline).map_err(wrong)
    }

    fn parse(text: &str, pipeline: &'static Pipeline) -> Result<Settings, String> {
        let settings: Settings = toml::from_str(text).map_err(|error| error.to_string())?;
        let line = |name: &Spanned<String>| text[..name.span().start].matches('\n').count() + 1;
        for name in settings.severity.keys() {
            if !catalogue::is_name(pipeline, name.as_ref()) {
                let known = catalogue::names(pipeline).join(", ");
                let text = format!("line {}: there is no check {:?}; there are {known}", line(name), name.as_ref());
                return Err(format!("{text}, each also as \"table.check\""));
            }
        }
        if let Some(name) = settings.freshness.unknown_table(pipeline) {
            return Err(format!("line {}: there is no table {:?}", line(name), name.as_ref()));
        }
        if let Some(name) = settings.observe.unknown_job(pipeline) {
            let known = "ingest, ingest-<table>, build, build-<name>, replay-rejected, check, check-<name> (or \"check-<name> --scope new\"), sync-schema, rejected";
            return Err(format!(
                "line {}: {:?} is none of the jobs that are listened for: {known}",
                line(name),
                name.as_ref()
            ));
        }
        Ok(settings)
    }

    /// What a check's "no" is worth. A rule that the pipeline has switched off is off, unless the file says something else.
    pub fn severity(&self, check: &str, table: &Table) -> Severity {
        self.named(&format!("{}.{check}", table.name)).unwrap_or_else(|| {
            let is_off =
                |rule: &RuleSpec| rule.name.as_str() == check && rule.severity == crate::pipeline::RuleSeverity::Off;
            let off = table.spec.rules.iter().any(is_off).then_some(Severity::Off);
            self.named(check).or(off).unwrap_or_else(|| Settings::built_in(check))
        })
    }

    /// What it is worth for tables that are not named, if the pipeline has nothing to say.
    pub fn usual(&self, check: &str) -> Severity {
        self.named(check).unwrap_or_else(|| Settings::built_in(check))
    }

    fn built_in(check: &str) -> Severity {
        if check == catalogue::VOLUME { Severity::Warn } else { Severity::Fail }
    }

    fn named(&self, name: &str) -> Option<Severity> {
        self.severity.iter().find(|(known, _)| known.as_ref() == name).map(|(_, severity)| *severity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_says_what_is_compiled_in() {
        let file = Settings::parse(include_str!("../../checks.toml"), Pipeline::embedded()).unwrap();
        let built_in = Settings::default();
        assert_eq!((&file.freshness, &file.volume), (&built_in.freshness, &built_in.volume));
        assert!(file.observe.is_like(&built_in.observe), "{:?}", file.observe);
        for (name, severity) in &file.severity {
            assert_eq!(built_in.usual(name.as_ref()), *severity, "{}", name.as_ref());
        }
    }

    #[test]
    fn what_is_not_known_is_refused_with_its_line() {
        let error = |text: &str| Settings::parse(text, Pipeline::embedded()).unwrap_err();
        assert!(error("[volume]\nfewest_run = 3").contains("line 2"));
        assert!(error("[severity]\n\nreconcil = \"fail\"").starts_with("line 3: there is no check \"reconcil\""));
        assert!(error("[severity]\n\"nowhere.reconcile\" = \"fail\"").starts_with("line 2: there is no check"));
        assert!(error("[severity]\nreconcile = \"faill\"").contains("line 2"));
        assert!(
            error("[freshness.tables]\nnowhere = { warn_after = \"1m\", fail_after = \"2m\" }")
                .starts_with("line 2: there is no table")
        );
        assert!(error("[rules]\ndiscount_limit = \"0.2\"").contains("line 1"));
        assert!(error("[observe]\nrepeat = \"1m\"").contains("line 2"));
        assert!(error("[observe.severity]\n\nnothing = \"fail\"").contains("line 3"));
        assert!(
            error("[observe.silent_after]\n\ningest-nothing = \"1m\"")
                .starts_with("line 3: \"ingest-nothing\" is none of")
        );
        assert!(error("[freshness]\nwarn_after = \"1 fortnight\"").contains("is not a duration"));
    }

    #[test]
    fn a_table_may_have_its_own() {
        let settings = Settings::parse(
            "[severity]\nreconcile = \"warn\"\n\"orders.reconcile\" = \"off\"\n[freshness.tables]\nregion = { warn_after = \"1d\", fail_after = \"2d\" }",
            Pipeline::embedded(),
        )
        .unwrap();
        let severity = |table: &str| settings.severity("reconcile", Pipeline::embedded().table(table).unwrap());
        assert_eq!((severity("orders"), severity("customers")), (Severity::Off, Severity::Warn));
        assert_eq!(settings.freshness.of("region").fail_after.as_secs(), 2 * 86_400);
        assert_eq!(settings.freshness.of("orders").fail_after.as_secs(), 3_600);
    }
}
