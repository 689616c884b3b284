//! The section of a derived table: `[derived.order_wide]`.

use super::columns::same_columns;
use super::ddl::SYSTEM_COLUMNS;
use super::derived_type::{DerivedType, TYPES};
use super::name::{DerivedColumnName, TableName, TargetName};
use super::problem::{Report, nearest};
use super::section::{Entry, Section};
use super::spec::{DerivedColumn, DerivedSpec, TouchedBy};
use super::table::{expression, has_word};
use super::text::{Located, SqlFile};

/// The keys that name files of SQL.
pub(super) const SQL_FILES: [&str; 3] = ["sql", "membership", "views"];

/// Names of the summary of a build.
const SUMMARY: [&str; 10] =
    ["schema", "job", "status", "exit", "run", "error", "build", "windows", "touched", "rejected"];

/// Reads a derived table; what its SQL reads and gives is looked at when all tables are known.
pub(super) fn derived(name: Option<Located<TableName>>, mut section: Section<'_>) -> Option<DerivedSpec> {
    let report = section.report;
    let called = name.as_ref().map_or("sales", |name| name.as_str()).to_owned();
    let about = section.required_prose("about", "One row per order, with the customer's name");
    let target = section.required_text("target", &called).and_then(|text| TargetName::read(text, report));
    let driven_by = section.required_text("driven_by", "orders").and_then(|text| TableName::read(text, report));
    let example = "{ … }, as in columns.order_id = \"Int32\"";
    let columns = section.required_section("columns", example).map(columns).unwrap_or_default();
    let key = section.required_texts("key", "[\"id\"], the columns by which a row is told from the others");
    let key = key.and_then(|names| resolve(names, "the key", &columns, report));
    let key = key.filter(|key| is_key(key, &columns, &section));
    let order_at = section.place_of("order_by");
    let order_by = section.texts("order_by").unwrap_or_default();
    let order_by = resolve(order_by, "order_by", &columns, report).unwrap_or_default();
    if let Some(key) = key.as_deref().filter(|_| !order_by.is_empty()) {
        same_columns(&order_by, key, &order_at, report);
    }
    let partition_by = expression(&mut section, "partition_by");
    let sql = section.required_text("sql", &format!("{called}.sql")).and_then(|path| report.sql(&path));
    let membership = section.text("membership");
    let has_membership = membership.is_some();
    let membership = membership.and_then(|path| report.sql(&path));
    let views = section.texts("views").unwrap_or_default();
    let views: Vec<SqlFile> = views.iter().filter_map(|path| report.sql(path)).collect();
    let example = "{ … }, as in touched_by.orders = \"SELECT order_id FROM {db}.orders WHERE {rows}\"";
    let touched_by = section.required_section("touched_by", example).map(touched_by).unwrap_or_default();
    let source_time = section.prose("source_time", "when the source committed the newest change of the order");
    let left_out = section.section("left_out").map(left_out).unwrap_or_default();
    section.finish();
    if let Some(expression) = &partition_by
        && let Some(column) =
            columns.iter().find(|it| it.column_type.nullable && has_word(expression, it.name.as_str()))
    {
        let what = format!("partition_by names {}, which may be NULL", column.name);
        report.say(&expression.at, what, "name another column, or leave NULL out of its type");
    }
    // A file that could not be read was reported.
    if has_membership && membership.is_none() {
        return None;
    }
    Some(DerivedSpec {
        name: name?,
        about: about?.value,
        target: target?,
        driven_by: driven_by?,
        key: key?,
        columns,
        order_by,
        partition_by,
        sql: sql?,
        membership,
        touched_by,
        left_out,
        source_time: source_time.map(|it| it.value),
        views,
    })
}

fn columns(mut section: Section<'_>) -> Vec<DerivedColumn> {
    let report = section.report;
    let mut columns = Vec::new();
    for entry in section.rest() {
        let key = Located { value: entry.key.value.to_owned(), at: entry.key.at.clone() };
        let name = DerivedColumnName::read(key, report);
        let read = column(&entry, section.member(entry.key.value), report);
        let Some((name, (column_type, comment))) = name.zip(read) else { continue };
        if SYSTEM_COLUMNS.iter().any(|system| name.value == system.name) {
            let what = format!("{name} is a system column, which every table of the warehouse has");
            report.say(&name.at, what, "leave it out, or give it another name in the SELECT");
        }
        columns.push(DerivedColumn { name, column_type, comment });
    }
    columns
}

/// The type of a column, and what it holds.
fn column<'t>(entry: &Entry<'t>, full: String, report: &'t Report<'t>) -> Option<(DerivedType, Option<String>)> {
    let (text, comment) = match entry.value {
        toml::de::DeValue::Table(_) => {
            let mut section = entry.section(full, report)?;
            let column_type = section.required_text("type", "String");
            let comment = section.prose("comment", "empty if the order has no customer");
            section.finish();
            (column_type?, comment.map(|comment| comment.value))
        }
        _ => (entry.text(entry.key.value, report)?, None),
    };
    let column_type = DerivedType::parse(&text);
    if column_type.is_none() {
        let what = format!("{:?} is no type of which it can be said whether a value fits", text.value);
        report.say(&text.at, what, format!("write one of {TYPES}"));
    }
    Some((column_type?, comment))
}

/// The columns of a list, each once and each one that there is.
fn resolve(
    names: Vec<Located<String>>,
    where_named: &str,
    columns: &[DerivedColumn],
    report: &Report<'_>,
) -> Option<Vec<Located<DerivedColumnName>>> {
    let count = names.len();
    let mut resolved: Vec<Located<DerivedColumnName>> = Vec::new();
    for name in names {
        if resolved.iter().any(|earlier| earlier.as_str() == name.value) {
            report.say(&name.at, format!("{where_named} names {:?} twice", name.value), "write it once");
            continue;
        }
        match columns.iter().find(|column| column.name.value == *name.value.as_str()) {
            Some(column) => resolved.push(Located { value: column.name.value.clone(), at: name.at }),
            None => {
                let what = format!("{where_named} names {:?}, which is no column of this table", name.value);
                report.say(&name.at, what, nearest(&name.value, columns.iter().map(|column| column.name.as_str())));
            }
        }
    }
    (resolved.len() == count).then_some(resolved)
}

fn is_key(key: &[Located<DerivedColumnName>], columns: &[DerivedColumn], section: &Section<'_>) -> bool {
    if key.is_empty() {
        let instead = "name the columns by which a row is told from the others";
        section.report.say(&section.at, format!("the key of {} is empty", section.name), instead);
    }
    for name in key {
        if columns.iter().any(|column| column.name.value == name.value && column.column_type.nullable) {
            let what = format!("the key names {name}, which may be NULL");
            section.report.say(&name.at, what, "leave NULL out of its type, and give a value in the SELECT");
        }
    }
    !key.is_empty()
}

fn touched_by(mut section: Section<'_>) -> Vec<TouchedBy> {
    let report = section.report;
    let read = |entry: Entry<'_>| {
        let key = Located { value: entry.key.value.to_owned(), at: entry.key.at.clone() };
        let (table, sql) = (TableName::read(key, report), entry.text(entry.key.value, report));
        Some(TouchedBy { table: table?, sql: sql? })
    };
    section.rest().into_iter().filter_map(read).collect()
}

fn left_out(mut section: Section<'_>) -> Vec<(String, Located<String>)> {
    let report = section.report;
    let mut left_out = Vec::new();
    for entry in section.rest() {
        let key = Located { value: entry.key.value.to_owned(), at: entry.key.at.clone() };
        let name = DerivedColumnName::read(key, report);
        if SUMMARY.contains(&entry.key.value) {
            let what = format!("{} is a field that every summary has", entry.key.value);
            report.say(&entry.key.at, what, "give it another name, as without_date");
        }
        let condition = entry.text(entry.key.value, report);
        left_out.extend(name.zip(condition).map(|(name, condition)| (name.value.to_string(), condition)));
    }
    left_out
}
