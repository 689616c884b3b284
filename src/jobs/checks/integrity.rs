//! `check-integrity`: one live row per key, no placeholders, texts that must be there, and no row that points at nothing.

use anyhow::Result;

use crate::checks::catalogue::{NO_PLACEHOLDERS, ONE_LIVE_ROW, REFERENCES, REQUIRED_COLUMNS, SqlCheck};
use crate::checks::checker::Checker;
use crate::checks::results::{Finding, Status};
use crate::checks::severity::Severity;
use crate::checks::slice::Slice;
use crate::checks::statement;
use crate::reconcile::offenders::Question;
use crate::tables::{Pipeline, Table};

/// The questions about a table, in the order in which they are asked.
pub fn questions(pipeline: &'static Pipeline, table: &'static Table) -> Vec<Question<'static>> {
    let ask = |check: SqlCheck, file: String, says_source| Question { check: check.name, file, table, says_source };
    let mut questions = vec![
        ask(ONE_LIVE_ROW, ONE_LIVE_ROW.sql.to_owned(), false),
        ask(NO_PLACEHOLDERS, NO_PLACEHOLDERS.sql.to_owned(), true),
    ];
    if !statement::required(table).is_empty() {
        // A text that is empty in the source may be so.
        questions.push(ask(REQUIRED_COLUMNS, REQUIRED_COLUMNS.sql.to_owned(), false));
    }
    for reference in &table.references {
        let file = |parent| statement::for_pointer(REFERENCES.sql, table, reference.spec.columns[0].as_str(), parent);
        questions.extend(pipeline.table(reference.parent.name).map(|parent| ask(REFERENCES, file(parent), true)));
    }
    questions
}

/// Checks a table.
///
/// # Errors
/// A server is gone or refuses.
pub fn check(checker: &mut Checker<'_>, table: &'static Table, slice: &Slice) -> Result<Vec<Finding>> {
    let mut findings: Vec<Finding> = Vec::new();
    for question in questions(checker.pipeline, table) {
        if checker.settings.severity(question.check, table.name) == Severity::Off {
            continue;
        }
        let finding = match question.check == ONE_LIVE_ROW.name {
            true => several_rows(checker, &question, slice)?,
            false => checker.judge(&question, slice.keys.as_deref())?,
        };
        match findings.last_mut().filter(|last| last.check == finding.check) {
            // A table's pointers are one check.
            Some(last) => join(last, finding),
            None => findings.push(finding),
        }
    }
    Ok(findings)
}

/// The source has a primary key, so this is asked of the warehouse alone.
fn several_rows(checker: &Checker<'_>, question: &Question<'_>, slice: &Slice) -> Result<Finding> {
    let table = question.table;
    let found = checker.offenders_in_warehouse(question, slice.keys.as_deref())?;
    let mut finding = Finding::new(question.check, table.name, "0 keys with several live rows");
    finding.measured = found.len() as f64;
    finding.detail = "every key has one live row".to_owned();
    if !found.is_empty() {
        finding.status = Status::of_no(checker.settings.severity(question.check, table.name));
        finding.detail = format!(
            "{} keys have several live rows: is {} partitioned by something other than its key? (SHOW CREATE TABLE; migrate makes no such table)",
            found.len(),
            table.target
        );
        finding.failures = found.iter().map(|(key, shown)| question.blame_pipeline(key, shown)).collect();
    }
    Ok(finding)
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
