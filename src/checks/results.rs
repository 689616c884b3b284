//! What checks found: one result a check and table, with its failures as evidence; stored, shown, and judged as an exit code.

use anyhow::Result;
use chrono::Utc;
use clickhouse::Row;
use serde::Serialize;
use serde_json::{Map, Value, json};
use strum::IntoStaticStr;

use crate::cli::Report;
use crate::cli::clock::Clock;
use crate::cli::say::sayln;
use crate::exit::Exit;
use crate::health::severity::Severity;
use crate::ledger::plain_run::PlainRun;
use crate::ledger::run_rows;
use crate::warehouse::Warehouse;

/// Failures that are kept of one result; the rest is counted.
pub const KEPT_FAILURES: usize = 1_000;
/// Failures of one result that are printed.
const SHOWN_FAILURES: usize = 10;
/// Results in the summary, which has to stay one short line: those that are no pass.
const SUMMARISED: usize = 20;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum CheckStatus {
    /// All is well.
    Pass,
    /// Something is wrong, and somebody else has to mend it, or knows already.
    Warn,
    /// It could not be checked: something is late.
    Inconclusive,
    /// It could not be checked: a person must look.
    Error,
    /// It is wrong.
    Fail,
}

impl CheckStatus {
    /// As it is stored.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Of a check that says no.
    pub fn of_failure(severity: Severity) -> CheckStatus {
        if severity == Severity::Fail { CheckStatus::Fail } else { CheckStatus::Warn }
    }

    fn exit(self) -> Exit {
        match self {
            CheckStatus::Pass | CheckStatus::Warn => Exit::Done,
            CheckStatus::Inconclusive => Exit::TryAgain,
            CheckStatus::Error => Exit::NeedsPerson,
            CheckStatus::Fail => Exit::CheckFailed,
        }
    }
}

/// A row that a check says no to.
#[derive(Debug, Clone, Default, Row, Serialize)]
#[allow(missing_docs)]
pub struct Failure {
    pub run_id: String,
    pub check_name: String,
    pub table: String,
    /// `source` or `pipeline`: whose fault it is.
    pub owner: String,
    pub row_key: String,
    pub column: String,
    pub source_value: Option<String>,
    pub warehouse_value: Option<String>,
    /// Where the row's last event stands.
    pub partition: Option<i32>,
    pub offset: Option<i64>,
    pub detail: String,
    pub found_at: i64,
}

/// One check of one table.
#[derive(Debug, Clone)]
pub struct CheckResult {
    /// The check.
    pub check: &'static str,
    /// Source table.
    pub table: &'static str,
    /// How it ended.
    pub status: CheckStatus,
    /// What was counted.
    pub measured: f64,
    /// What would pass.
    pub expected: String,
    /// In one sentence.
    pub detail: String,
    /// The moment it is about.
    pub fence: Value,
    /// The evidence, as far as it is kept.
    pub failures: Vec<Failure>,
    /// Keys that could not be decided, as far as they are remembered.
    pub undecided: Vec<String>,
    /// Runs that have not ended yet, so that nothing can be said of them.
    pub unfinished: Vec<String>,
    /// Columns that were not compared, each with the reason.
    pub not_compared: Vec<String>,
}

impl CheckResult {
    /// A check that has found nothing wrong yet.
    pub fn new(check: &'static str, table: &'static str, expected: impl Into<String>) -> CheckResult {
        CheckResult {
            check,
            table,
            status: CheckStatus::Pass,
            measured: 0.0,
            expected: expected.into(),
            detail: String::new(),
            fence: Value::Null,
            failures: Vec::new(),
            undecided: Vec::new(),
            unfinished: Vec::new(),
            not_compared: Vec::new(),
        }
    }

    /// Could it be checked?
    pub fn is_conclusive(&self) -> bool {
        !matches!(self.status, CheckStatus::Inconclusive | CheckStatus::Error)
    }
}

#[derive(Row, Serialize)]
struct ResultRow<'a> {
    run_id: &'a str,
    job: &'a str,
    check_name: &'a str,
    table: &'a str,
    scope: &'a str,
    status: &'a str,
    measured: f64,
    expected: &'a str,
    detail: &'a str,
    fence: String,
    dag_run_id: String,
    started_at: i64,
    finished_at: i64,
}

/// The results of a run.
pub struct CheckResults {
    job: String,
    /// The run's id.
    pub run_id: String,
    scope: &'static str,
    started: Clock,
    results: Vec<CheckResult>,
    /// Tables of which a check had nothing new to look at.
    pub nothing_new: u64,
}

impl CheckResults {
    /// Of a job's run that looks at a scope.
    pub fn new(job: &str, scope: &'static str, run: &PlainRun) -> CheckResults {
        let (run_id, started) = (run.id.clone(), run.started);
        CheckResults { job: job.to_owned(), run_id, scope, started, results: Vec::new(), nothing_new: 0 }
    }

    /// Stores a result and shows it.
    ///
    /// # Errors
    /// The warehouse is gone or refuses.
    pub fn add(&mut self, warehouse: &Warehouse, mut result: CheckResult) -> Result<()> {
        let now_ms = Utc::now().timestamp_millis();
        result.failures.truncate(KEPT_FAILURES);
        for failure in &mut result.failures {
            failure.run_id.clone_from(&self.run_id);
            failure.check_name = result.check.to_owned();
            failure.table = result.table.to_owned();
            failure.found_at = now_ms;
        }
        let token = format!("{}/{}/{}", self.run_id, result.check, result.table);
        if !result.failures.is_empty() {
            warehouse.insert::<Failure>(&warehouse.ops, "check_failures", &token, result.failures.iter())?;
        }
        let row = ResultRow {
            run_id: &self.run_id,
            job: &self.job,
            check_name: result.check,
            table: result.table,
            scope: self.scope,
            status: result.status.name(),
            measured: result.measured,
            expected: &result.expected,
            detail: &result.detail,
            fence: result.fence.to_string(),
            dag_run_id: std::env::var("AIRFLOW_CTX_DAG_RUN_ID").unwrap_or_default(),
            started_at: self.started.started_ms(),
            finished_at: now_ms,
        };
        warehouse.insert::<ResultRow<'static>>(&warehouse.ops, "check_results", &token, [row].iter())?;
        self.show(&warehouse.ops, &result);
        self.results.push(result);
        Ok(())
    }

    fn show(&self, ops: &str, result: &CheckResult) {
        sayln!("{:<23} {:<22} {:<12} {}", result.check, result.table, result.status.name(), result.detail);
        for failure in result.failures.iter().take(SHOWN_FAILURES) {
            sayln!("    {}", describe(failure));
        }
        if result.failures.len() > SHOWN_FAILURES {
            let sql = format!("SELECT * FROM {ops}.check_failures WHERE run_id = '{}'", self.run_id);
            sayln!("    … {} more: {sql} AND table = '{}'", result.failures.len() - SHOWN_FAILURES, result.table);
        }
    }

    /// The run's report: the worst status decides.
    pub fn report(self) -> Report {
        let worst = self.results.iter().map(|result| result.status).max().unwrap_or(CheckStatus::Pass);
        let count = |status: CheckStatus| self.results.iter().filter(|result| result.status == status).count();
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        put("run", json!(self.run_id));
        put("scope", json!(self.scope));
        put("result", json!(worst.name()));
        for status in [CheckStatus::Pass, CheckStatus::Warn, CheckStatus::Inconclusive, CheckStatus::Fail] {
            put(status.name(), json!(count(status)));
        }
        put("errors", json!(count(CheckStatus::Error)));
        put("nothing_new", json!(self.nothing_new));
        put("undecided", json!(self.results.iter().map(|result| result.undecided.len()).sum::<usize>()));
        let not_compared = |result: &CheckResult| -> Vec<String> {
            result.not_compared.iter().map(|column| format!("{}.{column}", result.table)).collect()
        };
        let not_compared: Vec<String> = self.results.iter().flat_map(not_compared).collect();
        if !not_compared.is_empty() {
            put("not_compared", json!(not_compared));
        }
        let mut telling: Vec<&CheckResult> = self.results.iter().filter(|f| f.status != CheckStatus::Pass).collect();
        telling.sort_by_key(|result| std::cmp::Reverse(result.status));
        put("findings", telling.iter().take(SUMMARISED).map(|result| result.summary()).collect());
        run_rows::describe_resources(self.started, &mut put);
        if let Some(first) = telling.first().filter(|first| first.status > CheckStatus::Warn) {
            put(
                "error",
                json!(format!("{} of {}: {}: {}", first.check, first.table, first.status.name(), first.detail)),
            );
        }
        Report { exit: worst.exit(), fields }
    }
}

impl CheckResult {
    fn summary(&self) -> Value {
        json!({
            "check": self.check, "table": self.table, "status": self.status.name(), "measured": self.measured,
            "expected": self.expected, "detail": self.detail.chars().take(200).collect::<String>(),
        })
    }
}

fn describe(failure: &Failure) -> String {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
    let place = match (failure.partition, failure.offset) {
        (Some(partition), Some(offset)) => format!(" (last event: partition {partition}, offset {offset})"),
        _ => String::new(),
    };
    let column = if failure.column.is_empty() { String::new() } else { format!(", {}", failure.column) };
    let values = match (&failure.source_value, &failure.warehouse_value) {
        (None, None) => String::new(),
        (source, warehouse) => format!(": {} in the source, {} in the warehouse", value(source), value(warehouse)),
    };
    let detail = if failure.detail.is_empty() { String::new() } else { format!(": {}", failure.detail) };
    format!("{}: key {:?}{column}{values}{detail}{place}", failure.owner, failure.row_key)
}
