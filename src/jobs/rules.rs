//! `rules`: what is checked, why, and a row that would not pass.

use anyhow::Result;
use clap::{Arg, ArgAction, Command};
use serde_json::json;

use crate::jobs::Job;
use crate::tables::Pipeline;
use crate::validate::{ListedRule, all_rules, rules_of};

/// Rules that every table has, and that flags do not change: such rows cannot be written at all.
const EVERY_TABLE: &str = "\
every table
  not-in-postgres            reject  the row itself exists in PostgreSQL: what is not there must not be in the warehouse
  decode                     reject  the record is a change event whose columns fit the table; no value is wrapped, clamped or made up
  not-finite                 reject  a number is a number: NaN and Infinity cannot be summed
  toast-unavailable          reject  a long value that the change did not send is known from an earlier event
";

/// The job.
pub fn job(pipeline: &'static Pipeline) -> Job {
    super::tool(
        "rules",
        "List every rule: why it is there, and columns of a row that would break it",
        |command: Command| {
            command.arg(
                Arg::new("json")
                    .long("json")
                    .action(ArgAction::SetTrue)
                    .help("Only those that flags can change, as JSON"),
            )
        },
        move |matches| if matches.get_flag("json") { print_json(pipeline) } else { print_text(pipeline) },
    )
}

fn print_text(pipeline: &'static Pipeline) -> Result<()> {
    print!("{EVERY_TABLE}");
    for table in &pipeline.tables {
        let rules = rules_of(table);
        if let Some(first) = rules.first() {
            println!("\n{}", first.table);
        }
        for ListedRule { name, severity, why, example, .. } in rules {
            println!("  {name:<26} {:<7} {why}\n{:37}broken by {example}", severity.word(), "");
        }
    }
    println!("\nChange a severity with --rule NAME=reject, warn or off of an ingest job.");
    Ok(())
}

fn print_json(pipeline: &'static Pipeline) -> Result<()> {
    let mut listed = Vec::new();
    for ListedRule { table, name, severity, why, example, .. } in all_rules(pipeline) {
        listed.push(json!({"table": table, "rule": name, "severity": severity.word(), "why": why, "example": example}));
    }
    println!("{}", serde_json::to_string_pretty(&listed)?);
    Ok(())
}
