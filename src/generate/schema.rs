//! The schema of a pipeline: plain SQL texts, which `migrate` applies again and again.

use anyhow::Result;

use crate::derived;
use crate::ledger::schema::{DATABASES, OPS_DDL};
use crate::pipeline::fill;
use crate::tables::{Pipeline, Table};

/// What the names of the files of tables begin with.
const TABLE: &str = "10_";

/// The schema of a pipeline, file by file in its order: its books, its tables, what is derived from them.
///
/// # Errors
/// A text that is compiled in has an unknown placeholder.
pub fn files(pipeline: &'static Pipeline, db: &str, ops: &str) -> Result<Vec<(String, String)>> {
    let named = |(name, sql): &(&str, &str)| Ok((name.to_string(), fill(sql, &[("db", db), ("ops", ops)])?));
    let table = |table: &Table| Ok((format!("{TABLE}{}.sql", table.target), table.ddl(db)));
    let books = [DATABASES].into_iter().chain(OPS_DDL);
    let files: Result<Vec<_>> = books.map(|file| named(&file)).chain(pipeline.tables.iter().map(table)).collect();
    let derived = derived::schema::files(pipeline, db, ops)?;
    files.map(|files| files.into_iter().chain(derived).collect())
}

/// Is that the file of a table, or of views, which follows from the pipeline?
pub fn is_of_table(name: &str) -> bool {
    let kinds = [TABLE, derived::schema::TABLE, derived::schema::VIEWS];
    kinds.iter().any(|kind| name.starts_with(kind)) && name.ends_with(".sql")
}

#[cfg(test)]
mod tests {
    use super::*;

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
