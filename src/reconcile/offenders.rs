//! Rows that break a check which both sides are asked: whose fault is it?
//!
//! What breaks it in the source is the source's; the pipeline has carried it faithfully, or holds it in quarantine. What breaks it in
//! the warehouse alone is the pipeline's, but only if a row that the check looks at really differs: those rows are compared as
//! check-reconcile does, so that a change on its way accuses nobody.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::Result;
use serde_json::{Value, json};

use crate::checks::checker::Checker;
use crate::checks::question::{Question, Row};
use crate::checks::results::{Failure, KEPT_FAILURES};
use crate::checks::statement::{MOST_OFFENDERS, Side};
use crate::exit::needs_person;
use crate::reconcile::difference::Difference;
use crate::rules::POSTGRES_SETTINGS;
use crate::source::{SnapshotTx, key_in, key_parts};
use crate::warehouse::{self, chunks};

/// Who broke it.
#[derive(Debug, Default)]
pub struct Answer {
    /// Rows that break it in the source, by key.
    pub in_source: BTreeMap<String, Row>,
    /// Rows that break it because the pipeline has written something else.
    pub by_pipeline: Vec<Failure>,
    /// Rows whose mended version lies in quarantine.
    pub held_back: Vec<String>,
    /// Rows of which it could not be told.
    pub undecided: Vec<String>,
    /// The stage that is behind.
    pub behind: Option<String>,
    /// The moment of the source's rows.
    pub fence: Value,
}

impl Checker<'_> {
    /// Asks both sides about all rows, or about those with these keys.
    ///
    /// # Errors
    /// A server is gone or refuses; more rows break the check than can be told apart (78).
    pub fn ask(&mut self, question: &Question, keys: Option<&[String]>) -> Result<Answer> {
        let (in_source, fence) = match question.asks_source() {
            true => self.offenders_in_source(question, keys)?,
            false => (BTreeMap::new(), Value::Null),
        };
        let mut suspects = self.offenders_in_warehouse(question, keys)?;
        suspects.retain(|key, _| !in_source.contains_key(key));
        let mut answer = Answer { in_source, fence, ..Answer::default() };
        if !suspects.is_empty() {
            self.confirm(question, suspects, &mut answer)?;
        }
        Ok(answer)
    }

    /// Which of the suspects has the pipeline to answer for?
    fn confirm(&mut self, question: &Question, suspects: BTreeMap<String, Row>, answer: &mut Answer) -> Result<()> {
        let (suspects, too_many): (Vec<_>, Vec<_>) =
            suspects.into_iter().enumerate().partition(|(i, _)| *i < KEPT_FAILURES);
        answer.undecided.extend(too_many.into_iter().map(|(_, (key, _))| key));
        let rows_of = |(key, row): &(String, Row)| -> Vec<(&'static str, String)> {
            [vec![(question.table.name, key.clone())], question.parents_of(row)].concat()
        };
        let suspects: Vec<(String, Row)> = suspects.into_iter().map(|(_, suspect)| suspect).collect();
        let verdicts = self.verdicts(question, suspects.iter().flat_map(rows_of).collect(), answer)?;
        let mut same = Vec::new();
        for suspect in &suspects {
            let of_rows: Vec<(&'static str, &Verdict)> =
                rows_of(suspect).into_iter().filter_map(|row| Some((row.0, verdicts.get(&row)?))).collect();
            let differing = of_rows.iter().find_map(|(table, verdict)| match verdict {
                Verdict::Differs(it) if *table != question.table.name || explains(it, question) => Some((table, it)),
                _ => None,
            });
            if let Some((table, difference)) = differing {
                answer.by_pipeline.push(failure(question, suspect, table, difference));
            } else if of_rows.iter().any(|(_, verdict)| matches!(verdict, Verdict::Undecided)) {
                answer.undecided.push(suspect.0.clone());
            } else if of_rows.iter().any(|(_, verdict)| matches!(verdict, Verdict::HeldBack)) {
                answer.held_back.push(suspect.0.clone());
            } else {
                same.push(suspect.0.clone());
            }
        }
        self.ask_again(question, same, answer)
    }

    /// Rows that are the same on both sides by now: either both are mended, or both are broken.
    fn ask_again(&mut self, question: &Question, keys: Vec<String>, answer: &mut Answer) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let (in_source, _) = self.offenders_in_source(question, Some(&keys))?;
        let in_warehouse = self.offenders_in_warehouse(question, Some(&keys))?;
        for key in keys.into_iter().filter(|key| !in_source.contains_key(key)) {
            match in_warehouse.get(&key) {
                // No comparison sees `_extra`. But nobody else writes these words: if the source does not have them, they came with an event.
                Some(row) if question.is_of_pipeline() => answer.by_pipeline.push(question.blame_pipeline(&key, row)),
                Some(_) => answer.undecided.push(key),
                None => {}
            }
        }
        answer.in_source.extend(in_source);
        Ok(())
    }

    /// Compares rows of several tables. Those that are the same have no verdict.
    fn verdicts(
        &mut self,
        question: &Question,
        rows: HashSet<(&'static str, String)>,
        answer: &mut Answer,
    ) -> Result<HashMap<(&'static str, String), Verdict>> {
        let mut verdicts = HashMap::new();
        for table in std::iter::once(question.table).chain(question.others(self.pipeline)) {
            let keys: Vec<String> =
                rows.iter().filter(|(name, _)| *name == table.name).map(|(_, key)| key.clone()).collect();
            let compared = self.compare(table, Some(&keys))?;
            answer.behind = answer.behind.take().or(compared.behind);
            let mut put = |key: String, verdict| verdicts.insert((table.name, key), verdict);
            compared.tally.undecided.into_iter().for_each(|key| drop(put(key, Verdict::Undecided)));
            compared.tally.named_only.into_iter().for_each(|key| drop(put(key, Verdict::Undecided)));
            compared.tally.held_back.into_iter().for_each(|key| drop(put(key, Verdict::HeldBack)));
            for difference in compared.tally.differing {
                put(difference.key.clone(), Verdict::Differs(Box::new(difference)));
            }
        }
        Ok(verdicts)
    }

    fn offenders_in_source(
        &mut self,
        question: &Question,
        keys: Option<&[String]>,
    ) -> Result<(BTreeMap<String, Row>, Value)> {
        let tables: Vec<_> = std::iter::once(question.table).chain(question.others(self.pipeline)).collect();
        let condition = keys.map_or("true".to_owned(), |_| key_in(&question.table.key));
        let sql = question.sql(Side::Source, &condition);
        let parts = keys.map_or(Vec::new(), |keys| key_parts(&question.table.key, keys));
        let mut found = BTreeMap::new();
        let mut snapshot_tx = SnapshotTx::take(self.source()?, &tables)?.with_settings(POSTGRES_SETTINGS)?;
        snapshot_tx.query(&sql, &parts, |json| question.put(&mut found, json))?;
        let snapshot = snapshot_tx.end()?;
        not_too_many(question, &found)?;
        Ok((found, json!({"lsn": snapshot.lsn})))
    }

    /// The rows that break it in the warehouse, by key.
    ///
    /// # Errors
    /// The server is gone or refuses; there are more than can be told apart (78).
    pub fn offenders_in_warehouse(
        &self,
        question: &Question,
        keys: Option<&[String]>,
    ) -> Result<BTreeMap<String, Row>> {
        let what = format!("asking {} for {}", question.table.target, question.check);
        let conditions: Vec<String> = match keys {
            None => vec!["true".to_owned()],
            Some(keys) => {
                let of_chunk = |chunk: &[String]| warehouse::key_in(&question.table.key, chunk);
                chunks::of_keys(keys, 1).into_iter().map(of_chunk).collect()
            }
        };
        let mut found = BTreeMap::new();
        for condition in conditions {
            let sql = question.sql(Side::Warehouse(&self.warehouse.db), &condition);
            let lines = self.warehouse.json_lines(&what, &sql)?;
            lines.lines().try_for_each(|line| question.put(&mut found, line))?;
        }
        not_too_many(question, &found)?;
        Ok(found)
    }
}

/// What is to be said of a row that is not the same on both sides.
enum Verdict {
    Differs(Box<Difference>),
    /// A newer event lies in quarantine.
    HeldBack,
    Undecided,
}

fn not_too_many(question: &Question, found: &BTreeMap<String, Row>) -> Result<()> {
    if found.len() <= MOST_OFFENDERS {
        return Ok(());
    }
    Err(needs_person(format!(
        "more than {MOST_OFFENDERS} rows of {} break {}: they have one cause; look at some of them (--explain prints the SQL)",
        question.table.name, question.check
    )))
}

/// Does the row's own difference have to do with what the check looks at, or is it in another column?
fn explains(difference: &Difference, question: &Question) -> bool {
    let is_asked_for = |column: &str| column.is_empty() || question.reads(column);
    difference.failures().iter().any(|failure| is_asked_for(&failure.column))
}

/// The failure of a row, by the row that differs: its own, or one that it points at.
fn failure(question: &Question, (key, row): &(String, Row), table: &str, difference: &Difference) -> Failure {
    let mut of_row = difference.failures();
    let at = of_row.iter().position(|failure| row.contains_key(&failure.column)).unwrap_or(0);
    let differs = if of_row.is_empty() { Failure::default() } else { of_row.swap_remove(at) };
    let blamed = question.blame_pipeline(key, row);
    if table == question.table.name {
        return Failure { row_key: blamed.row_key, detail: blamed.detail, ..differs };
    }
    let why = if differs.detail.is_empty() { "is another row in the warehouse" } else { &differs.detail };
    Failure { detail: format!("{}; {table} {:?}: {why}", blamed.detail, difference.key), ..blamed }
}
