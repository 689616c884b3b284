//! The columns that a warehouse table has, whoever added them.

use std::fmt;

use anyhow::Result;
use clickhouse::Row;
use serde::Deserialize;

use crate::tables::Table;
use crate::warehouse::{Warehouse, identifier, quote};

/// A column of `system.columns`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Row, Deserialize)]
pub struct ExistingColumn {
    /// Name.
    pub name: String,
    /// Type.
    pub column_type: String,
    /// DEFAULT, MATERIALIZED, ALIAS, EPHEMERAL, or nothing.
    pub default_kind: String,
    /// Comment.
    pub comment: String,
}

impl ExistingColumn {
    /// Can it be NULL? (ClickHouse has no nullable tuples: a picture's parts are NULL, each.)
    pub fn is_optional(&self) -> bool {
        self.column_type.starts_with("Nullable(") || self.column_type.starts_with("Tuple(")
    }
}

/// A column that the jobs write and that the warehouse's table does not have, or has with another type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// Its name.
    pub name: &'static str,
    /// The type that is written.
    pub written: String,
    /// The type that is there.
    pub existing: Option<String>,
}

impl Unfit {
    /// Those of a table that has these columns. Columns that nobody writes have the default of their type.
    pub fn of(table: &Table, columns: &[ExistingColumn]) -> Vec<Unfit> {
        let unfit = |(name, written): (&'static str, String)| {
            let existing = columns.iter().find(|column| column.name == name).map(|column| column.column_type.clone());
            (existing.as_ref() != Some(&written)).then_some(Unfit { name, written, existing })
        };
        table.written_types().filter_map(unfit).collect()
    }

    /// What ALTER TABLE has to do.
    pub fn alter(&self) -> String {
        let Unfit { name, written, existing } = self;
        let what = if existing.is_some() { "MODIFY" } else { "ADD" };
        format!("{what} COLUMN {} {written}", identifier(name))
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.existing {
            Some(existing) => write!(f, "{} is {existing}, and {} is written", self.name, self.written),
            None => write!(f, "there is no column {}", self.name),
        }
    }
}

impl Warehouse {
    /// The columns of a warehouse table or view, in order; none if it does not exist.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn columns(&self, table: &str) -> Result<Vec<ExistingColumn>> {
        self.columns_of(&self.db, table)
    }

    pub(super) fn columns_of(&self, database: &str, table: &str) -> Result<Vec<ExistingColumn>> {
        let sql = format!(
            "SELECT name, type AS column_type, toString(default_kind) AS default_kind, comment FROM system.columns
             WHERE database = {} AND table = {} ORDER BY position",
            quote(database),
            quote(table)
        );
        self.rows(&format!("looking at the columns of {database}.{table}"), &sql)
    }
}
