//! `rules`: what is checked, why, and a row that would not pass.

use clap::Command;

use crate::for_each_table;
use crate::jobs::Job;
use crate::validate::{ListedRule, rules_of};

/// Rules that every table has, and that flags do not change: such rows cannot be written at all.
const EVERY_TABLE: &str = "\
every table
  not-in-postgres            reject  the row itself exists in PostgreSQL: what is not there must not be in the warehouse
  decode                     reject  the record is a change event whose columns fit the table, no value wrapped, clamped or defaulted
  not-finite                 reject  a number is a number: NaN and Infinity cannot be summed
  toast-unavailable          reject  a long value that the change did not send is known from an earlier event
";

/// The job.
pub fn job() -> Job {
    super::tool(
        "rules",
        "List every rule: why it is there, and columns of a row that would break it",
        |command: Command| command,
        |_| {
            print!("{EVERY_TABLE}");
            for rules in by_table() {
                if let Some(first) = rules.first() {
                    println!("\n{}", first.table);
                }
                for rule in rules {
                    println!(
                        "  {:<26} {:<7} {}\n{:37}broken by {}",
                        rule.name,
                        rule.severity.name(),
                        rule.why,
                        "",
                        rule.example
                    );
                }
            }
            println!("\nChange a severity with --rule NAME=reject or --rule NAME=warn of an ingest job.");
            Ok(())
        },
    )
}

macro_rules! by_table {
    ($($Table:ident,)*) => {
        fn by_table() -> Vec<Vec<ListedRule>> {
            vec![$(rules_of::<crate::tables::$Table>()),*]
        }
    };
}
for_each_table!(by_table);
