//! The rules of a table: each text as a tree, and where the values are that it reads.

use std::borrow::Cow;

use chrono::{NaiveDate, Utc};
use ethnum::i256;

use crate::pipeline::{Located, Problem, RuleSpec};
use crate::rows::{Row, Schema};
use crate::rules::{self, Refusal, Rule, Scope, Type, Value};
use crate::tables::{Fact, Pipeline, RuleLimits, Table};
use crate::types::{self, ColumnType, Kind};

/// A rule of a table.
#[derive(Debug)]
pub struct CompiledRule {
    /// What the file says.
    pub spec: &'static RuleSpec,
    /// Its tree.
    pub rule: Rule,
    /// Where the values are that it reads.
    pub places: Vec<InputCell>,
    /// References that it uses: while one of these rows is not there though the key is set, the rule is undecided.
    pub references: Vec<usize>,
    /// References whose rows must not have changed since the event.
    pub unchanged: Vec<usize>,
    /// Its text for people, with the limits' values.
    pub expected: String,
}

/// Where a value is that a rule reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputCell {
    /// The column at this place of the row.
    Own(usize),
    /// Of the row that a reference leads to.
    Parent {
        /// The reference's number.
        reference: usize,
        /// The number among its facts.
        fact: usize,
    },
}

impl CompiledRule {
    /// The rules of a table, under these limits; those that are off are there too.
    ///
    /// # Errors
    /// A rule's text cannot be judged with a limit's value, though it could with the file's.
    pub fn of(pipeline: &Pipeline, table: &Table, limits: &RuleLimits) -> Result<Vec<CompiledRule>, Refusal> {
        let scope = scope(pipeline, table, limits);
        table.spec.rules.iter().map(|spec| CompiledRule::new(spec, table, &scope)).collect()
    }

    fn new(spec: &'static RuleSpec, table: &Table, scope: &Scope) -> Result<CompiledRule, Refusal> {
        let rule = Rule::parse(&spec.expect, scope)?;
        let number = |name: &str| table.references.iter().position(|reference| reference.name == name);
        let place = |input: &rules::Input| match &input.reference {
            None => table.schema.place(&input.column).map(InputCell::Own),
            Some(name) => {
                let reference = number(name)?;
                let mut facts = table.references[reference].facts.iter();
                facts.position(|fact| fact.column == input.column).map(|fact| InputCell::Parent { reference, fact })
            }
        };
        let places = rule.inputs().iter().filter_map(place).collect();
        let references = rule.references().iter().filter_map(|reference| number(&reference.name)).collect();
        let unchanged = spec.unchanged.iter().filter_map(|name| number(name.as_str())).collect();
        let expected = with_values(&spec.expect, &scope.limits);
        Ok(CompiledRule { spec, rule, places, references, unchanged, expected })
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.spec.name.as_str()
    }

    /// Is it false of a row? Not while it reads a value that the warehouse's type cannot hold. `parents` are the rows that its references lead to, as cells of their facts; `None` where there is none.
    pub fn is_broken(&self, table: &Table, row: Row<'_>, parents: &[Option<&[Vec<u8>]>]) -> bool {
        let values: Option<Vec<Value<'_>>> =
            self.places.iter().map(|place| self.value(*place, table, row, parents)).collect();
        values.is_some_and(|values| self.rule.evaluate(&values) == Some(false))
    }

    /// The values that it reads, by name, for people.
    pub fn shown(&self, table: &Table, row: Row<'_>, parents: &[Option<&[Vec<u8>]>]) -> String {
        let shown = self.rule.inputs().iter().zip(&self.places).map(|(input, place)| {
            let (column_type, cell) = self.cell(*place, table, row, parents);
            let text = cell.and_then(|cell| column_type.text(cell)).unwrap_or(Cow::Borrowed("NULL"));
            let name = match &input.reference {
                None => input.column.clone(),
                Some(reference) => format!("{reference}.{}", input.column),
            };
            format!("{name} is {text}")
        });
        shown.collect::<Vec<_>>().join(", ")
    }

    /// What a rule reads at a place; `None` if the warehouse's type cannot hold it.
    fn value<'r>(
        &self,
        place: InputCell,
        table: &'r Table,
        row: Row<'r>,
        parents: &[Option<&'r [Vec<u8>]>],
    ) -> Option<Value<'r>> {
        let (column_type, cell) = self.cell(place, table, row, parents);
        let Some(cell) = cell else { return Some(Value::Null) };
        if cell.is_empty() {
            return None;
        }
        Some(match place {
            // What is looked up of such a type is only whether there is a value.
            InputCell::Parent { reference, fact } if table.references[reference].facts[fact].is_opaque() => {
                match cell {
                    [0, ..] => Value::Opaque,
                    _ => Value::Null,
                }
            }
            _ => value_of(column_type, cell),
        })
    }

    fn cell<'r>(
        &self,
        place: InputCell,
        table: &'r Table,
        row: Row<'r>,
        parents: &[Option<&'r [Vec<u8>]>],
    ) -> (&'r ColumnType, Option<&'r [u8]>) {
        match place {
            InputCell::Own(n) => (&table.columns()[n].column_type, Some(row.cell(n))),
            InputCell::Parent { reference, fact } => {
                let cells = parents.get(reference).copied().flatten();
                let cell = cells.and_then(|cells| cells.get(fact)).map(Vec::as_slice);
                (&table.references[reference].facts[fact].column_type, cell)
            }
        }
    }
}

/// What the names in a table's rules stand for.
pub(super) fn scope(pipeline: &Pipeline, table: &Table, limits: &RuleLimits) -> Scope {
    let mut scope = own_scope(table);
    scope.limits = limits.declared().to_vec();
    scope.references = table
        .references
        .iter()
        .filter_map(|reference| {
            let parent = pipeline.table(reference.spec.table.as_str())?;
            let own = reference.spec.columns.iter().map(|column| column.to_string());
            Some(rules::Reference {
                name: reference.name.to_owned(),
                key: own.zip(parent.schema.key_names().map(str::to_owned)).collect(),
                columns: columns_of(&parent.schema),
            })
        })
        .collect();
    scope
}

/// The table's own columns.
pub(crate) fn own_scope(table: &Table) -> Scope {
    let today: NaiveDate = Utc::now().date_naive();
    Scope::of(columns_of(&table.schema), today)
}

fn columns_of(schema: &Schema) -> Vec<rules::ScopeColumn> {
    let column = |column: &crate::rows::Column| rules::ScopeColumn {
        name: column.name.clone(),
        ty: rule_type(&column.column_type),
    };
    schema.columns().iter().map(column).collect()
}

/// For each table, and each of its references: the columns of the other table that rules read.
pub(super) fn facts(pipeline: &Pipeline) -> Vec<Vec<Vec<Fact>>> {
    let of_table = |table: &Table| {
        let scope = scope(pipeline, table, &pipeline.limits());
        let rules: Vec<Rule> =
            table.spec.rules.iter().filter_map(|spec| Rule::parse(&spec.expect, &scope).ok()).collect();
        let of_reference = |reference: &crate::tables::Reference| {
            let Some(parent) = pipeline.table(reference.spec.table.as_str()) else { return Vec::new() };
            let is_read = |column: &str| {
                let reads =
                    |input: &rules::Input| input.reference.as_deref() == Some(reference.name) && input.column == column;
                rules.iter().any(|rule| rule.inputs().iter().any(reads))
            };
            let fact = |column: &'static str| Some(Fact { column, column_type: parent.column_type(column)?.or_null() });
            parent.source_columns().filter(|column| is_read(column)).filter_map(fact).collect()
        };
        table.references.iter().map(of_reference).collect()
    };
    pipeline.tables.iter().map(of_table).collect()
}

/// Rules whose text cannot be judged.
pub(super) fn problems(pipeline: &Pipeline) -> Vec<Problem> {
    let limits = pipeline.limits();
    let mut problems = Vec::new();
    for table in &pipeline.tables {
        let scope = scope(pipeline, table, &limits);
        for spec in &table.spec.rules {
            if let Err(refusal) = Rule::parse(&spec.expect, &scope) {
                let at = pipeline.spec.texts.within(&spec.expect, offset(&spec.expect, &refusal));
                let what = format!("the rule {} of {}: {}", spec.name, table.name, refusal.message);
                problems.push(Problem::new(&pipeline.spec.texts, &at, what, ""));
            }
        }
    }
    problems
}

/// A rule's text with the values of the limits that it names.
fn with_values(text: &str, limits: &[rules::Limit]) -> String {
    let mut parts = text.split(':');
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(part.len());
        match limits.iter().find(|limit| limit.name == part[..end]) {
            Some(limit) => shown += &format!("{}{}", limit.value, &part[end..]),
            None => shown += &format!(":{part}"),
        }
    }
    shown
}

/// The byte of a text at a refusal's line and character.
fn offset(text: &Located<String>, refusal: &Refusal) -> usize {
    let above = refusal.line.saturating_sub(1) as usize;
    let mut lines = text.split_inclusive('\n');
    let before: usize = lines.by_ref().take(above).map(str::len).sum();
    let line = lines.next().unwrap_or_default();
    let within: usize = line.chars().take(refusal.column.saturating_sub(1) as usize).map(char::len_utf8).sum();
    before + within
}

/// A column's type, as rules see it.
pub fn rule_type(column_type: &ColumnType) -> Type {
    let source = column_type.source();
    let bounds = |decimal: types::decimal::Decimal| (decimal.precision as u8, decimal.scale as u8);
    match (column_type.kind(), source.base.as_str()) {
        (Kind::Bool, "boolean") => Type::Bool,
        (Kind::Int { .. }, "smallint") => Type::Int(16),
        (Kind::Int { .. }, "integer") => Type::Int(32),
        (Kind::Int { .. }, "bigint") => Type::Int(64),
        (Kind::Float { single: true }, "real") => Type::Real(None),
        (Kind::Float { .. }, "double precision") => Type::Double(None),
        (Kind::Amount(amount), "real") => Type::Real(Some(bounds(amount.0))),
        (Kind::Amount(amount), "double precision") => Type::Double(Some(bounds(amount.0))),
        (Kind::Decimal { kept, .. }, "numeric") => {
            let (precision, scale) = bounds(*kept);
            Type::Decimal(precision, scale)
        }
        (Kind::Text, "text" | "character varying") => Type::Text,
        (Kind::Bpchar, _) => Type::Char(source.modifiers.first().map_or(u32::MAX, |n| *n as u32)),
        (Kind::Date, _) => Type::Date,
        (Kind::Timestamp(_), _) => Type::Timestamp,
        (Kind::TimestampTz, _) => Type::TimestampTz,
        (Kind::Uuid, _) => Type::Uuid,
        _ => Type::Other(source.text.clone()),
    }
}

/// The value of a cell, as rules see it.
fn value_of<'c>(column_type: &ColumnType, cell: &'c [u8]) -> Value<'c> {
    if let (Type::Other(_), false) = (rule_type(column_type), column_type.value(cell) == types::Value::Null) {
        return Value::Opaque;
    }
    match column_type.value(cell) {
        types::Value::Null => Value::Null,
        types::Value::Int(number) => Value::number(number),
        types::Value::Float(number) => Value::Double(number),
        types::Value::Decimal(bytes) => Value::Number(unscaled(bytes)),
        types::Value::Bool(truth) => Value::Bool(truth),
        types::Value::Text(text) => Value::text(text),
        types::Value::Date(days) => Value::Moment(i64::from(days)),
        types::Value::Timestamp(micros) => Value::Moment(micros),
        types::Value::Uuid(_) => column_type.text(cell).map_or(Value::Null, Value::Text),
        types::Value::Digest(..) => Value::Opaque,
    }
}

/// A number of up to 32 bytes, little-endian.
fn unscaled(bytes: &[u8]) -> i256 {
    let mut wide = [if bytes.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 }; 32];
    let width = bytes.len().min(32);
    wide[..width].copy_from_slice(&bytes[..width]);
    i256::from_le_bytes(wide)
}
