//! The schema of a pipeline: plain SQL texts, which `migrate` applies again and again.

use anyhow::Result;

use crate::derived::order_wide;
use crate::ledger::schema::{DATABASES, OPS_DDL};
use crate::pipeline::fill;
use crate::tables::{Pipeline, Table};

/// What the names of the files of tables begin with.
const TABLE: &str = "10_";

/// The schema of a pipeline, file by file in its order: its books, its tables, what is derived from them.
///
/// # Errors
/// A text that is compiled in has an unknown placeholder.
pub fn files(pipeline: &Pipeline, db: &str, ops: &str) -> Result<Vec<(String, String)>> {
    let named = |(name, sql): &(&str, &str)| Ok((name.to_string(), fill(sql, &[("db", db), ("ops", ops)])?));
    let table = |table: &Table| Ok((format!("{TABLE}{}.sql", table.target), table.ddl(db)));
    let derived = if order_wide::schema::is_of(pipeline) { &order_wide::schema::SCHEMA[..] } else { &[] };
    let books = [DATABASES].into_iter().chain(OPS_DDL);
    books.map(|file| named(&file)).chain(pipeline.tables.iter().map(table)).chain(derived.iter().map(named)).collect()
}

/// Is that the file of a table?
pub fn is_of_table(name: &str) -> bool {
    name.starts_with(TABLE) && name.ends_with(".sql")
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
