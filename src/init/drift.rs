//! What the source has and a pipeline's file does not, and the other way round; and how the file takes it in.

use std::fmt;

use anyhow::{Context, Result};
use toml_edit::{DocumentMut, Item, Table as TomlTable};

use super::draft::{Draft, DraftColumn, DraftTable};
use super::file::{column_line, key, reference_line, table_text};
use crate::exit::needs_person;
use crate::pipeline::{Origin, TableSpec};
use crate::tables::Pipeline;

/// A difference.
#[derive(Debug, Clone)]
pub struct Drift {
    /// The table: as the pipeline calls it, or as the source does if it is new.
    pub table: String,
    /// What is different.
    pub what: String,
    change: Change,
}

/// What the file does about it.
#[derive(Debug, Clone)]
enum Change {
    /// A section is added at the end.
    AddTable(DraftTable),
    /// A line is added, or written anew.
    PutColumn(DraftColumn),
    /// The type of a column is written anew; what else its line says stays.
    Retype { column: String, column_type: String },
    /// A line goes.
    RemoveColumn(String),
    /// A line is added.
    AddReference(String, String),
    /// Nothing: whoever owns the file has to say what is meant.
    ByHand(&'static str),
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.table, self.what)?;
        match self.change {
            Change::ByHand(instead) => write!(f, "; by hand: {instead}"),
            _ => Ok(()),
        }
    }
}

impl Drift {
    /// The table that comes with it, as SQL.
    pub fn adds(&self) -> Option<&str> {
        matches!(self.change, Change::AddTable(_)).then_some(self.table.as_str())
    }

    /// Does `--update` take it in?
    pub fn is_taken_in(&self) -> bool {
        !matches!(self.change, Change::ByHand(_))
    }
}

/// Compares a pipeline with what the source has now.
pub fn drift(pipeline: &Pipeline, now: &Draft) -> Vec<Drift> {
    let mut found = Vec::new();
    for table in &now.tables {
        match pipeline.spec.tables.iter().find(|spec| is_of(spec, table)) {
            Some(spec) => of_table(spec, table, pipeline, now, &mut found),
            None => found.push(Drift {
                table: table.relation(),
                what: "the source has this table, the file does not".to_owned(),
                change: Change::AddTable(table.clone()),
            }),
        }
    }
    for spec in &pipeline.spec.tables {
        if !now.tables.iter().any(|table| is_of(spec, table)) {
            let (schema, source) = (spec.source.schema.as_str(), spec.source.table.as_str());
            let left_out = now.left_out.iter().find(|it| it.what == format!("{schema}.{source}"));
            let what = match left_out {
                Some(it) => format!("{schema}.{source} cannot be captured any more: {}; {}", it.why, it.instead),
                None => format!("the source has no {schema}.{source} any more"),
            };
            let change = Change::ByHand("remove its section; the warehouse's table stays as it is");
            found.push(Drift { table: spec.name.to_string(), what, change });
        }
    }
    found
}

fn is_of(spec: &TableSpec, table: &DraftTable) -> bool {
    spec.source.schema.as_str() == table.schema && spec.source.table.as_str() == table.table
}

fn of_table(spec: &TableSpec, table: &DraftTable, pipeline: &Pipeline, now: &Draft, found: &mut Vec<Drift>) {
    let mut say = |what: String, change: Change| found.push(Drift { table: spec.name.to_string(), what, change });
    for column in &table.columns {
        let name = column.name.as_str();
        let excluded = spec.excluded.iter().any(|it| it.name.as_str() == name);
        match (spec.column(name), &column.read) {
            // What the file leaves out is left out on purpose.
            _ if excluded => {}
            (None, Ok(column_type)) => {
                say(format!("the source has the column {name} ({column_type})"), Change::PutColumn(column.clone()));
            }
            (None, Err(why)) => {
                say(
                    format!("the source has the column {name}, which cannot be read: {why}"),
                    Change::PutColumn(column.clone()),
                );
            }
            (Some(known), Ok(column_type)) => {
                let null = if known.nullable { "null" } else { "not null" };
                let written = format!("{} {null}", known.source_type);
                if written != *column_type {
                    let change = Change::Retype { column: name.to_owned(), column_type: column_type.clone() };
                    say(format!("{name} is {column_type} in the source, {written} in the file"), change);
                }
            }
            (Some(_), Err(why)) => {
                say(format!("{name} cannot be read any more: {why}"), Change::PutColumn(column.clone()));
            }
        }
    }
    for column in &spec.columns {
        let name = column.name.as_str();
        if !table.columns.iter().any(|it| it.name == name) {
            let is_key = spec.key.iter().any(|it| it.as_str() == name);
            let change = if is_key {
                Change::ByHand("name another key, or rename the column back")
            } else {
                Change::RemoveColumn(name.to_owned())
            };
            say(
                format!(
                    "the source has no column {name} any more (if it was renamed, write {{ type = …, was = {name:?} }})"
                ),
                change,
            );
        }
    }
    let known: Vec<&str> = spec.key.iter().map(|column| column.as_str()).collect();
    if known != table.key {
        let what = format!("its key is ({}) in the source, ({}) in the file", table.key.join(", "), known.join(", "));
        say(what, Change::ByHand("a table with another key is another table: give it a new target, and bring it anew"));
    }
    for reference in &table.references {
        let parent = now.tables.iter().find(|it| it.name == reference.table);
        let parent = parent.and_then(|parent| pipeline.spec.tables.iter().find(|spec| is_of(spec, parent)));
        let is_known = spec.references.iter().any(|it| {
            let mut columns = [it.columns.iter().map(|c| c.to_string()).collect(), reference.columns.clone()];
            columns.iter_mut().for_each(|columns: &mut Vec<String>| columns.sort());
            columns[0] == columns[1] && parent.is_none_or(|parent| parent.name.as_str() == it.table.as_str())
        });
        if !is_known {
            let mut reference = reference.clone();
            if let Some(parent) = parent {
                reference.table = parent.name.to_string();
            }
            let line = reference_line(table, &reference);
            say(
                format!("the source has the foreign key {}", reference.constraint),
                Change::AddReference(reference.name, line),
            );
        }
    }
}

/// The file with every difference taken in that it can take in; everything else of it stays as it is, comments too.
///
/// # Errors
/// A table's section stands in another file, or the file cannot be read afterwards: a rule names a column that is gone, say.
pub fn update(text: &str, drift: &[Drift]) -> Result<String> {
    let mut document: DocumentMut = text.parse().context("reading the pipeline's file")?;
    let mut added = String::new();
    for it in drift {
        if let Change::AddTable(table) = &it.change {
            added += &table_text(table);
        } else if it.is_taken_in() {
            let section = document
                .get_mut("tables")
                .and_then(|tables| tables.get_mut(&it.table))
                .and_then(Item::as_table_mut)
                .ok_or_else(|| {
                    needs_person(format!(
                        "{}: its section stands in no file that this one is; change it there",
                        it.table
                    ))
                })?;
            change(section, &it.change)?;
        }
    }
    let text = format!("{document}{added}");
    match Pipeline::read(Origin::Text(text.clone())) {
        Ok(_) => Ok(text),
        Err(problems) => {
            Err(needs_person(format!("with the changes the file could not be read any more:\n{problems}")))
        }
    }
}

fn change(section: &mut TomlTable, change: &Change) -> Result<()> {
    match change {
        Change::PutColumn(column) => put_line(section, "columns", &column.name, &column_line(column, 0)),
        Change::AddReference(name, line) => put_line(section, "references", name, line),
        Change::RemoveColumn(name) => {
            if let Some(columns) = section.get_mut("columns").and_then(Item::as_table_like_mut) {
                columns.remove(name);
            }
            if let Some(references) = section.get_mut("references").and_then(Item::as_table_like_mut) {
                let by_it: Vec<String> =
                    references.iter().filter(|(_, it)| is_by(it, name)).map(|(key, _)| key.to_owned()).collect();
                by_it.iter().for_each(|key| _ = references.remove(key));
            }
            Ok(())
        }
        Change::Retype { column, column_type } => {
            let item = section
                .get_mut("columns")
                .and_then(Item::as_table_like_mut)
                .and_then(|columns| columns.get_mut(column))
                .context("the column's line is not where it was")?;
            let value = toml_edit::Value::from(column_type.as_str());
            match item.as_table_like_mut() {
                Some(described) => {
                    described.insert("type", Item::Value(value));
                }
                None => {
                    let decor = item.as_value().map(|old| old.decor().clone()).unwrap_or_default();
                    let mut value = value;
                    *value.decor_mut() = decor;
                    *item = Item::Value(value);
                }
            }
            Ok(())
        }
        Change::AddTable(_) | Change::ByHand(_) => Ok(()),
    }
}

/// Does a reference have this column?
fn is_by(reference: &Item, column: &str) -> bool {
    let columns = reference.as_table_like().and_then(|it| it.get("columns")).and_then(Item::as_array);
    columns.is_some_and(|columns| columns.iter().any(|it| it.as_str() == Some(column)))
}

/// Puts a line, `columns.note = "text null"    # remark`, into a table of a section.
fn put_line(section: &mut TomlTable, under: &str, name: &str, line: &str) -> Result<()> {
    let document: DocumentMut = format!("{line}\n").parse().context("writing a line")?;
    let value = document.get(under).and_then(|it| it.get(name)).cloned().context("writing a line")?;
    if !section.contains_key(under) {
        let mut table = TomlTable::new();
        table.set_dotted(true);
        section.insert(under, Item::Table(table));
    }
    let table = section
        .get_mut(under)
        .and_then(Item::as_table_like_mut)
        .with_context(|| format!("{} is no table", key(under)))?;
    table.insert(name, value);
    Ok(())
}
