//! One table: what PostgreSQL has, what the row type reads, what the warehouse keeps. What follows is decided here, and done
//! elsewhere.

use super::identity::identity;
use super::known::{Fit, fit};
use crate::rows::SYSTEM_COLUMNS;
use crate::source::{SourceColumn, SourceTable};
use crate::tables::Table;
use crate::warehouse::{Column, Origin, Untouched, has, identifier, without_default};

/// What is to be done about a table, and to be said.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
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
    /// The row type.
    pub table: &'a Table,
    /// PostgreSQL.
    pub source: &'a SourceTable,
    /// ClickHouse.
    pub warehouse: &'a [Column],
    /// The warehouse table's full name.
    pub target: &'a str,
}

/// Compares them.
pub fn compare(sides: &Sides<'_>) -> Plan {
    let mut plan = Plan::default();
    for column in &sides.source.columns {
        if SYSTEM_COLUMNS.contains(&column.name.as_str()) {
            plan.problems.push(collision(&column.name));
        } else if sides.table.written.contains(&column.name.as_str()) {
            known_column(sides, column, &mut plan);
        } else {
            unknown_column(sides, column, &mut plan);
        }
    }
    dropped(sides, &mut plan);
    key(sides, &mut plan);
    identity(sides.source, sides.table, &mut plan);
    let refused = without_default(sides.warehouse, &sides.table.written);
    plan.problems.extend(refused.map(|column| column.refuses_inserts(sides.target)));
    plan
}

fn collision(name: &str) -> String {
    format!(
        "{name} is a column in PostgreSQL and also the name of a system column, which wins: the source's values are lost, and rows whose \
         value has another type than the system column wait in quarantine (`decode`); rename the column in PostgreSQL"
    )
}

fn known_column(sides: &Sides<'_>, column: &SourceColumn, plan: &mut Plan) {
    let SourceColumn { name, source_type, .. } = column;
    let Some(kept) = sides.kept(name) else {
        plan.problems
            .push(format!("{} has no column {name}, which the job writes: `doctor` names the ALTER", sides.target));
        return;
    };
    let changed = format!("{name} is {} in PostgreSQL, and {} in {}", source_type.text, kept.column_type, sides.target);
    match fit(&kept.column_type, source_type) {
        Fit::Fits => {}
        Fit::Mostly(but) => plan.notes.push(format!("{changed}: {but}")),
        Fit::Refused => plan.problems.push(format!("{changed}: {}", sides.in_quarantine("change the type back"))),
        Fit::Misread(how) => plan.problems.push(format!(
            "{changed}: {how}, so wrong values are written; stop {}, change the type back or take a release of this pipeline that knows \
             the new type, then read the wrong ones again with --since",
            sides.table.ingest_job()
        )),
    }
    if !kept.is_optional() && !column.not_null {
        plan.notes.push(format!(
            "{name} may be NULL in PostgreSQL now; the pipeline requires it, so rows without it will wait in quarantine (`decode`)"
        ));
    }
}

fn unknown_column(sides: &Sides<'_>, column: &SourceColumn, plan: &mut Plan) {
    let SourceColumn { name, source_type, .. } = column;
    if column.generated {
        plan.notes
            .push(format!("{name} is a generated column, which PostgreSQL does not publish: no change brings it"));
        return;
    }
    let kept = sides.kept(name);
    let Some(origin) = kept.and_then(Origin::of) else {
        match kept {
            None => add(sides, column, plan),
            Some(kept) if kept.default_kind.is_empty() => {}
            Some(_) => plan.notes.push(format!(
                "{name} was added to {} by hand and keeps its own DEFAULT; ALTER TABLE {} DROP COLUMN {} lets sync-schema add it",
                sides.target,
                sides.target,
                identifier(name)
            )),
        }
        return;
    };
    let new = Origin { postgres_type: source_type.text.clone(), ..origin.clone() };
    let (was, is) = (origin.landing(), new.landing());
    if was.widens_to(is) {
        plan.alters.push(modify(name, &new));
    } else if !was.holds(is) {
        plan.problems.push(format!(
            "{name} was {} in PostgreSQL and is {} now, in which its old values cannot be read: ALTER TABLE {} DROP COLUMN {}, then \
             sync-schema --table {} (what the events said stays in `_extra`), and let the source send the rows again",
            origin.postgres_type,
            source_type.text,
            sides.target,
            identifier(name),
            sides.table.name
        ));
    }
    if column.has_default && origin.untouched.is_none() {
        plan.unknown_before.push(name.clone());
    }
}

fn add(sides: &Sides<'_>, column: &SourceColumn, plan: &mut Plan) {
    let untouched = column.missing.clone().map(|value| Untouched { value, before_lsn: sides.source.lsn });
    let origin = Origin { postgres_type: column.source_type.text.clone(), untouched };
    if column.has_default && origin.untouched.is_none() {
        plan.unknown_before.push(column.name.clone());
    }
    plan.alters.push(Alter {
        what: format!("ADD COLUMN {} {}", identifier(&column.name), origin.landing().column_type()),
        sql: format!("ADD COLUMN IF NOT EXISTS {}", origin.declaration(&column.name)),
    });
}

/// The new type, and the values read from `_extra` again: those that came since the change did not fit until now.
fn modify(name: &str, origin: &Origin) -> Alter {
    let column = identifier(name);
    Alter {
        what: format!("MODIFY COLUMN {column} {}", origin.landing().column_type()),
        sql: format!(
            "MODIFY COLUMN {}, UPDATE {column} = {} WHERE {} SETTINGS mutations_sync = 1",
            origin.declaration(name),
            origin.expression(name),
            has(name)
        ),
    }
}

fn dropped(sides: &Sides<'_>, plan: &mut Plan) {
    let is_gone = |name: &str| !sides.source.columns.iter().any(|column| column.name == name);
    let known = sides.table.source_columns().filter_map(|name| sides.kept(name));
    let is_known = |column: &Column| sides.table.written.contains(&column.name.as_str());
    let added = sides.warehouse.iter().filter(|column| Origin::of(column).is_some() && !is_known(column));
    for column in known.chain(added).filter(|column| is_gone(&column.name)) {
        let name = &column.name;
        if column.is_optional() {
            plan.notes.push(format!(
                "{name} is no longer in PostgreSQL (dropped or renamed): it stays in {}, NULL in rows that change from now on",
                sides.target
            ));
        } else {
            let remedy = format!("bring the column back (ALTER TABLE public.{} ADD COLUMN …)", sides.table.name);
            plan.problems.push(format!(
                "{name} is no longer in PostgreSQL (dropped or renamed), and a row is nothing without it: {}",
                sides.in_quarantine(&remedy)
            ));
        }
    }
}

fn key(sides: &Sides<'_>, plan: &mut Plan) {
    let source = sides.source.columns.iter().filter(|column| column.in_key).map(|column| column.name.as_str());
    let mut source: Vec<&str> = source.collect();
    let mut warehouse: Vec<&str> = sides.table.key.iter().map(|column| column.name).collect();
    source.sort_unstable();
    warehouse.sort_unstable();
    if source != warehouse {
        let none = if source.is_empty() { "no column" } else { "" };
        plan.problems.push(format!(
            "the primary key in PostgreSQL is {none}{}, but {} keeps one row per {}: rows that PostgreSQL tells apart replace each \
             other; change the key back, or take a release of this pipeline that knows the new one",
            source.join(", "),
            sides.target,
            warehouse.join(", ")
        ));
    }
}

impl Sides<'_> {
    fn kept(&self, name: &str) -> Option<&Column> {
        self.warehouse.iter().find(|column| column.name == name)
    }

    fn in_quarantine(&self, remedy: &str) -> String {
        format!(
            "rows that change wait in quarantine (`decode`); {remedy}, or take a release of this pipeline that knows the change, then \
             replay-rejected --table {}",
            self.table.name
        )
    }
}
