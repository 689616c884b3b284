//! `columns` of a table: what each is in the source, in the warehouse, or why it is left out.

use std::collections::HashMap;
use std::fmt::Display;

use super::ddl::SYSTEM_COLUMNS;
use super::name::ColumnName;
use super::problem::{Report, nearest};
use super::section::{Entry, Section};
use super::spec::{ColumnSpec, ExcludedColumn};
use super::text::{At, Located};

/// The columns of a table, as far as they can be read.
#[derive(Default)]
pub(super) struct Columns {
    pub read: Vec<ColumnSpec>,
    pub excluded: Vec<ExcludedColumn>,
    /// Every column that the file names, those with problems too: whoever names one of them makes no mistake.
    named: Vec<String>,
    kinds: HashMap<String, Kind>,
}

/// What is known of a column that the file names.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Nullable,
    NotNull,
    Excluded,
    /// It has a problem of its own.
    Unknown,
}

/// Reads `columns`.
pub(super) fn columns(mut section: Section<'_>) -> Columns {
    let report = section.report;
    let mut columns = Columns::default();
    for entry in section.rest() {
        let key = Located { value: entry.key.value.to_owned(), at: entry.key.at.clone() };
        columns.named.push(key.value.clone());
        let kind = match ColumnName::read(key, report) {
            Some(name) => columns.add(name, &entry, section.member(entry.key.value), report),
            None => Kind::Unknown,
        };
        columns.kinds.insert(entry.key.value.to_owned(), kind);
    }
    if columns.named.is_empty() {
        report.say(&section.at, format!("{} names no column", section.name), "write columns.id = \"bigint not null\"");
    }
    columns.check_former_names(report);
    columns
}

impl Columns {
    fn add<'t>(&mut self, name: Located<ColumnName>, entry: &Entry<'t>, full: String, report: &'t Report<'t>) -> Kind {
        let column = match entry.value {
            toml::de::DeValue::Table(_) => {
                let Some(mut section) = entry.section(full, report) else { return Kind::Unknown };
                if section.has("exclude") {
                    return self.exclude(name, section);
                }
                let column_type =
                    section.required_prose("type", "text null").and_then(|text| with_nullability(text, report));
                let warehouse_type = section.prose("as", "Decimal(18, 4)");
                let was = section.text("was").and_then(|text| ColumnName::read(text, report));
                section.finish();
                column_type.map(|(source_type, nullable)| (source_type, nullable, warehouse_type, was))
            }
            _ => entry
                .text(entry.key.value, report)
                .and_then(|text| with_nullability(text, report))
                .map(|(t, n)| (t, n, None, None)),
        };
        if SYSTEM_COLUMNS.iter().any(|system| name.value == system.name) {
            let instead = "leave it out with { exclude = \"…\" }, or rename it in the source";
            report.say(&name.at, format!("{name} is a system column, which every table of the warehouse has"), instead);
        }
        let Some((source_type, nullable, warehouse_type, was)) = column else { return Kind::Unknown };
        self.read.push(ColumnSpec { name, source_type, nullable, warehouse_type, was });
        if nullable { Kind::Nullable } else { Kind::NotNull }
    }

    fn exclude(&mut self, name: Located<ColumnName>, mut section: Section<'_>) -> Kind {
        let reason = section.required_prose("exclude", "personal data");
        section.finish();
        self.excluded.extend(reason.map(|reason| ExcludedColumn { name, reason: reason.value }));
        Kind::Excluded
    }

    fn check_former_names(&self, report: &Report<'_>) {
        let mut seen: HashMap<&str, &str> = HashMap::new();
        for column in &self.read {
            let Some(was) = &column.was else { continue };
            if self.kinds.contains_key(was.as_str()) {
                let what = format!("{} was {was}, but {was} is a column now", column.name);
                report.say(&was.at, what, "write the name that it had before");
            }
            if let Some(other) = seen.insert(was.as_str(), column.name.as_str()) {
                let what = format!("{other} and {} both were {was}", column.name);
                report.say(&was.at, what, "a column has become one other at most");
            }
        }
    }

    /// The columns of a list, each once and each one that is read; none if one of them is not, which is reported.
    /// `where_named` says where they are named.
    pub fn resolve(
        &self,
        names: Vec<Located<String>>,
        where_named: &str,
        report: &Report<'_>,
    ) -> Option<Vec<Located<ColumnName>>> {
        let count = names.len();
        let mut resolved: Vec<Located<ColumnName>> = Vec::new();
        for name in names {
            if resolved.iter().any(|earlier| earlier.as_str() == name.value) {
                report.say(&name.at, format!("{where_named} names {:?} twice", name.value), "write it once");
            } else if self.is_readable(&name.value, &name.at, where_named, report) {
                let at = name.at;
                resolved.extend(ColumnName::new(&name.value).map(|value| Located { value, at }));
            }
        }
        (resolved.len() == count).then_some(resolved)
    }

    /// Is there such a column, and is it read? If not, that is reported.
    pub fn is_readable(&self, name: &str, at: &At, where_named: &str, report: &Report<'_>) -> bool {
        match self.kinds.get(name) {
            Some(Kind::Excluded) => {
                let what = format!("{where_named} names {name:?}, which is excluded");
                report.say(at, what, "name another column, or write its type instead of exclude");
            }
            None => {
                let known = nearest(name, self.named.iter().map(String::as_str));
                report.say(at, format!("{where_named} names {name:?}, which is no column of this table"), known);
            }
            Some(_) => return true,
        }
        false
    }

    /// As [`Columns::is_readable`], of several; true if there are any, and all are.
    pub fn are_readable(&self, names: &[Located<String>], where_named: &str, report: &Report<'_>) -> bool {
        let readable = |name: &&Located<String>| self.is_readable(&name.value, &name.at, where_named, report);
        !names.is_empty() && names.iter().filter(readable).count() == names.len()
    }

    pub fn is_nullable(&self, name: &ColumnName) -> bool {
        self.kinds.get(name.as_str()) == Some(&Kind::Nullable)
    }

    pub fn is_named(&self, name: &str) -> bool {
        self.kinds.contains_key(name)
    }

    /// Every name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.named.iter().map(String::as_str)
    }
}

/// Reports an `order_by` that is not made of the key's columns.
pub(super) fn same_columns<C: PartialEq + Display>(
    order_by: &[Located<C>],
    key: &[Located<C>],
    at: &At,
    report: &Report<'_>,
) {
    let in_key = |column: &Located<C>| key.iter().any(|part| part.value == column.value);
    if order_by.len() != key.len() || !order_by.iter().all(in_key) {
        let key: Vec<String> = key.iter().map(ToString::to_string).collect();
        let what = "order_by is not made of the key's columns: rows that are versions of one another would both stay";
        report.say(at, what, format!("write these in any order: {}", key.join(", ")));
    }
}

/// `smallint not null` → `smallint`, and may it be NULL? The type itself is read by whoever knows types.
fn with_nullability(text: Located<String>, report: &Report<'_>) -> Option<(Located<String>, bool)> {
    let words = text.trim_end();
    let without = |words: &str, word: &str| -> Option<String> {
        let start = words.len().checked_sub(word.len())?;
        let (rest, end) = (words.get(..start)?, words.get(start..)?);
        (end.eq_ignore_ascii_case(word) && rest.ends_with(char::is_whitespace)).then(|| rest.trim_end().to_owned())
    };
    let (source_type, nullable) = match without(words, "null") {
        Some(rest) => match without(&rest, "not") {
            Some(source_type) => (source_type, false),
            None => (rest, true),
        },
        None => {
            let what = format!("the type {:?} does not say whether NULL is allowed", text.value);
            report.say(&text.at, what, format!("write \"{words} not null\" or \"{words} null\", as the source has it"));
            return None;
        }
    };
    if source_type.trim().is_empty() {
        report.say(&text.at, "there is no type before null", "write \"text null\", with the column's type");
        return None;
    }
    Some((Located { value: source_type, at: text.at }, nullable))
}
