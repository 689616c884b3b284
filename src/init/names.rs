//! Names that a pipeline gives: made of the source's, and each of them once.

use std::collections::BTreeSet;

use crate::source::ForeignKey;

/// Longest name that a pipeline gives to a table or a reference.
const LONGEST: usize = 60;

/// A name of small letters, digits and `_` that reminds of a source's one; `otherwise` if nothing of it is left.
pub(super) fn snake(name: &str, otherwise: &str) -> String {
    let mut snake = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        let kept = match c {
            'ä' => "ae",
            'ö' => "oe",
            'ü' => "ue",
            'ß' => "ss",
            _ if c.is_ascii_alphanumeric() => {
                snake.push(c);
                continue;
            }
            _ if snake.ends_with('_') || snake.is_empty() => continue,
            _ => "_",
        };
        snake.push_str(kept);
    }
    let snake = snake.trim_end_matches('_');
    let named = match snake.chars().next() {
        None => otherwise.to_owned(),
        Some(first) if first.is_ascii_digit() => format!("{otherwise}_{snake}"),
        Some(_) => snake.to_owned(),
    };
    shortened(&named, "")
}

/// The name of a pipeline for a database.
pub fn pipeline_name(database: &str) -> String {
    let mut name = snake(database, "shop");
    name.truncate(40);
    name.trim_end_matches('_').to_owned()
}

fn shortened(name: &str, end: &str) -> String {
    let kept: String = name.chars().take(LONGEST - end.len()).collect();
    format!("{}{end}", kept.trim_end_matches('_'))
}

/// The first of some names that nobody has, with a number behind the last of them if need be.
pub(super) fn unused(wanted: &[String], is_used: impl Fn(&str) -> bool) -> String {
    if let Some(name) = wanted.iter().find(|name| !is_used(name)) {
        return name.clone();
    }
    let last = wanted.last().map_or("table", String::as_str);
    let numbered = (2..).map(|n| shortened(last, &format!("_{n}")));
    numbered.into_iter().find(|name| !is_used(name)).unwrap_or_default()
}

/// Names of tables. The view of a table is called `v_<name>`, so that no table may be.
#[derive(Default)]
pub(super) struct TableNames(BTreeSet<String>);

impl TableNames {
    /// Gives a table its name: that of the source, with the schema before it if another one has it.
    pub fn give(&mut self, schema: &str, table: &str) -> String {
        let plain = snake(table, "table");
        let wanted = [plain.clone(), snake(&format!("{schema}_{plain}"), "table")];
        let is_used = |name: &str| {
            let is_view = name.strip_prefix("v_").is_some_and(|of| self.0.contains(of));
            self.0.contains(name) || self.0.contains(&format!("v_{name}")) || is_view
        };
        let name = unused(&wanted, is_used);
        self.0.insert(name.clone());
        name
    }
}

/// A name for what a foreign key leads to: `customer_id` is a `customer`. `is_used` knows the table's columns and its other references.
pub(super) fn reference_name(key: &ForeignKey, target: &str, is_used: impl Fn(&str) -> bool) -> String {
    let of_column = match key.columns.as_slice() {
        [column] => ["_id", "_uuid", "_key", "_no", "Id", "ID"].iter().find_map(|end| column.strip_suffix(end)),
        _ => None,
    };
    let target = snake(target, "row");
    let wanted: Vec<String> =
        of_column.map(|name| snake(name, "row")).into_iter().chain([target.clone(), format!("{target}_row")]).collect();
    unused(&wanted.iter().map(|name| shortened(name, "")).collect::<Vec<_>>(), is_used)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_remind_of_the_sources() {
        assert_eq!(snake("Order Lines", "table"), "order_lines");
        assert_eq!(snake("Größe (m²)", "table"), "groesse_m");
        assert_eq!(snake("2024", "table"), "table_2024");
        assert_eq!(snake("表", "table"), "table");
        assert_eq!(snake(&"x".repeat(80), "table").len(), 60);
        assert_eq!(pipeline_name("My-Shop"), "my_shop");
    }

    #[test]
    fn every_table_has_a_name_of_its_own() {
        let mut names = TableNames::default();
        let given: Vec<String> = [("a", "user"), ("b", "user"), ("a", "User"), ("a", "v_user"), ("b", "v_b_user")]
            .map(|(schema, table)| names.give(schema, table))
            .into();
        assert_eq!(given, ["user", "b_user", "a_user", "a_v_user", "b_v_b_user"]);
    }

    #[test]
    fn a_reference_is_called_after_its_column() {
        let key = |columns: &[&str]| ForeignKey {
            name: String::new(),
            schema: "app".to_owned(),
            table: "customers".to_owned(),
            validated: true,
            columns: columns.iter().map(ToString::to_string).collect(),
            to: Vec::new(),
        };
        assert_eq!(reference_name(&key(&["buyer_id"]), "customers", |_| false), "buyer");
        assert_eq!(reference_name(&key(&["buyer_id"]), "customers", |name| name == "buyer"), "customers");
        assert_eq!(reference_name(&key(&["buyer"]), "customers", |name| name == "customers"), "customers_row");
        assert_eq!(reference_name(&key(&["a", "b"]), "customers", |_| false), "customers");
    }
}
