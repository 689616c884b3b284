//! From the answer to a question that both sides were asked to a finding.

use anyhow::Result;
use serde_json::Value;

use crate::checks::checker::Checker;
use crate::checks::question::{Question, Row};
use crate::checks::results::{Failure, Finding, Status};
use crate::reconcile::offenders::Answer;
use crate::tables::Table;
use crate::warehouse::newest_versions;

impl Checker<'_> {
    /// Asks both sides, and judges.
    ///
    /// # Errors
    /// As [`Checker::ask`].
    pub fn judge(&mut self, question: &Question, keys: Option<&[String]>) -> Result<Finding> {
        let mut answer = self.ask(question, keys)?;
        if !question.says_source() {
            answer.in_source.clear();
        }
        let mut finding =
            Finding::new(question.check, question.table.name, "0 rows that break it in the warehouse only");
        let severity = self.settings.severity(question.check, question.table);
        finding.status = match &answer {
            answer if !answer.by_pipeline.is_empty() => Status::of_no(severity),
            answer if self.is_inconclusive(answer.undecided.len() as u64, answer.behind.as_ref()) => {
                Status::Inconclusive
            }
            answer if !answer.in_source.is_empty() || !answer.held_back.is_empty() => Status::Warn,
            _ => Status::Pass,
        };
        finding.measured = answer.by_pipeline.len() as f64;
        let of_source = self.source_failures(question.table, &answer)?;
        let in_quarantine = of_source.iter().filter(|failure| failure.detail == IN_QUARANTINE).count();
        finding.detail = describe(&answer, in_quarantine, question.table);
        finding.failures = [answer.by_pipeline, of_source].concat();
        finding.undecided = answer.undecided;
        finding.fence = answer.fence;
        Ok(finding)
    }

    /// The rows that break it in the source, each with where it is.
    fn source_failures(&self, table: &Table, answer: &Answer) -> Result<Vec<Failure>> {
        let keys: Vec<&str> = answer.in_source.keys().map(String::as_str).collect();
        let written = newest_versions(&self.warehouse, table.target, &table.key, &keys)?;
        let quarantined = self.warehouse.newest_quarantined(&table.topic(&self.args.prefix.prefix), &keys)?;
        let is_held_back = |key: &str| quarantined.get(key).is_some_and(|newest| Some(newest) > written.get(key));
        let failure = |(key, row): (&String, &Row)| Failure {
            owner: "source".to_owned(),
            row_key: key.clone(),
            detail: if is_held_back(key) { IN_QUARANTINE } else { "not in quarantine" }.to_owned(),
            source_value: Some(Value::Object(row.clone()).to_string()),
            ..Failure::default()
        };
        Ok(answer.in_source.iter().map(failure).collect())
    }
}

const IN_QUARANTINE: &str = "in quarantine";

fn describe(answer: &Answer, in_quarantine: usize, table: &Table) -> String {
    let mut said = Vec::new();
    if !answer.by_pipeline.is_empty() {
        said.push(format!("{} rows break it in the warehouse and not in the source", answer.by_pipeline.len()));
    }
    if !answer.in_source.is_empty() {
        said.push(format!(
            "{} rows break it in the source ({in_quarantine} of them in quarantine)",
            answer.in_source.len()
        ));
    }
    if !answer.held_back.is_empty() {
        let list = format!("lockstep rejected --table {}", table.name);
        said.push(format!(
            "{} rows break it because what mends them lies in quarantine ({list})",
            answer.held_back.len()
        ));
    }
    if !answer.undecided.is_empty() {
        let some: Vec<&str> = answer.undecided.iter().take(5).map(String::as_str).collect();
        said.push(format!("{} rows are undecided, such as {}", answer.undecided.len(), some.join(", ")));
    }
    if let Some(stage) = &answer.behind {
        said.push(stage.clone());
    }
    if said.is_empty() { "no row breaks it".to_owned() } else { said.join("; ") }
}
