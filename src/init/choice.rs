//! Which tables are asked for: by schema, by pattern.

use serde::{Deserialize, Serialize};

use crate::pipeline::fits;
use crate::source::SurveyedTable;

/// The line of a pipeline's file that says what was asked for, so that the next `init` asks for the same.
const LINE: &str = "# asked for: ";

/// What `--schema`, `--table` and `--exclude` say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Schemas; none means all of them.
    pub schemas: Vec<String>,
    /// Patterns of `schema.table`, with `*` for any letters; none means every table.
    pub tables: Vec<String>,
    /// Patterns of those that are not wanted.
    pub exclude: Vec<String>,
}

impl Choice {
    /// The line that says it.
    pub(super) fn line(&self) -> String {
        format!("{LINE}{}", serde_json::json!(self))
    }

    /// What a file's line says; everything, if it has none.
    pub fn of_file(text: &str) -> Choice {
        let said = text.lines().find_map(|line| serde_json::from_str(line.strip_prefix(LINE)?).ok());
        said.unwrap_or_default()
    }

    /// Is this table asked for?
    pub fn has(&self, table: &SurveyedTable) -> bool {
        let name = format!("{}.{}", table.schema, table.table);
        let fits = |pattern: &String| fits(&name, pattern) || fits(&table.table, pattern);
        (self.schemas.is_empty() || self.schemas.contains(&table.schema))
            && (self.tables.is_empty() || self.tables.iter().any(fits))
            && !self.exclude.iter().any(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_letters() {
        assert!(fits("app.orders", "app.*") && fits("app.orders", "*.or*rs") && fits("app.orders", "*"));
        assert!(!fits("app.orders", "ap") && !fits("app.orders", "*.order") && !fits("sales.x", "app.*"));
        assert!(fits("sales.größe", "*öß*"));
    }
}
