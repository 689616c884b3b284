//! What becomes of each table: taken, with its key, columns and references, or left out, and why.

use std::fmt;

use serde_json::Value;

use super::choice::Choice;
use super::key::key_of;
use super::names::{TableNames, reference_name, snake};
use super::refusal::{refusal, without_key};
use crate::source::{ForeignKey, SourceColumn, Survey, SurveyedTable, UniqueKey};
use crate::sql::postgres::identifier;
use crate::types::{self, ColumnType, Connector, Kind};

/// A pipeline, as it is being made.
#[derive(Debug, Default)]
pub struct Draft {
    /// The tables that are taken.
    pub tables: Vec<DraftTable>,
    /// Everything that is not.
    pub left_out: Vec<LeftOut>,
}

/// Something that is not captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// `app.orders`, `app.orders.note`, `app.orders: foreign key orders_fk`.
    pub what: String,
    /// Why.
    pub why: String,
    /// What to do, if it is wanted.
    pub instead: String,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.what, self.why, self.instead)
    }
}

/// A table that is taken.
#[derive(Debug, Clone)]
pub struct DraftTable {
    /// As the pipeline calls it, and the warehouse.
    pub name: String,
    /// Schema in the source.
    pub schema: String,
    /// Name there.
    pub table: String,
    /// What its owner says of it.
    pub comment: Option<String>,
    /// The columns of its key.
    pub key: Vec<String>,
    /// Does Debezium take the same key by itself?
    pub is_primary: bool,
    /// May two rows exchange their keys in one statement?
    pub is_deferrable: bool,
    /// Is it made of partitions?
    pub is_partitioned: bool,
    /// Its columns.
    pub columns: Vec<DraftColumn>,
    /// Where its rows lead to.
    pub references: Vec<DraftReference>,
}

/// A column.
#[derive(Debug, Clone)]
pub struct DraftColumn {
    /// Its name.
    pub name: String,
    /// `smallint not null`; or why it is left out.
    pub read: Result<String, String>,
    /// What its owner says of it.
    pub comment: Option<String>,
    /// A value that no row has, most likely: for the example of a reference.
    pub example: Value,
}

/// A reference.
#[derive(Debug, Clone)]
pub struct DraftReference {
    /// Its name.
    pub name: String,
    /// The foreign key.
    pub constraint: String,
    /// Its columns.
    pub columns: Vec<String>,
    /// The table that it leads to, as the pipeline calls it.
    pub table: String,
    /// The columns of that table, where they do not stand in the order of its key.
    pub to: Option<Vec<String>>,
}

impl DraftTable {
    /// Schema and name, as SQL.
    pub fn relation(&self) -> String {
        format!("{}.{}", identifier(&self.schema), identifier(&self.table))
    }
}

impl Draft {
    /// Decides. `connector` is how the connector will send values; tables in `own_schema` are the pipeline's own.
    pub fn of(survey: &Survey, choice: &Choice, connector: &Connector, own_schema: &str) -> Draft {
        let mut draft = Draft::default();
        let asked: Vec<&SurveyedTable> = survey
            .tables
            .iter()
            .filter(|table| table.schema != own_schema && choice.has(table) && !is_a_pipelines(table, survey))
            .collect();
        let names = names(&asked);
        for (table, name) in asked.into_iter().zip(names) {
            match refusal(table).map_or_else(|| key_of(table, connector).map_err(without_key(table)), Err) {
                Ok(key) => draft.tables.push(draft_table(table, name, key, connector)),
                Err((why, instead)) => draft.left_out.push(LeftOut { what: shown(table), why, instead }),
            }
        }
        draft.leave_out_what_is_mistaken(survey);
        for number in 0..draft.tables.len() {
            let DraftTable { schema, table, .. } = &draft.tables[number];
            let Some(table) = survey.tables.iter().find(|it| it.schema == *schema && it.table == *table) else {
                continue;
            };
            for key in &table.foreign_keys {
                let reference = reference(&draft.tables, number, key);
                match reference {
                    Ok(reference) => draft.tables[number].references.push(reference),
                    Err(why) => draft.leave_out_key(number, &key.name, why),
                }
            }
        }
        draft
    }

    /// The connector takes names that differ only in the size of letters for one. Of a name in small letters it would take the other table, too, which
    /// it may not read; a name with capitals is asked for exactly.
    fn leave_out_what_is_mistaken(&mut self, survey: &Survey) {
        let lower = |schema: &str, table: &str| format!("{schema}.{table}").to_lowercase();
        while let Some((number, other)) = self.tables.iter().enumerate().find_map(|(number, table)| {
            let (schema, name) = (&table.schema, &table.table);
            let is_small = !format!("{schema}{name}").chars().any(char::is_uppercase);
            let other = survey.tables.iter().find(|other| {
                lower(&other.schema, &other.table) == lower(schema, name)
                    && !self.tables.iter().any(|it| it.schema == other.schema && it.table == other.table)
            })?;
            is_small.then(|| (number, shown(other)))
        }) {
            let why = format!(
                "the connector cannot tell it from {other}, which is not captured and differs only in the size of letters"
            );
            self.leave_out(number, why, "rename one of them, or make the other one fit to be captured".to_owned());
        }
    }

    /// Takes a table out again, and the references that lead to it.
    pub fn leave_out(&mut self, number: usize, why: String, instead: String) {
        let table = self.tables.remove(number);
        let what = format!("{}.{}", table.schema, table.table);
        for other in 0..self.tables.len() {
            let references = std::mem::take(&mut self.tables[other].references);
            let (lost, kept): (Vec<_>, Vec<_>) = references.into_iter().partition(|it| it.table == table.name);
            self.tables[other].references = kept;
            for reference in lost {
                self.leave_out_key(other, &reference.constraint, format!("it leads to {what}, which is left out"));
            }
        }
        self.left_out.push(LeftOut { what, why, instead });
    }

    /// Notes a foreign key that becomes no reference.
    pub fn leave_out_key(&mut self, number: usize, constraint: &str, why: String) {
        let DraftTable { schema, table, .. } = &self.tables[number];
        let what = format!("{schema}.{table}: the foreign key {constraint}");
        let instead = "its rows are captured; whether the other row is there is not asked".to_owned();
        self.left_out.push(LeftOut { what, why, instead });
    }
}

/// A name for each table. Whose name is one of a pipeline already keeps it, whatever others come before.
fn names(tables: &[&SurveyedTable]) -> Vec<String> {
    let mut names = TableNames::default();
    let is_plain = |table: &SurveyedTable| snake(&table.table, "") == table.table;
    let mut given: Vec<Option<String>> = vec![None; tables.len()];
    for plain in [true, false] {
        for (name, table) in given.iter_mut().zip(tables).filter(|(_, table)| is_plain(table) == plain) {
            *name = Some(names.give(&table.schema, &table.table));
        }
    }
    given.into_iter().flatten().collect()
}

fn draft_table(table: &SurveyedTable, name: String, key: &UniqueKey, connector: &Connector) -> DraftTable {
    DraftTable {
        name,
        schema: table.schema.clone(),
        table: table.table.clone(),
        comment: table.comment.clone(),
        key: key.columns.clone(),
        is_primary: key.primary,
        is_deferrable: !key.immediate,
        is_partitioned: table.kind == "p",
        columns: table.columns.iter().map(|column| draft_column(table, column, connector)).collect(),
        references: Vec::new(),
    }
}

/// Is it the heartbeat or signal table of a pipeline?
fn is_a_pipelines(table: &SurveyedTable, survey: &Survey) -> bool {
    let has = |name: &str| survey.tables.iter().any(|it| it.schema == table.schema && it.table == name);
    table.schema.ends_with("_cdc")
        && ["heartbeat", "signal"].contains(&table.table.as_str())
        && has("heartbeat")
        && has("signal")
}

fn shown(table: &SurveyedTable) -> String {
    format!("{}.{}", table.schema, table.table)
}

fn draft_column(table: &SurveyedTable, column: &SourceColumn, connector: &Connector) -> DraftColumn {
    let null = if column.source_type.nullable { "null" } else { "not null" };
    let column_type = ColumnType::of(column.source_type.clone(), connector);
    let read = match &column_type {
        _ if column.generated => Err("PostgreSQL computes it, and does not send it".to_owned()),
        Ok(_) if !column.is_enum && !types::is_known(&column.source_type) => {
            Err(format!("{} is a type that Debezium does not know: it sends nothing, or NULL", column.source_type.text))
        }
        Ok(_) => Ok(format!("{} {null}", column.source_type.text)),
        Err(why) => Err(why.strip_suffix(types::EXCLUDE_IT).unwrap_or(why).to_owned()),
    };
    DraftColumn {
        name: column.name.clone(),
        read,
        comment: table.column_notes.iter().find(|note| note.name == column.name).and_then(|note| note.comment.clone()),
        example: column_type.map_or(Value::Null, |it| example(it.kind())),
    }
}

/// A value that no row has, most likely.
fn example(kind: &Kind) -> Value {
    match kind {
        Kind::Int { .. } => Value::from(-1),
        Kind::Decimal { .. } | Kind::Numeric(_) => Value::from("-1"),
        Kind::Bool => Value::from(false),
        Kind::Uuid => Value::from("00000000-0000-0000-0000-000000000000"),
        Kind::Date => Value::from("1900-01-01"),
        Kind::Timestamp(_) | Kind::TimestampTz => Value::from("1900-01-01 00:00:00"),
        _ => Value::from("?"),
    }
}

/// What a foreign key becomes, or why nothing.
fn reference(tables: &[DraftTable], number: usize, key: &ForeignKey) -> Result<DraftReference, String> {
    let table = &tables[number];
    let parent = tables.iter().find(|other| other.schema == key.schema && other.table == key.table);
    let parent = parent.ok_or_else(|| format!("it leads to {}.{}, which is not captured", key.schema, key.table))?;
    if !key.validated {
        return Err("it is NOT VALID: older rows may lead nowhere".to_owned());
    }
    let mut sorted = [key.to.clone(), parent.key.clone()];
    sorted.iter_mut().for_each(|columns| columns.sort());
    if sorted[0] != sorted[1] {
        return Err(format!(
            "it leads to ({}), which is not the key that {} is captured by",
            key.to.join(", "),
            parent.name
        ));
    }
    let is_read = |name: &String| table.columns.iter().any(|column| column.name == *name && column.read.is_ok());
    if let Some(column) = key.columns.iter().find(|column| !is_read(column)) {
        return Err(format!("its column {column} is left out"));
    }
    let is_used = |name: &str| {
        table.columns.iter().any(|column| column.name == name)
            || table.references.iter().any(|reference| reference.name == name)
    };
    Ok(DraftReference {
        name: reference_name(key, &parent.name, is_used),
        constraint: key.name.clone(),
        columns: key.columns.clone(),
        table: parent.name.clone(),
        to: (key.to != parent.key).then(|| key.to.clone()),
    })
}
