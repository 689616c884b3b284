//! Which checks there are: those that every table has, and the business rules of the pipeline.

use crate::tables::{Pipeline, Table};

/// Unusual runs.
pub const VOLUME: &str = "volume";
/// Keys with several rows.
pub const ONE_LIVE_ROW: &str = "one-live-row-per-key";
/// Debezium's placeholder.
pub const NO_PLACEHOLDERS: &str = "no-placeholders";
/// Texts that must not be empty.
pub const REQUIRED_COLUMNS: &str = "required-columns";
/// Rows that reference nothing.
pub const REFERENCES: &str = "references";
/// CHECK constraints of the source.
pub const CONSTRAINTS: &str = "source-constraints";

/// A check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// The job that makes it.
    pub job: &'static str,
    /// Its name.
    pub name: &'static str,
    /// The table, if it is the check of one table: a rule.
    pub table: Option<&'static str>,
    /// What it looks for; of a rule, why it matters.
    pub about: &'static str,
}

/// The checks that every table has, before and behind the rules.
const OF_EVERY_TABLE: [(&str, &str, &str); 7] = [
    ("check-freshness", "freshness", "Changes of the source that have not come to the warehouse for too long."),
    (
        "check-volume",
        VOLUME,
        "Runs that read far more, or far fewer, records than the runs of the same job before them.",
    ),
    ("check-integrity", ONE_LIVE_ROW, "Keys that have more than one live row."),
    (
        "check-integrity",
        NO_PLACEHOLDERS,
        "Rows with the words that Debezium sends instead of a long value which a change did not touch.",
    ),
    (
        "check-integrity",
        REQUIRED_COLUMNS,
        "Rows in which a text that must be there is empty, as it is when it was never written.",
    ),
    ("check-integrity", REFERENCES, "Rows that reference a row which is not there."),
    ("check-integrity", CONSTRAINTS, "Rows of which a CHECK of the source is false, which the source does not let in."),
];
const RECONCILE: (&str, &str, &str) =
    ("check-reconcile", "reconcile", "Rows that are not the same in source and warehouse.");

/// The checks of these tables.
pub fn listed(tables: &[&'static Table]) -> Vec<Listed> {
    let of_every_table = |(job, name, about)| Listed { job, name, table: None, about };
    let of_table = |table: &&'static Table| {
        let table: &'static Table = table;
        // The others are told by the moment of the change only.
        let rules = table.spec.rules.iter().filter(|rule| rule.unchanged.is_empty());
        rules.map(|rule| Listed {
            job: "check-rules",
            name: rule.name.as_str(),
            table: Some(table.name),
            about: &rule.why,
        })
    };
    let mut listed: Vec<Listed> = OF_EVERY_TABLE.map(of_every_table).to_vec();
    listed.extend(tables.iter().flat_map(of_table));
    listed.push(of_every_table(RECONCILE));
    listed
}

fn all(pipeline: &'static Pipeline) -> Vec<Listed> {
    listed(&pipeline.tables.iter().collect::<Vec<_>>())
}

/// Is there a check of this name, alone or behind the name of a table?
pub fn is_name(pipeline: &'static Pipeline, name: &str) -> bool {
    let (table, check) = name.split_once('.').map_or((None, name), |(table, check)| (Some(table), check));
    let is_table = table.is_none_or(|table| pipeline.table(table).is_some());
    let is_meant =
        |listed: &Listed| listed.name == check && (table.is_none() || listed.table.is_none_or(|of| Some(of) == table));
    is_table && all(pipeline).iter().any(is_meant)
}

/// The names of all checks.
pub fn names(pipeline: &'static Pipeline) -> Vec<&'static str> {
    let mut names: Vec<&str> = all(pipeline).iter().map(|listed| listed.name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_stand_behind_a_table() {
        let is_name = |name| is_name(Pipeline::embedded(), name);
        assert!(is_name("discount-limit") && is_name("order_details.discount-limit") && is_name("orders.reconcile"));
        assert!(!is_name("orders.nothing") && !is_name("nowhere.reconcile") && !is_name("orders"));
        assert!(!is_name("orders.discount-limit"), "a rule is of its table");
        assert!(!is_name("list-price"), "the moment of the change is gone");
    }

    #[test]
    fn rules_of_the_same_name_are_told_apart_by_their_table() {
        let listed = all(Pipeline::embedded());
        let prices: Vec<_> = listed.iter().filter(|listed| listed.name == "unit-price-not-negative").collect();
        assert_eq!(
            prices.iter().map(|listed| listed.table).collect::<Vec<_>>(),
            [Some("products"), Some("order_details")]
        );
    }
}
