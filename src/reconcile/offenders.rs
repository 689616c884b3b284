//! Rows that break a check which both sides are asked: whose fault is it?
//!
//! What breaks it in the source is the source's; the pipeline has carried it faithfully, or holds it in quarantine. What breaks it in
//! the warehouse alone is the pipeline's, but only if a row that the check looks at really differs: those rows are compared as
//! check-reconcile does, so that a change on its way accuses nobody.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::checks::catalogue::NO_PLACEHOLDERS;
use crate::checks::checker::Checker;
use crate::checks::results::{Failure, KEPT_FAILURES};
use crate::checks::statement::{self, MOST_OFFENDERS, Side};
use crate::exit::needs_person;
use crate::reconcile::difference::Difference;
use crate::source::{Moment, key_in, key_parts};
use crate::tables::{Pipeline, Reference, Table};
use crate::warehouse::{self, chunks};

/// A check, and the table that it is about.
pub struct Question<'t> {
    /// The check.
    pub check: &'static str,
    /// Its file, for this table.
    pub file: String,
    /// The table.
    pub table: &'t Table,
    /// Is it worth saying that rows break it in the source?
    pub says_source: bool,
}

/// The columns that the check's file shows of a row that breaks it.
pub type Shown = Map<String, Value>;

/// Who broke it.
#[derive(Debug, Default)]
pub struct Answer {
    /// Rows that break it in the source, by key.
    pub in_source: BTreeMap<String, Shown>,
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

impl Question<'_> {
    /// What the source is asked.
    pub fn in_source(&self, checker: &Checker<'_>, condition: &str) -> String {
        statement::fill(checker.pipeline, &self.file, self.table, &checker.settings.rules, Side::Source, condition)
    }

    /// What the warehouse is asked.
    pub fn in_warehouse(&self, checker: &Checker<'_>, condition: &str) -> String {
        let side = Side::Warehouse(&checker.warehouse.db);
        statement::fill(checker.pipeline, &self.file, self.table, &checker.settings.rules, side, condition)
    }

    /// A failure of the pipeline, of which no more is known than the row.
    pub fn blame_pipeline(&self, key: &str, shown: &Shown) -> Failure {
        let detail = format!("breaks {} with {}", self.check, Value::Object(shown.clone()));
        Failure { owner: "pipeline".to_owned(), row_key: key.to_owned(), detail, ..Failure::default() }
    }

    /// The rows of other tables that the check looks at, besides this one.
    fn parents(&self, pipeline: &'static Pipeline, shown: &Shown) -> Vec<(&'static str, String)> {
        let others = statement::others(pipeline, &self.file);
        let key = |pointer: &Reference| match shown.get(pointer.spec.columns[0].as_str())? {
            Value::String(text) => Some((pointer.parent.name, text.clone())),
            Value::Null => None,
            other => Some((pointer.parent.name, other.to_string())),
        };
        let looked_at = |pointer: &&Reference| others.iter().any(|table| table.name == pointer.parent.name);
        self.table.references.iter().filter(looked_at).filter_map(key).collect()
    }
}

impl Checker<'_> {
    /// Asks both sides about all rows, or about those with these keys.
    ///
    /// # Errors
    /// A server is gone or refuses; more rows break the check than can be told apart (78).
    pub fn ask(&mut self, question: &Question<'_>, keys: Option<&[String]>) -> Result<Answer> {
        let (in_source, fence) = self.offenders_in_source(question, keys)?;
        let mut suspects = self.offenders_in_warehouse(question, keys)?;
        suspects.retain(|key, _| !in_source.contains_key(key));
        let mut answer = Answer { in_source, fence, ..Answer::default() };
        if !suspects.is_empty() {
            self.confirm(question, suspects, &mut answer)?;
        }
        Ok(answer)
    }

    /// Which of the suspects has the pipeline to answer for?
    fn confirm(
        &mut self,
        question: &Question<'_>,
        suspects: BTreeMap<String, Shown>,
        answer: &mut Answer,
    ) -> Result<()> {
        let (suspects, too_many): (Vec<_>, Vec<_>) =
            suspects.into_iter().enumerate().partition(|(i, _)| *i < KEPT_FAILURES);
        answer.undecided.extend(too_many.into_iter().map(|(_, (key, _))| key));
        let pipeline = self.pipeline;
        let rows_of = |(key, shown): &(String, Shown)| -> Vec<(&'static str, String)> {
            [vec![(question.table.name, key.clone())], question.parents(pipeline, shown)].concat()
        };
        let suspects: Vec<(String, Shown)> = suspects.into_iter().map(|(_, suspect)| suspect).collect();
        let verdicts = self.verdicts(question, suspects.iter().flat_map(rows_of).collect(), answer)?;
        let statement = question.in_warehouse(self, "true");
        let mut same = Vec::new();
        for suspect in &suspects {
            let of_rows: Vec<(&'static str, &Verdict)> =
                rows_of(suspect).into_iter().filter_map(|row| Some((row.0, verdicts.get(&row)?))).collect();
            let differing = of_rows.iter().find_map(|(table, verdict)| match verdict {
                Verdict::Differs(it) if *table != question.table.name || explains(it, &statement) => Some((table, it)),
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
    fn ask_again(&mut self, question: &Question<'_>, keys: Vec<String>, answer: &mut Answer) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let (in_source, _) = self.offenders_in_source(question, Some(&keys))?;
        let in_warehouse = self.offenders_in_warehouse(question, Some(&keys))?;
        for key in keys.into_iter().filter(|key| !in_source.contains_key(key)) {
            match in_warehouse.get(&key) {
                // No comparison sees `_extra`. But nobody else writes these words: if the source does not have them, they came with an event.
                Some(shown) if question.check == NO_PLACEHOLDERS.name => {
                    answer.by_pipeline.push(question.blame_pipeline(&key, shown));
                }
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
        question: &Question<'_>,
        rows: HashSet<(&'static str, String)>,
        answer: &mut Answer,
    ) -> Result<HashMap<(&'static str, String), Verdict>> {
        let mut verdicts = HashMap::new();
        let others = statement::others(self.pipeline, &question.file);
        let others = others.iter().filter(|other| other.name != question.table.name);
        for table in std::iter::once(question.table).chain(others.copied()) {
            let keys: Vec<String> =
                rows.iter().filter(|(name, _)| *name == table.name).map(|(_, key)| key.clone()).collect();
            let compared = self.compare(table, Some(&keys))?;
            answer.behind = answer.behind.take().or(compared.behind);
            let mut put = |key: String, verdict| verdicts.insert((table.name, key), verdict);
            compared.tally.undecided.into_iter().for_each(|key| drop(put(key, Verdict::Undecided)));
            compared.tally.held_back.into_iter().for_each(|key| drop(put(key, Verdict::HeldBack)));
            for difference in compared.tally.differing {
                put(difference.key.clone(), Verdict::Differs(Box::new(difference)));
            }
        }
        Ok(verdicts)
    }

    fn offenders_in_source(
        &mut self,
        question: &Question<'_>,
        keys: Option<&[String]>,
    ) -> Result<(BTreeMap<String, Shown>, Value)> {
        let mut tables = vec![question.table];
        tables.extend(statement::others(self.pipeline, &question.file));
        let condition = keys.map_or("true".to_owned(), |_| key_in(&question.table.key));
        let sql = question.in_source(self, &condition);
        let parts = keys.map_or(Vec::new(), |keys| key_parts(&question.table.key, keys));
        let mut found = BTreeMap::new();
        let mut moment = Moment::take(self.source()?, &tables)?;
        moment.query(&sql, &parts, |json| put(&mut found, question, json))?;
        let snapshot = moment.end()?;
        not_too_many(question, &found)?;
        Ok((found, json!({"lsn": snapshot.lsn})))
    }

    /// The rows that break it in the warehouse, by key.
    ///
    /// # Errors
    /// The server is gone or refuses; there are more than can be told apart (78).
    pub fn offenders_in_warehouse(
        &self,
        question: &Question<'_>,
        keys: Option<&[String]>,
    ) -> Result<BTreeMap<String, Shown>> {
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
            let sql = question.in_warehouse(self, &condition);
            let lines = self.warehouse.json_lines(&what, &format!("{sql}\n{}", warehouse::PLAIN_NUMBERS))?;
            lines.lines().try_for_each(|line| put(&mut found, question, line))?;
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

fn put(found: &mut BTreeMap<String, Shown>, question: &Question<'_>, json: &str) -> Result<()> {
    found.insert(question.table.schema.key_in(json)?, serde_json::from_str(json)?);
    Ok(())
}

fn not_too_many(question: &Question<'_>, found: &BTreeMap<String, Shown>) -> Result<()> {
    if found.len() <= MOST_OFFENDERS {
        return Ok(());
    }
    Err(needs_person(format!(
        "more than {MOST_OFFENDERS} rows of {} break {}: they have one cause; look at some of them (--explain prints the SQL)",
        question.table.name, question.check
    )))
}

/// Does the row's own difference have to do with what the check looks at, or is it in another column?
fn explains(difference: &Difference, statement: &str) -> bool {
    let is_asked_for = |column: &str| column.is_empty() || statement::names(statement, column);
    difference.failures().iter().any(|failure| is_asked_for(&failure.column))
}

/// The failure of a row, by the row that differs: its own, or one that it points at.
fn failure(question: &Question<'_>, (key, shown): &(String, Shown), table: &str, difference: &Difference) -> Failure {
    let mut of_row = difference.failures();
    let at = of_row.iter().position(|failure| shown.contains_key(&failure.column)).unwrap_or(0);
    let differs = if of_row.is_empty() { Failure::default() } else { of_row.swap_remove(at) };
    let blamed = question.blame_pipeline(key, shown);
    if table == question.table.name {
        return Failure { row_key: blamed.row_key, detail: blamed.detail, ..differs };
    }
    let why = if differs.detail.is_empty() { "is another row in the warehouse" } else { &differs.detail };
    Failure { detail: format!("{}; {table} {:?}: {why}", blamed.detail, difference.key), ..blamed }
}
