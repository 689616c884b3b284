//! Validation: what may be written. Look-ups first, one query per table; then the verdict on every record. A bad row is rejected
//! and the run goes on; a bad world (PostgreSQL gone) is an error and the window stays open: never "all of them are orphans".

mod lookups;
mod settings;
mod verdict;

pub use lookups::Servers;
#[cfg(test)]
pub use settings::all_rules;
pub use settings::{ListedRule, RuleArgs, rules_of};
pub use verdict::Warning;

use std::collections::HashMap;

use anyhow::Result;

use crate::cdc::Violation;
use crate::source::Existence;
use crate::old::Table;
use settings::Settings;

/// The name of the rule that every table has: the row itself exists in the source.
pub const NOT_IN_POSTGRES: &str = "not-in-postgres";

/// Is this what a look-up said: the row, or one that it points at, is not there?
pub fn is_orphan<T: Table>(violation: &Violation) -> bool {
    violation.rule == NOT_IN_POSTGRES || T::REFERENCES.iter().any(|reference| reference.rule == violation.rule)
}

/// Judges the windows of a run.
pub struct Validator {
    settings: Settings,
    /// Keys known to exist, by source table.
    existence: HashMap<&'static str, Existence>,
}

impl Validator {
    /// A validator with the severities and limits that flags ask for.
    ///
    /// # Errors
    /// No rule has that name.
    pub fn new(args: &RuleArgs) -> Result<Validator> {
        Ok(Validator { settings: Settings::new(args)?, existence: HashMap::new() })
    }
}
