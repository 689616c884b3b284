//! Derived tables beside the tables that they are made of: what their SQL reads and gives, and whether anybody would notice that
//! something has changed.

use std::collections::{BTreeSet, HashMap};

use super::problem::{Report, nearest};
use super::spec::{DerivedSpec, TableSpec, TouchedBy};
use super::sql::Sql;
use super::text::{At, Located};

/// The column that each SELECT of rows gives beside its own: when the source has committed the newest change that is in the row.
const SOURCE_TIME: &str = "_source_ts_ms";

/// A derived table beside the others.
struct Check<'c> {
    derived: &'c DerivedSpec,
    tables: &'c [TableSpec],
    report: &'c Report<'c>,
    /// The columns of the driving table's key.
    driving_key: Vec<&'c str>,
}

/// A SELECT with what it may say: its name in sentences, its placeholders, where its bytes stand.
struct Text<'s> {
    called: String,
    text: &'s str,
    placeholders: &'s [&'s str],
    place: &'s dyn Fn(usize) -> At,
}

/// Checks them. `declared` are the names of all tables, of those with problems too.
pub(super) fn derived_tables(
    derived: &[DerivedSpec],
    tables: &[TableSpec],
    declared: &[Located<String>],
    report: &Report<'_>,
) {
    same_names(derived, tables, report);
    for derived in derived {
        let named = derived.touched_by.iter().map(|touched| &touched.table).chain([&derived.driven_by]);
        for name in named.filter(|name| !declared.iter().any(|known| known.value == name.as_str())) {
            let known = nearest(name.as_str(), declared.iter().map(|known| known.value.as_str()));
            report.say(&name.at, format!("{} names {name}, which is no table here", derived.name), known);
        }
        // Of a table with problems of its own nothing can be said.
        let Some(driving) = tables.iter().find(|table| table.name.value == derived.driven_by.value) else { continue };
        let driving_key = driving.key.iter().map(|column| column.as_str()).collect();
        Check { derived, tables, report, driving_key }.all();
    }
}

/// Every name in the warehouse is one table's. What a build makes for itself, the next one drops.
fn same_names(derived: &[DerivedSpec], tables: &[TableSpec], report: &Report<'_>) {
    let of_tables = tables.iter().flat_map(|table| [table.target.to_string(), table.view()]);
    let mut taken: HashMap<String, String> = of_tables.map(|name| (name, "a table".to_owned())).collect();
    for table in derived {
        let members = table.membership.as_ref().map(|_| table.members());
        for name in [table.target.to_string()].into_iter().chain(members) {
            if let Some(other) = taken.insert(name.clone(), table.name.to_string()) {
                let what = format!("{} would write to {name}, which is {other}'s already", table.name);
                report.say(&table.target.at, what, "name another target");
            }
        }
    }
    for table in derived {
        if let Some(name) = taken.keys().filter(|name| name.starts_with(&table.builds())).min() {
            let what = format!("{name} begins as the tables do that a build of {} makes and drops", table.name);
            report.say(&table.target.at, what, "name another target");
        }
    }
}

impl Check<'_> {
    fn all(&self) {
        let derived = self.derived;
        let place = |offset| derived.sql.at(offset);
        let keys = if derived.membership.is_some() { "members" } else { "keys" };
        let called = "the SELECT of rows".to_owned();
        let rows = Text { called, text: &derived.sql.text, placeholders: &["db", keys], place: &place };
        if let Some(sql) = self.read(&rows) {
            self.demand(&sql, keys, &rows);
            self.gives_the_columns(&sql, &rows);
            self.everything_touches(&sql, &rows);
            self.reads_merged(&sql, &rows);
        }
        self.membership();
        derived.touched_by.iter().for_each(|touched| self.touched_by(touched));
        for view in &derived.views {
            let place = |offset| view.at(offset);
            let placeholders = &["db", "ops"];
            self.refuse_placeholders(&Text {
                called: "the view".to_owned(),
                text: &view.text,
                placeholders,
                place: &place,
            });
        }
        if !derived.touched_by.iter().any(|touched| touched.table.value == derived.driven_by.value) {
            self.report.say(
                &derived.driven_by.at,
                format!("nothing is touched by {}, the table that {} is driven by", derived.driven_by, derived.name),
                self.touched_by_example(derived.driven_by.as_str()),
            );
        }
    }

    /// Without it, a row that moves to another key leaves the old one as it was.
    fn membership(&self) {
        let derived = self.derived;
        let key: BTreeSet<&str> = derived.key.iter().map(|column| column.as_str()).collect();
        let is_driving_key = key == self.driving_key.iter().copied().collect();
        let Some(membership) = &derived.membership else {
            if !is_driving_key {
                let what = format!(
                    "the key of {} is not that of {}: one of its rows that moves to another key, or is deleted, would leave the old one as it was",
                    derived.name, derived.driven_by
                );
                let columns = self.driving_key.iter().copied().chain(derived.key.iter().map(|column| column.as_str()));
                let columns: Vec<&str> = columns.collect();
                let instead = format!(
                    "write membership = \"{}_members.sql\", with SELECT {} …",
                    derived.name,
                    columns.join(", ")
                );
                self.report.say(&derived.name.at, what, instead);
            }
            return;
        };
        let place = |offset| membership.at(offset);
        let called = "the membership".to_owned();
        let text = Text { called, text: &membership.text, placeholders: &["db", "keys"], place: &place };
        if is_driving_key {
            let what = format!("the key of {} is that of {}: no membership is needed", derived.name, derived.driven_by);
            self.report.say(&derived.name.at, what, "leave membership out, and write {keys} in the SELECT of rows");
        }
        let Some(sql) = self.read(&text) else { return };
        self.demand(&sql, "keys", &text);
        self.everything_touches(&sql, &text);
        self.reads_merged(&sql, &text);
        let Some(columns) = self.columns(&sql, &text) else { return };
        for column in self.driving_key.iter().copied().chain(key) {
            if !columns.iter().any(|given| given == column) {
                let what = format!("the membership gives no {column}");
                self.report.say(&membership.at(0), what, format!("write … AS {column} in its SELECT"));
            }
        }
    }

    fn touched_by(&self, touched: &TouchedBy) {
        let place = |offset| self.report.within(&touched.sql, offset);
        let called = format!("touched_by.{}", touched.table);
        let text = Text { called, text: &touched.sql, placeholders: &["db", "rows"], place: &place };
        let Some(sql) = self.read(&text) else { return };
        self.demand(&sql, "rows", &text);
        if let Some(table) = self.tables.iter().find(|table| table.name.value == touched.table.value)
            && !sql.tables().iter().any(|(name, _)| table.target.as_str() == name)
        {
            let what = format!("{} does not read {{db}}.{}, whose rows have changed", text.called, table.target);
            self.report.say(&touched.sql.at, what, format!("write … FROM {{db}}.{} WHERE {{rows}}", table.target));
        }
        let Some(columns) = self.columns(&sql, &text) else { return };
        if columns.iter().map(String::as_str).ne(self.driving_key.iter().copied()) {
            let what =
                format!("{} gives {}, not the key of {}", text.called, columns.join(", "), self.derived.driven_by);
            self.report.say(&touched.sql.at, what, format!("write SELECT {} …", self.driving_key.join(", ")));
        }
    }

    /// Reads a SELECT; what it may not say is reported.
    fn read(&self, text: &Text<'_>) -> Option<Sql> {
        let sql = self.refuse_placeholders(text)?;
        let say = |at: usize, what: String, instead: String| self.report.say(&(text.place)(at), what, instead);
        for (name, instead, at) in sql.fickle() {
            say(
                at,
                format!("{} says {name}, which answers differently from one time to the next", text.called),
                instead.to_owned(),
            );
        }
        if let Some((what, instead, at)) = sql.not_one_select() {
            say(at, format!("{} has {what}", text.called), instead.to_owned());
        }
        let targets: Vec<&str> = self.tables.iter().map(|table| table.target.as_str()).collect();
        for (name, at) in sql.tables_without_database(|name| targets.contains(&name)) {
            let what = format!("{} reads {name} of a database that may be another one's", text.called);
            say(at, what, format!("write {{db}}.{name}"));
        }
        for (name, at) in sql.tables().into_iter().filter(|(name, _)| !targets.contains(&name.as_str())) {
            let what = format!("{} reads {{db}}.{name}, which is no table of this pipeline", text.called);
            say(at, what, nearest(&name, targets.iter().copied()));
        }
        Some(sql)
    }

    fn refuse_placeholders(&self, text: &Text<'_>) -> Option<Sql> {
        let sql = match Sql::read(text.text) {
            Ok(sql) => sql,
            Err((what, at)) => {
                self.report.say(&(text.place)(at), format!("{} cannot be read: {what}", text.called), "");
                return None;
            }
        };
        for (name, at) in sql.placeholders().into_iter().filter(|(name, _)| !text.placeholders.contains(&name.as_str()))
        {
            let known: Vec<String> = text.placeholders.iter().map(|name| format!("{{{name}}}")).collect();
            let what = format!("{{{name}}} is no placeholder of {}", text.called);
            self.report.say(&(text.place)(at), what, format!("there are {}", known.join(" and ")));
        }
        Some(sql)
    }

    fn demand(&self, sql: &Sql, placeholder: &str, text: &Text<'_>) {
        if !sql.placeholders().iter().any(|(name, _)| name == placeholder) {
            let instead = match placeholder {
                "rows" => "write WHERE {rows}: the condition for the rows that have changed".to_owned(),
                "members" => {
                    "write FROM {members} AS member: the rows of the driving table, and where they belong".to_owned()
                }
                _ => format!("write WHERE ({}) IN {{keys}}", self.driving_key.join(", ")),
            };
            self.report.say(&(text.place)(0), format!("{} lacks {{{placeholder}}}", text.called), instead);
        }
    }

    /// The columns of a SELECT, by name.
    fn columns(&self, sql: &Sql, text: &Text<'_>) -> Option<Vec<String>> {
        let columns = sql.columns();
        if columns.is_none() {
            let what = format!("{} says *, by which nobody sees what it gives", text.called);
            self.report.say(&(text.place)(0), what, "name its columns");
        }
        columns
    }

    fn gives_the_columns(&self, sql: &Sql, text: &Text<'_>) {
        let Some(given) = self.columns(sql, text) else { return };
        let is_given = |name: &str| given.iter().any(|column| column == name);
        for column in self.derived.columns.iter().filter(|column| !is_given(column.name.as_str())) {
            let what = format!("the SELECT of rows gives no {}", column.name);
            self.report.say(&column.name.at, what, nearest(column.name.as_str(), given.iter().map(String::as_str)));
        }
        if !is_given(SOURCE_TIME) {
            let instead = format!(
                "write the newest {SOURCE_TIME} of the rows that it is made of, as in max({SOURCE_TIME}) AS {SOURCE_TIME}"
            );
            self.report.say(&(text.place)(0), format!("the SELECT of rows gives no {SOURCE_TIME}"), instead);
        }
    }

    /// What nobody is told of would never come into the table.
    fn everything_touches(&self, sql: &Sql, text: &Text<'_>) {
        let mut told = BTreeSet::new();
        for (target, at) in sql.tables() {
            let Some(table) = self.tables.iter().find(|table| table.target.as_str() == target) else { continue };
            let name = &table.name;
            if told.insert(target) && !self.derived.touched_by.iter().any(|touched| touched.table.value == name.value) {
                let what =
                    format!("{} reads {name}, by which nothing is touched: its changes would not be seen", text.called);
                self.report.say(&(text.place)(at), what, self.touched_by_example(name.as_str()));
            }
        }
    }

    /// Rows that were replaced or deleted are no rows; only what touches has to see them.
    fn reads_merged(&self, sql: &Sql, text: &Text<'_>) {
        for (table, at) in sql.tables_unmerged() {
            let what = format!(
                "{} reads {{db}}.{table} without FINAL: rows that were replaced or deleted would count",
                text.called
            );
            self.report.say(&(text.place)(at), what, format!("write {{db}}.{table} FINAL"));
        }
    }

    fn touched_by_example(&self, table: &str) -> String {
        let target =
            self.tables.iter().find(|known| known.name.as_str() == table).map_or(table, |known| known.target.as_str());
        let key = self.driving_key.join(", ");
        format!("write touched_by.{table} = \"SELECT {key} FROM … {{db}}.{target} WHERE {{rows}} …\"")
    }
}
