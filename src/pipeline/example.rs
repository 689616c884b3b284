//! Examples: values of columns that break a rule.

use serde_json::{Number, Value};
use toml::de::DeValue;

use super::name::ColumnName;
use super::section::{Entry, Section};
use super::spec::Example;
use super::text::Located;

/// How to write NULL, which TOML does not have.
const NULL: &str = "{ null = true }";

impl Section<'_> {
    /// The example that a rule has to have, with the places of its columns.
    pub fn example(&mut self) -> Option<(Example, Vec<Located<String>>)> {
        let mut section = self.required_section("example", "{ column = value }, with a value that breaks it")?;
        let report = section.report;
        let entries = section.rest();
        if entries.is_empty() {
            report.say(
                &section.at,
                format!("the example of {} is empty", self.name),
                "write example = { column = value }",
            );
        }
        let (mut values, mut columns) = (Vec::new(), Vec::new());
        for entry in &entries {
            columns.push(Located { value: entry.key.value.to_owned(), at: entry.key.at.clone() });
            match (ColumnName::new(entry.key.value), value(entry.value)) {
                (Some(column), Some(value)) => values.push((column, value)),
                // A name that no column has is reported where the columns are known.
                (None, _) => {}
                (_, None) => say_not_a_value(&section, entry),
            }
        }
        Some((Example(values), columns))
    }
}

fn say_not_a_value(section: &Section<'_>, entry: &Entry<'_>) {
    let what = format!("the example's {} has no value that a column can have", entry.key.value);
    section.report.say(&entry.at, what, format!("write a text, a number, true, false or {NULL}"));
}

/// As JSON.
fn value(toml: &DeValue<'_>) -> Option<Value> {
    match toml {
        DeValue::String(text) => Some(Value::from(text.as_ref())),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok().map(Value::from),
        DeValue::Float(number) => number.as_str().parse().ok().and_then(Number::from_f64).map(Value::Number),
        DeValue::Boolean(value) => Some(Value::from(*value)),
        DeValue::Datetime(value) => Some(Value::from(value.to_string())),
        DeValue::Array(items) => {
            items.iter().map(|item| self::value(item.get_ref())).collect::<Option<_>>().map(Value::Array)
        }
        DeValue::Table(table) => {
            let mut entries = table.iter();
            match (entries.next(), entries.next()) {
                (Some((key, value)), None) if key.get_ref() == "null" && value.get_ref().as_bool() == Some(true) => {
                    Some(Value::Null)
                }
                _ => None,
            }
        }
    }
}
