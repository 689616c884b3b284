//! `check-volume`: is a run's number of records like that of the runs before it? Silent until there are enough of them.

use anyhow::Result;
use clickhouse::Row;
use serde::Deserialize;

use crate::jobs::checks::args::{CheckArgs, Scope};
use crate::jobs::checks::catalogue::VOLUME;
use crate::jobs::checks::checker::Checker;
use crate::jobs::checks::results::{Failure, Finding, Status};
use crate::jobs::checks::settings::{Settings, Volume};
use crate::tables::TableFacts;
use crate::warehouse::quote;

#[derive(Row, Deserialize)]
struct Unusual {
    run_id: String,
    closed_at: String,
    records: u64,
    median: f64,
    tolerated: f64,
}

/// The statement, for the runs that a scope looks at: an old unusual run is no news, so `full` is the last day.
pub fn statement(args: &CheckArgs, settings: &Settings, consumer: &str, table: &TableFacts) -> String {
    let Volume { fewest_runs, most_runs, deviations, tolerance } = settings.volume;
    let ops = &args.clickhouse.clickhouse_ops_db;
    let is_judged = match args.scope {
        Scope::New => format!("token NOT IN (SELECT token FROM {ops}.consumed WHERE consumer = {})", quote(consumer)),
        Scope::Recent | Scope::Full => "closed_at > now() - INTERVAL 1 DAY".to_owned(),
    };
    VOLUME
        .sql
        .trim_end()
        .replace("northwind_ops", ops)
        .replace("{is_judged}", &is_judged)
        .replace("{job}", &table.ingest_job())
        .replace("{most_runs}", &most_runs.to_string())
        .replace("{fewest_runs}", &fewest_runs.to_string())
        .replace("{deviations}", &format!("{deviations:?}"))
        .replace("{tolerance}", &tolerance.to_string())
}

/// Checks a table.
///
/// # Errors
/// The warehouse is gone or refuses.
pub fn check(checker: &Checker<'_>, consumer: &str, table: &TableFacts) -> Result<Vec<Finding>> {
    let sql = format!(
        "SELECT run_id, closed_at, records, toFloat64(median) AS median, toFloat64(tolerated) AS tolerated FROM ({})",
        statement(&checker.args, &checker.settings, consumer, table)
    );
    let unusual: Vec<Unusual> = checker.warehouse.rows("looking for unusual runs", &sql)?;
    let mut finding = Finding::new(VOLUME.name, table.source, "0 unusual runs");
    finding.measured = unusual.len() as f64;
    finding.detail = "no unusual run".to_owned();
    if !unusual.is_empty() {
        finding.status = Status::of_no(checker.settings.severity(VOLUME.name, table.source));
        finding.detail = format!("{} unusual runs of {}", unusual.len(), table.ingest_job());
        finding.failures = unusual.iter().map(failure).collect();
    }
    Ok(vec![finding])
}

fn failure(run: &Unusual) -> Failure {
    let Unusual { run_id, closed_at, records, median, tolerated } = run;
    Failure {
        owner: "source".to_owned(),
        row_key: run_id.clone(),
        detail: format!(
            "{records} records at {closed_at} UTC, where the runs before it had {median} in the median (± {tolerated:.0})"
        ),
        ..Failure::default()
    }
}
