//! The verdict on every record of a window.

use std::collections::{HashMap, HashSet};

use anyhow::Result;

use crate::cdc::{Change, Event, Op, Truncates, Violation};
use crate::old::rules::{self, Parent, Severity};
use crate::old::{SourceRow, Table};
use crate::validate::lookups::{Known, Servers, rows_of};
use crate::validate::{NOT_IN_POSTGRES, Validator};
use crate::warehouse::newest_versions;

/// A rule that a row breaks, though it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Position of the record in its window.
    pub index: usize,
    /// The row's key.
    pub key: String,
    /// The rule, and what is wrong.
    pub violation: Violation,
}

/// What is known of keys that the look-ups put in doubt.
struct Doubts<'t> {
    /// Newest version in the warehouse.
    held: HashMap<String, u64>,
    /// Keys for which a later event of this window counts: a delete, or a row that is accepted.
    settled_later: HashSet<String>,
    /// A truncate stands later in this window: all before it is gone.
    truncated_later: bool,
    /// Truncates that are known from before.
    truncates: &'t Truncates,
}

impl Validator {
    /// Turns every change that must not be written into a rejection; returns the warnings about those that are. Rows that
    /// `truncates` remove are gone, whatever comes in the window itself.
    ///
    /// # Errors
    /// A server is gone, refuses or is late.
    pub fn judge<T: Table>(
        &mut self,
        mut servers: Servers<'_>,
        events: &mut [Event<'_, T>],
        truncates: &Truncates,
    ) -> Result<Vec<Warning>> {
        let known = self.look_up::<T>(&mut servers, events)?;
        let doubtful: HashSet<String> = rows_of::<T>(events)
            .filter(|row| self.orphan::<T>(&known, row).is_some())
            .map(|row| row.key_text().into_owned())
            .collect();
        let doubtful_keys: Vec<&str> = doubtful.iter().map(String::as_str).collect();
        let held = newest_versions(servers.warehouse, T::TARGET, T::KEY, &doubtful_keys)?;
        let mut doubts = Doubts { held, settled_later: HashSet::new(), truncated_later: false, truncates };
        let mut warnings = Vec::new();
        for (index, event) in events.iter_mut().enumerate().rev() {
            match event {
                Event::Truncate(_) => doubts.truncated_later = true,
                Event::Change(change) => {
                    let key = change.row.key_text();
                    let broken =
                        if change.head.op == Op::Delete { Vec::new() } else { self.broken(&known, &doubts, change) };
                    let rejection = broken.iter().position(|(_, severity)| *severity == Severity::Reject);
                    if rejection.is_none() && doubtful.contains(key.as_ref()) {
                        doubts.settled_later.insert(key.clone().into_owned());
                    }
                    let key = if broken.is_empty() { continue } else { key.into_owned() };
                    let mut violations = broken.into_iter().map(|(violation, _)| violation);
                    match rejection.and_then(|i| violations.nth(i)) {
                        Some(violation) => *event = Event::Bad(violation, Some(key)),
                        None => {
                            warnings.extend(violations.map(|violation| Warning { index, key: key.clone(), violation }))
                        }
                    }
                }
                _ => {}
            }
        }
        warnings.reverse();
        Ok(warnings)
    }

    /// The rules that a row breaks: that it exists, that what it points at exists, and its table's own.
    fn broken<T: Table>(
        &self,
        known: &Known,
        doubts: &Doubts<'_>,
        change: &Change<'_, T>,
    ) -> Vec<(Violation, Severity)> {
        let mut broken = Vec::new();
        if let Some(doubt) = self.orphan::<T>(known, &change.row)
            && !doubts.is_past(change)
        {
            broken.push(doubt);
        }
        if T::RULES.is_empty() {
            return broken;
        }
        let parents: Vec<Option<&Parent>> = T::REFERENCES
            .iter()
            .map(|reference| (reference.key_of)(&change.row).and_then(|key| known.parent(reference, &key)))
            .collect();
        // When it was written: a row that was sent again does not tell.
        let written = change.head.source.own_lsn;
        let known = rules::Known { parents: &parents, lsn: written, limits: self.settings.limits };
        for rule in T::RULES {
            if let Err(detail) = (rule.check)(&change.row, &known) {
                broken.push((Violation::new(rule.name, detail), self.settings.severity(rule.name, rule.severity)));
            }
        }
        broken
    }

    /// Is the row, or one that it points at, not in the source now?
    fn orphan<T: Table>(&self, known: &Known, row: &crate::old::RowOf<'_, T>) -> Option<(Violation, Severity)> {
        let key = row.key_text();
        if known.is_missing(T::SOURCE, &key) {
            let detail = format!("{} {key:?} is NOT in Postgres", T::SOURCE);
            return Some((Violation::new(NOT_IN_POSTGRES, detail), Severity::Reject));
        }
        T::REFERENCES.iter().find_map(|reference| {
            let parent = (reference.key_of)(row)?;
            if known.parent(reference, &parent).is_some() {
                return None;
            }
            let detail =
                format!("{} {key:?} points at {} {parent:?}, which is NOT in Postgres", T::SOURCE, reference.table);
            Some((Violation::new(reference.rule, detail), self.settings.severity(reference.rule, Severity::Reject)))
        })
    }
}

impl Doubts<'_> {
    /// Look-ups tell of now. A row that has been replaced or deleted since, as this window or the warehouse shows, cannot win:
    /// writing it changes nothing, and what it points at need not be there any more.
    fn is_past<T: Table>(&self, change: &Change<'_, T>) -> bool {
        let key = change.row.key_text();
        let is_truncated = self.truncated_later || self.truncates.removing(&change.row.standing()).is_some();
        let cannot_win = self.held.get(key.as_ref()).is_some_and(|newest| *newest >= change.row.version());
        is_truncated || cannot_win || self.settled_later.contains(key.as_ref())
    }
}
