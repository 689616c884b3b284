//! `check-integrity`: one live row per key, no placeholders, texts that must be there, no row that points at nothing, and what the source's
//! CHECK constraints say.

use anyhow::Result;

use crate::checks::catalogue::{CONSTRAINTS, ONE_LIVE_ROW};
use crate::checks::checker::Checker;
use crate::checks::question::Question;
use crate::checks::results::{Finding, Status};
use crate::checks::slice::Slice;
use crate::health::severity::Severity;
use crate::source;
use crate::tables::{Table, read_constraint};

/// The questions about a table, in the order in which they are asked.
pub fn questions(table: &'static Table) -> Vec<Question> {
    let mut questions = vec![Question::several_rows(table), Question::placeholders(table)];
    questions.extend(Question::empty_texts(table));
    questions.extend(table.references.iter().map(|reference| Question::orphans(table, reference)));
    questions
}

/// Checks a table.
///
/// # Errors
/// A server is gone or refuses.
pub fn check(checker: &mut Checker<'_>, table: &'static Table, slice: &Slice) -> Result<Vec<Finding>> {
    let mut findings: Vec<Finding> = Vec::new();
    for question in questions(table) {
        if checker.settings.severity(question.check, table) == Severity::Off {
            continue;
        }
        let finding = match question.check == ONE_LIVE_ROW {
            true => several_rows(checker, &question, slice)?,
            false => judge(checker, &question, slice)?,
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
fn several_rows(checker: &Checker<'_>, question: &Question, slice: &Slice) -> Result<Finding> {
    let table = question.table;
    let found = checker.offenders_in_warehouse(question, slice.keys.as_deref())?;
    let mut finding = Finding::new(question.check, table.name, "0 keys with several live rows");
    finding.measured = found.len() as f64;
    finding.detail = "every key has one live row".to_owned();
    if !found.is_empty() {
        finding.status = Status::of_no(checker.settings.severity(question.check, table));
        finding.detail = format!(
            "{} keys have several live rows: is {} partitioned by something other than its key? (SHOW CREATE TABLE; migrate makes no such table)",
            found.len(),
            table.target
        );
        finding.failures = found.iter().map(|(key, row)| question.blame_pipeline(key, row)).collect();
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
                let question = Question::constraint(table, constraint.shown(), rule);
                join(&mut finding, judge(checker, &question, slice)?);
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

/// One of several questions that are one check says which one it is, unless all is well.
fn judge(checker: &mut Checker<'_>, question: &Question, slice: &Slice) -> Result<Finding> {
    let mut finding = checker.judge(question, slice.keys.as_deref())?;
    if let Some(part) = question.part().filter(|_| !is_quiet(&finding)) {
        finding.detail = format!("{part}: {}", finding.detail);
    }
    Ok(finding)
}

fn is_quiet(finding: &Finding) -> bool {
    finding.status == Status::Pass && finding.undecided.is_empty()
}

fn join(one: &mut Finding, other: Finding) {
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
