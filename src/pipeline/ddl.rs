//! The warehouse's tables: a table of the pipeline, the system columns, and how ClickHouse keeps them.

use super::spec::{PipelineSpec, TableSpec};

/// A column that every table of the warehouse has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SystemColumn {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub column_type: &'static str,
    /// What it holds, where the name does not say it.
    pub comment: Option<&'static str>,
}

const fn system(name: &'static str, column_type: &'static str, comment: Option<&'static str>) -> SystemColumn {
    SystemColumn { name, column_type, comment }
}

/// The columns that stand behind those of the source (design: `docs/DESIGN.md`, "Columns that every row has").
pub const SYSTEM_COLUMNS: [SystemColumn; 11] = [
    system("op", "String", Some("r, c, u, d as Debezium says it; t for a row that a TRUNCATE removed")),
    system("src_ts", "DateTime('UTC')", Some("when the source committed the change")),
    system("_version", "UInt64", Some("log order: generation:12 | offset:44 | step:8")),
    system("_deleted", "UInt8", None),
    system("_updated_at", "DateTime('UTC')", Some("when this row was written here")),
    system("_source_ts_ms", "Int64", None),
    system("_lsn", "Nullable(UInt64)", None),
    system("_tx_id", "Nullable(UInt64)", None),
    system("_partition", "Int32", None),
    system("_offset", "Int64", None),
    system("_extra", "String", Some("JSON of the columns this table does not have yet, or empty")),
];

/// How ClickHouse keeps a column of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WarehouseColumn {
    /// Its whole type, `Nullable(…)` included.
    pub column_type: String,
    /// What it holds, where its name and the source's type do not say it.
    pub comment: Option<String>,
}

/// The file of a table's DDL. `columns` are those of the source, in the order of [`TableSpec::columns`].
pub fn create_table(pipeline: &PipelineSpec, database: &str, table: &TableSpec, columns: &[WarehouseColumn]) -> String {
    let key = list(table.key.iter().map(|column| column.as_str()));
    let topic = table.topic(pipeline.topic_prefix.as_str());
    let own =
        table.columns.iter().zip(columns).map(|(column, kept)| {
            (identifier(column.name.as_str()), kept.column_type.as_str(), kept.comment.as_deref())
        });
    let system = SYSTEM_COLUMNS.iter().map(|column| (column.name.to_owned(), column.column_type, column.comment));
    let columns: Vec<_> = own.chain(system).collect();
    let width = columns.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or(0);
    let mut lines: Vec<String> = columns
        .into_iter()
        .map(|(name, column_type, comment)| {
            let comment = comment.map(|comment| format!(" COMMENT {}", quoted(comment))).unwrap_or_default();
            format!("    {name:width$} {column_type}{comment}")
        })
        .collect();
    // By the offsets of a window, and by the highest version: questions that would else read a whole column.
    lines.push("    INDEX ix_offset _offset TYPE minmax GRANULARITY 1".to_owned());
    lines.push("    INDEX newest _version TYPE minmax GRANULARITY 1".to_owned());
    let mut clauses = vec!["ENGINE = ReplacingMergeTree(_version, _deleted)".to_owned()];
    if let Some(partition_by) = &table.clickhouse.partition_by {
        clauses.push(format!("PARTITION BY {partition_by}"));
    }
    clauses.push(format!("ORDER BY {}", list(table.order_by().iter().map(|column| column.as_str()))));
    if let Some(ttl) = &table.clickhouse.ttl {
        clauses.push(format!("TTL {ttl}"));
    }
    let more = table.clickhouse.settings.iter().map(|(name, value)| format!(", {name} = {value}"));
    clauses.push(format!("SETTINGS non_replicated_deduplication_window = 10000{}", more.collect::<String>()));
    format!(
        "-- {topic}. One live row per {key}: read with FINAL.\nCREATE TABLE IF NOT EXISTS {database}.{}\n(\n{}\n)\n{};\n",
        table.target,
        lines.join(",\n"),
        clauses.join("\n"),
    )
}

/// One column, or several in parentheses.
fn list<'n>(columns: impl Iterator<Item = &'n str>) -> String {
    let columns: Vec<String> = columns.map(identifier).collect();
    match columns.as_slice() {
        [only] => only.clone(),
        many => format!("({})", many.join(", ")),
    }
}

/// A name as ClickHouse reads it: in backticks, unless it is a plain word.
pub(crate) fn identifier(name: &str) -> String {
    let word = name.to_ascii_lowercase();
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !KEYWORDS.contains(&word.as_str());
    if plain { name.to_owned() } else { format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`")) }
}

/// Words that ClickHouse takes for something else in a list of columns, or in ORDER BY. Of its 417 words only these.
const KEYWORDS: [&str; 10] =
    ["constraint", "false", "index", "inf", "infinity", "nan", "not", "null", "projection", "true"];

/// A text as a literal.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
