//! What has changed in PostgreSQL since the pipeline's file was written, of the columns that the file knows. `sync-schema` and `doctor` say it in
//! the same words.

use std::fmt;

use crate::rows::Column;
use crate::source::{SourceColumn, SourceTable};
use crate::tables::Table;
use crate::types::Fit;

/// What has changed of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drift {
    /// What a person has to do something about.
    pub problems: Vec<Changed>,
    /// What a person may want to know.
    pub notes: Vec<Changed>,
}

/// A change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// What it is.
    pub what: String,
    /// What it means, and what to do.
    pub remedy: String,
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.remedy)
    }
}

impl Drift {
    /// Of a table, as the source has it now; `target` is the warehouse table's full name.
    pub fn of(table: &Table, source: &SourceTable, target: &str) -> Drift {
        let mut drift = Drift::default();
        for column in table.columns() {
            let named = |name: &str| source.columns.iter().find(|now| now.name == name);
            match named(&column.name).or_else(|| named(column.was.as_deref()?)) {
                Some(now) => drift.column(table, target, column, now),
                None => drift.dropped(table, target, column),
            }
        }
        drift.key(table, source, target);
        drift
    }

    fn column(&mut self, table: &Table, target: &str, column: &Column, now: &SourceColumn) {
        let (name, known) = (&column.name, &column.column_type);
        let what =
            format!("{name} is {} in PostgreSQL, and {} in {target}", now.source_type.text, known.clickhouse_type());
        match known.fit(&now.source_type, &table.connector) {
            Fit::Fits => {}
            Fit::Mostly(but) => self.notes.push(Changed { what, remedy: but }),
            Fit::Refused => self.problems.push(Changed { what, remedy: in_quarantine(table, "change the type back") }),
            Fit::Misread(how) => self.problems.push(Changed {
                what: format!("{what}: {how}, so wrong values are written"),
                remedy: format!(
                    "stop {}, change the type back or write the new one into the pipeline's file, then read the wrong ones again with --since",
                    table.ingest_job()
                ),
            }),
        }
        if !known.nullable() && now.source_type.nullable {
            self.notes.push(Changed {
                what: format!("{name} may be NULL in PostgreSQL now"),
                remedy: "the pipeline's file says not null, so rows without it will wait in quarantine (`decode`)"
                    .to_owned(),
            });
        }
    }

    fn dropped(&mut self, table: &Table, target: &str, column: &Column) {
        let gone = format!("{} is no longer in PostgreSQL (dropped or renamed)", column.name);
        if column.column_type.nullable() {
            self.notes.push(Changed { what: gone, remedy: stays(target) });
            return;
        }
        let remedy = format!("bring the column back (ALTER TABLE {} ADD COLUMN …)", table.relation);
        self.problems.push(Changed {
            what: format!("{gone}, and a row is nothing without it"),
            remedy: in_quarantine(table, &remedy),
        });
    }

    fn key(&mut self, table: &Table, source: &SourceTable, target: &str) {
        let now = source.columns.iter().filter(|column| column.in_key).map(|column| column.name.as_str());
        let (mut now, mut known): (Vec<&str>, Vec<&str>) = (now.collect(), table.schema.key_names().collect());
        now.sort_unstable();
        known.sort_unstable();
        let is_same = |columns: &Vec<String>| {
            let mut columns: Vec<&str> = columns.iter().map(String::as_str).collect();
            columns.sort_unstable();
            columns == known
        };
        if now == known || source.unique.iter().any(is_same) {
            return;
        }
        let none = if now.is_empty() { "no column" } else { "" };
        self.problems.push(Changed {
            what: format!(
                "the primary key in PostgreSQL is {none}{}, but {target} keeps one row per {}",
                now.join(", "),
                known.join(", ")
            ),
            remedy: "rows that PostgreSQL tells apart replace each other; change the key back, or write the new one into the pipeline's file \
                     and load the table anew"
                .to_owned(),
        });
    }
}

/// What becomes of an optional column that the source no longer has.
pub fn stays(target: &str) -> String {
    format!("it stays in {target}, NULL in rows that change from now on")
}

fn in_quarantine(table: &Table, remedy: &str) -> String {
    format!(
        "rows that change wait in quarantine (`decode`); {remedy}, or write the change into the pipeline's file, then \
         replay-rejected --table {}",
        table.name
    )
}
