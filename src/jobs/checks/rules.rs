//! `check-rules`: the business rules, in the source and in the warehouse.

use anyhow::Result;

use crate::checks::catalogue::{RULES, SqlCheck};
use crate::checks::checker::Checker;
use crate::checks::results::Finding;
use crate::checks::severity::Severity;
use crate::checks::slice::Slice;
use crate::reconcile::offenders::Question;
use crate::tables::Table;

/// The questions about a table.
pub fn questions(table: &'static Table) -> Vec<Question<'static>> {
    let of_table = RULES.iter().filter(|rule| rule.table == table.name);
    let question =
        |check: SqlCheck| Question { check: check.name, file: check.sql.to_owned(), table, says_source: true };
    of_table.map(|rule| question(rule.check)).collect()
}

/// Checks a table.
///
/// # Errors
/// A server is gone or refuses.
pub fn check(checker: &mut Checker<'_>, table: &'static Table, slice: &Slice) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for question in questions(table) {
        if checker.settings.severity(question.check, table.name) != Severity::Off {
            findings.push(checker.judge(&question, slice.keys.as_deref())?);
        }
    }
    Ok(findings)
}
