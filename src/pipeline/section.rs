//! A table of a TOML file, read key by key: every key has to be asked for, and what was not is unknown.

use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Report, nearest};
use super::text::{At, Located};

/// A table of the file that is being read.
pub(super) struct Section<'t> {
    /// As it is written: `[tables.orders]`.
    pub name: String,
    pub at: At,
    pub report: &'t Report<'t>,
    entries: Vec<Entry<'t>>,
    asked: BTreeSet<&'static str>,
}

/// A key with its value.
pub(super) struct Entry<'t> {
    pub key: Located<&'t str>,
    pub at: At,
    pub value: &'t DeValue<'t>,
    taken: bool,
}

impl<'t> Section<'t> {
    pub fn new(name: String, at: At, table: &'t DeTable<'t>, report: &'t Report<'t>) -> Section<'t> {
        let entry = |(key, value): (&'t Spanned<_>, &'t Spanned<DeValue<'t>>)| {
            let key_text: &std::borrow::Cow<'_, str> = key.get_ref();
            Entry {
                key: Located { value: key_text.as_ref(), at: At::new(at.file, key.span()) },
                at: At::new(at.file, value.span()),
                value: value.get_ref(),
                taken: false,
            }
        };
        let mut entries: Vec<Entry<'t>> = table.iter().map(entry).collect();
        // TOML's map is sorted by name; the order of columns and tables is that of the file.
        entries.sort_by(|a, b| a.key.at.cmp(&b.key.at));
        Section { name, at, report, entries, asked: BTreeSet::new() }
    }

    /// The value of an optional key.
    fn take(&mut self, key: &'static str) -> Option<&Entry<'t>> {
        self.asked.insert(key);
        let entry = self.entries.iter_mut().find(|entry| entry.key.value == key)?;
        entry.taken = true;
        Some(entry)
    }

    /// Is the key there?
    pub fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key.value == key)
    }

    /// Where a key stands; if it is not there, where the table does.
    pub fn place_of(&self, key: &str) -> At {
        self.entries.iter().find(|entry| entry.key.value == key).map_or(&self.at, |entry| &entry.key.at).clone()
    }

    /// What it is called in a sentence.
    fn called(&self) -> &str {
        if self.name.is_empty() { "this file" } else { &self.name }
    }

    /// Reports a key that has to be there and is not; `example` is what to write.
    fn demand(&self, key: &str, example: &str) {
        if !self.has(key) {
            self.report.say(&self.at, format!("{} lacks {key}", self.called()), format!("write {key} = {example}"));
        }
    }

    /// A text.
    pub fn text(&mut self, key: &'static str) -> Option<Located<String>> {
        let report = self.report;
        let entry = self.take(key)?;
        entry.text(key, report)
    }

    /// A text that has to be there.
    pub fn required_text(&mut self, key: &'static str, example: &str) -> Option<Located<String>> {
        self.demand(key, &format!("\"{example}\""));
        self.text(key)
    }

    /// A text that is not blank.
    pub fn prose(&mut self, key: &'static str, example: &str) -> Option<Located<String>> {
        let text = self.text(key)?;
        if text.trim().is_empty() {
            let what = format!("{key} of {} is empty", self.called());
            self.report.say(&text.at, what, format!("write {key} = \"{example}\""));
            return None;
        }
        Some(text)
    }

    /// A text that has to be there and is not blank.
    pub fn required_prose(&mut self, key: &'static str, example: &str) -> Option<Located<String>> {
        self.demand(key, &format!("\"{example}\""));
        self.prose(key, example)
    }

    /// A list of texts.
    pub fn texts(&mut self, key: &'static str) -> Option<Vec<Located<String>>> {
        let (report, file) = (self.report, self.at.file);
        let entry = self.take(key)?;
        let DeValue::Array(items) = entry.value else {
            report.say(&entry.at, format!("{key} is {}", kind(entry.value)), format!("write {key} = [\"…\"]"));
            return None;
        };
        let mut texts = Vec::new();
        for item in items.iter() {
            let at = At::new(file, item.span());
            match item.get_ref() {
                DeValue::String(text) => texts.push(Located { value: text.to_string(), at }),
                other => {
                    report.say(&at, format!("{key} has {} in its list", kind(other)), "write it as a text, in quotes");
                }
            }
        }
        (texts.len() == items.len()).then_some(texts)
    }

    /// A list of texts that has to be there.
    pub fn required_texts(&mut self, key: &'static str, example: &str) -> Option<Vec<Located<String>>> {
        self.demand(key, example);
        self.texts(key)
    }

    /// How many there are: a whole number from 1 to `most`.
    pub fn count(&mut self, key: &'static str, most: u32) -> Option<Located<u32>> {
        let report = self.report;
        let entry = self.take(key)?;
        let number = match entry.value {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().parse().ok(),
            _ => None,
        };
        let found = number.filter(|number| (1..=most).contains(number));
        if found.is_none() {
            let what = format!("{key} is no whole number from 1 to {most}");
            report.say(&entry.at, what, format!("write {key} = 6"));
        }
        found.map(|value| Located { value, at: entry.at.clone() })
    }

    /// A table.
    pub fn section(&mut self, key: &'static str) -> Option<Section<'t>> {
        let (name, report) = (self.member(key), self.report);
        self.take(key)?.section(name, report)
    }

    /// A table that has to be there.
    pub fn required_section(&mut self, key: &'static str, example: &str) -> Option<Section<'t>> {
        self.demand(key, example);
        self.section(key)
    }

    /// A section of the file itself that has to be there.
    pub fn main_section(&mut self, key: &'static str) -> Option<Section<'t>> {
        if !self.has(key) {
            let what = format!("{} lacks [{key}]", self.called());
            self.report.say(&self.at, what, format!("write a section [{key}]"));
        }
        self.section(key)
    }

    /// The tables of a list of tables: `[[tables.orders.rules]]`.
    pub fn list_of_sections(&mut self, key: &'static str) -> Vec<Section<'t>> {
        let (name, report, file) = (self.member(key), self.report, self.at.file);
        let Some(entry) = self.take(key) else { return Vec::new() };
        let DeValue::Array(items) = entry.value else {
            report.say(
                &entry.key.at,
                format!("{key} is {}", kind(entry.value)),
                format!("write [{name}] before each of them"),
            );
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in items.iter() {
            let at = At::new(file, item.span());
            match item.get_ref() {
                DeValue::Table(table) => sections.push(Section::new(format!("[{name}]"), at, table, report)),
                other => report.say(&at, format!("{key} has {} in its list", kind(other)), format!("write [{name}]")),
            }
        }
        sections
    }

    /// Everything that has not been asked for: the entries of a table whose keys are names.
    pub fn rest(&mut self) -> Vec<Entry<'t>> {
        let (rest, taken) = self.entries.drain(..).partition(|entry| !entry.taken);
        self.entries = taken;
        rest
    }

    /// Reports the keys that nobody has asked for.
    pub fn finish(mut self) {
        for entry in self.rest() {
            let what = format!("{} has no key {:?}", self.called(), entry.key.value);
            self.report.say(&entry.key.at, what, nearest(entry.key.value, self.asked.iter().copied()));
        }
    }

    /// The name of a table in this one.
    pub fn member(&self, key: &str) -> String {
        let plain = key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) && !key.is_empty();
        let key = if plain { key.to_owned() } else { format!("{key:?}") };
        match self.name.trim_start_matches('[').trim_end_matches(']') {
            "" => format!("[{key}]"),
            own => format!("[{own}.{key}]"),
        }
    }
}

impl<'t> Entry<'t> {
    /// The value, if it is a text.
    pub fn text(&self, key: &str, report: &Report<'_>) -> Option<Located<String>> {
        match self.value {
            DeValue::String(text) => Some(Located { value: text.to_string(), at: self.at.clone() }),
            other => {
                report.say(&self.at, format!("{key} is {}", kind(other)), "write it as a text, in quotes");
                None
            }
        }
    }

    /// The value, if it is a table.
    pub fn section(&self, name: String, report: &'t Report<'t>) -> Option<Section<'t>> {
        match self.value {
            DeValue::Table(table) => Some(Section::new(name, self.key.at.clone(), table, report)),
            other => {
                let what = format!("{} is {}", self.key.value, kind(other));
                report.say(&self.at, what, format!("make it a table: {name}"));
                None
            }
        }
    }
}

/// What kind of value it is, in a sentence.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
