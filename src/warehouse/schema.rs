//! The schema: plain SQL files, applied again and again.

use anyhow::Result;

use crate::tables::Pipeline;
use crate::warehouse::Warehouse;

pub(crate) const DATABASES: &str = include_str!("../../clickhouse/init/00_databases.sql");
pub(crate) const VERSIONS: &str = include_str!("../../clickhouse/init/00_versions.sql");
/// The files of `northwind_ops`.
pub const BOOKS: &[&str] = &[
    VERSIONS,
    include_str!("../../clickhouse/init/01_ops.sql"),
    include_str!("../../clickhouse/init/02_checks.sql"),
    include_str!("../../clickhouse/init/03_observations.sql"),
];
const ORDER_WIDE: &str = include_str!("../../clickhouse/init/30_order_wide.sql");
const SALES_VIEWS: &str = include_str!("../../clickhouse/init/91_sales_views.sql");

impl Warehouse {
    /// Applies every file of `clickhouse/init/`, where every statement says IF NOT EXISTS, and replaces the views for people.
    /// `passes` is told after each statement.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn apply_schema(&self, pipeline: &'static Pipeline, passes: &dyn Fn(&str)) -> Result<()> {
        let books = [DATABASES].into_iter().chain(BOOKS.iter().copied()).map(|file| self.named(file));
        let own = pipeline.tables.iter().map(|table| table.ddl(&self.db));
        let derived = [ORDER_WIDE, SALES_VIEWS].map(|file| self.named(file));
        for file in books.chain(own).chain(derived) {
            for statement in statements(&file) {
                self.execute("applying the schema", statement)?;
                passes("schema-statement");
            }
        }
        for table in &pipeline.tables {
            self.replace_view(table, &self.columns(table.target)?)?;
        }
        Ok(())
    }
}

/// The statements of a file: each ends with a semicolon at the end of a line.
pub(crate) fn statements(file: &str) -> impl Iterator<Item = &str> {
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
