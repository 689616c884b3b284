//! Validation: what may be written. Look-ups first, one query per table; then the verdict on every record, which asks nobody. A bad row is
//! rejected and the run goes on; a bad world (PostgreSQL gone) is an error and the window stays open: never "all of them are orphans".

mod limits;
mod lookups;
mod settings;
#[cfg(test)]
mod tests;
mod verdict;

pub use limits::{LimitArgs, compiled_rules};
pub use lookups::{LookupResults, Parent, Servers};
pub use settings::{ListedRule, RuleArgs, Settings, all_rules, rules_of};
pub use verdict::{Doubts, Judge};

use std::collections::HashMap;

use anyhow::Result;

use crate::batch::Batch;
use crate::cdc::{Truncates, Violation};
use crate::source::Existence;
use crate::tables::{CompiledRule, Pipeline, Table};
use crate::warehouse::newest_versions;

/// The name of the rule that every table has: the row itself exists in the source.
pub const NOT_IN_POSTGRES: &str = "not-in-postgres";

/// Is this what a look-up said: the row, or one that it references, is not there?
pub fn is_orphan(table: &Table, violation: &Violation) -> bool {
    violation.rule == NOT_IN_POSTGRES || table.references.iter().any(|reference| reference.rule == violation.rule)
}

/// Judges the batches of a run.
pub struct Validator {
    pipeline: &'static Pipeline,
    settings: Settings,
    /// By table; each is compiled when its first batch comes.
    rules: HashMap<&'static str, Vec<CompiledRule>>,
    /// Keys known to exist, by table.
    existence: HashMap<&'static str, Existence>,
}

impl Validator {
    /// A validator with the severities and limits that flags ask for.
    ///
    /// # Errors
    /// No rule or no limit has that name; a limit's value is out of its bounds.
    pub fn new(pipeline: &'static Pipeline, args: &RuleArgs) -> Result<Validator> {
        let settings = Settings::new(pipeline, args)?;
        Ok(Validator { pipeline, settings, rules: HashMap::new(), existence: HashMap::new() })
    }

    /// Turns every change that must not be written into a rejection, and notes the warnings about those that are. Rows that
    /// `truncates` remove are gone, whatever comes in the batch itself.
    ///
    /// # Errors
    /// A server is gone, refuses or is late.
    pub fn validate(&mut self, mut servers: Servers<'_>, batch: &mut Batch<'_>, truncates: &Truncates) -> Result<()> {
        let table = batch.table;
        if !self.rules.contains_key(table.name) {
            let rules = self.settings.compiled(self.pipeline, table)?;
            self.rules.insert(table.name, rules);
        }
        let lookups = self.look_up(&mut servers, batch)?;
        let rules = self.rules.get(table.name).map_or(&[][..], Vec::as_slice);
        let judge = Judge { table, rules, settings: &self.settings, lookups: &lookups };
        let doubtful = judge.doubtful(batch);
        let keys: Vec<&str> = doubtful.iter().map(String::as_str).collect();
        let held = newest_versions(servers.warehouse, table.target, &table.key, &keys)?;
        judge.batch(batch, &doubtful, Doubts::new(held, truncates));
        Ok(())
    }
}
