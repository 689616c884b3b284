//! From what both sides answer to a check to its result: whose fault it is.

use anyhow::Result;
use serde_json::Value;

use crate::checks::checker::Checker;
use crate::checks::results::{CheckResult, CheckStatus, Failure};
use crate::checks::sql_check::{OffenderRow, SqlCheck};
use crate::reconcile::offenders::Attribution;
use crate::tables::Table;
use crate::warehouse::newest_versions;

impl Checker<'_> {
    /// Asks both sides, and says whose fault it is.
    ///
    /// # Errors
    /// As [`Checker::ask`].
    pub fn attribute(&mut self, sql_check: &SqlCheck, keys: Option<&[String]>) -> Result<CheckResult> {
        let mut attribution = self.ask(sql_check, keys)?;
        if !sql_check.says_source() {
            attribution.in_source.clear();
        }
        let mut result =
            CheckResult::new(sql_check.name, sql_check.table.name, "0 rows that break it in the warehouse only");
        let severity = self.settings.severity(sql_check.name, sql_check.table);
        result.status = match &attribution {
            attribution if !attribution.by_pipeline.is_empty() => CheckStatus::of_failure(severity),
            attribution if self.is_inconclusive(attribution.undecided.len() as u64, attribution.behind.as_ref()) => {
                CheckStatus::Inconclusive
            }
            attribution if !attribution.in_source.is_empty() || !attribution.held_back.is_empty() => CheckStatus::Warn,
            _ => CheckStatus::Pass,
        };
        result.measured = attribution.by_pipeline.len() as f64;
        let of_source = self.source_failures(sql_check.table, &attribution)?;
        let in_quarantine = of_source.iter().filter(|failure| failure.detail == IN_QUARANTINE).count();
        result.detail = describe(&attribution, in_quarantine, sql_check.table);
        result.failures = [attribution.by_pipeline, of_source].concat();
        result.undecided = attribution.undecided;
        result.fence = attribution.fence;
        Ok(result)
    }

    /// The rows that break it in the source, each with where it is.
    fn source_failures(&self, table: &Table, attribution: &Attribution) -> Result<Vec<Failure>> {
        let keys: Vec<&str> = attribution.in_source.keys().map(String::as_str).collect();
        let written = newest_versions(&self.warehouse, table.target, &table.key, &keys)?;
        let quarantined = self.warehouse.newest_quarantined(&table.topic(&self.args.prefix.prefix), &keys)?;
        let is_held_back = |key: &str| quarantined.get(key).is_some_and(|newest| Some(newest) > written.get(key));
        let failure = |(key, row): (&String, &OffenderRow)| Failure {
            owner: "source".to_owned(),
            row_key: key.clone(),
            detail: if is_held_back(key) { IN_QUARANTINE } else { "not in quarantine" }.to_owned(),
            source_value: Some(Value::Object(row.clone()).to_string()),
            ..Failure::default()
        };
        Ok(attribution.in_source.iter().map(failure).collect())
    }
}

const IN_QUARANTINE: &str = "in quarantine";

fn describe(attribution: &Attribution, in_quarantine: usize, table: &Table) -> String {
    let mut said = Vec::new();
    if !attribution.by_pipeline.is_empty() {
        said.push(format!("{} rows break it in the warehouse and not in the source", attribution.by_pipeline.len()));
    }
    if !attribution.in_source.is_empty() {
        said.push(format!(
            "{} rows break it in the source ({in_quarantine} of them in quarantine)",
            attribution.in_source.len()
        ));
    }
    if !attribution.held_back.is_empty() {
        let list = format!("lockstep rejected --table {}", table.name);
        said.push(format!(
            "{} rows break it because what mends them lies in quarantine ({list})",
            attribution.held_back.len()
        ));
    }
    if !attribution.undecided.is_empty() {
        let some: Vec<&str> = attribution.undecided.iter().take(5).map(String::as_str).collect();
        said.push(format!("{} rows are undecided, such as {}", attribution.undecided.len(), some.join(", ")));
    }
    if let Some(stage) = &attribution.behind {
        said.push(stage.clone());
    }
    if said.is_empty() { "no row breaks it".to_owned() } else { said.join("; ") }
}
