//! `rules`: what is checked, why, and a row that would not pass; and what each of the three judges makes of a rule's text.

use anyhow::Result;
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::json;

use crate::checks::sql_check::SqlCheck;
use crate::exit::usage;
use crate::jobs::Job;
use crate::jobs::checks::explain;
use crate::tables::{CompiledRule, Pipeline, Table};
use crate::validate::{ListedRule, compiled_rules, rules_of};

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
        "List every rule: what has to hold, why, and columns of a row that would break it",
        flags,
        move |matches| run(pipeline, matches),
    )
}

fn flags(command: Command) -> Command {
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue);
    let table = Arg::new("table").long("table").value_name("TABLE").action(ArgAction::Append);
    let explain = Arg::new("explain").long("explain").value_name("NAME").conflicts_with("json");
    command
        .arg(json.help("Only those that flags can change, as JSON"))
        .arg(table.help("Only of this table, by its name in the source; may be repeated [default: all]"))
        .arg(explain.help(
            "Print the rule's text, and who breaks it as PostgreSQL and ClickHouse are asked; NAME or TABLE.NAME",
        ))
}

fn run(pipeline: &'static Pipeline, matches: &ArgMatches) -> Result<()> {
    let named: Vec<String> = matches.get_many("table").unwrap_or_default().cloned().collect();
    let tables = pipeline.chosen(&named)?;
    match matches.get_one::<String>("explain") {
        Some(name) => print_explained(pipeline, &tables, name),
        None if matches.get_flag("json") => print_json(&tables),
        None => {
            print_text(&tables);
            Ok(())
        }
    }
}

fn print_text(tables: &[&'static Table]) {
    print!("{EVERY_TABLE}");
    for table in tables {
        let rules = rules_of(table);
        if let Some(first) = rules.first() {
            println!("\n{}", first.table);
        }
        for ListedRule { name, severity, why, example, expect, .. } in rules {
            println!("  {name:<26} {:<7} {why}", severity.word());
            if let Some(expect) = expect {
                println!("{:37}{expect}", "");
            }
            println!("{:37}broken by {example}", "");
        }
    }
    println!(
        "\nChange a severity with --rule NAME=reject, warn or off of an ingest job. `rules --explain NAME` prints a rule's SQL."
    );
}

fn print_json(tables: &[&'static Table]) -> Result<()> {
    let rules = tables.iter().flat_map(|table| rules_of(table));
    let listed = rules.map(|ListedRule { table, name, severity, why, example, expect }| {
        json!({
            "table": table, "rule": name, "severity": severity.word(), "why": why, "expect": expect, "example": example,
        })
    });
    println!("{}", serde_json::to_string_pretty(&listed.collect::<Vec<_>>())?);
    Ok(())
}

fn print_explained(pipeline: &'static Pipeline, tables: &[&'static Table], name: &str) -> Result<()> {
    let of_tables = tables.iter().flat_map(|table| rules_of(table).into_iter().map(move |rule| (*table, rule)));
    let meant: Vec<_> = of_tables.filter(|(_, rule)| rule.is_called(name)).collect();
    if meant.is_empty() {
        return Err(usage(format!("--explain {name}: no rule has this name; `lockstep rules` lists them")));
    }
    let database = pipeline.spec.warehouse.database.as_str();
    for (table, rule) in meant {
        println!("-- As it is read");
        if let Some(reference) = table.references.iter().find(|reference| reference.rule == rule.name) {
            println!("the row that it references exists\n");
            print!("{}", explain::both(&SqlCheck::orphans(table, reference), database));
        }
        let compiled = compiled_rules(pipeline, table, &pipeline.limits())?.into_iter();
        for compiled in compiled.filter(|compiled| compiled.name() == rule.name) {
            println!("{}\n", as_read(&compiled));
            print!("{}", explain::both(&SqlCheck::rule(table, compiled), database));
        }
    }
    Ok(())
}

/// The rule's text, with the values of its limits.
fn as_read(rule: &CompiledRule) -> String {
    let expect = rule.spec.expect.as_str();
    let with_limits =
        if rule.expected == expect { String::new() } else { format!("\n-- with its limits: {}", rule.expected) };
    let unchanged = if rule.unchanged.is_empty() { "" } else { UNCHANGED };
    format!("{expect}{with_limits}{unchanged}")
}

/// Of a rule that only the moment of the change can tell.
const UNCHANGED: &str =
    "\n-- judged at ingest only, while the other row has not changed since the event: check-rules leaves it out";
