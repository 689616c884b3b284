//! Rows that break a check which both sides are asked: whose fault is it?
//!
//! What breaks it in the source is the source's; the pipeline has carried it faithfully, or holds it in quarantine. What breaks it in
//! the warehouse alone is the pipeline's, but only if a row that the check looks at really differs: those rows are compared as
//! check-reconcile does, so that a change on its way accuses nobody.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::Result;
use serde_json::{Value, json};

use crate::checks::checker::Checker;
use crate::checks::results::{Failure, KEPT_FAILURES};
use crate::checks::sql_check::{OffenderRow, SqlCheck};
use crate::checks::statement::{MOST_OFFENDERS, ServerSide};
use crate::exit::needs_person;
use crate::reconcile::difference::Difference;
use crate::rules::POSTGRES_SETTINGS;
use crate::source::{SnapshotTx, key_in, key_parts};
use crate::warehouse::{self, chunks};

/// Who broke it.
#[derive(Debug, Default)]
pub struct Attribution {
    /// Rows that break it in the source, by key.
    pub in_source: BTreeMap<String, OffenderRow>,
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
    pub fn ask(&mut self, sql_check: &SqlCheck, keys: Option<&[String]>) -> Result<Attribution> {
        let (in_source, fence) = match sql_check.asks_source() {
            true => self.offenders_in_source(sql_check, keys)?,
            false => (BTreeMap::new(), Value::Null),
        };
        let mut suspects = self.offenders_in_warehouse(sql_check, keys)?;
        suspects.retain(|key, _| !in_source.contains_key(key));
        let mut attribution = Attribution { in_source, fence, ..Attribution::default() };
        if !suspects.is_empty() {
            self.confirm(sql_check, suspects, &mut attribution)?;
        }
        Ok(attribution)
    }

    /// Which of the suspects has the pipeline to answer for?
    fn confirm(
        &mut self,
        sql_check: &SqlCheck,
        suspects: BTreeMap<String, OffenderRow>,
        attribution: &mut Attribution,
    ) -> Result<()> {
        let (suspects, too_many): (Vec<_>, Vec<_>) =
            suspects.into_iter().enumerate().partition(|(i, _)| *i < KEPT_FAILURES);
        attribution.undecided.extend(too_many.into_iter().map(|(_, (key, _))| key));
        let rows_of = |(key, row): &(String, OffenderRow)| -> Vec<(&'static str, String)> {
            [vec![(sql_check.table.name, key.clone())], sql_check.parents_of(row)].concat()
        };
        let suspects: Vec<(String, OffenderRow)> = suspects.into_iter().map(|(_, suspect)| suspect).collect();
        let verdicts = self.verdicts(sql_check, suspects.iter().flat_map(rows_of).collect(), attribution)?;
        let mut same = Vec::new();
        for suspect in &suspects {
            let of_rows: Vec<(&'static str, &RowVerdict)> =
                rows_of(suspect).into_iter().filter_map(|row| Some((row.0, verdicts.get(&row)?))).collect();
            let differing = of_rows.iter().find_map(|(table, verdict)| match verdict {
                RowVerdict::Differs(it) if *table != sql_check.table.name || explains(it, sql_check) => {
                    Some((table, it))
                }
                _ => None,
            });
            if let Some((table, difference)) = differing {
                attribution.by_pipeline.push(failure(sql_check, suspect, table, difference));
            } else if of_rows.iter().any(|(_, verdict)| matches!(verdict, RowVerdict::Undecided)) {
                attribution.undecided.push(suspect.0.clone());
            } else if of_rows.iter().any(|(_, verdict)| matches!(verdict, RowVerdict::HeldBack)) {
                attribution.held_back.push(suspect.0.clone());
            } else {
                same.push(suspect.0.clone());
            }
        }
        self.ask_again(sql_check, same, attribution)
    }

    /// Rows that are the same on both sides by now: either both are mended, or both are broken.
    fn ask_again(&mut self, sql_check: &SqlCheck, keys: Vec<String>, attribution: &mut Attribution) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let (in_source, _) = self.offenders_in_source(sql_check, Some(&keys))?;
        let in_warehouse = self.offenders_in_warehouse(sql_check, Some(&keys))?;
        for key in keys.into_iter().filter(|key| !in_source.contains_key(key)) {
            match in_warehouse.get(&key) {
                // No comparison sees `_extra`. But nobody else writes these words: if the source does not have them, they came with an event.
                Some(row) if sql_check.is_of_pipeline() => {
                    attribution.by_pipeline.push(sql_check.blame_pipeline(&key, row))
                }
                Some(_) => attribution.undecided.push(key),
                None => {}
            }
        }
        attribution.in_source.extend(in_source);
        Ok(())
    }

    /// Compares rows of several tables. Those that are the same have no verdict.
    fn verdicts(
        &mut self,
        sql_check: &SqlCheck,
        rows: HashSet<(&'static str, String)>,
        attribution: &mut Attribution,
    ) -> Result<HashMap<(&'static str, String), RowVerdict>> {
        let mut verdicts = HashMap::new();
        for table in std::iter::once(sql_check.table).chain(sql_check.others(self.pipeline)) {
            let keys: Vec<String> =
                rows.iter().filter(|(name, _)| *name == table.name).map(|(_, key)| key.clone()).collect();
            let compared = self.compare(table, Some(&keys))?;
            attribution.behind = attribution.behind.take().or(compared.behind);
            let mut put = |key: String, verdict| verdicts.insert((table.name, key), verdict);
            compared.tally.undecided.into_iter().for_each(|key| drop(put(key, RowVerdict::Undecided)));
            compared.tally.named_only.into_iter().for_each(|key| drop(put(key, RowVerdict::Undecided)));
            compared.tally.held_back.into_iter().for_each(|key| drop(put(key, RowVerdict::HeldBack)));
            for difference in compared.tally.differing {
                put(difference.key.clone(), RowVerdict::Differs(Box::new(difference)));
            }
        }
        Ok(verdicts)
    }

    fn offenders_in_source(
        &mut self,
        sql_check: &SqlCheck,
        keys: Option<&[String]>,
    ) -> Result<(BTreeMap<String, OffenderRow>, Value)> {
        let tables: Vec<_> = std::iter::once(sql_check.table).chain(sql_check.others(self.pipeline)).collect();
        let condition = keys.map_or("true".to_owned(), |_| key_in(&sql_check.table.key));
        let sql = sql_check.sql(ServerSide::Source, &condition);
        let parts = keys.map_or(Vec::new(), |keys| key_parts(&sql_check.table.key, keys));
        let mut found = BTreeMap::new();
        let mut snapshot_tx = SnapshotTx::take(self.source()?, &tables)?.with_settings(POSTGRES_SETTINGS)?;
        snapshot_tx.query(&sql, &parts, |json| sql_check.put(&mut found, json))?;
        let snapshot = snapshot_tx.end()?;
        not_too_many(sql_check, &found)?;
        Ok((found, json!({"lsn": snapshot.lsn.to_string()})))
    }

    /// The rows that break it in the warehouse, by key.
    ///
    /// # Errors
    /// The server is gone or refuses; there are more than can be told apart (78).
    pub fn offenders_in_warehouse(
        &self,
        sql_check: &SqlCheck,
        keys: Option<&[String]>,
    ) -> Result<BTreeMap<String, OffenderRow>> {
        let what = format!("asking {} for {}", sql_check.table.target, sql_check.name);
        let conditions: Vec<String> = match keys {
            None => vec!["true".to_owned()],
            Some(keys) => {
                let of_chunk = |chunk: &[String]| warehouse::key_in(&sql_check.table.key, chunk);
                chunks::of_keys(keys, 1).into_iter().map(of_chunk).collect()
            }
        };
        let mut found = BTreeMap::new();
        for condition in conditions {
            let sql = sql_check.sql(ServerSide::Warehouse(&self.warehouse.db), &condition);
            let lines = self.warehouse.json_lines(&what, &sql)?;
            lines.lines().try_for_each(|line| sql_check.put(&mut found, line))?;
        }
        not_too_many(sql_check, &found)?;
        Ok(found)
    }
}

/// What is to be said of a row that is not the same on both sides.
enum RowVerdict {
    Differs(Box<Difference>),
    /// A newer event lies in quarantine.
    HeldBack,
    Undecided,
}

fn not_too_many(sql_check: &SqlCheck, found: &BTreeMap<String, OffenderRow>) -> Result<()> {
    if found.len() <= MOST_OFFENDERS {
        return Ok(());
    }
    Err(needs_person(format!(
        "more than {MOST_OFFENDERS} rows of {} break {}: they have one cause; look at some of them (--explain prints the SQL)",
        sql_check.table.name, sql_check.name
    )))
}

/// Does the row's own difference have to do with what the check looks at, or is it in another column?
fn explains(difference: &Difference, sql_check: &SqlCheck) -> bool {
    let is_asked_for = |column: &str| column.is_empty() || sql_check.reads(column);
    difference.failures().iter().any(|failure| is_asked_for(&failure.column))
}

/// The failure of a row, by the row that differs: its own, or one that it references.
fn failure(sql_check: &SqlCheck, (key, row): &(String, OffenderRow), table: &str, difference: &Difference) -> Failure {
    let mut of_row = difference.failures();
    let at = of_row.iter().position(|failure| row.contains_key(&failure.column)).unwrap_or(0);
    let differs = if of_row.is_empty() { Failure::default() } else { of_row.swap_remove(at) };
    let blamed = sql_check.blame_pipeline(key, row);
    if table == sql_check.table.name {
        return Failure { row_key: blamed.row_key, detail: blamed.detail, ..differs };
    }
    let why = if differs.detail.is_empty() { "is another row in the warehouse" } else { &differs.detail };
    Failure { detail: format!("{}; {table} {:?}: {why}", blamed.detail, difference.key), ..blamed }
}
