//! Which checks there are. A check that is SQL is one file that returns the offending rows; the file's name is the check's.

use crate::tables::Pipeline;

/// A check that is SQL, for both sides.
#[derive(Debug, Clone, Copy)]
pub struct SqlCheck {
    /// Its name.
    pub name: &'static str,
    /// Its file.
    pub sql: &'static str,
}

impl SqlCheck {
    /// What it looks for: the file's first comment.
    pub fn about(&self) -> &'static str {
        self.sql.lines().next().unwrap_or_default().trim_start_matches("-- ")
    }
}

/// A business rule of a table.
#[derive(Debug, Clone, Copy)]
pub struct RuleCheck {
    /// Source table.
    pub table: &'static str,
    /// How it is asked for.
    pub check: SqlCheck,
}

macro_rules! rule_checks {
    ($($table:literal: $($rule:literal)*;)*) => {
        /// The business rules, except for those that only the moment of the change can tell, and for "what it points at exists",
        /// which is an integrity check.
        pub const RULES: &[RuleCheck] = &[$($(RuleCheck {
            table: $table,
            check: SqlCheck { name: $rule, sql: include_str!(concat!("rules/", $table, "/", $rule, ".sql")) },
        },)*)*];
    };
}
rule_checks! {
    "employees": "manager-not-self" "hired-after-birth";
    "products": "unit-price-not-negative" "inventory-not-negative";
    "orders": "required-after-order" "shipped-after-order" "freight-not-negative";
    "order_details": "quantity-positive" "unit-price-not-negative" "discount-limit" "open-line-discontinued" "open-line-inventory";
}

macro_rules! sql_check {
    ($folder:literal, $name:literal) => {
        SqlCheck { name: $name, sql: include_str!(concat!($folder, $name, ".sql")) }
    };
}

/// Rows that point at nothing.
pub const REFERENCES: SqlCheck = sql_check!("integrity/", "references");
/// Keys with several rows.
pub const ONE_LIVE_ROW: SqlCheck = sql_check!("integrity/", "one-live-row-per-key");
/// Debezium's placeholder.
pub const NO_PLACEHOLDERS: SqlCheck = sql_check!("integrity/", "no-placeholders");
/// Texts that must not be empty.
pub const REQUIRED_COLUMNS: SqlCheck = sql_check!("integrity/", "required-columns");
/// Unusual runs.
pub const VOLUME: SqlCheck = sql_check!("", "volume");

/// What the checks are called that are no SQL file, and what they look for.
const COMPARISONS: [(&str, &str, &str); 2] = [
    ("check-freshness", "freshness", "Changes of the source that have not come to the warehouse for too long."),
    ("check-reconcile", "reconcile", "Rows that are not the same in source and warehouse."),
];

/// Is there a check of this name, alone or behind the name of a table?
pub fn is_name(pipeline: &Pipeline, name: &str) -> bool {
    let (table, check) = name.split_once('.').unzip();
    let is_table = table.is_none_or(|table| pipeline.table(table).is_some());
    is_table && names().contains(&check.unwrap_or(name))
}

/// The names of all checks.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = listed().iter().map(|(_, name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Job, name and purpose of every check.
pub(crate) fn listed() -> Vec<(&'static str, &'static str, &'static str)> {
    let integrity = [ONE_LIVE_ROW, NO_PLACEHOLDERS, REQUIRED_COLUMNS, REFERENCES];
    let of = |job: &'static str| move |check: SqlCheck| (job, check.name, check.about());
    let mut listed: Vec<_> = COMPARISONS[..1].to_vec();
    listed.push(of("check-volume")(VOLUME));
    listed.extend(integrity.into_iter().map(of("check-integrity")));
    listed.extend(RULES.iter().map(|rule| of("check-rules")(rule.check)));
    listed.extend(&COMPARISONS[1..]);
    listed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_begins_with_what_it_looks_for() {
        for (_, name, about) in listed() {
            assert!(about.ends_with('.') && !about.contains("SELECT"), "{name}: {about}");
        }
    }

    #[test]
    fn names_may_stand_behind_a_table() {
        assert!(
            is_name(Pipeline::embedded(), "discount-limit")
                && is_name(Pipeline::embedded(), "order_details.discount-limit")
                && is_name(Pipeline::embedded(), "reconcile")
        );
        assert!(
            !is_name(Pipeline::embedded(), "orders.nothing")
                && !is_name(Pipeline::embedded(), "nowhere.reconcile")
                && !is_name(Pipeline::embedded(), "orders")
        );
    }
}
