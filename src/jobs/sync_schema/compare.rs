//! One table: what PostgreSQL has, what the pipeline's file knows, what the warehouse keeps. What follows is decided here, and done
//! elsewhere.

use super::identity::identity;
use crate::rows::SYSTEM_COLUMNS;
use crate::source::{Changed, Drift, SourceColumn, SourceTable, stays};
use crate::tables::Table;
use crate::types::Connector;
use crate::warehouse::{DerivedColumn, ExistingColumn, MissingDefault, has, identifier};

/// What is to be done about a table, and to be said.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct AlterPlan {
    /// What ALTER TABLE has to do, each by itself.
    pub alters: Vec<Alter>,
    /// What a person has to do.
    pub problems: Vec<String>,
    /// What a person may want to know.
    pub notes: Vec<String>,
    /// Columns whose value PostgreSQL's catalogue does not know for rows that are older than the column.
    pub unknown_before: Vec<String>,
}

/// A change of one column.
#[derive(Debug, PartialEq, Eq)]
pub struct Alter {
    /// In short.
    pub what: String,
    /// What stands behind ALTER TABLE and the table's name.
    pub sql: String,
}

/// The three sides of a table.
pub struct Sides<'a> {
    /// What the pipeline's file knows.
    pub table: &'a Table,
    /// PostgreSQL.
    pub source: &'a SourceTable,
    /// ClickHouse.
    pub warehouse: &'a [ExistingColumn],
    /// The warehouse table's full name.
    pub target: &'a str,
}

/// Compares them.
pub fn compare(sides: &Sides<'_>) -> AlterPlan {
    let mut plan = AlterPlan::default();
    let is_excluded = |name: &str| sides.table.spec.excluded.iter().any(|column| column.name.as_str() == name);
    for column in &sides.source.columns {
        if SYSTEM_COLUMNS.contains(&column.name.as_str()) && !is_excluded(&column.name) {
            plan.problems.push(collision(&column.name));
        } else if sides.table.schema.is_unknown(&column.name) {
            unknown_column(sides, column, &mut plan);
        }
    }
    missing(sides, &mut plan);
    let drift = Drift::of(sides.table, sides.source, sides.target);
    plan.problems.extend(drift.problems.iter().map(Changed::to_string));
    plan.notes.extend(drift.notes.iter().map(Changed::to_string));
    dropped(sides, &mut plan);
    identity(sides.source, sides.table, &mut plan);
    plan
}

fn collision(name: &str) -> String {
    format!(
        "{name} is a column in PostgreSQL and also the name of a system column, which wins: the source's values are lost, and rows whose \
         value has another type than the system column wait in quarantine (`decode`); rename the column in PostgreSQL, or exclude it in the pipeline's file"
    )
}

/// Columns of the file that the warehouse does not have.
fn missing(sides: &Sides<'_>, plan: &mut AlterPlan) {
    let missing = sides.table.source_columns().filter(|name| sides.kept(name).is_none());
    plan.problems.extend(
        missing.map(|name| {
            format!("{} has no column {name}, which the job writes: `doctor` names the ALTER", sides.target)
        }),
    );
}

fn unknown_column(sides: &Sides<'_>, column: &SourceColumn, plan: &mut AlterPlan) {
    let SourceColumn { name, source_type, .. } = column;
    if column.generated {
        plan.notes
            .push(format!("{name} is a generated column, which PostgreSQL does not publish: no change brings it"));
        return;
    }
    let kept = sides.kept(name);
    let Some(derived) = kept.and_then(DerivedColumn::of) else {
        match kept {
            None => add(sides, column, plan),
            Some(_) => plan.notes.push(format!(
                "{name} was added to {} by hand and is nobody's to write; ALTER TABLE {} DROP COLUMN {} lets sync-schema add it",
                sides.target,
                sides.target,
                identifier(name)
            )),
        }
        return;
    };
    let new = DerivedColumn { postgres_type: source_type.text.clone(), ..derived.clone() };
    let connector = &sides.table.connector;
    let (was, is) = (derived.added_type(connector), new.added_type(connector));
    if was.widens_to(&is) {
        plan.alters.push(modify(name, &new, connector));
    } else if !was.holds(&is) {
        plan.problems.push(format!(
            "{name} was {} in PostgreSQL and is {} now, in which its old values cannot be read: ALTER TABLE {} DROP COLUMN {}, then \
             sync-schema --table {} (what the events said stays in `_extra`), and let the source send the rows again",
            derived.postgres_type,
            source_type.text,
            sides.target,
            identifier(name),
            sides.table.name
        ));
    }
    if column.has_default && derived.missing_default.is_none() {
        plan.unknown_before.push(name.clone());
    }
}

fn add(sides: &Sides<'_>, column: &SourceColumn, plan: &mut AlterPlan) {
    let missing_default = column.missing.clone().map(|value| MissingDefault { value, before_lsn: sides.source.lsn });
    let derived = DerivedColumn { postgres_type: column.source_type.text.clone(), missing_default };
    if column.has_default && derived.missing_default.is_none() {
        plan.unknown_before.push(column.name.clone());
    }
    let connector = &sides.table.connector;
    plan.alters.push(Alter {
        what: format!("ADD COLUMN {} {}", identifier(&column.name), derived.added_type(connector).clickhouse_type()),
        sql: format!("ADD COLUMN IF NOT EXISTS {}", derived.declaration(&column.name, connector)),
    });
}

/// The new type, and the values read from `_extra` again: those that came since the change did not fit until now.
fn modify(name: &str, derived: &DerivedColumn, connector: &Connector) -> Alter {
    let column = identifier(name);
    Alter {
        what: format!("MODIFY COLUMN {column} {}", derived.added_type(connector).clickhouse_type()),
        sql: format!(
            "MODIFY COLUMN {}, UPDATE {column} = {} WHERE {} SETTINGS mutations_sync = 1",
            derived.declaration(name, connector),
            derived.expression(name, connector),
            has(name)
        ),
    }
}

/// Columns that were added, and are gone in PostgreSQL.
fn dropped(sides: &Sides<'_>, plan: &mut AlterPlan) {
    let is_gone = |name: &str| !sides.source.columns.iter().any(|column| column.name == name);
    let added = sides.warehouse.iter().filter(|column| DerivedColumn::of(column).is_some());
    for column in added.filter(|column| sides.table.schema.is_unknown(&column.name) && is_gone(&column.name)) {
        let what = format!("{} is no longer in PostgreSQL (dropped or renamed)", column.name);
        plan.notes.push(Changed { what, remedy: stays(sides.target) }.to_string());
    }
}

impl Sides<'_> {
    fn kept(&self, name: &str) -> Option<&ExistingColumn> {
        self.warehouse.iter().find(|column| column.name == name)
    }
}
