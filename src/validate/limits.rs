//! Limits that rules name: other values by flag, the same for ingest and for the checks.

use anyhow::Result;
use clap::Args;

use crate::exit::usage;
use crate::tables::{CompiledRule, Pipeline, RuleLimits, Table};

/// Flags about limits.
#[derive(Debug, Clone, Default, Args)]
pub struct LimitArgs {
    /// Another value for a limit that rules name, as in discount=0.3; may be repeated
    #[arg(long = "limit", value_name = "NAME=VALUE", env = "LIMITS", value_delimiter = ',', value_parser = parse_limit)]
    pub limits: Vec<(String, String)>,
}

fn parse_limit(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE, as in discount=0.3")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl LimitArgs {
    /// The limits of the pipeline's file, with what flags change.
    ///
    /// # Errors
    /// No limit has that name; a value is out of its bounds.
    pub fn limits(&self, pipeline: &Pipeline) -> Result<RuleLimits> {
        let mut limits = pipeline.limits();
        for (name, value) in &self.limits {
            limits.set(pipeline.spec, name, value).map_err(|why| usage(format!("--limit {why}")))?;
        }
        Ok(limits)
    }
}

/// The rules of a table under these limits, those that are off too.
///
/// # Errors
/// A rule cannot be judged with a limit's value.
pub fn compiled_rules(pipeline: &Pipeline, table: &Table, limits: &RuleLimits) -> Result<Vec<CompiledRule>> {
    let compiled = CompiledRule::of(pipeline, table, limits);
    compiled.map_err(|refusal| usage(format!("--limit: a rule of {}: {refusal}", table.name)))
}
