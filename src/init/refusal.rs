//! Why a table cannot be captured, and what to do about it.

use std::collections::HashSet;

use crate::source::SurveyedTable;
use crate::sql::postgres::identifier;

/// Why a table cannot be captured, whatever its key is.
pub(super) fn refusal(table: &SurveyedTable) -> Option<(String, String)> {
    let no = |why: &str, instead: &str| Some((why.to_owned(), instead.to_owned()));
    let relation = format!("{}.{}", identifier(&table.schema), identifier(&table.table));
    if let Some(extension) = &table.extension {
        return no(
            &format!("it belongs to the extension {extension}"),
            "nothing: what an extension keeps comes with it",
        );
    }
    let is_kept_by_itself = table.keys.iter().any(|key| key.primary && key.immediate);
    match table.kind.as_str() {
        "p" if !is_kept_by_itself => {
            return no(
                "it is made of partitions and has no primary key that is looked at with each row: in the next partition that is made the shop's own UPDATE and \
                 DELETE would fail",
                &format!("ALTER TABLE {relation} ADD PRIMARY KEY (…)"),
            );
        }
        "f" => return no("it is a foreign table: its changes are in another server's log", "capture it there"),
        "m" => return no("it is a materialized view: its changes are not logged", "capture the tables that it reads"),
        _ => {}
    }
    if table.persistence == "u" {
        return no("it is UNLOGGED: its changes are not in the log", &format!("ALTER TABLE {relation} SET LOGGED"));
    }
    if [&table.schema, &table.table].iter().any(|name| name.trim() != name.as_str()) {
        return no("its name begins or ends with a blank, which the connector drops", "rename it");
    }
    if let Some(name) = differing_by_case(table) {
        return no(
            &format!(
                "it has two columns that differ only in the size of letters ({name}): the connector stops at them"
            ),
            "rename one of them",
        );
    }
    if table.inherited {
        return no(
            "other tables inherit from it: whoever reads it sees their rows too, but their changes come under their own names",
            "capture the tables that inherit from it, or make it a partitioned table",
        );
    }
    None
}

/// Two columns that only differ in the size of their letters.
fn differing_by_case(table: &SurveyedTable) -> Option<&str> {
    let mut seen = HashSet::new();
    table.columns.iter().map(|column| column.name.as_str()).find(|name| !seen.insert(name.to_lowercase()))
}

pub(super) fn without_key(table: &SurveyedTable) -> impl Fn(String) -> (String, String) {
    let relation = format!("{}.{}", identifier(&table.schema), identifier(&table.table));
    move |why| {
        (why, format!("ALTER TABLE {relation} ADD PRIMARY KEY (…), or a unique index of columns that are NOT NULL"))
    }
}
