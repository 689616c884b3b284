//! The sections of a pipeline's file, apart from the tables.

use strum::VariantArray;

use super::name::{ConnectorName, DatabaseName, LimitName, PipelineName, SlotName, SourceName, TopicPrefix};
use super::number::Number;
use super::problem::{Report, nearest};
use super::section::Section;
use super::spec::{Connector, Limit, SourceTable, Warehouse};
use super::text::Located;

/// `[pipeline]`.
pub(super) struct Head {
    pub name: PipelineName,
    pub topic_prefix: TopicPrefix,
}

/// Reads `[pipeline]`.
pub(super) fn head(mut section: Section<'_>) -> Option<Head> {
    let report = section.report;
    let name = section.required_text("name", "shop").and_then(|text| PipelineName::read(text, report));
    let example = name.as_ref().map_or("shop", |name| name.as_str()).to_owned();
    let prefix = section.required_text("topic_prefix", &example).and_then(|text| TopicPrefix::read(text, report));
    section.finish();
    Some(Head { name: name?.value, topic_prefix: prefix?.value })
}

/// Reads `[connector]`; `pipeline` is the name from which examples are made.
pub(super) fn connector(mut section: Section<'_>, pipeline: &str) -> Option<Connector> {
    let report = section.report;
    let own = |what: &str| format!("{pipeline}{what}");
    let name = section.required_text("name", &own("-cdc-connector")).and_then(|text| ConnectorName::read(text, report));
    let database = section.required_text("database", pipeline).and_then(|text| SourceName::read(text, report));
    let role = section.required_text("role", "debezium").and_then(|text| SourceName::read(text, report));
    let slot = section.required_text("slot", &own("_slot")).and_then(|text| SlotName::read(text, report));
    let publication =
        section.required_text("publication", &own("_publication")).and_then(|text| SourceName::read(text, report));
    let heartbeat = source_table(&mut section, "heartbeat", &own("_cdc"), "heartbeat");
    let signal = source_table(&mut section, "signal", &own("_cdc"), "signal");
    let decimal_handling = one_of(&mut section, "decimal_handling");
    let time_precision = one_of(&mut section, "time_precision");
    let binary_handling = one_of(&mut section, "binary_handling");
    section.finish();
    Some(Connector {
        name: name?.value,
        database: database?.value,
        role: role?.value,
        slot: slot?.value,
        publication: publication?.value,
        heartbeat: heartbeat?.value,
        signal: signal?.value,
        decimal_handling: decimal_handling?,
        time_precision: time_precision?,
        binary_handling: binary_handling?,
    })
}

/// Reads `[warehouse]`.
pub(super) fn warehouse(mut section: Section<'_>, pipeline: &str) -> Option<Warehouse> {
    let report = section.report;
    let database =
        section.required_text("database", &format!("{pipeline}_dw")).and_then(|text| DatabaseName::read(text, report));
    let ops =
        section.required_text("ops", &format!("{pipeline}_ops")).and_then(|text| DatabaseName::read(text, report));
    section.finish();
    let (database, ops) = (database?, ops?);
    if database.value == ops.value {
        let what = format!("the tables and the ledger are both in {ops}");
        report.say(&ops.at, what, format!("write another database, as \"{pipeline}_ops\""));
        return None;
    }
    Some(Warehouse { database: database.value, ops: ops.value })
}

/// Reads `[limits]`.
pub(super) fn limits(mut section: Section<'_>) -> Vec<Limit> {
    let report = section.report;
    let mut limits = Vec::new();
    for entry in section.rest() {
        let key = Located { value: entry.key.value.to_owned(), at: entry.key.at.clone() };
        let name = LimitName::read(key, report);
        let read = entry.section(section.member(entry.key.value), report).and_then(|it| limit(it, name));
        limits.extend(read);
    }
    limits
}

fn limit(mut section: Section<'_>, name: Option<Located<LimitName>>) -> Option<Limit> {
    let report = section.report;
    let limit_type = section.required_prose("type", "numeric(4,2)");
    let value = section.required_text("value", "0.25").and_then(|text| number(text, report));
    let min = section.text("min").and_then(|text| number(text, report));
    let max = section.text("max").and_then(|text| number(text, report));
    section.finish();
    check_bounds(value.as_ref(), min.as_ref(), max.as_ref(), report);
    let text = |number: ReadNumber| number.0;
    Some(Limit { name: name?, limit_type: limit_type?, value: text(value?), min: min.map(text), max: max.map(text) })
}

/// A text with the number that it is.
type ReadNumber = (Located<String>, Number);

fn check_bounds(value: Option<&ReadNumber>, min: Option<&ReadNumber>, max: Option<&ReadNumber>, report: &Report<'_>) {
    if let Some((min, max)) = min.zip(max)
        && max.1 < min.1
    {
        report.say(&max.0.at, format!("max {} is below min {}", max.0, min.0), "write the smaller one as min");
    } else if let Some((value, min)) = value.zip(min)
        && value.1 < min.1
    {
        report.say(&value.0.at, format!("value {} is below min {}", value.0, min.0), "write one between min and max");
    } else if let Some((value, max)) = value.zip(max)
        && value.1 > max.1
    {
        report.say(&value.0.at, format!("value {} is above max {}", value.0, max.0), "write one between min and max");
    }
}

fn number(text: Located<String>, report: &Report<'_>) -> Option<ReadNumber> {
    let number = Number::parse(&text);
    if number.is_none() {
        report.say(&text.at, format!("{:?} is no decimal number", text.value), "write digits, as in \"0.25\"");
    }
    Some((text, number?))
}

/// A table of PostgreSQL: `{ schema = "public", table = "orders" }`.
pub(super) fn source_table(
    section: &mut Section<'_>,
    key: &'static str,
    schema_example: &str,
    table_example: &str,
) -> Option<Located<SourceTable>> {
    let example = format!("{{ schema = \"{schema_example}\", table = \"{table_example}\" }}");
    let mut section = section.required_section(key, &example)?;
    let report = section.report;
    let schema = section.required_text("schema", schema_example).and_then(|text| SourceName::read(text, report));
    let table = section.required_text("table", table_example).and_then(|text| SourceName::read(text, report));
    let at = section.at.clone();
    section.finish();
    Some(Located { value: SourceTable { schema: schema?.value, table: table?.value }, at })
}

/// One of some words.
pub(super) fn one_of<T: VariantArray + Copy + AsRef<str>>(section: &mut Section<'_>, key: &'static str) -> Option<T> {
    let words = || T::VARIANTS.iter().map(AsRef::as_ref);
    let text = section.required_text(key, words().next().unwrap_or_default())?;
    let found = T::VARIANTS.iter().zip(words()).find(|(_, word)| *word == text.value);
    if found.is_none() {
        let what = format!("{:?} is no {key}", text.value);
        section.report.say(&text.at, what, nearest(&text, words()));
    }
    found.map(|(it, _)| *it)
}
