//! `check-integrity`: one live row per key, no placeholders, texts that must be there, no row that points at nothing, and what the source's
//! CHECK constraints say.

use anyhow::Result;

use crate::checks::catalogue::{CONSTRAINTS, ONE_LIVE_ROW};
use crate::checks::checker::Checker;
use crate::checks::sql_check::SqlCheck;
use crate::checks::results::{Finding, Status};
use crate::checks::slice::Slice;
use crate::health::severity::Severity;
use crate::source;
use crate::tables::{Table, read_constraint};

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
pub fn check(checker: &mut Checker<'_>, table: &'static Table, slice: &Slice) -> Result<Vec<Finding>> {
    let mut findings: Vec<Finding> = Vec::new();
    for sql_check in sql_checks(table) {
        if checker.settings.severity(sql_check.name, table) == Severity::Off {
            continue;
        }
        let finding = match sql_check.name == ONE_LIVE_ROW {
            true => several_rows(checker, &sql_check, slice)?,
            false => checker.judge(&sql_check, slice.keys.as_deref())?,
        };
        match findings.last_mut().filter(|last| last.check == finding.check) {
            // A table's pointers are one check.
            Some(last) => join(last, finding),
            None => findings.push(finding),
        }
    }
    if checker.settings.severity(CONSTRAINTS, table) != Severity::Off {
        findings.extend(constraints(checker, table, slice)?);
    }
    Ok(findings)
}

/// The source has a primary key, so this is asked of the warehouse alone.
fn several_rows(checker: &Checker<'_>, sql_check: &SqlCheck, slice: &Slice) -> Result<Finding> {
    let table = sql_check.table;
    let found = checker.offenders_in_warehouse(sql_check, slice.keys.as_deref())?;
    let mut finding = Finding::new(sql_check.name, table.name, "0 keys with several live rows");
    finding.measured = found.len() as f64;
    finding.detail = "every key has one live row".to_owned();
    if !found.is_empty() {
        finding.status = Status::of_no(checker.settings.severity(sql_check.name, table));
        finding.detail = format!(
            "{} keys have several live rows: is {} partitioned by something other than its key? (SHOW CREATE TABLE; migrate makes no such table)",
            found.len(),
            table.target
        );
        finding.failures = found.iter().map(|(key, row)| sql_check.blame_pipeline(key, row)).collect();
    }
    Ok(finding)
}

/// What the source's constraints say of the warehouse's rows: one finding, if there are any. Those that cannot be read are named, each with
/// the reason.
fn constraints(checker: &mut Checker<'_>, table: &'static Table, slice: &Slice) -> Result<Option<Finding>> {
    let constraints = source::constraints(checker.source()?, &table.relation)?;
    if constraints.is_empty() {
        return Ok(None);
    }
    let mut finding = Finding::new(CONSTRAINTS, table.name, "0 rows of which a CHECK of the source is false");
    let mut unread = Vec::new();
    for constraint in &constraints {
        match read_constraint(table, constraint) {
            Ok(rule) => {
                let sql_check = SqlCheck::constraint(table, constraint.shown(), rule);
                join(&mut finding, checker.judge(&sql_check, slice.keys.as_deref())?);
            }
            Err(why) => unread.push(format!("{}: {why}", constraint.shown())),
        }
    }
    let read = constraints.len() - unread.len();
    finding.detail =
        [format!("{read} of {} CHECK constraints looked at", constraints.len()), finding.detail].join("; ");
    if !unread.is_empty() {
        finding.detail += &format!("; not looked at: {}", unread.join("; "));
    }
    finding.not_compared = unread;
    Ok(Some(finding))
}

fn join(one: &mut Finding, other: Finding) {
    if one.status == Status::Pass && one.undecided.is_empty() {
        one.detail = other.detail;
    } else if other.status != Status::Pass || !other.undecided.is_empty() {
        one.detail = format!("{}; {}", one.detail, other.detail);
    }
    one.status = one.status.max(other.status);
    one.measured += other.measured;
    one.failures.extend(other.failures);
    one.undecided.extend(other.undecided);
}
