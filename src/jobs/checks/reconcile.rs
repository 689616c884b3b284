//! `check-reconcile`: is the warehouse what the source is? Exact while both move.

use anyhow::Result;

use crate::checks::args::Scope;
use crate::checks::checker::Checker;
use crate::checks::results::{CheckResult, CheckStatus, Failure};
use crate::checks::slice::Slice;
use crate::reconcile::rounds::Compared;
use crate::reconcile::tally::Tally;
use crate::source;
use crate::tables::Table;

/// The check's name.
pub const NAME: &str = "reconcile";

/// Checks a table.
///
/// # Errors
/// A server is gone or refuses.
pub fn check(checker: &mut Checker<'_>, table: &Table, slice: &Slice) -> Result<Vec<CheckResult>> {
    let compared = checker.compare(table, slice.keys.as_deref())?;
    let tally = &compared.tally;
    let is_empty = tally.rows == (0, 0) && tally.open() == 0 && checker.args.scope == Scope::Full;
    if is_empty && !checker.args.allow_empty && !has_rows(checker)? {
        return Ok(vec![nothing_at_all(checker, table, compared)]);
    }
    Ok(vec![result_of(checker, table, compared)])
}

/// Has any table of the pipeline a row in the source? Then it is the right database, and a table that is empty is.
fn has_rows(checker: &mut Checker<'_>) -> Result<bool> {
    let relations: Vec<&str> = checker.pipeline.tables.iter().map(|table| table.relation.as_str()).collect();
    source::has_rows(checker.source()?, &relations)
}

fn nothing_at_all(checker: &Checker<'_>, table: &Table, compared: Compared) -> CheckResult {
    let db = &checker.args.postgres.postgres_db;
    let mut result = CheckResult::new(NAME, table.name, "0 differing keys");
    result.fence = compared.fence;
    result.status = CheckStatus::Error;
    result.detail = format!(
        "both sides are empty, and so is every other table: is database {db} the right one? (--allow-empty if it is)"
    );
    result
}

/// What the comparison of a table means.
fn result_of(checker: &Checker<'_>, table: &Table, compared: Compared) -> CheckResult {
    let Compared { tally, fence, behind, not_compared, slices, .. } = compared;
    let mut result = CheckResult::new(NAME, table.name, "0 differing keys");
    result.measured = tally.different as f64;
    result.fence = fence;
    result.failures = tally.differing.iter().flat_map(|difference| difference.failures()).collect();
    result.failures.extend(tally.named_only.iter().map(|key| named_only(key)));
    result.failures.extend(tally.held_back.iter().map(|key| held_back(key)));
    result.detail = describe(&tally, table);
    if slices > 1 {
        result.detail += &format!(", in {slices} slices");
    }
    if !not_compared.is_empty() {
        result.detail += &format!("; not compared: {}", not_compared.join("; "));
    }
    let is_open = checker.is_inconclusive(tally.open(), behind.as_ref());
    result.status = match (tally.different, tally.quarantined) {
        (1.., _) => CheckStatus::of_failure(checker.settings.severity(NAME, table)),
        _ if is_open => CheckStatus::Inconclusive,
        (0, 1..) => CheckStatus::Warn,
        (0, 0) => CheckStatus::Pass,
    };
    if let Some(stage) = behind {
        result.detail = format!("{stage} ({})", result.detail);
    }
    result.undecided = tally.undecided;
    result.not_compared = not_compared;
    result
}

/// One of more rows, or longer ones, than a run keeps.
fn named_only(key: &str) -> Failure {
    let detail = "differs; its row was not kept beside the others".to_owned();
    Failure { owner: "pipeline".to_owned(), row_key: key.to_owned(), detail, ..Failure::default() }
}

/// Everybody knows already; the key is named all the same.
fn held_back(key: &str) -> Failure {
    let detail = "a newer event of this key lies in quarantine".to_owned();
    Failure { owner: "source".to_owned(), row_key: key.to_owned(), detail, ..Failure::default() }
}

fn describe(tally: &Tally, table: &Table) -> String {
    let (source, warehouse) = tally.rows;
    let mut detail = format!(
        "{source} rows in the source, {warehouse} in the warehouse: {} the same, {} different",
        tally.same, tally.different
    );
    if tally.kept > 0 {
        detail += &format!(", {} kept, whose partition the source has dropped or detached", tally.kept);
    }
    if tally.quarantined > 0 {
        let list = format!("lockstep rejected --table {}", table.name);
        detail += &format!(", {} in quarantine ({list})", tally.quarantined);
    }
    if tally.open() > 0 {
        let some: Vec<&str> = tally.undecided.iter().take(5).map(String::as_str).collect();
        detail += &format!(", {} undecided, being changed or on their way (such as {})", tally.open(), some.join(", "));
    }
    for (column, count) in &tally.misfits {
        detail +=
            &format!(", {count} values of {column} that the warehouse cannot hold (NULL there, and as sent in _extra)");
    }
    detail
}
