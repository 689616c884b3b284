//! References: columns that hold the key of a row of another table.

use crate::pipeline::{Problem, ReferenceSpec};
use crate::rows::{Row, Schema};
use crate::rules::Type;
use crate::sql::{clickhouse, postgres};
use crate::tables::{KeyColumn, Pipeline, Table, rule_type};
use crate::types::{ColumnType, Kind};

/// A reference of a table.
#[derive(Debug)]
pub struct Reference {
    /// By what rules name it.
    pub name: &'static str,
    /// Name of the rule "that row exists".
    pub rule: &'static str,
    /// What the file says.
    pub spec: &'static ReferenceSpec,
    /// The places of the columns that point, in the order of the other table's key.
    pub columns: Vec<usize>,
    /// The table that it leads to.
    pub parent: Parent,
    /// The columns of that table which rules read.
    pub facts: Vec<Fact>,
    /// Does a rule ask whether the row has changed since the event?
    pub is_watched: bool,
}

/// The table that a reference leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// Name.
    pub name: &'static str,
    /// In PostgreSQL, schema and all, as SQL.
    pub relation: String,
    /// Name in the warehouse.
    pub target: &'static str,
    /// The primary key.
    pub key: Vec<KeyColumn>,
}

/// A column of another table that rules read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Its name.
    pub column: &'static str,
    /// Its type.
    pub column_type: ColumnType,
}

impl Fact {
    /// SQL for its value in PostgreSQL, as text. Of a type that rules cannot look into, only whether there is a value.
    pub fn in_source(&self) -> String {
        let name = postgres::identifier(self.column);
        let text = if self.is_opaque() { None } else { self.column_type.in_postgres(&name) };
        text.unwrap_or_else(|| format!("CASE WHEN {name} IS NOT NULL THEN '' END"))
    }

    /// The same in the warehouse.
    pub fn in_warehouse(&self) -> String {
        let name = clickhouse::identifier(self.column);
        match self.column_type.kind() {
            // A tuple is never NULL, but its parts are.
            Kind::Digest(_) => format!("if(isNull({name}.1), NULL, '')"),
            _ if self.is_opaque() => format!("if(isNull({name}), NULL, '')"),
            _ => self.column_type.in_clickhouse(&name),
        }
    }

    /// The cell of what a server answers. Of a value that the warehouse's type cannot hold it is empty: no rule can say anything of it.
    pub fn cell(&self, answer: Option<&str>) -> Vec<u8> {
        let mut cell = Vec::new();
        match answer {
            Some(_) if self.is_opaque() => cell.push(0),
            answer => {
                if self.column_type.write_answer(answer, &mut cell).is_err() {
                    cell.clear();
                }
            }
        }
        cell
    }

    /// May a rule only ask whether it is NULL?
    pub fn is_opaque(&self) -> bool {
        matches!(rule_type(&self.column_type), Type::Other(_))
    }
}

impl Reference {
    /// As far as the table itself knows it.
    pub(super) fn of(spec: &'static ReferenceSpec, schema: &Schema) -> Reference {
        let parent = Parent { name: spec.table.as_str(), relation: String::new(), target: "", key: Vec::new() };
        Reference {
            name: spec.name.as_str(),
            rule: spec.rule().leak(),
            spec,
            columns: spec.columns.iter().filter_map(|column| schema.place(column.as_str())).collect(),
            parent,
            facts: Vec::new(),
            is_watched: false,
        }
    }

    /// The canonical text of the key that a row holds; `None` if a part of it is NULL.
    pub fn key_of(&self, schema: &Schema, row: Row<'_>) -> Option<String> {
        schema.joined(&self.columns, |place| row.cell(place))
    }
}

/// References whose columns cannot hold a key of the other table.
pub(super) fn problems(pipeline: &Pipeline) -> Vec<Problem> {
    let of_table = |table: &Table| -> Vec<Problem> {
        let of_reference = |reference: &Reference| -> Vec<Problem> {
            let pairs = reference.columns.iter().zip(&reference.parent.key).zip(&reference.spec.columns);
            let wrong = pairs.filter_map(|((place, key), named)| {
                let column = &table.schema.columns()[*place];
                let why = match column.column_type.key_type() {
                    Ok(own) if own == key.source_type => return None,
                    Ok(own) => format!("{own} is never equal to {}, the type of {}", key.source_type, key.name),
                    Err(why) => why,
                };
                let what = format!("the reference {} of {}: {}: {why}", reference.name, table.name, column.name);
                Some(Problem::new(&pipeline.spec.texts, &named.at, what, "leave the reference out"))
            });
            wrong.collect()
        };
        table.references.iter().flat_map(of_reference).collect()
    };
    pipeline.tables.iter().flat_map(of_table).collect()
}
