//! Views for people: `v_<table>`, named as the source names it, with the live rows and without system columns.
//!
//! A view keeps the columns that it was made with, so it is made again whenever the table has another one.

use anyhow::Result;

use crate::rows::SYSTEM_COLUMNS;
use crate::tables::Table;
use crate::warehouse::{ExistingColumn, Warehouse, identifier};

impl Warehouse {
    /// Makes a table's view anew, with the columns that the table has.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn replace_view(&self, table: &Table, columns: &[ExistingColumn]) -> Result<()> {
        let names = shown(columns).map(|column| identifier(&column.name)).collect::<Vec<_>>().join(", ");
        let (db, view) = (&self.db, view_of(table));
        let sql = format!("CREATE OR REPLACE VIEW {db}.{view} AS SELECT {names} FROM {db}.{} FINAL", table.target);
        self.execute(&format!("replacing the view {db}.{view}"), &sql)
    }

    /// Does the view show what the table has?
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn view_is_current(&self, table: &Table, columns: &[ExistingColumn]) -> Result<bool> {
        let view = self.columns(&view_of(table))?;
        let of = |column: &ExistingColumn| (column.name.clone(), column.column_type.clone());
        Ok(view.iter().map(of).eq(shown(columns).map(of)))
    }
}

/// The view of a table.
pub fn view_of(table: &Table) -> String {
    table.view()
}

fn shown(columns: &[ExistingColumn]) -> impl Iterator<Item = &ExistingColumn> {
    let is_system = |column: &ExistingColumn| SYSTEM_COLUMNS.contains(&column.name.as_str());
    columns.iter().filter(move |column| !is_system(column) && column.default_kind != "EPHEMERAL")
}
