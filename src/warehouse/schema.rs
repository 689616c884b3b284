//! Applying a schema: plain SQL texts, again and again.

use anyhow::Result;

use crate::tables::Pipeline;
use crate::warehouse::Warehouse;

impl Warehouse {
    /// Applies the files of a schema, where every statement says IF NOT EXISTS, and replaces the views for people.
    /// `failpoint` is told after each statement.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn apply_schema(
        &self,
        files: &[(String, String)],
        pipeline: &'static Pipeline,
        failpoint: &dyn Fn(&str),
    ) -> Result<()> {
        for (_, file) in files {
            for statement in statements(file) {
                self.execute("applying the schema", statement)?;
                failpoint("schema-statement");
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
