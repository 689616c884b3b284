//! What is to be known of a table apart from its types: for the jobs that go through all of them.

use anyhow::Result;
use clickhouse::Row;

use crate::exit::usage;
use crate::for_each_table;
use crate::old::rules::Reference;
use crate::old::{Codec, KeyColumn, SYSTEM_COLUMNS, Table};

/// That a column points at a row of another table.
#[derive(Debug, Clone, Copy)]
pub struct Pointer {
    /// Name of the rule "that row exists".
    pub rule: &'static str,
    /// The column that points.
    pub column: &'static str,
    /// Source table that it points at.
    pub table: &'static str,
}

/// A registered table.
#[derive(Debug, Clone)]
pub struct TableFacts {
    /// Name in the source, schema `public`.
    pub source: &'static str,
    /// Name in the warehouse.
    pub target: &'static str,
    /// The warehouse table's DDL.
    pub ddl: &'static str,
    /// The columns that the row type writes.
    pub columns: &'static [&'static str],
    /// The primary key.
    pub key: &'static [KeyColumn],
    /// The rows of other tables that a row points at.
    pub pointers: Vec<Pointer>,
    /// How rows are read.
    pub codec: Codec,
}

impl TableFacts {
    /// Those of table `T`.
    pub fn of<T: Table>() -> TableFacts {
        let pointer = |reference: &Reference<T>| Pointer {
            rule: reference.rule,
            column: reference.column,
            table: reference.table,
        };
        TableFacts {
            source: T::SOURCE,
            target: T::TARGET,
            ddl: T::DDL,
            columns: <T::Row as Row>::COLUMN_NAMES,
            key: T::KEY,
            pointers: T::REFERENCES.iter().map(pointer).collect(),
            codec: Codec::of::<T>(),
        }
    }

    /// The columns that come from the source.
    pub fn source_columns(&self) -> impl Iterator<Item = &'static str> {
        self.columns.iter().copied().filter(|column| !SYSTEM_COLUMNS.contains(column))
    }

    /// The name of its ingest job.
    pub fn ingest_job(&self) -> String {
        format!("ingest-{}", self.source.replace('_', "-"))
    }

    /// Its topic.
    pub fn topic(&self, prefix: &str) -> String {
        format!("{prefix}.public.{}", self.source)
    }

    /// The consumer group of its ingest job.
    pub fn group(&self, prefix: &str) -> String {
        format!("{prefix}.{}", self.ingest_job())
    }

    /// How the DDL declares a column: its type, default and comment.
    pub fn declaration(&self, column: &str) -> Option<&'static str> {
        let declared = |line: &'static str| line.trim().trim_end_matches(',').split_once(char::is_whitespace);
        self.ddl
            .lines()
            .filter_map(declared)
            .find(|(name, _)| *name == column)
            .map(|(_, declaration)| declaration.trim())
    }
}

macro_rules! facts {
    ($($Table:ident,)*) => {
        /// Every registered table.
        pub fn all() -> Vec<TableFacts> {
            vec![$(TableFacts::of::<crate::old::$Table>()),*]
        }
    };
}
for_each_table!(facts);

/// The tables with these names (in the source), or all of them.
///
/// # Errors
/// There is no table of that name.
pub fn chosen(names: &[String]) -> Result<Vec<TableFacts>> {
    let all = all();
    if let Some(unknown) = names.iter().find(|name| !all.iter().any(|table| table.source == *name)) {
        let known: Vec<&str> = all.iter().map(|table| table.source).collect();
        return Err(usage(format!("--table {unknown}: there is no such table; there are {}", known.join(", "))));
    }
    Ok(all.into_iter().filter(|table| names.is_empty() || names.iter().any(|name| name == table.source)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_columns_stand_behind_those_of_the_source() {
        for table in all() {
            assert!(table.columns.ends_with(&SYSTEM_COLUMNS), "{}", table.target);
        }
    }

    #[test]
    fn every_column_that_is_written_is_declared() {
        for table in all() {
            for column in table.columns {
                assert!(table.declaration(column).is_some(), "{}.{column}", table.target);
            }
        }
    }
}
