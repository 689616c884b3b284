//! The verdict on every record of a batch: a function of the records and of what look-ups have said, of nothing else.

use std::collections::{HashMap, HashSet};

use crate::batch::{Batch, Warning};
use crate::cdc::{Op, Truncates, Violation};
use crate::pipeline::RuleSeverity;
use crate::rows::{Change, Event, Row};
use crate::tables::{CompiledRule, Reference, Table};
use crate::validate::lookups::{LookupResults, Parent, live_rows};
use crate::validate::{NOT_IN_POSTGRES, Settings};

/// Who judges a batch, and what is known.
pub struct Judge<'j> {
    /// The batch's table.
    pub table: &'static Table,
    /// Its rules that are not off.
    pub rules: &'j [CompiledRule],
    /// Severities.
    pub settings: &'j Settings,
    /// What look-ups have said.
    pub lookups: &'j LookupResults,
}

/// What is known of keys that the look-ups put in doubt.
pub struct Doubts<'t> {
    /// Newest version in the warehouse.
    held: HashMap<String, u64>,
    /// Keys for which a later event of this batch counts: a delete, or a row that is accepted.
    settled_later: HashSet<String>,
    /// A truncate stands later in this batch: all before it is gone.
    truncated_later: bool,
    /// Truncates that are known from before.
    truncates: &'t Truncates,
}

impl<'t> Doubts<'t> {
    /// Before the last record of a batch was looked at. `held` is the newest version in the warehouse, by key.
    pub fn new(held: HashMap<String, u64>, truncates: &'t Truncates) -> Doubts<'t> {
        Doubts { held, settled_later: HashSet::new(), truncated_later: false, truncates }
    }

    /// Look-ups tell of now. A row that has been replaced or deleted since, as this batch or the warehouse shows, cannot win:
    /// writing it changes nothing, and what it references need not be there any more.
    fn is_past(&self, key: &str, row: Row<'_>) -> bool {
        let standing = row.standing();
        let is_truncated = self.truncated_later || self.truncates.removing(&standing).is_some();
        let cannot_win = self.held.get(key).is_some_and(|newest| *newest >= standing.version);
        is_truncated || cannot_win || self.settled_later.contains(key)
    }
}

impl Judge<'_> {
    /// The keys of rows that are not in the source now, or reference one that is not.
    pub fn doubtful(&self, batch: &Batch<'_>) -> HashSet<String> {
        let orphans = live_rows(batch).filter(|(key, row)| !self.orphan(key, *row).is_empty());
        orphans.map(|(key, _)| key.to_owned()).collect()
    }

    /// Turns every change that must not be written into a rejection, and notes the warnings about those that are. The last record comes
    /// first: what comes later says what is past.
    pub fn batch(&self, batch: &mut Batch<'_>, doubtful: &HashSet<String>, mut doubts: Doubts<'_>) {
        for index in (0..batch.events.len()).rev() {
            let change = match &batch.events[index] {
                Event::Truncate(_) => {
                    doubts.truncated_later = true;
                    continue;
                }
                Event::Change(change) => *change,
                _ => continue,
            };
            let key = batch.key(&change);
            let broken = match change.meta.op {
                Op::Delete => Vec::new(),
                _ => self.broken(key, batch.row(&change), &change, &doubts),
            };
            let rejection = broken.iter().position(|(_, severity)| *severity == RuleSeverity::Reject);
            if rejection.is_none() && doubtful.contains(key) {
                doubts.settled_later.insert(key.to_owned());
            }
            if broken.is_empty() {
                continue;
            }
            let key = key.to_owned();
            let mut violations = broken.into_iter().map(|(violation, _)| violation);
            match rejection.and_then(|place| violations.nth(place)) {
                Some(violation) => batch.events[index] = Event::Rejected(violation, Some(key)),
                None => {
                    batch.warnings.extend(violations.map(|violation| Warning { index, key: key.clone(), violation }))
                }
            }
        }
        batch.warnings.reverse();
    }

    /// The rules that a row breaks: that it exists, that what it references exists, and its table's own.
    fn broken(&self, key: &str, row: Row<'_>, change: &Change, doubts: &Doubts<'_>) -> Vec<(Violation, RuleSeverity)> {
        let mut broken = self.orphan(key, row);
        if !broken.is_empty() && doubts.is_past(key, row) {
            broken.clear();
        }
        if self.rules.is_empty() {
            return broken;
        }
        let parents = self.parents(row);
        let facts: Vec<Option<&[Vec<u8>]>> =
            parents.iter().map(|(_, parent)| parent.map(|parent| parent.facts.as_slice())).collect();
        for rule in self.rules {
            if !is_decided(rule, &parents, change) || !rule.is_broken(self.table, row, &facts) {
                continue;
            }
            let detail = format!("{}; expected {}", rule.shown(self.table, row, &facts), rule.expected);
            let severity = self.settings.severity(self.table.name, rule.name(), rule.spec.severity);
            broken.push((Violation::new(rule.name(), detail), severity));
        }
        broken
    }

    /// The rows that its references lead to, each with whether it leads to one.
    fn parents(&self, row: Row<'_>) -> Vec<(bool, Option<&Parent>)> {
        let parent = |reference: &Reference| match reference.key_of(&self.table.schema, row) {
            Some(key) => (true, self.lookups.parent(reference, &key)),
            None => (false, None),
        };
        self.table.references.iter().map(parent).collect()
    }

    /// Is the row, or are some that it references, not in the source now?
    fn orphan(&self, key: &str, row: Row<'_>) -> Vec<(Violation, RuleSeverity)> {
        let table = self.table;
        if self.lookups.is_missing(table.name, key) {
            let detail = format!("{} {key:?} is NOT in Postgres", table.name);
            return vec![(Violation::new(NOT_IN_POSTGRES, detail), RuleSeverity::Reject)];
        }
        let missing = |reference: &Reference| {
            let severity = self.settings.severity(table.name, reference.rule, RuleSeverity::Reject);
            let parent = reference.key_of(&table.schema, row).filter(|_| severity != RuleSeverity::Off)?;
            if self.lookups.parent(reference, &parent).is_some() {
                return None;
            }
            let parent_table = reference.parent.name;
            let detail =
                format!("{} {key:?} references {parent_table} {parent:?}, which is NOT in Postgres", table.name);
            Some((Violation::new(reference.rule, detail), severity))
        };
        table.references.iter().filter_map(missing).collect()
    }
}

/// A rule is not decided while a row that it looks at is not there though the key is set; nor if it asks about the moment of the event, and
/// such a row has changed since, or nobody can tell.
fn is_decided(rule: &CompiledRule, parents: &[(bool, Option<&Parent>)], change: &Change) -> bool {
    let is_there = |reference: &usize| parents[*reference].1.is_some() || !parents[*reference].0;
    // When it was written: a row that was sent again does not tell.
    let written = change.meta.source.own_lsn;
    let is_unchanged = |reference: &usize| {
        let since = parents[*reference].1.and_then(|parent| parent.unchanged_since);
        since.is_some_and(|since| written.is_some_and(|written| written > since))
    };
    rule.references.iter().all(is_there) && rule.unchanged.iter().all(is_unchanged)
}
