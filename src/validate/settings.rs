//! Which rules there are, and what flags change about them.

use std::collections::HashMap;

use anyhow::Result;
use clap::Args;
use serde_json::Value;
use strum::VariantArray;

use crate::exit::usage;
use crate::pipeline::RuleSeverity;
use crate::tables::{CompiledRule, Pipeline, RuleLimits, Table};
use crate::validate::limits::{LimitArgs, compiled_rules};

/// Flags about rules.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Rules (their list: lockstep rules)")]
pub struct RuleArgs {
    /// What happens to rows that break a rule: NAME or TABLE.NAME = reject (quarantine), warn (write and count) or off; may be repeated
    #[arg(long = "rule", value_name = "NAME=SEVERITY", env = "RULES", value_delimiter = ',', value_parser = parse_rule)]
    pub rules: Vec<(String, RuleSeverity)>,
    #[allow(missing_docs)]
    #[command(flatten)]
    pub limits: LimitArgs,
}

fn parse_rule(text: &str) -> Result<(String, RuleSeverity), String> {
    let (name, word) = text.split_once('=').ok_or("expected NAME=reject, NAME=warn or NAME=off")?;
    let severity = RuleSeverity::VARIANTS.iter().find(|severity| severity.as_ref() == word);
    let severity = severity.ok_or_else(|| format!("{word:?} is no severity: reject, warn or off"))?;
    Ok((name.to_owned(), *severity))
}

/// Severities and limits of a run.
#[derive(Debug)]
pub struct Settings {
    limits: RuleLimits,
    /// By rule, or table and rule.
    severities: HashMap<String, RuleSeverity>,
}

impl Settings {
    /// Those of the pipeline's file, with what flags change.
    ///
    /// # Errors
    /// No rule or no limit has that name; a limit's value is out of its bounds.
    pub fn new(pipeline: &'static Pipeline, args: &RuleArgs) -> Result<Settings> {
        let known = all_rules(pipeline);
        let is_known = |name: &str| known.iter().any(|rule| rule.is_called(name));
        if let Some((unknown, _)) = args.rules.iter().find(|(name, _)| !is_known(name)) {
            return Err(usage(format!("--rule {unknown}: no rule has this name; `lockstep rules` lists them")));
        }
        Ok(Settings { limits: args.limits.limits(pipeline)?, severities: args.rules.iter().cloned().collect() })
    }

    /// What happens to a row that breaks a rule.
    pub fn severity(&self, table: &str, rule: &str, default: RuleSeverity) -> RuleSeverity {
        let of_table = self.severities.get(&format!("{table}.{rule}"));
        of_table.or_else(|| self.severities.get(rule)).copied().unwrap_or(default)
    }

    /// The rules of a table that are not off, under the limits of this run.
    ///
    /// # Errors
    /// A rule cannot be judged with a limit's value.
    pub fn compiled(&self, pipeline: &Pipeline, table: &Table) -> Result<Vec<CompiledRule>> {
        let rules = compiled_rules(pipeline, table, &self.limits)?;
        let is_on =
            |rule: &CompiledRule| self.severity(table.name, rule.name(), rule.spec.severity) != RuleSeverity::Off;
        Ok(rules.into_iter().filter(is_on).collect())
    }
}

/// A rule, as it is listed for people.
#[derive(Debug, Clone)]
pub struct ListedRule {
    /// Table.
    pub table: &'static str,
    /// Name.
    pub name: &'static str,
    /// What happens to a row that breaks it.
    pub severity: RuleSeverity,
    /// Why it matters.
    pub why: &'static str,
    /// Columns of a row that break it, as a JSON object.
    pub example: Value,
    /// What has to hold, as the file says it; `None` for "the row that it references exists".
    pub expect: Option<&'static str>,
}

impl ListedRule {
    /// Does a flag that says this name mean the rule?
    pub fn is_called(&self, name: &str) -> bool {
        name.split_once('.').map_or(name == self.name, |(table, rule)| table == self.table && rule == self.name)
    }
}

/// The rules of a table that flags can change: what it references exists, then its own.
pub fn rules_of(table: &'static Table) -> Vec<ListedRule> {
    let references = table.references.iter().map(|reference| ListedRule {
        table: table.name,
        name: reference.rule,
        severity: RuleSeverity::Reject,
        why: &reference.spec.why,
        example: reference.spec.example.to_json(),
        expect: None,
    });
    let rules = table.spec.rules.iter().map(|rule| ListedRule {
        table: table.name,
        name: rule.name.as_str(),
        severity: rule.severity,
        why: &rule.why,
        example: rule.example.to_json(),
        expect: Some(rule.expect.as_str()),
    });
    references.chain(rules).collect()
}

/// The rules of every table.
pub fn all_rules(pipeline: &'static Pipeline) -> Vec<ListedRule> {
    pipeline.tables.iter().flat_map(rules_of).collect()
}
