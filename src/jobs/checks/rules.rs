//! `check-rules`: the business rules, in the source and in the warehouse.

use anyhow::Result;

use crate::checks::checker::Checker;
use crate::checks::results::CheckResult;
use crate::checks::settings::Settings;
use crate::checks::slice::Slice;
use crate::checks::sql_check::SqlCheck;
use crate::health::severity::Severity;
use crate::tables::{Pipeline, RuleLimits, Table};
use crate::validate::compiled_rules;

/// What is asked about a table: its rules that are not off, except for those that only the moment of the change can tell.
///
/// # Errors
/// A rule cannot be judged with a limit's value.
pub fn sql_checks(
    pipeline: &Pipeline,
    table: &'static Table,
    limits: &RuleLimits,
    settings: &Settings,
) -> Result<Vec<SqlCheck>> {
    let rules = compiled_rules(pipeline, table, limits)?.into_iter();
    let checked = rules.filter(|rule| rule.unchanged.is_empty());
    let on = checked.filter(|rule| settings.severity(rule.name(), table) != Severity::Off);
    Ok(on.map(|rule| SqlCheck::rule(table, rule)).collect())
}

/// Checks a table.
///
/// # Errors
/// A server is gone or refuses.
pub fn check(checker: &mut Checker<'_>, table: &'static Table, slice: &Slice) -> Result<Vec<CheckResult>> {
    let sql_checks = sql_checks(checker.pipeline, table, &checker.limits, &checker.settings)?;
    sql_checks.iter().map(|sql_check| checker.attribute(sql_check, slice.keys.as_deref())).collect()
}
