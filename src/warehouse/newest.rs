//! What the warehouse already has for a key.

use std::collections::HashMap;

use anyhow::Result;
use clickhouse::Row;
use serde::Deserialize;

use crate::tables::KeyColumn;
use crate::types::KEY_SEPARATOR;
use crate::warehouse::{Warehouse, chunks, identifier, quote};

#[derive(Row, Deserialize)]
struct Newest {
    #[serde(rename = "__key")]
    key: String,
    #[serde(rename = "__newest")]
    newest: u64,
}

/// The newest version of each of these keys; keys that the table never had are left out.
///
/// # Errors
/// The server is gone or refuses.
pub fn newest_versions(
    warehouse: &Warehouse,
    target: &str,
    key: &[KeyColumn],
    keys: &[&str],
) -> Result<HashMap<String, u64>> {
    let mut newest = HashMap::new();
    for chunk in chunks::of_keys(keys, 1) {
        let sql = format!(
            "SELECT {} AS __key, max(_version) AS __newest FROM {}.{} WHERE {} GROUP BY __key",
            key_text(key),
            warehouse.db,
            target,
            key_in(key, chunk)
        );
        let rows: Vec<Newest> = warehouse.rows("looking up newest versions", &sql)?;
        newest.extend(rows.into_iter().map(|row| (row.key, row.newest)));
    }
    Ok(newest)
}

#[derive(Row, Deserialize)]
struct Columns {
    #[serde(rename = "__key")]
    key: String,
    #[serde(rename = "__columns")]
    columns: Vec<Option<String>>,
}

/// Expressions over the live rows with these keys, as text, by key.
///
/// # Errors
/// The server is gone or refuses.
pub fn newest_columns(
    warehouse: &Warehouse,
    target: &str,
    key: &[KeyColumn],
    texts: &[String],
    keys: &[&str],
) -> Result<HashMap<String, Vec<Option<String>>>> {
    let mut newest = HashMap::new();
    let texts = texts.iter().map(|text| format!("toNullable({text})")).collect::<Vec<_>>().join(", ");
    for chunk in chunks::of_keys(keys, 1) {
        let sql = format!(
            "SELECT {} AS __key, [{texts}] AS __columns FROM {}.{target} FINAL WHERE {}",
            key_text(key),
            warehouse.db,
            key_in(key, chunk)
        );
        let rows: Vec<Columns> = warehouse.rows("looking up newest rows", &sql)?;
        newest.extend(rows.into_iter().map(|row| (row.key, row.columns)));
    }
    Ok(newest)
}

/// SQL for the canonical text of a key.
pub fn key_text(key: &[KeyColumn]) -> String {
    let parts: Vec<String> = key.iter().map(|column| format!("toString({})", identifier(column.name))).collect();
    parts.join(" || char(31) || ")
}

/// SQL for the columns of a key, in its order.
pub fn key_names(key: &[KeyColumn]) -> String {
    key.iter().map(|column| identifier(column.name)).collect::<Vec<_>>().join(", ")
}

/// SQL for the order of a key: that of [`ColumnType::sort_key`](crate::types::ColumnType::sort_key).
pub fn key_order(key: &[KeyColumn]) -> String {
    let order = |column: &KeyColumn| column.column_type.order_in_clickhouse(&identifier(column.name));
    key.iter().map(order).collect::<Vec<_>>().join(", ")
}

/// SQL for "the key is one of these"; literals, so that the primary index is used.
pub fn key_in<K: AsRef<str>>(key: &[KeyColumn], texts: &[K]) -> String {
    let tuple = |text: &K| {
        let parts: Vec<String> = text.as_ref().splitn(key.len(), KEY_SEPARATOR).map(quote).collect();
        if parts.len() == 1 { parts[0].clone() } else { format!("({})", parts.join(", ")) }
    };
    format!("({}) IN ({})", key_names(key), texts.iter().map(tuple).collect::<Vec<_>>().join(", "))
}

/// SQL for "the key comes behind the first one, and is the last one or before it" (canonical texts), in the order of [`key_order`]; without one,
/// there is no bound. The bound on the first column alone is for the primary index.
pub fn key_between(key: &[KeyColumn], first: Option<&String>, last: Option<&String>) -> String {
    let order = key_order(key);
    let mut conditions = vec!["true".to_owned()];
    for (text, leading, all) in [(first, ">=", ">"), (last, "<=", "<=")] {
        let Some(text) = text else { continue };
        let parts: Vec<String> = key.iter().zip(text.splitn(key.len(), KEY_SEPARATOR)).map(bound).collect();
        let name = identifier(key[0].name);
        if key[0].column_type.order_in_clickhouse(&name) == name {
            conditions.push(format!("{name} {leading} {}", parts[0]));
        }
        conditions.push(format!("tuple({order}) {all} tuple({})", parts.join(", ")));
    }
    conditions.join(" AND ")
}

/// A part of a key as it stands in the order.
fn bound((column, part): (&KeyColumn, &str)) -> String {
    let literal = match column.source_type {
        "text" | "bpchar" => quote(part),
        "int8" => format!("toInt64({})", quote(part)),
        _ => format!("CAST({}, {})", quote(part), quote(&column.column_type.clickhouse_type())),
    };
    column.column_type.order_in_clickhouse(&literal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_keys_has_an_open_beginning_and_a_closed_end() {
        let key = [KeyColumn::of("a", "integer not null"), KeyColumn::of("b", "bpchar not null")];
        let (first, last) = ("1\u{1f}x'".to_owned(), "7\u{1f}y".to_owned());
        assert_eq!(key_between(&key, None, None), "true");
        assert_eq!(
            key_between(&key, Some(&first), Some(&last)),
            r"true AND `a` >= toInt64('1') AND tuple(`a`, `b`) > tuple(toInt64('1'), 'x\'') AND `a` <= toInt64('7') AND tuple(`a`, `b`) <= tuple(toInt64('7'), 'y')"
        );
    }

    #[test]
    fn composite_keys_become_tuples() {
        let key = [KeyColumn::of("a", "integer not null"), KeyColumn::of("b", "bpchar not null")];
        assert_eq!(key_in(&key, &["1\u{1f}x'"]), r"(`a`, `b`) IN (('1', 'x\''))");
        assert_eq!(key_in(&key[1..], &["x", "y\u{1f}z"]), "(`b`) IN ('x', 'y\u{1f}z')");
        assert_eq!(key_text(&key), "toString(`a`) || char(31) || toString(`b`)");
    }
}
