//! Keys: what may be one, and how its values compare.

use std::borrow::Cow;

use crate::types::ColumnType;
use crate::types::clickhouse::{Value, int};
use crate::types::digits;
use crate::types::kind::Kind;

/// Separates the parts of a composite key in its canonical text.
pub const KEY_SEPARATOR: char = '\u{1f}';

/// The canonical text of a key of these parts. A separator within a part, except the last, would make two keys one: NUL stands in its
/// place, which no text of PostgreSQL has, so such a key is found nowhere.
pub fn join_key<'t>(parts: impl IntoIterator<Item = Cow<'t, str>>) -> String {
    let mut parts = parts.into_iter().peekable();
    let mut key = String::new();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            key.push_str(&part);
            break;
        }
        key.extend(part.chars().map(|c| if c == KEY_SEPARATOR { '\0' } else { c }));
        key.push(KEY_SEPARATOR);
    }
    key
}

impl ColumnType {
    /// The type that a look-up casts keys to, so that the comparison and its index are the source's own.
    ///
    /// # Errors
    /// Two values that PostgreSQL takes for equal may be two texts here, or the other way round: why.
    pub fn key_type(&self) -> Result<&'static str, String> {
        let no = |why: &str| Err(format!("{} cannot be part of a key: {why}", self.source.text));
        Ok(match (&self.kind, self.source.base.as_str()) {
            (Kind::Int { .. }, _) => "int8",
            (Kind::Text, "text" | "character varying") => "text",
            (Kind::Bpchar, _) => "bpchar",
            (Kind::Uuid, _) => "uuid",
            (Kind::Date, _) => "date",
            (Kind::Timestamp(_), _) => "timestamp",
            (Kind::TimestampTz, _) => "timestamptz",
            (Kind::Decimal { .. } | Kind::Numeric(_), "numeric") => "numeric",
            (Kind::Bool, "boolean") => "bool",
            (Kind::Float { .. } | Kind::Amount(_), _) => return no("a binary number is not exact"),
            (Kind::Text, "citext") => return no("two of its values that PostgreSQL takes for equal are two rows here"),
            _ => return no("keys are whole numbers, text, character, uuid, date, timestamp, numeric or boolean"),
        })
    }

    /// SQL by which PostgreSQL sorts key values as [`ColumnType::sort_key`] does.
    pub fn order_in_postgres(&self, value: &str) -> String {
        match self.kind {
            Kind::Text | Kind::Bpchar => format!("{value}::text COLLATE \"C\""),
            _ => value.to_owned(),
        }
    }

    /// SQL by which ClickHouse does. It sorts a UUID by its second half first; a number of any length is a text there.
    pub fn order_in_clickhouse(&self, value: &str) -> String {
        match self.kind {
            Kind::Uuid => format!("toString({value})"),
            Kind::Numeric(_) => number_order(value),
            _ => value.to_owned(),
        }
    }

    /// Appends bytes that compare as the column does in `ORDER BY`: numbers by value, texts byte by byte (`COLLATE "C"`).
    pub fn sort_key(&self, cell: &[u8], out: &mut Vec<u8>) {
        match (self.value(cell), &self.kind) {
            (Value::Int(number) | Value::Timestamp(number), _) => ordered(number, out),
            (Value::Date(days), _) => ordered(i64::from(days), out),
            (Value::Bool(value), _) => out.push(u8::from(value)),
            (Value::Uuid(bytes), _) => {
                let (high, low) = bytes.split_at(8.min(bytes.len()));
                out.extend_from_slice(&int(high).to_be_bytes());
                out.extend_from_slice(&int(low).to_be_bytes());
            }
            (Value::Decimal(bytes), Kind::Decimal { kept, .. }) => kept.sort_key(bytes, out),
            (Value::Text(text), Kind::Numeric(_)) => digits::text_sort_key(text, out),
            (Value::Text(text), _) => {
                out.extend_from_slice(text.as_bytes());
                out.push(0); // no text of PostgreSQL has it, so a prefix sorts first
            }
            _ => {}
        }
    }
}

/// A number's sign, its magnitude, its digits: what `digits::text_sort_key` writes. Below zero, more is less: of the digits, too.
fn number_order(text: &str) -> String {
    let absolute = format!("trimLeft({text}, '-')");
    let whole = format!("splitByChar('.', {absolute})[1]");
    let fraction = format!("splitByChar('.', {absolute})[2]");
    let class = format!(
        "transform({text}, ['-Infinity', '0', 'Infinity', 'NaN'], [0, 2, 4, 5], if(startsWith({text}, '-'), 1, 3))"
    );
    let magnitude = format!(
        "if({whole} = '0', toInt64(length(trimLeft({fraction}, '0'))) - toInt64(length({fraction})), toInt64(length({whole})))"
    );
    let digits = format!("trimBoth(concat({whole}, {fraction}), '0')");
    format!(
        "tuple({class}, if({class} = 1, -1, 1) * {magnitude}, if({class} = 1, concat(translate({digits}, '0123456789', '9876543210'), '~'), {digits}))"
    )
}

fn ordered(number: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&(number ^ i64::MIN).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{CellSeed, Connector};
    use serde::de::DeserializeSeed;

    fn column(declared: &str) -> ColumnType {
        ColumnType::parse(declared, None, &Connector::default()).unwrap()
    }

    fn sort_key(column: &ColumnType, json: &str) -> Vec<u8> {
        let (mut cell, mut key) = (Vec::new(), Vec::new());
        let seed = CellSeed { kind: column.kind(), nullable: false, placeholders: false, out: &mut cell };
        seed.deserialize(&mut serde_json::Deserializer::from_str(json)).unwrap();
        column.sort_key(&cell, &mut key);
        key
    }

    #[test]
    fn keys_sort_as_postgresql_sorts_them() {
        for (declared, sorted) in [
            ("bigint not null", vec!["-9223372036854775808", "-1", "0", "9", "10"]),
            ("text not null", vec![r#""""#, r#""A""#, r#""AB""#, r#""a""#]),
            ("date not null", vec!["-7694", "0", "9681"]),
            ("boolean not null", vec!["false", "true"]),
            ("numeric(10,2) not null", vec![r#""-10""#, r#""-9.5""#, r#""0""#, r#""9""#, r#""10.01""#]),
            (
                "numeric not null",
                vec![
                    r#""NEGATIVE_INFINITY""#,
                    r#""-1e30""#,
                    r#""-10""#,
                    r#""-9.55""#,
                    r#""-9.5""#,
                    r#""-0.01""#,
                    r#""0""#,
                    r#""0.001""#,
                    r#""0.01""#,
                    r#""9.5""#,
                    r#""9.55""#,
                    r#""10""#,
                    r#""1e30""#,
                    r#""POSITIVE_INFINITY""#,
                    r#""NAN""#,
                ],
            ),
            (
                "uuid not null",
                vec![
                    r#""00000000-0000-0000-ffff-000000000001""#,
                    r#""7b2d9f8e-0000-4000-8000-000000000001""#,
                    r#""fb2d9f8e-0000-4000-8000-000000000001""#,
                ],
            ),
        ] {
            let column = column(declared);
            let keys: Vec<Vec<u8>> = sorted.iter().map(|json| sort_key(&column, json)).collect();
            assert!(keys.is_sorted_by(|a, b| a < b), "{declared}");
        }
    }

    #[test]
    fn two_keys_are_never_one_text() {
        let key = |parts: &[&'static str]| join_key(parts.iter().map(|part| Cow::Borrowed(*part)));
        assert_eq!(key(&["a", "", "b\u{1f}"]), "a\u{1f}\u{1f}b\u{1f}");
        assert_eq!((key(&["a\u{1f}"]), key(&[])), ("a\u{1f}".to_owned(), String::new()));
        assert_ne!(key(&["a\u{1f}b", "c"]), key(&["a", "b\u{1f}c"]));
    }

    #[test]
    fn what_is_equal_in_another_way_is_no_key() {
        assert_eq!(column("smallint not null").key_type(), Ok("int8"));
        assert_eq!(column("character(5) not null").key_type(), Ok("bpchar"));
        for declared in [
            "citext not null",
            "real not null",
            "json not null",
            "bytea not null",
            "integer[] not null",
            "shop.mood not null",
        ] {
            assert!(column(declared).key_type().unwrap_err().contains("cannot be part of a key"), "{declared}");
        }
    }
}
