//! The columns that a warehouse table has, whoever added them.

use anyhow::Result;
use clickhouse::Row;
use serde::Deserialize;

use crate::warehouse::{Warehouse, identifier, quote};

/// A column of `system.columns`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Row, Deserialize)]
pub struct Column {
    /// Name.
    pub name: String,
    /// Type.
    pub column_type: String,
    /// DEFAULT, MATERIALIZED, ALIAS, EPHEMERAL, or nothing.
    pub default_kind: String,
    /// Comment.
    pub comment: String,
}

impl Column {
    /// Can it be NULL? (ClickHouse has no nullable tuples: a picture's parts are NULL, each.)
    pub fn is_optional(&self) -> bool {
        self.column_type.starts_with("Nullable(") || self.column_type.starts_with("Tuple(")
    }

    /// For a column without default that nobody writes: what is wrong, and the statement that mends it; `table` with its database.
    pub fn refuses_inserts(&self, table: &str) -> String {
        let Column { name, .. } = self;
        let fix = self.give_default(table);
        format!("{name} was added to {table} by hand and has no DEFAULT, so every insert is refused: {fix}")
    }

    /// The statement after which inserts may leave the column out.
    pub fn give_default(&self, table: &str) -> String {
        let Column { name, column_type, .. } = self;
        format!(
            "ALTER TABLE {table} MODIFY COLUMN {} {column_type} DEFAULT defaultValueOfTypeName({})",
            identifier(name),
            quote(column_type)
        )
    }
}

/// Columns that an insert of the columns `written` may not leave out.
pub fn without_default<'c>(columns: &'c [Column], written: &'c [&str]) -> impl Iterator<Item = &'c Column> {
    columns.iter().filter(|column| column.default_kind.is_empty() && !written.contains(&column.name.as_str()))
}

impl Warehouse {
    /// The columns of a warehouse table or view, in order; none if it does not exist.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn columns(&self, table: &str) -> Result<Vec<Column>> {
        self.columns_of(&self.db, table)
    }

    pub(super) fn columns_of(&self, database: &str, table: &str) -> Result<Vec<Column>> {
        let sql = format!(
            "SELECT name, type AS column_type, toString(default_kind) AS default_kind, comment FROM system.columns
             WHERE database = {} AND table = {} ORDER BY position",
            quote(database),
            quote(table)
        );
        self.rows(&format!("looking at the columns of {database}.{table}"), &sql)
    }
}
