//! What has to be known of other rows: collected over a batch, asked in one query per table.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use anyhow::Result;
use postgres::Client;

use crate::batch::Batch;
use crate::cdc::{Lsn, Op};
use crate::rows::Row;
use crate::source::{LookUps, look_up};
use crate::tables::{Fact, KeyColumn, Reference, Table};
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

/// A row that another one references.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parent {
    /// The cells of [`Reference::facts`].
    pub facts: Vec<Vec<u8>>,
    /// Of a watched reference: behind which position in PostgreSQL's log the row is as it is now; `None` if that cannot be told.
    pub unchanged_since: Option<Lsn>,
}

/// A row that exists, of which nothing else was asked.
static EXISTS: Parent = Parent { facts: Vec::new(), unchanged_since: None };

/// What the source says about the rows of a batch, and about the rows that these reference.
#[derive(Debug, Default)]
pub struct LookupResults {
    /// By table: the keys that are not there.
    pub missing: HashMap<&'static str, HashSet<String>>,
    /// By the rule of a reference that asks for facts: the rows that are there.
    pub parents: HashMap<&'static str, HashMap<String, Parent>>,
}

impl LookupResults {
    /// Is this row not in the source now?
    pub fn is_missing(&self, table: &str, key: &str) -> bool {
        self.missing.get(table).is_some_and(|missing| missing.contains(key))
    }

    /// The row that `reference` leads to, if it exists.
    pub fn parent(&self, reference: &Reference, key: &str) -> Option<&Parent> {
        match self.parents.get(reference.rule) {
            Some(parents) => parents.get(key),
            None => (!self.is_missing(reference.parent.name, key)).then_some(&EXISTS),
        }
    }
}

/// The rows of a batch that are there after their event, with their keys.
pub fn live_rows<'b>(batch: &'b Batch<'_>) -> impl Iterator<Item = (&'b str, Row<'b>)> {
    let changes = batch.changes().filter(|(_, change)| change.meta.op != Op::Delete);
    changes.map(|(_, change)| (batch.key(change), batch.row(change)))
}

/// Keys to look for in a table.
struct Wanted<'t> {
    name: &'static str,
    relation: &'t str,
    key: &'t [KeyColumn],
    keys: HashSet<Cow<'t, str>>,
}

impl Validator {
    /// Asks the servers about a batch's rows.
    ///
    /// # Errors
    /// A server is gone, refuses or is late.
    pub(super) fn look_up(&mut self, servers: &mut Servers<'_>, batch: &Batch<'_>) -> Result<LookupResults> {
        let table: &'static Table = batch.table;
        let mut results = LookupResults::default();
        let own = live_rows(batch).map(|(key, _)| Cow::Borrowed(key)).collect();
        let mut wanted = vec![Wanted { name: table.name, relation: &table.relation, key: &table.key, keys: own }];
        for reference in &table.references {
            let keys = live_rows(batch).filter_map(|(_, row)| reference.key_of(&table.schema, row));
            if !reference.facts.is_empty() {
                results.parents.insert(reference.rule, parents(servers, reference, &keys.collect())?);
                continue;
            }
            let parent = &reference.parent;
            match wanted.iter_mut().find(|wanted| wanted.name == parent.name) {
                Some(wanted) => wanted.keys.extend(keys.map(Cow::Owned)),
                None => wanted.push(Wanted {
                    name: parent.name,
                    relation: &parent.relation,
                    key: &parent.key,
                    keys: keys.map(Cow::Owned).collect(),
                }),
            }
        }
        for wanted in &wanted {
            let missing = self.missing(servers, wanted)?;
            if !missing.is_empty() {
                results.missing.insert(wanted.name, missing);
            }
        }
        Ok(results)
    }

    fn missing(&mut self, servers: &mut Servers<'_>, wanted: &Wanted<'_>) -> Result<HashSet<String>> {
        let existence = self.existence.entry(wanted.name).or_default();
        let unknown: Vec<&str> = wanted.keys.iter().map(AsRef::as_ref).filter(|key| !existence.knows(key)).collect();
        if unknown.is_empty() {
            return Ok(HashSet::new());
        }
        let client = servers.look_ups.up_to_date(servers.source)?;
        let found = look_up(client, wanted.relation, wanted.key, &[], &unknown)?;
        let (found, missing): (Vec<&str>, Vec<&str>) = unknown.into_iter().partition(|key| found.contains_key(*key));
        found.into_iter().for_each(|key| existence.remember(key));
        Ok(missing.into_iter().map(str::to_owned).collect())
    }
}

fn parents(
    servers: &mut Servers<'_>,
    reference: &Reference,
    keys: &HashSet<String>,
) -> Result<HashMap<String, Parent>> {
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let client = servers.look_ups.up_to_date(servers.source)?;
    let found = look_up(client, &reference.parent.relation, &reference.parent.key, &reference.facts, &keys)?;
    let mut since =
        if reference.is_watched { unchanged_since(servers.warehouse, reference, &keys)? } else { HashMap::new() };
    let parent = |(key, facts): (String, Vec<Vec<u8>>)| {
        let changed = since.remove(&key).filter(|(_, in_warehouse)| *in_warehouse == facts);
        (key, Parent { facts, unchanged_since: changed.map(|(lsn, _)| lsn) })
    };
    Ok(found.into_iter().map(parent).collect())
}

/// The position in the log of the event that a row comes from, and the cells of its facts.
type InWarehouse = (Lsn, Vec<Vec<u8>>);

/// The rows as the warehouse has them: the position of the event that they come from, and their facts.
fn unchanged_since(
    warehouse: &Warehouse,
    reference: &Reference,
    keys: &[&str],
) -> Result<HashMap<String, InWarehouse>> {
    let facts = reference.facts.iter().map(Fact::in_warehouse);
    let columns: Vec<String> = std::iter::once("toString(_lsn)".to_owned()).chain(facts).collect();
    let parent = &reference.parent;
    let newest = newest_columns(warehouse, parent.target, &parent.key, &columns, keys)?;
    let row = |(key, texts): (String, Vec<Option<String>>)| {
        let lsn = Lsn(texts.first()?.as_ref()?.parse().ok()?);
        let facts = reference.facts.iter().zip(&texts[1..]).map(|(fact, text)| fact.cell(text.as_deref())).collect();
        Some((key, (lsn, facts)))
    };
    Ok(newest.into_iter().filter_map(row).collect())
}
