//! `check-volume`: is a run's number of records like that of the runs before it? Silent until there are enough of them.

use anyhow::Result;
use clickhouse::Row;
use serde::Deserialize;

use crate::checks::args::{CheckArgs, Scope};
use crate::checks::catalogue::VOLUME;
use crate::checks::checker::Checker;
use crate::checks::results::{CheckResult, CheckStatus, Failure};
use crate::checks::settings::{Settings, Volume};
use crate::checks::slice::Slice;
use crate::pipeline::fill;
use crate::tables::Table;
use crate::warehouse::quote;

/// Unusual runs.
const SQL: &str = include_str!("volume.sql");
/// Runs that are judged at a time, at most: about those of a day.
const MOST_JUDGED: u32 = 1_000;

#[derive(Row, Deserialize)]
struct Unusual {
    run_id: String,
    started: String,
    records: u64,
    median: f64,
    tolerated: f64,
}

#[derive(Row, Deserialize)]
struct RunId {
    run_id: String,
}

/// The statement, for the runs that a scope looks at: an old unusual run is no news, so `full` is the last day.
///
/// # Errors
/// Its text has an unknown placeholder.
pub fn statement(args: &CheckArgs, settings: &Settings, table: &Table, new_runs: &[String]) -> Result<String> {
    let Volume { fewest_runs, most_runs, deviations, tolerance } = settings.volume;
    let looked_at = most_runs + MOST_JUDGED;
    // A run is judged beside those before it: so many before the first one that is judged.
    let (is_judged, is_before, before) = match args.scope {
        Scope::New => (format!("run_id IN ({})", list(new_runs)), "1", looked_at),
        Scope::Recent | Scope::Full => {
            ("started_at > now() - INTERVAL 1 DAY".to_owned(), "started_at <= now() - INTERVAL 1 DAY", most_runs)
        }
    };
    let values = [
        ("ops", args.clickhouse.clickhouse_ops_db.as_str()),
        ("is_judged", &is_judged),
        ("job", &table.ingest_job()),
        ("is_before", is_before),
        ("before", &before.to_string()),
        ("looked_at", &looked_at.to_string()),
        ("most_runs", &most_runs.to_string()),
        ("fewest_runs", &fewest_runs.to_string()),
        ("deviations", &format!("{deviations:?}")),
        ("tolerance", &tolerance.to_string()),
    ];
    fill(SQL.trim_end(), &values)
}

/// Checks a table.
///
/// # Errors
/// The warehouse is gone or refuses.
pub fn check(checker: &Checker<'_>, table: &Table, slice: &Slice) -> Result<Vec<CheckResult>> {
    // Older ones would be judged without the runs before them.
    let new_runs = slice.news.last_runs();
    let sql = format!(
        "SELECT run_id, started, records, toFloat64(median) AS median, toFloat64(tolerated) AS tolerated FROM ({})",
        statement(&checker.args, &checker.settings, table, &new_runs)?
    );
    // First, so that a run which ends meanwhile is judged twice rather than never.
    let unfinished = unfinished(checker, table, &new_runs)?;
    let unusual: Vec<Unusual> = checker.warehouse.rows("looking for unusual runs", &sql)?;
    let mut result = CheckResult::new(VOLUME, table.name, "0 unusual runs");
    result.measured = unusual.len() as f64;
    result.detail = "no unusual run".to_owned();
    result.unfinished = unfinished;
    if !unusual.is_empty() {
        result.status = CheckStatus::of_failure(checker.settings.severity(VOLUME, table));
        result.detail = format!("{} unusual runs of {}", unusual.len(), table.ingest_job());
        result.failures = unusual.iter().map(failure).collect();
    }
    Ok(vec![result])
}

/// A run's numbers are known when it has ended. One that was killed is marked as lost some day, or its row expires.
fn unfinished(checker: &Checker<'_>, table: &Table, runs: &[String]) -> Result<Vec<String>> {
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT run_id FROM {ops}.runs FINAL
         WHERE status = 'running' AND (job, started_at, run_id) IN
         (
             SELECT job, started_at, run_id FROM {ops}.runs WHERE job = {} AND status = 'running' AND run_id IN ({})
         )",
        quote(&table.ingest_job()),
        list(runs),
        ops = checker.warehouse.ops,
    );
    let running: Vec<RunId> = checker.warehouse.rows("looking for runs that have not ended", &sql)?;
    Ok(running.into_iter().map(|row| row.run_id).collect())
}

/// For an IN, which may not be empty.
fn list(runs: &[String]) -> String {
    if runs.is_empty() { "''".to_owned() } else { runs.iter().map(|run| quote(run)).collect::<Vec<_>>().join(", ") }
}

fn failure(run: &Unusual) -> Failure {
    let Unusual { run_id, started, records, median, tolerated } = run;
    Failure {
        owner: "source".to_owned(),
        row_key: run_id.clone(),
        detail: format!(
            "{records} records in the run of {started} UTC, where the runs before it had {median} in the median (± {tolerated:.0})"
        ),
        ..Failure::default()
    }
}
