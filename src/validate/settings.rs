//! Which rules there are, and what flags change about them.

use std::collections::HashMap;

use anyhow::Result;
use clap::Args;

use crate::exit::usage;
use crate::for_each_table;
use crate::old::rules::{Limits, Severity};
use crate::old::{Decimal, Table};

/// Flags about rules.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Rules (their list: lockstep rules)")]
pub struct RuleArgs {
    /// What happens to rows that break a rule, as in discount-limit=warn (write and count) or list-price=reject (quarantine); may
    /// be repeated
    #[arg(long = "rule", value_name = "NAME=SEVERITY", env = "RULES", value_delimiter = ',', value_parser = parse_rule)]
    pub rules: Vec<(String, Severity)>,
    /// Highest discount of an order line, as a share
    #[arg(long, value_name = "SHARE", env = "DISCOUNT_LIMIT", default_value = "0.25", value_parser = parse_limit)]
    pub discount_limit: Decimal,
}

fn parse_rule(text: &str) -> Result<(String, Severity), String> {
    let (name, severity) = text.split_once('=').ok_or("expected NAME=reject or NAME=warn")?;
    let severity = match severity {
        "reject" => Severity::Reject,
        "warn" => Severity::Warn,
        other => return Err(format!("{other:?} is no severity: reject or warn")),
    };
    Ok((name.to_owned(), severity))
}

fn parse_limit(text: &str) -> Result<Decimal, String> {
    Decimal::parse(text)
        .filter(|limit| (Decimal(0)..=Decimal::whole(1)).contains(limit))
        .ok_or_else(|| format!("{text:?} is no share between 0 and 1"))
}

/// Severities and limits of a run.
#[derive(Debug)]
pub struct Settings {
    pub limits: Limits,
    severities: HashMap<String, Severity>,
}

impl Settings {
    pub fn new(args: &RuleArgs) -> Result<Settings> {
        let known = all_rules();
        if let Some((unknown, _)) = args.rules.iter().find(|(name, _)| !known.iter().any(|rule| rule.name == name)) {
            return Err(usage(format!("--rule {unknown}: no rule has this name; `lockstep rules` lists them")));
        }
        let severities = args.rules.iter().cloned().collect();
        Ok(Settings { limits: Limits { discount: args.discount_limit }, severities })
    }

    pub fn severity(&self, rule: &str, default: Severity) -> Severity {
        self.severities.get(rule).copied().unwrap_or(default)
    }
}

/// A rule, as it is listed for people.
#[derive(Debug, Clone, Copy)]
pub struct ListedRule {
    /// Source table.
    pub table: &'static str,
    /// Name.
    pub name: &'static str,
    /// What happens to a row that breaks it.
    pub severity: Severity,
    /// Why it matters.
    pub why: &'static str,
    /// Columns of a row that break it, as JSON.
    pub example: &'static str,
}

/// The rules of a table that flags can change: what it points at exists, then its own.
pub fn rules_of<T: Table>() -> Vec<ListedRule> {
    let references = T::REFERENCES.iter().map(|reference| ListedRule {
        table: T::SOURCE,
        name: reference.rule,
        severity: Severity::Reject,
        why: reference.why,
        example: reference.example,
    });
    let rules = T::RULES.iter().map(|rule| ListedRule {
        table: T::SOURCE,
        name: rule.name,
        severity: rule.severity,
        why: rule.why,
        example: rule.example,
    });
    references.chain(rules).collect()
}

macro_rules! all_rules {
    ($($Table:ident,)*) => {
        /// The rules of every table.
        pub fn all_rules() -> Vec<ListedRule> {
            [$(rules_of::<crate::old::$Table>()),*].concat()
        }
    };
}
for_each_table!(all_rules);
