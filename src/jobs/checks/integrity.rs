//! `check-integrity`: one live row per key, no placeholders, texts that must be there, no row that references nothing, and what the source's
//! CHECK constraints say.

use anyhow::Result;

use crate::checks::catalogue::{CONSTRAINTS, ONE_LIVE_ROW};
use crate::checks::checker::Checker;
use crate::checks::constraint::read_constraint;
use crate::checks::results::{CheckResult, CheckStatus};
use crate::checks::slice::Slice;
use crate::checks::sql_check::SqlCheck;
use crate::health::severity::Severity;
use crate::source;
use crate::tables::Table;

/// What is asked about a table, in that order.
pub fn sql_checks(table: &'static Table) -> Vec<SqlCheck> {
    let mut sql_checks = vec![SqlCheck::several_rows(table), SqlCheck::placeholders(table)];
    sql_checks.extend(SqlCheck::empty_texts(table));
    sql_checks.extend(table.references.iter().map(|reference| SqlCheck::orphans(table, reference)));
    sql_checks
}

/// Checks a table.
///
/// # Errors
/// A server is gone or refuses.
pub fn check(checker: &mut Checker<'_>, table: &'static Table, slice: &Slice) -> Result<Vec<CheckResult>> {
    let mut results: Vec<CheckResult> = Vec::new();
    for sql_check in sql_checks(table) {
        if checker.settings.severity(sql_check.name, table) == Severity::Off {
            continue;
        }
        let result = match sql_check.name == ONE_LIVE_ROW {
            true => several_rows(checker, &sql_check, slice)?,
            false => attributed(checker, &sql_check, slice)?,
        };
        match results.last_mut().filter(|last| last.check == result.check) {
            // A table's references are one check.
            Some(last) => join(last, result),
            None => results.push(result),
        }
    }
    if checker.settings.severity(CONSTRAINTS, table) != Severity::Off {
        results.extend(constraints(checker, table, slice)?);
    }
    Ok(results)
}

/// The source has a primary key, so this is asked of the warehouse alone.
fn several_rows(checker: &Checker<'_>, sql_check: &SqlCheck, slice: &Slice) -> Result<CheckResult> {
    let table = sql_check.table;
    let found = checker.offenders_in_warehouse(sql_check, slice.keys.as_deref())?;
    let mut result = CheckResult::new(sql_check.name, table.name, "0 keys with several live rows");
    result.measured = found.len() as f64;
    result.detail = "every key has one live row".to_owned();
    if !found.is_empty() {
        result.status = CheckStatus::of_failure(checker.settings.severity(sql_check.name, table));
        result.detail = format!(
            "{} keys have several live rows: is {} partitioned by something other than its key? (SHOW CREATE TABLE; migrate makes no such table)",
            found.len(),
            table.target
        );
        result.failures = found.iter().map(|(key, row)| sql_check.blame_pipeline(key, row)).collect();
    }
    Ok(result)
}

/// What the source's constraints say of the warehouse's rows: one result, if there are any. Those that cannot be read are named, each with
/// the reason.
fn constraints(checker: &mut Checker<'_>, table: &'static Table, slice: &Slice) -> Result<Option<CheckResult>> {
    let constraints = source::constraints(checker.source()?, &table.relation)?;
    if constraints.is_empty() {
        return Ok(None);
    }
    let mut result = CheckResult::new(CONSTRAINTS, table.name, "0 rows of which a CHECK of the source is false");
    let mut unread = Vec::new();
    for constraint in &constraints {
        match read_constraint(table, constraint) {
            Ok(rule) => {
                let sql_check = SqlCheck::constraint(table, constraint.shown(), rule);
                join(&mut result, attributed(checker, &sql_check, slice)?);
            }
            Err(why) => unread.push(format!("{}: {why}", constraint.shown())),
        }
    }
    let read = constraints.len() - unread.len();
    result.detail = [format!("{read} of {} CHECK constraints looked at", constraints.len()), result.detail].join("; ");
    if !unread.is_empty() {
        result.detail += &format!("; not looked at: {}", unread.join("; "));
    }
    result.not_compared = unread;
    Ok(Some(result))
}

/// One of several questions that are one check says which one it is, unless all is well.
fn attributed(checker: &mut Checker<'_>, sql_check: &SqlCheck, slice: &Slice) -> Result<CheckResult> {
    let mut result = checker.attribute(sql_check, slice.keys.as_deref())?;
    if let Some(part) = sql_check.part().filter(|_| !is_quiet(&result)) {
        result.detail = format!("{part}: {}", result.detail);
    }
    Ok(result)
}

fn is_quiet(result: &CheckResult) -> bool {
    result.status == CheckStatus::Pass && result.undecided.is_empty()
}

fn join(one: &mut CheckResult, other: CheckResult) {
    if is_quiet(one) {
        one.detail = other.detail;
    } else if !is_quiet(&other) {
        one.detail = format!("{}; {}", one.detail, other.detail);
    }
    one.status = one.status.max(other.status);
    one.measured += other.measured;
    one.failures.extend(other.failures);
    one.undecided.extend(other.undecided);
}
