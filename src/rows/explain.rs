//! What is wrong with a row. serde names the place; people want the column that stands there.

use serde_json::value::RawValue;

use crate::cdc::{DECODE, Fields, NOT_FINITE, Violation};
use crate::types::digits;

/// A record that cannot be decoded.
pub fn bad(detail: impl Into<String>) -> Violation {
    Violation::new(DECODE, detail)
}

/// Why a row image was refused, with the column.
pub fn explain(json: &str, error: &serde_json::Error) -> Violation {
    let fields = Fields::parse(json).unwrap_or_default();
    match column_at(json, &fields, error) {
        Some((column, value)) => {
            let text = value.get().trim_matches('"');
            let is_number = !digits::NOT_FINITE.iter().any(|(sent, _)| *sent == text);
            let rule = if is_number { DECODE } else { NOT_FINITE };
            Violation::new(rule, format!("after: {column}: {error}"))
        }
        None => Violation::new(DECODE, format!("after: {error}")),
    }
}

/// Why a row is refused: the column, and the reason.
pub fn refusal(json: &str, error: &serde_json::Error) -> String {
    let fields = Fields::parse(json).unwrap_or_default();
    column_at(json, &fields, error).map_or_else(|| error.to_string(), |(column, _)| format!("{column}: {error}"))
}

fn column_at<'f>(json: &str, fields: &'f Fields<'_>, error: &serde_json::Error) -> Option<(&'f str, &'f RawValue)> {
    let line: usize = json.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let place = line + error.column();
    let is_there = |value: &RawValue| {
        let start = value.get().as_ptr() as usize - json.as_ptr() as usize;
        (start..=start + value.get().len()).contains(&place)
    };
    fields.0.iter().find(|(_, value)| is_there(value)).map(|(column, value)| (column.as_ref(), *value))
}
