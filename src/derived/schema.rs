//! The tables and views of derived tables, as files of the schema.

use anyhow::Result;

use crate::derived::Derived;
use crate::pipeline::{fill, identifier, quoted};
use crate::tables::Pipeline;

/// What the names of the files of derived tables begin with, …
pub const TABLE: &str = "30_";
/// … and those of the views beside them.
pub const VIEWS: &str = "91_";

/// A column with its type and comment.
type Column = (String, String, Option<String>);

/// The files of a pipeline's derived tables, then those of their views.
///
/// # Errors
/// A view has a placeholder that there is not.
pub fn files(pipeline: &'static Pipeline, db: &str, ops: &str) -> Result<Vec<(String, String)>> {
    let derived = Derived::all(pipeline);
    let mut files: Vec<(String, String)> =
        derived.iter().map(|table| (format!("{TABLE}{}.sql", table.target()), table.ddl(db))).collect();
    for view in derived.iter().flat_map(|table| &table.spec.views) {
        files.push((format!("{VIEWS}{}", view.name), fill(&view.text, &[("db", db), ("ops", ops)])?));
    }
    Ok(files)
}

impl Derived {
    /// The statements that make its table, and the one that remembers where rows belong.
    fn ddl(&self, db: &str) -> String {
        let spec = self.spec;
        let own = spec
            .columns
            .iter()
            .map(|column| (column.name.to_string(), column.column_type.to_string(), column.comment.clone()));
        let source_time =
            spec.source_time.as_deref().unwrap_or("when the source committed the newest change that is in the row");
        let system = [
            ("_version", "UInt64", Some("of build number n: 2n + 1 for a row, 2n for a delete marker")),
            ("_updated_at", "DateTime('UTC')", Some("when this row was written here")),
            ("_source_ts_ms", "Int64", Some(source_time)),
            ("_deleted", "UInt8", None),
        ];
        let system = system
            .map(|(name, column_type, comment)| (name.to_owned(), column_type.to_owned(), comment.map(str::to_owned)));
        let order_by: Vec<&str> = spec.order_by().iter().map(|column| column.as_str()).collect();
        let partition_by = spec.partition_by.as_ref().map(|expression| expression.as_str());
        let comment = format!("-- {}; made by {}. Read with FINAL.\n", spec.about, spec.build_job());
        let table = create(db, self.target(), own.chain(system).collect(), partition_by, &order_by);
        let members = spec.membership.as_ref().map(|_| self.members_ddl(db)).unwrap_or_default();
        format!("{comment}{table}{members}")
    }

    fn members_ddl(&self, db: &str) -> String {
        let driving = self.driving_key_declared().into_iter().map(|(name, kind)| (name.to_owned(), kind, None));
        let own = self.key_types().filter(|(name, _)| !self.is_driving_column(name));
        let own = own.map(|(name, kind)| (name.to_owned(), kind.to_string(), None));
        let version = ("_version".to_owned(), "UInt64".to_owned(), Some("of build number n: 2n + 1".to_owned()));
        let deleted = ("_deleted".to_owned(), "UInt8".to_owned(), None);
        let columns: Vec<Column> = driving.chain(own).collect();
        let order_by: Vec<String> = columns.iter().map(|(name, ..)| name.clone()).collect();
        let order_by: Vec<&str> = order_by.iter().map(String::as_str).collect();
        let columns = columns.into_iter().chain([version, deleted]).collect();
        let (driven_by, target) = (&self.spec.driven_by, self.target());
        let comment = format!("\n-- To which row of {target} each row of {driven_by} belongs. Read with FINAL.\n");
        comment + &create(db, &self.spec.members(), columns, None, &order_by)
    }
}

fn create(db: &str, table: &str, columns: Vec<Column>, partition_by: Option<&str>, order_by: &[&str]) -> String {
    let width = columns.iter().map(|(name, ..)| identifier(name).chars().count()).max().unwrap_or(0);
    let line = |(name, column_type, comment): &Column| {
        let comment = comment.as_ref().map(|comment| format!(" COMMENT {}", quoted(comment))).unwrap_or_default();
        format!("    {:width$} {column_type}{comment}", identifier(name))
    };
    let lines: Vec<String> = columns.iter().map(line).collect();
    let partition_by = partition_by.map(|expression| format!("PARTITION BY {expression}\n")).unwrap_or_default();
    format!(
        "CREATE TABLE IF NOT EXISTS {db}.{table}\n(\n{}\n)\nENGINE = ReplacingMergeTree(_version, _deleted)\n{partition_by}ORDER BY ({})\n\
         SETTINGS non_replicated_deduplication_window = 10000;\n",
        lines.join(",\n"),
        order_by.iter().map(|name| identifier(name)).collect::<Vec<_>>().join(", ")
    )
}
