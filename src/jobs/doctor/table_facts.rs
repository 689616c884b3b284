//! What the checks need to know of a table, apart from its types.

use clickhouse::Row;

use crate::for_each_table;
use crate::tables::Table;

/// A registered table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFacts {
    /// Name in the source, schema `public`.
    pub source: &'static str,
    /// Name in the warehouse.
    pub target: &'static str,
    /// The warehouse table's DDL.
    pub ddl: &'static str,
    /// The columns that the row type writes.
    pub columns: &'static [&'static str],
}

impl TableFacts {
    fn of<T: Table>() -> TableFacts {
        TableFacts { source: T::SOURCE, target: T::TARGET, ddl: T::DDL, columns: <T::Row as Row>::COLUMN_NAMES }
    }

    /// Its topic.
    pub fn topic(&self, prefix: &str) -> String {
        format!("{prefix}.public.{}", self.source)
    }

    /// The consumer group of its ingest job.
    pub fn group(&self, prefix: &str) -> String {
        format!("{prefix}.ingest-{}", self.source.replace('_', "-"))
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
            vec![$(TableFacts::of::<crate::tables::$Table>()),*]
        }
    };
}
for_each_table!(facts);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_that_is_written_is_declared() {
        for table in all() {
            for column in table.columns {
                assert!(table.declaration(column).is_some(), "{}.{column}", table.target);
            }
        }
    }
}
