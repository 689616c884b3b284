//! The schema: plain SQL files, applied again and again.

use anyhow::Result;

use crate::tables;
use crate::warehouse::Warehouse;

const DATABASES: &str = include_str!("../../clickhouse/init/00_databases.sql");
/// The files of `northwind_ops`.
pub const BOOKS: [&str; 3] = [
    include_str!("../../clickhouse/init/01_ops.sql"),
    include_str!("../../clickhouse/init/02_checks.sql"),
    include_str!("../../clickhouse/init/03_observations.sql"),
];
const ORDER_WIDE: &str = include_str!("../../clickhouse/init/30_order_wide.sql");
const SALES_VIEWS: &str = include_str!("../../clickhouse/init/91_sales_views.sql");

/// Applies every file of `clickhouse/init/`, where every statement says IF NOT EXISTS, and replaces the views for people.
/// Returns the number of statements.
///
/// # Errors
/// The server is gone or refuses.
pub fn migrate(warehouse: &Warehouse) -> Result<usize> {
    let tables = tables::all();
    let mut applied = tables.len();
    let own = tables.iter().map(|table| table.ddl);
    for file in [DATABASES].into_iter().chain(BOOKS).chain(own).chain([ORDER_WIDE, SALES_VIEWS]) {
        for statement in statements(file) {
            warehouse.execute("applying the schema", &warehouse.named(statement))?;
            applied += 1;
        }
    }
    for table in &tables {
        warehouse.replace_view(table, &warehouse.columns(table.target)?)?;
    }
    Ok(applied)
}

/// The statements of a file: each ends with a semicolon at the end of a line.
fn statements(file: &str) -> impl Iterator<Item = &str> {
    file.split(";\n")
        .map(str::trim)
        .filter(|statement| statement.lines().any(|line| !line.is_empty() && !line.starts_with("--")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_alone_are_no_statement() {
        let found: Vec<&str> = statements("-- a\nCREATE x;\n-- the end\n").collect();
        assert_eq!(found, ["-- a\nCREATE x"]);
    }
}
