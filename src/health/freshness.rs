//! The section `[freshness]` of `checks.toml`: how late the warehouse may be.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer};
use toml::Spanned;

use crate::cli::parse_duration;
use crate::tables::Pipeline;

/// How late the warehouse may be.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Freshness {
    #[serde(deserialize_with = "duration")]
    warn_after: Duration,
    #[serde(deserialize_with = "duration")]
    fail_after: Duration,
    tables: BTreeMap<Spanned<String>, Lateness>,
}

/// How late a table may be.
#[derive(Debug, Clone, Copy, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lateness {
    /// Up to here all is well.
    #[serde(deserialize_with = "duration")]
    pub warn_after: Duration,
    /// Up to here it is a warning.
    #[serde(deserialize_with = "duration")]
    pub fail_after: Duration,
}

impl Default for Freshness {
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        Freshness { warn_after: minutes(15), fail_after: minutes(60), tables: BTreeMap::new() }
    }
}

impl Freshness {
    /// How late a table may be.
    pub fn of(&self, table: &str) -> Lateness {
        let own = self.tables.iter().find(|(name, _)| name.as_ref() == table).map(|(_, lateness)| *lateness);
        own.unwrap_or(Lateness { warn_after: self.warn_after, fail_after: self.fail_after })
    }

    /// A table that is not known, and where it stands.
    pub fn unknown_table(&self, pipeline: &Pipeline) -> Option<&Spanned<String>> {
        self.tables.keys().find(|name| pipeline.table(name.as_ref()).is_none())
    }
}

fn duration<'de, D: Deserializer<'de>>(toml: D) -> Result<Duration, D::Error> {
    parse_duration(&String::deserialize(toml)?).map_err(de::Error::custom)
}
