//! The schema: plain SQL texts, applied again and again.

use anyhow::Result;

use crate::derived;
use crate::ledger::schema::{BOOKS, DATABASES};
use crate::pipeline::fill;
use crate::tables::{Pipeline, Table};
use crate::warehouse::Warehouse;

/// What the names of the files of tables begin with.
const TABLE: &str = "10_";

/// The schema of a pipeline, file by file in its order: its books, its tables, what is derived from them.
///
/// # Errors
/// A text that is compiled in has an unknown placeholder.
pub fn files(pipeline: &'static Pipeline, db: &str, ops: &str) -> Result<Vec<(String, String)>> {
    let named = |(name, sql): &(&str, &str)| Ok((name.to_string(), fill(sql, &[("db", db), ("ops", ops)])?));
    let table = |table: &Table| Ok((format!("{TABLE}{}.sql", table.target), table.ddl(db)));
    let books = [DATABASES].into_iter().chain(BOOKS);
    let files: Result<Vec<_>> = books.map(|file| named(&file)).chain(pipeline.tables.iter().map(table)).collect();
    let derived = derived::schema::files(pipeline, db, ops)?;
    files.map(|files| files.into_iter().chain(derived).collect())
}

/// Is that the file of a table, or of views, which follows from the pipeline?
pub fn is_of_table(name: &str) -> bool {
    [TABLE, derived::schema::TABLE, derived::schema::VIEWS].iter().any(|kind| name.starts_with(kind))
        && name.ends_with(".sql")
}

impl Warehouse {
    /// Applies the schema, where every statement says IF NOT EXISTS, and replaces the views for people.
    /// `passes` is told after each statement.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn apply_schema(&self, pipeline: &'static Pipeline, passes: &dyn Fn(&str)) -> Result<()> {
        for (_, file) in files(pipeline, &self.db, &self.ops)? {
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

    #[test]
    fn every_name_in_it_is_the_pipelines() {
        let pipeline = Pipeline::embedded();
        for (name, sql) in files(pipeline, "a_dw", "b_ops").unwrap() {
            assert!(sql.contains("a_dw") || sql.contains("b_ops"), "{name}");
            let own = &pipeline.spec.warehouse;
            assert!(!sql.contains(own.database.as_str()) && !sql.contains(own.ops.as_str()), "{name}");
        }
    }
}
