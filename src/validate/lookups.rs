//! What has to be known of other rows: collected over a window, asked in one query per table.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use anyhow::Result;
use postgres::Client;

use crate::cdc::{Event, Op};
use crate::source::{LookUps, look_up};
use crate::old::rules::{Parent, Reference};
use crate::old::{RowOf, SourceRow, Table};
use crate::tables::KeyColumn;
use crate::validate::Validator;
use crate::warehouse::{Warehouse, newest_columns};

/// Who answers.
pub struct Servers<'s> {
    /// PostgreSQL, the primary.
    pub source: &'s mut Client,
    /// Who answers look-ups instead of it.
    pub look_ups: &'s mut LookUps,
    /// ClickHouse.
    pub warehouse: &'s Warehouse,
}

/// A row that exists, of which nothing else was asked.
static EXISTS: Parent = Parent { facts: Vec::new(), warehouse_facts: Vec::new() };

/// What the source says about the rows of a window, and about the rows that these point at.
#[derive(Debug, Default)]
pub struct Known {
    missing: HashMap<&'static str, HashSet<String>>,
    /// By the rule of a reference that asks for facts: the rows that are there.
    parents: HashMap<&'static str, HashMap<String, Parent>>,
}

impl Known {
    /// Is this row not in the source now?
    pub fn is_missing(&self, table: &str, key: &str) -> bool {
        self.missing.get(table).is_some_and(|missing| missing.contains(key))
    }

    /// The row that `reference` points at, if it exists.
    pub fn parent<T: Table>(&self, reference: &Reference<T>, key: &str) -> Option<&Parent> {
        match self.parents.get(reference.rule) {
            Some(parents) => parents.get(key),
            None => (!self.is_missing(reference.table, key)).then_some(&EXISTS),
        }
    }
}

/// The rows of a window that are there after their event.
pub fn rows_of<'e, 'm, T: Table>(events: &'e [Event<'m, T>]) -> impl Iterator<Item = &'e RowOf<'m, T>> {
    events.iter().filter_map(|event| match event {
        Event::Change(change) if change.head.op != Op::Delete => Some(&change.row),
        _ => None,
    })
}

/// Keys to look for: the table, its primary key, their texts.
type Wanted<'e> = (&'static str, &'static [KeyColumn], HashSet<Cow<'e, str>>);

impl Validator {
    /// Asks the servers about a window's rows.
    ///
    /// # Errors
    /// A server is gone, refuses or is late.
    pub(super) fn look_up<T: Table>(&mut self, servers: &mut Servers<'_>, events: &[Event<'_, T>]) -> Result<Known> {
        let mut known = Known::default();
        let mut wanted: Vec<Wanted<'_>> =
            vec![(T::SOURCE, T::KEY, rows_of::<T>(events).map(SourceRow::key_text).collect())];
        for reference in T::REFERENCES {
            let keys = rows_of::<T>(events).filter_map(|row| (reference.key_of)(row));
            if !reference.facts.is_empty() {
                let keys: HashSet<Cow<'_, str>> = keys.collect();
                known.parents.insert(reference.rule, parents(servers, reference, &keys)?);
                continue;
            }
            match wanted.iter_mut().find(|(table, ..)| *table == reference.table) {
                Some((_, _, set)) => set.extend(keys),
                None => wanted.push((reference.table, reference.key, keys.collect())),
            }
        }
        for (table, key, keys) in &wanted {
            let missing = self.missing(servers, table, key, keys)?;
            if !missing.is_empty() {
                known.missing.insert(table, missing);
            }
        }
        Ok(known)
    }

    fn missing(
        &mut self,
        servers: &mut Servers<'_>,
        table: &'static str,
        key: &[KeyColumn],
        keys: &HashSet<Cow<'_, str>>,
    ) -> Result<HashSet<String>> {
        let existence = self.existence.entry(table).or_default();
        let unknown: Vec<&str> = keys.iter().map(AsRef::as_ref).filter(|key| !existence.knows(key)).collect();
        if unknown.is_empty() {
            return Ok(HashSet::new());
        }
        let client = servers.look_ups.up_to_date(servers.source)?;
        let found = look_up(client, table, key, &[], &unknown)?;
        let (found, missing): (Vec<&str>, Vec<&str>) = unknown.into_iter().partition(|key| found.contains_key(*key));
        found.into_iter().for_each(|key| existence.remember(key));
        Ok(missing.into_iter().map(str::to_owned).collect())
    }
}

fn parents<T: Table>(
    servers: &mut Servers<'_>,
    reference: &Reference<T>,
    keys: &HashSet<Cow<'_, str>>,
) -> Result<HashMap<String, Parent>> {
    let keys: Vec<&str> = keys.iter().map(AsRef::as_ref).collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let client = servers.look_ups.up_to_date(servers.source)?;
    let found = look_up(client, reference.table, reference.key, reference.facts, &keys)?;
    let mut in_warehouse = match reference.warehouse_facts {
        [] => HashMap::new(),
        columns => newest_columns(servers.warehouse, reference.target, reference.key, columns, &keys)?,
    };
    let parent = |(key, facts): (String, _)| {
        let warehouse_facts = in_warehouse.remove(&key).unwrap_or_default();
        (key, Parent { facts, warehouse_facts })
    };
    Ok(found.into_iter().map(parent).collect())
}
