//! The text of `lockstep.toml`, line by line; of each line it is known what it is about, so that whoever refuses it can be understood.

use serde_json::Value;
use toml_edit::{Array, InlineTable, Key};

use super::choice::Choice;
use super::draft::{Draft, DraftColumn, DraftReference, DraftTable};

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// The pipeline as a whole.
    Pipeline,
    /// A table, by its number.
    Table(usize),
    /// One of its columns.
    Column(usize, usize),
    /// One of its references.
    Reference(usize, usize),
}

/// The names that are no table's.
#[derive(Debug, Clone)]
pub struct Names {
    /// The pipeline.
    pub pipeline: String,
    /// The database in PostgreSQL.
    pub database: String,
    /// What was asked for.
    pub choice: Choice,
}

impl Names {
    /// The schema of heartbeat and signals.
    pub fn own_schema(&self) -> String {
        format!("{}_cdc", self.pipeline)
    }
}

/// A file that is being written.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<(String, About)>);

impl Lines {
    fn say(&mut self, about: About, line: impl Into<String>) {
        self.0.push((line.into(), about));
    }

    /// The text.
    pub fn text(&self) -> String {
        self.0.iter().map(|(line, _)| format!("{line}\n")).collect()
    }

    /// What a line is about; lines count from 1.
    pub fn about(&self, line: usize) -> About {
        self.0.get(line.saturating_sub(1)).map_or(About::Pipeline, |(_, about)| *about)
    }
}

/// Writes a pipeline's file.
pub(super) fn lines(draft: &Draft, names: &Names) -> Lines {
    let mut lines = Lines::default();
    for line in head(names).lines() {
        lines.say(About::Pipeline, line);
    }
    for (number, table) in draft.tables.iter().enumerate() {
        table_lines(&mut lines, number, table);
    }
    lines
}

/// A table's section.
pub(super) fn table_text(table: &DraftTable) -> String {
    let mut lines = Lines::default();
    table_lines(&mut lines, 0, table);
    lines.text()
}

fn head(names: &Names) -> String {
    let Names { pipeline: name, database, choice } = names;
    let (database, choice) = (quoted(database), choice.line());
    format!(
        r#"# Written by `lockstep init` from the catalogue of the database, and yours from now on: `init --check` says what has changed there since,
# `init --update` takes it in and leaves comments and your own lines as they are. Rules stand below their tables ([[tables.orders.rules]]).
{choice}

[pipeline]
name = "{name}"
topic_prefix = "{name}"

[connector]
name = "{name}-cdc-connector"
database = {database}
role = "{name}_cdc"
slot = "{name}_slot"
publication = "{name}_publication"
heartbeat = {{ schema = "{name}_cdc", table = "heartbeat" }}
signal = {{ schema = "{name}_cdc", table = "signal" }}
decimal_handling = "string"
time_precision = "adaptive"
binary_handling = "bytes"

[warehouse]
database = "{name}_dw"
ops = "{name}_ops""#
    )
}

fn table_lines(lines: &mut Lines, number: usize, table: &DraftTable) {
    let about = About::Table(number);
    lines.say(about, "");
    for line in table.comment.iter().flat_map(|comment| comment.lines()) {
        lines.say(about, commented(line));
    }
    for note in notes(table) {
        lines.say(about, format!("# {note}"));
    }
    let DraftTable { name, schema, table: source, .. } = table;
    lines.say(about, format!("[tables.{name}]"));
    lines.say(about, format!("source = {{ schema = {}, table = {} }}", quoted(schema), quoted(source)));
    lines.say(about, format!("target = \"{name}\""));
    lines.say(about, format!("key = {}", list(&table.key)));
    let width = table.columns.iter().map(|column| key(&column.name).chars().count()).max().unwrap_or(0);
    for (place, column) in table.columns.iter().enumerate() {
        lines.say(About::Column(number, place), column_line(column, width));
    }
    for (place, reference) in table.references.iter().enumerate() {
        lines.say(About::Reference(number, place), reference_line(table, reference));
    }
}

/// What whoever reads the file should know of a table.
fn notes(table: &DraftTable) -> Vec<&'static str> {
    let deferrable = "Its key is DEFERRABLE: rows that exchange their keys in one statement are sent in an order that loses one; check-reconcile finds it.";
    let partitioned =
        "It is made of partitions: what goes with a partition that is dropped or detached is sent by nobody.";
    let chosen = "Its key is a unique index, not the primary key: the connector is told so (message.key.columns).";
    [
        table.is_deferrable.then_some(deferrable),
        table.is_partitioned.then_some(partitioned),
        (!table.is_primary).then_some(chosen),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A column, as a line of its table.
pub(super) fn column_line(column: &DraftColumn, width: usize) -> String {
    let name = key(&column.name);
    let padding = " ".repeat(width.saturating_sub(name.chars().count()));
    let value = match &column.read {
        Ok(column_type) => quoted(column_type),
        Err(why) => format!("{{ exclude = {} }}", quoted(why)),
    };
    let comment = column.comment.as_deref().map(|comment| format!("    {}", commented(&comment.replace('\n', " "))));
    format!("columns.{name}{padding} = {value}{}", comment.unwrap_or_default())
}

/// A reference, as a line of its table.
pub(super) fn reference_line(table: &DraftTable, reference: &DraftReference) -> String {
    let example = reference.columns.first().and_then(|name| table.columns.iter().find(|column| column.name == *name));
    let mut values = InlineTable::new();
    values.extend(example.map(|column| (Key::new(&column.name), of_json(&column.example))));
    let mut value = InlineTable::new();
    value.insert("columns", Array::from_iter(&reference.columns).into());
    value.insert("table", reference.table.as_str().into());
    if let Some(to) = &reference.to {
        value.insert("to", Array::from_iter(to).into());
    }
    value.insert("why", format!("{} leads to a row of {}", reference.constraint, reference.table).into());
    value.insert("example", values.into());
    format!("references.{} = {value}", reference.name)
}

fn of_json(value: &Value) -> toml_edit::Value {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => number.as_i64().unwrap_or_default().into(),
        Value::String(text) => text.as_str().into(),
        _ => InlineTable::from_iter([("null", true)]).into(),
    }
}

/// A text in TOML.
fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string().trim().to_owned()
}

/// A name as a key of TOML: in quotes where it has to be.
pub(super) fn key(name: &str) -> String {
    Key::new(name).to_string()
}

fn list(names: &[String]) -> String {
    Array::from_iter(names).to_string().trim().to_owned()
}

/// A line of a comment. Control characters are no part of TOML's.
fn commented(text: &str) -> String {
    format!("# {}", text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim())
}
