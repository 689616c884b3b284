//! The registry as a list, for tests that walk it.

use lockstep::old::{KeyColumn, Table};

/// A table of the pipeline, as its file declares it.
#[derive(Debug)]
pub struct Registered {
    pub source: &'static str,
    pub target: &'static str,
    pub ddl: &'static str,
    pub key: &'static [KeyColumn],
    /// Columns of the row type: the source's, then [`SYSTEM_COLUMNS`].
    pub columns: &'static [&'static str],
}

/// What every warehouse table has behind the source's columns.
pub const SYSTEM_COLUMNS: [&str; 11] = [
    "op",
    "src_ts",
    "_version",
    "_deleted",
    "_updated_at",
    "_source_ts_ms",
    "_lsn",
    "_tx_id",
    "_partition",
    "_offset",
    "_extra",
];

impl Registered {
    fn of<T: Table>() -> Registered {
        Registered {
            source: T::SOURCE,
            target: T::TARGET,
            ddl: T::DDL,
            key: T::KEY,
            columns: <T::Row as clickhouse::Row>::COLUMN_NAMES,
        }
    }

    /// The columns of the source table.
    pub fn source_columns(&self) -> &'static [&'static str] {
        &self.columns[..self.columns.len() - SYSTEM_COLUMNS.len()]
    }

    /// The type of a column, as the DDL says it.
    pub fn warehouse_type(&self, column: &str) -> &'static str {
        let definition = |line: &'static str| line.trim_start().strip_prefix(column)?.strip_prefix(' ');
        self.ddl.lines().find_map(definition).map_or("", str::trim_start)
    }
}

macro_rules! registry {
    ($($Table:ident,)*) => {
        /// Every table, each behind those that it points at.
        pub fn registry() -> Vec<Registered> {
            vec![$(Registered::of::<lockstep::old::$Table>()),*]
        }
    };
}
lockstep::for_each_table!(registry);
