//! A table's section: `[tables.orders]`.

use toml::de::DeValue;

use super::columns::{Columns, columns, same_columns};
use super::name::{ColumnName, ReferenceName, RuleName, TableName, TargetName};
use super::problem::{Report, nearest};
use super::read::{one_of, source_table};
use super::section::{Section, kind};
use super::spec::{ClickHouseSpec, DroppedPartitions, ReferenceSpec, RuleSpec, TableSpec};
use super::text::Located;

/// Rules of the engine itself: a record is rejected by them, whatever its table.
pub const ENGINE_RULES: [&str; 4] = ["decode", "not-finite", "toast-unavailable", "not-in-postgres"];

/// Settings that the engine relies on.
const ENGINE_SETTINGS: [&str; 1] = ["non_replicated_deduplication_window"];

/// A topic may not have more partitions.
const MOST_PARTITIONS: u32 = 1_000;

/// A reference, with the columns that it says it leads to; none means the other table's key.
pub(super) struct ReadReference {
    pub spec: ReferenceSpec,
    pub to: Option<Vec<Located<String>>>,
}

/// The references of a table.
#[derive(Default)]
struct References {
    read: Vec<ReadReference>,
    /// The names of all, of those with problems too: whoever names one of them makes no mistake.
    named: Vec<String>,
}

/// A table, its references not resolved yet.
pub(super) struct ReadTable {
    pub spec: TableSpec,
    pub references: Vec<ReadReference>,
}

/// Reads a table; none if something is missing without which nothing can be said of it beside the others.
pub(super) fn table(name: Option<Located<TableName>>, mut section: Section<'_>) -> Option<ReadTable> {
    let report = section.report;
    let called = name.as_ref().map_or("orders", |name| name.as_str()).to_owned();
    let source = source_table(&mut section, "source", "public", &called);
    let target = section.required_text("target", &called).and_then(|text| TargetName::read(text, report));
    let columns = section.required_section("columns", "{ … }, as in columns.id = \"bigint not null\"").map(columns);
    let key = section.required_texts("key", "[\"id\"], the columns of the primary key");
    let empty = Columns::default();
    let known = columns.as_ref().unwrap_or(&empty);
    let key = key.and_then(|names| read_key(names, known, &section));
    let partitions = section.count("partitions", MOST_PARTITIONS);
    let dropped_partitions = if section.has("dropped_partitions") {
        one_of(&mut section, "dropped_partitions")
    } else {
        Some(DroppedPartitions::Keep)
    };
    let clickhouse = section.section("clickhouse").map(|it| clickhouse(it, key.as_deref(), known)).unwrap_or_default();
    let references = section.section("references").map(|it| references(it, known)).unwrap_or_default();
    let rules = rules(&mut section, known, &references);
    section.finish();
    let columns = columns?;
    let spec = TableSpec {
        name: name?,
        source: source?,
        target: target?,
        key: key?,
        columns: columns.read,
        excluded: columns.excluded,
        references: Vec::new(),
        rules,
        partitions,
        dropped_partitions: dropped_partitions?,
        clickhouse,
    };
    Some(ReadTable { spec, references: references.read })
}

fn read_key(names: Vec<Located<String>>, columns: &Columns, section: &Section<'_>) -> Option<Vec<Located<ColumnName>>> {
    let report = section.report;
    if names.is_empty() {
        report.say(&section.at, format!("the key of {} is empty", section.name), "name the columns of the primary key");
        return None;
    }
    let key = columns.resolve(names, "the key", report)?;
    for column in key.iter().filter(|column| columns.is_nullable(column)) {
        let instead =
            format!("write \"… not null\" as the type of {column}, if the source has it so, or take another key");
        report.say(&column.at, format!("the key names {column}, which may be NULL"), instead);
    }
    Some(key)
}

fn clickhouse(mut section: Section<'_>, key: Option<&[Located<ColumnName>]>, columns: &Columns) -> ClickHouseSpec {
    let report = section.report;
    let at = section.place_of("order_by");
    let order_by = section.texts("order_by").unwrap_or_default();
    let order_by = columns.resolve(order_by, "order_by", report).unwrap_or_default();
    let partition_by = expression(&mut section, "partition_by");
    let ttl = expression(&mut section, "ttl");
    let settings = section.section("settings").map(settings).unwrap_or_default();
    section.finish();
    let Some(key) = key else { return ClickHouseSpec { order_by, partition_by, ttl, settings } };
    let in_key = |name: &str| key.iter().any(|column| column.as_str() == name);
    let key_text = key.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if !order_by.is_empty() {
        same_columns(&order_by, key, &at, report);
    }
    if let Some(expression) = &partition_by
        && let Some(column) = columns.names().find(|column| !in_key(column) && has_word(expression, column))
    {
        let what = format!("partition_by names {column}, which can change: a row would be in two partitions");
        report.say(&expression.at, what, format!("use columns of the key only: {key_text}"));
    }
    ClickHouseSpec { order_by, partition_by, ttl, settings }
}

/// Does an SQL text have this word?
pub(crate) fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|part| part == word)
}

/// An expression; an empty one is none.
pub(super) fn expression(section: &mut Section<'_>, key: &'static str) -> Option<Located<String>> {
    let text = section.text(key).filter(|text| !text.trim().is_empty())?;
    if text.contains(';') {
        section.report.say(&text.at, format!("{key} has a semicolon"), "write one expression");
        return None;
    }
    Some(text)
}

fn settings(mut section: Section<'_>) -> Vec<(String, String)> {
    let report = section.report;
    let mut settings = Vec::new();
    for entry in section.rest() {
        let name = entry.key.value;
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
            report.say(&entry.key.at, format!("{name:?} is no name of a setting"), "write it as ClickHouse does");
        }
        if ENGINE_SETTINGS.contains(&name) {
            report.say(&entry.key.at, format!("{name} is what the engine relies on"), "leave it out");
        }
        let value = match entry.value {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
            DeValue::Float(number) => number.as_str().to_owned(),
            DeValue::Boolean(value) => u8::from(*value).to_string(),
            DeValue::String(text) if !text.chars().any(char::is_control) => super::ddl::quoted(text),
            other => {
                report.say(&entry.at, format!("the setting {name} is {}", kind(other)), "write a number or a text");
                continue;
            }
        };
        settings.push((name.to_owned(), value));
    }
    settings
}

fn references(mut section: Section<'_>, columns: &Columns) -> References {
    let report = section.report;
    let mut references = References::default();
    for entry in section.rest() {
        let key = Located { value: entry.key.value.to_owned(), at: entry.key.at.clone() };
        references.named.push(key.value.clone());
        let name = ReferenceName::read(key, report);
        if columns.is_named(entry.key.value) {
            let what = format!(
                "the reference {0} has the name of the column {0}: rules could not tell them apart",
                entry.key.value
            );
            report.say(&entry.key.at, what, "give the reference another name");
        }
        let read = entry.section(section.member(entry.key.value), report).and_then(|it| reference(it, name, columns));
        references.read.extend(read);
    }
    references
}

fn reference(
    mut section: Section<'_>,
    name: Option<Located<ReferenceName>>,
    columns: &Columns,
) -> Option<ReadReference> {
    let report = section.report;
    let own = section.required_texts("columns", "[\"…\"], the columns that hold the other row's key");
    let own = own.and_then(|names| columns.resolve(names, "the reference", report));
    let table = section.required_text("table", "customers").and_then(|text| TableName::read(text, report));
    let to = section.texts("to");
    let why = section.required_prose("why", "what goes wrong when that row is missing");
    let example_at = section.place_of("example");
    let example = section.example();
    section.finish();
    let (example, named) = example?;
    let readable = columns.are_readable(&named, "the example", report);
    let own = own?;
    if readable && !named.iter().any(|column| own.iter().any(|own| own.as_str() == column.value)) {
        let what = "the example leaves the reference's columns as they are, so it cannot break it";
        let instead = format!("write a value of {}", own.first().map_or("them", |column| column.as_str()));
        report.say(&example_at, what, instead);
    }
    let spec = ReferenceSpec { name: name?, columns: own, table: table?, why: why?.value, example };
    Some(ReadReference { spec, to })
}

fn rules(section: &mut Section<'_>, columns: &Columns, references: &References) -> Vec<RuleSpec> {
    let report = section.report;
    let mut rules: Vec<RuleSpec> = Vec::new();
    for section in section.list_of_sections("rules") {
        let Some(rule) = rule(section, columns, references) else { continue };
        let name = rule.name.as_str();
        if rules.iter().any(|earlier| earlier.name.as_str() == name) {
            report.say(
                &rule.name.at,
                format!("there are two rules {name} of this table"),
                "give one of them another name",
            );
        } else if references.read.iter().any(|reference| reference.spec.rule() == name) {
            let what = format!("{name} is the rule that a reference of this table makes by itself");
            report.say(&rule.name.at, what, "give the rule another name");
        } else if ENGINE_RULES.contains(&name) {
            report.say(&rule.name.at, format!("{name} is a rule of the engine itself"), "give the rule another name");
        }
        rules.push(rule);
    }
    rules
}

fn rule(mut section: Section<'_>, columns: &Columns, references: &References) -> Option<RuleSpec> {
    let report = section.report;
    let name = section.required_text("name", "quantity-positive").and_then(|text| RuleName::read(text, report));
    let expect = section.required_prose("expect", "quantity > 0");
    let severity = one_of(&mut section, "severity");
    let why = section.required_prose("why", "what goes wrong with a row that breaks it");
    let example = section.example();
    let unchanged = section.texts("unchanged").unwrap_or_default();
    section.finish();
    if let Some((_, named)) = &example {
        columns.are_readable(named, "the example", report);
    }
    let unchanged = unchanged.into_iter().filter_map(|name| known_reference(name, references, report)).collect();
    Some(RuleSpec {
        name: name?,
        expect: expect?,
        severity: severity?,
        why: why?.value,
        example: example?.0,
        unchanged,
    })
}

fn known_reference(
    name: Located<String>,
    references: &References,
    report: &Report<'_>,
) -> Option<Located<ReferenceName>> {
    let known = || references.named.iter().map(String::as_str);
    if !known().any(|known| known == name.value) {
        let what = format!("unchanged names {:?}, which is no reference of this table", name.value);
        report.say(&name.at, what, nearest(&name, known()));
        return None;
    }
    ReferenceName::read(name, report)
}
