//! The tables of Northwind's pipeline, for tests that walk them.

use std::sync::OnceLock;

use lockstep::pipeline::Origin;
use lockstep::tables::{KeyColumn, Pipeline, Table};

pub use lockstep::rows::SYSTEM_COLUMNS;

/// The pipeline that is compiled in.
pub fn northwind() -> &'static Pipeline {
    static NORTHWIND: OnceLock<&'static Pipeline> = OnceLock::new();
    NORTHWIND.get_or_init(|| Pipeline::read(Origin::Embedded).unwrap())
}

/// A table of the pipeline, as its file declares it.
#[derive(Debug)]
pub struct Registered {
    pub source: &'static str,
    pub target: &'static str,
    pub key: &'static [KeyColumn],
    /// The columns of an insert: the source's, then [`SYSTEM_COLUMNS`].
    pub columns: &'static [&'static str],
    table: &'static Table,
}

impl Registered {
    fn of(table: &'static Table) -> Registered {
        Registered { source: table.name, target: table.target, key: &table.key, columns: &table.written, table }
    }

    /// The columns of the source table.
    pub fn source_columns(&self) -> &'static [&'static str] {
        &self.columns[..self.columns.len() - SYSTEM_COLUMNS.len()]
    }

    /// The type of a column, as the DDL says it.
    pub fn warehouse_type(&self, column: &str) -> String {
        self.table.declaration(column).unwrap_or_default()
    }
}

/// Every table, each behind those that it references.
pub fn registry() -> Vec<Registered> {
    northwind().tables.iter().map(Registered::of).collect()
}
