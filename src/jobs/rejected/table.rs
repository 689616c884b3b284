//! The list of rejected records, for people.

use chrono::DateTime;

use crate::cli::{TextTable, printed};
use crate::quarantine::Listed;
use crate::types::KEY_SEPARATOR;

/// One line per record, and the reason below it.
pub fn table(listed: &[Listed]) -> String {
    if listed.is_empty() {
        return "no such record in quarantine\n".to_owned();
    }
    let mut table = TextTable::default();
    table.row(["table", "place", "key", "rule", "tries", "status", "since (UTC)"]);
    for row in listed {
        let place = format!("{}:{}", row.partition, row.offset);
        let (key, tries, since) = (key(&row.row_key), row.attempt.to_string(), time(row.rejected_at));
        table.row([&row.table, &place, &key, &row.rule, &tries, &row.status, &since]);
        table.line(format!("    {}", printable(&row.detail)));
    }
    printed(&table.lines_with_numbers(&[1, 4]))
}

/// A key as people write it.
pub fn key(row_key: &str) -> String {
    row_key.split(KEY_SEPARATOR).map(printable).collect::<Vec<_>>().join(", ")
}

/// Milliseconds since the epoch as UTC.
pub fn time(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).map_or_else(|| ms.to_string(), |t| t.format("%Y-%m-%d %H:%M:%S").to_string())
}

/// Nothing from a record may steer the terminal.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_texts_are_harmless() {
        assert_eq!(key("10248\u{1f}11"), "10248, 11");
        assert_eq!(printable("a\u{1b}[31mé\n"), "a\\u{1b}[31mé\\n");
        assert_eq!(time(0), "1970-01-01 00:00:00");
    }
}
