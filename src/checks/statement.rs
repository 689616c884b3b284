//! A check's file, filled in for one side. `{rows}` are the table's rows, as far as they are looked at; `{orders}` and every other
//! source table's name stands for all its rows. Numbers are the same on both sides: a `real` of the source is taken as the decimal that
//! it was written as.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::cdc::{UNAVAILABLE, forms};
use crate::checks::settings::Rules;
use crate::tables::{Pipeline, Table};
use crate::warehouse::quote;

/// Offenders beyond these are not told apart.
pub const MOST_OFFENDERS: usize = 100_000;

/// Where a statement runs.
#[derive(Debug, Clone, Copy)]
pub enum Side<'s> {
    /// PostgreSQL.
    Source,
    /// This database of ClickHouse.
    Warehouse(&'s str),
}

/// A check's statement for a side, for the rows that fulfil a condition.
pub fn fill(pipeline: &Pipeline, file: &str, table: &Table, limits: &Rules, side: Side<'_>, condition: &str) -> String {
    let mut sql = file.trim_end().to_owned();
    let mut put = |name: &str, text: &str| sql = sql.replace(&format!("{{{name}}}"), text);
    let key = table.key.iter().map(|column| column.name).collect::<Vec<_>>().join(", ");
    put("key", &key);
    put("required", &required(table).join(", "));
    put("is_empty", &any(required(table).iter().map(|column| format!("{} = ''", text(column, side)))));
    put("is_placeholder", &any(placeholders(table, side).into_iter()));
    put("in_other_columns", &in_other_columns(table, side));
    put("discount_limit", &limits.discount_limit.to_string());
    let rows = rows(table, side, condition, &sql);
    sql = sql.replace("{rows}", &rows);
    for other in &pipeline.tables {
        let name = format!("{{{}}}", other.name);
        if sql.contains(&name) {
            let rows = self::rows(other, side, "true", &sql);
            sql = sql.replace(&name, &rows);
        }
    }
    let _ = write!(sql, "\nLIMIT {}", MOST_OFFENDERS + 1);
    sql
}

/// The tables that a statement looks at, besides its own.
pub fn others(pipeline: &'static Pipeline, file: &str) -> Vec<&'static Table> {
    pipeline.tables.iter().filter(|table| file.contains(&format!("{{{}}}", table.name))).collect()
}

/// "The row points at a row that is not there", for one of the table's pointers.
pub fn for_pointer(file: &str, table: &Table, column: &str, parent: &Table) -> String {
    let parent_key = parent.key.iter().map(|column| column.name).collect::<Vec<_>>().join(", ");
    let mut shown: Vec<&str> = table.key.iter().map(|key| key.name).collect();
    shown.extend(Some(column).filter(|column| !shown.contains(column)));
    file.replace("{key_and_column}", &shown.join(", "))
        .replace("{column}", column)
        .replace("{parent_key}", &parent_key)
        .replace("{parent}", &format!("{{{}}}", parent.name))
}

/// Texts that must be there; keys are, or there would be no row.
pub fn required(table: &Table) -> Vec<&'static str> {
    let is_key = |column: &str| table.key.iter().any(|key| key.name == column);
    let is_required = |column: &&str| {
        table.declaration(column).is_some_and(|declaration| declaration.split_whitespace().next() == Some("String"))
    };
    table.source_columns().filter(|column| !is_key(column)).filter(is_required).collect()
}

fn placeholders(table: &Table, side: Side<'_>) -> Vec<String> {
    let hash = hash();
    let condition = |column: &'static str| {
        let declaration = table.declaration(column).unwrap_or_default();
        match (declaration.split_whitespace().next()?, side) {
            (kind, Side::Source) if kind.starts_with("Tuple(") => {
                Some(format!("{column} = convert_to('{UNAVAILABLE}', 'UTF8')"))
            }
            (kind, Side::Warehouse(_)) if kind.starts_with("Tuple(") => Some(format!("{column}.2 = '{hash}'")),
            (kind, _) if kind.contains("String") => Some(format!("{} = '{UNAVAILABLE}'", text(column, side))),
            _ => None,
        }
    };
    table.source_columns().filter_map(condition).collect()
}

/// A placeholder in a column that the row type does not know: in `_extra` as it was sent, and in what was added for it. In the source, anywhere
/// in the row: whoever has written it there meant it.
fn in_other_columns(table: &Table, side: Side<'_>) -> String {
    let quoted = |texts: Vec<String>| texts.iter().map(|text| quote(text)).collect::<Vec<_>>().join(", ");
    match side {
        Side::Source => format!("found::text LIKE '%{UNAVAILABLE}%'"),
        Side::Warehouse(_) => {
            let as_text = |json: String| serde_json::from_str::<String>(&json).unwrap_or(json);
            let bytes = format!("({},'{}')", UNAVAILABLE.len(), hash());
            let shown = forms().into_iter().map(as_text).chain([bytes]).collect();
            format!(
                "arrayExists(value -> value IN ({}), JSONExtractKeysAndValuesRaw(_extra).2)
 OR arrayExists(value -> ifNull(value, '') IN ({}), array('', * EXCEPT ({}) APPLY(toString)))",
                quoted(forms()),
                quoted(shown),
                table.written.join(", ")
            )
        }
    }
}

fn hash() -> String {
    Sha256::digest(UNAVAILABLE).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A text column; the source's may be of another type by now.
fn text(column: &str, side: Side<'_>) -> String {
    match side {
        Side::Source => format!("{column}::text"),
        Side::Warehouse(_) => column.to_owned(),
    }
}

fn any(conditions: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = conditions.collect();
    if all.is_empty() { "false".to_owned() } else { all.join(" OR ") }
}

/// Does a statement name this column?
pub fn names(statement: &str, column: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    statement.split(|c| !is_part(c)).any(|word| word == column)
}

/// A table's rows as a subquery, with its key and the columns that the statement names; with all of them for one that names none of the others.
fn rows(table: &Table, side: Side<'_>, condition: &str, statement: &str) -> String {
    let is_key = |column: &str| table.key.iter().any(|key| key.name == column);
    let columns = table.source_columns().filter(|column| is_key(column) || names(statement, column));
    let all = statement.contains("found::text") || names(statement, "_extra");
    let is_decimal = |column: &str| table.declaration(column).is_some_and(|declared| declared.contains("Decimal"));
    match side {
        Side::Source if all => format!("(SELECT * FROM {} WHERE {condition})", table.relation),
        Side::Warehouse(db) if all => format!("(SELECT * FROM {db}.{} FINAL WHERE {condition})", table.target),
        Side::Source => {
            let select = columns.map(|column| match is_decimal(column) {
                true => format!("round({column}::text::numeric, 4) AS {column}"),
                false => column.to_owned(),
            });
            format!("(SELECT {} FROM {} WHERE {condition})", select.collect::<Vec<_>>().join(", "), table.relation)
        }
        Side::Warehouse(db) => {
            let select = columns.collect::<Vec<_>>().join(", ");
            format!("(SELECT {select} FROM {db}.{} FINAL WHERE {condition})", table.target)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::catalogue::{NO_PLACEHOLDERS, REFERENCES, RULES};

    fn table(name: &str) -> &'static Table {
        Pipeline::embedded().table(name).unwrap()
    }

    #[test]
    fn one_file_asks_both_sides() {
        let rule = RULES.iter().find(|rule| rule.check.name == "discount-limit").unwrap();
        let of = |side, condition| {
            fill(Pipeline::embedded(), rule.check.sql, table("order_details"), &Rules::default(), side, condition)
        };
        let source = of(Side::Source, "true");
        let rounded = "round(discount::text::numeric, 4) AS discount FROM public.order_details WHERE true) AS line";
        assert!(source.contains(rounded), "{source}");
        let warehouse = of(Side::Warehouse("dw"), "order_id = 1");
        let rows = "(SELECT order_id, product_id, discount FROM dw.fact_order_details FINAL WHERE order_id = 1)";
        assert!(warehouse.contains(rows), "{warehouse}");
        assert!(warehouse.ends_with("discount > 0.25\nLIMIT 100001"), "{warehouse}");
    }

    #[test]
    fn other_tables_are_looked_at_as_a_whole() {
        let file = for_pointer(REFERENCES.sql, table("orders"), "customer_id", table("customers"));
        assert_eq!(
            others(Pipeline::embedded(), &file).iter().map(|table| table.name).collect::<Vec<_>>(),
            ["customers"]
        );
        let sql = fill(Pipeline::embedded(), &file, table("orders"), &Rules::default(), Side::Source, "order_id = 1");
        let parents =
            "NOT IN (SELECT customer_id FROM (SELECT customer_id FROM public.customers WHERE true) AS parent)";
        assert!(sql.contains(parents), "{sql}");
    }

    #[test]
    fn texts_and_pictures_may_hold_a_placeholder() {
        let of =
            |side| fill(Pipeline::embedded(), NO_PLACEHOLDERS.sql, table("employees"), &Rules::default(), side, "true");
        assert!(of(Side::Source).contains("photo = convert_to('__debezium_unavailable_value', 'UTF8')"));
        assert!(of(Side::Warehouse("dw")).contains("photo.2 = '"));
        let required = required(table("employees"));
        assert!(required.contains(&"last_name") && !required.contains(&"title"), "{required:?}");
    }
}
