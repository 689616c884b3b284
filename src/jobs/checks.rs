//! Data-quality checks: `check-rules`, `check-integrity`, `check-freshness`, `check-volume`, `check-reconcile`, and `check-all`.
//! A check that says no is exit 10; one that could not be made is 75 (something is late) or 78 (a person must look).

mod check;
pub(crate) mod explain;
mod freshness;
mod integrity;
pub(crate) mod list;
mod reconcile;
mod rules;
mod volume;

use anyhow::Result;
use postgres::error::SqlState;
use strum::VariantArray;

use crate::checks::args::{self, CheckArgs, ReconcileArgs, Scope};
use crate::checks::checker::Checker;
use crate::checks::results::{CheckResult, CheckResults, CheckStatus};
use crate::checks::settings::Settings;
use crate::checks::slice::Slice;
use crate::cli::Call;
use crate::cli::Report;
use crate::cli::say::say;
use crate::exit::{Exit, told};
use crate::health::observe::settings::CHECK_ALL;
use crate::health::severity::Severity;
use crate::jobs::checks::check::Check;
use crate::jobs::{Job, Kind, restore_sigpipe, some_tables};
use crate::ledger::plain_run::PlainRun;
use crate::reconcile::mend;
use crate::tables::{Pipeline, Table};

/// The jobs.
pub fn jobs(pipeline: &'static Pipeline) -> Vec<Job> {
    let two_tables = some_tables(pipeline, 2);
    let example = |name: &str| format!("  {name}\n  {name}{two_tables}\n  {name} --scope new --wait 0s");
    let job = |check: Check| {
        let about = (check.job(), check.about(), example(check.job()));
        super::job(pipeline, about.0, about.1, &about.2, Kind::Check, move |call, args| run(call, &[check], args))
    };
    let table = some_tables(pipeline, 1);
    let reconcile = format!("  check-reconcile\n  check-reconcile{table} --wait 5m\n  check-reconcile{table} --repair");
    vec![
        super::job(pipeline, CHECK_ALL, "All checks", &example(CHECK_ALL), Kind::Check, |call, args| {
            run(call, Check::VARIANTS, args)
        }),
        job(Check::Freshness),
        job(Check::Volume),
        job(Check::Integrity),
        job(Check::Rules),
        super::job(pipeline, Check::Reconcile.job(), Check::Reconcile.about(), &reconcile, Kind::Check, run_reconcile),
    ]
}

fn run_reconcile(call: &Call<'_>, args: ReconcileArgs) -> Result<Report> {
    match args.plan || args.repair {
        true => mend::run(call, args),
        false => run(call, &[Check::Reconcile], args.check),
    }
}

fn run(call: &Call<'_>, checks: &[Check], args: CheckArgs) -> Result<Report> {
    let (job, pipeline) = (call.job, call.pipeline);
    let tables = pipeline.chosen(&args.table)?;
    if args.list || args.explain {
        restore_sigpipe();
    }
    if args.list {
        let jobs: Vec<&str> = checks.iter().map(|check| check.job()).collect();
        say!("{}", list::list(&jobs, &Settings::read(args.config.as_deref(), pipeline)?, &tables));
        return Ok(Report { exit: Exit::Done, fields: Default::default() });
    }
    if args.explain {
        explain::print(pipeline, checks, &args, &tables)?;
        return Ok(Report { exit: Exit::Done, fields: Default::default() });
    }
    let mut run = PlainRun::begin(job, name_of(job, &args), &args.clickhouse)?;
    match Checker::open(call, &mut run, args) {
        Ok(mut checker) => {
            let made = all(checks, &mut checker, &tables, &run);
            Ok(run.close(made))
        }
        Err(error) => Ok(run.close(Err(error))),
    }
}

/// What a run is called in the books: one that looks at what is new, or at some tables, says nothing of one that looks at everything.
fn name_of(job: &str, args: &CheckArgs) -> String {
    let scope = match args.scope {
        Scope::Full => String::new(),
        Scope::New | Scope::Recent => format!(" --scope {}", args.scope.name()),
    };
    let tables = if args.table.is_empty() { String::new() } else { format!(" --table {}", args.table.join(",")) };
    format!("{job}{scope}{tables}")
}

fn all(checks: &[Check], checker: &mut Checker<'_>, tables: &[&'static Table], run: &PlainRun) -> Result<Report> {
    let mut results = CheckResults::new(&checker.job, checker.args.scope.name(), run);
    for check in checks {
        for table in tables {
            if checker.stop.asked() {
                return Ok(Report { exit: Exit::Stopped, ..results.report() });
            }
            one(*check, checker, table, &mut results)?;
        }
    }
    Ok(results.report())
}

/// One check of one table. If it cannot be made, the others still are.
fn one(check: Check, checker: &mut Checker<'_>, table: &'static Table, results: &mut CheckResults) -> Result<()> {
    if checker.settings.severity(check.stands_for(), table) == Severity::Off {
        return Ok(());
    }
    let slice = match check {
        Check::Freshness => Slice::default(),
        _ => checker.slice(check.job(), table)?,
    };
    if let Err(error) = slice.news.is_whole() {
        for result in not_made(check, table, error)? {
            results.add(&checker.warehouse, result)?;
        }
    }
    let is_idle = match check {
        // A run that has written nothing is news for it, too.
        Check::Volume => slice.is_empty() && slice.news.windows == 0,
        _ => slice.is_empty(),
    };
    if is_idle {
        results.nothing_new += 1;
        // Windows without a row are taken up as well, or they would be looked at for ever.
        return checker.ack(check.job(), &results.run_id, table, &slice.news, &[], &[]);
    }
    let told = match (check, checker.args.scope) {
        (Check::Reconcile, args::Scope::Full) => mend::tell(checker, table, &results.run_id),
        _ => Ok(()),
    };
    let looked = told.and_then(|()| check.run(checker, table, &slice));
    let mut found = looked.or_else(|error| not_made(check, table, error))?;
    if let Some(first) = found.first_mut().filter(|_| check != Check::Volume) {
        first.detail += &slice.note(table);
    }
    let is_conclusive = found.iter().all(CheckResult::is_conclusive);
    let undecided: Vec<String> = found.iter().flat_map(|result| result.undecided.clone()).collect();
    let unfinished: Vec<String> = found.iter().flat_map(|result| result.unfinished.clone()).collect();
    for result in found {
        results.add(&checker.warehouse, result)?;
    }
    if is_conclusive && checker.args.scope == Scope::New {
        checker.ack(check.job(), &results.run_id, table, &slice.news, &undecided, &unfinished)?;
    }
    Ok(())
}

/// "I could not check" is never a "no".
fn not_made(check: Check, table: &Table, error: anyhow::Error) -> Result<Vec<CheckResult>> {
    let is_locked = |error: &postgres::Error| error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE);
    let locked = error.chain().any(|cause| cause.downcast_ref().is_some_and(is_locked));
    let mut result = CheckResult::new(check.stands_for(), table.name, "an answer");
    let is_misfit = |error: &postgres::Error| error.code().is_some_and(says_another_type);
    let misfit = error.chain().any(|cause| cause.downcast_ref().is_some_and(is_misfit));
    result.status = match Exit::of(&error) {
        Exit::TryAgain => CheckStatus::Inconclusive,
        Exit::NeedsPerson => CheckStatus::Error,
        _ if misfit => CheckStatus::Error,
        _ => return Err(error),
    };
    let hint = if locked { "the table is locked by somebody else (ALTER TABLE, TRUNCATE); try again: " } else { "" };
    result.detail = format!("{hint}{}", told(&error));
    Ok(vec![result])
}

/// A column is of another type than the pipeline's file says, or is not there: a value cannot be read (class 22), nobody knows how to
/// compare it.
fn says_another_type(state: &SqlState) -> bool {
    let others = [
        SqlState::UNDEFINED_FUNCTION,
        SqlState::UNDEFINED_COLUMN,
        SqlState::DATATYPE_MISMATCH,
        SqlState::CANNOT_COERCE,
    ];
    state.code().starts_with("22") || others.contains(state)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::observe::settings::CHECK_JOBS;

    #[test]
    fn observe_knows_every_job() {
        let jobs: Vec<&str> =
            std::iter::once(CHECK_ALL).chain(Check::VARIANTS.iter().map(|check| check.job())).collect();
        assert_eq!(jobs, CHECK_JOBS);
    }
}
