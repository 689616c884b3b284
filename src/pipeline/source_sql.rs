//! What the source has to have: the captured tables, published and readable by the connector's role.

use super::spec::{PipelineSpec, SourceTable};
use crate::sql::postgres::identifier;

/// Longest line of a list of tables.
const WIDTH: usize = 110;

/// `GRANT SELECT` on the captured tables, to the connector's role.
pub fn grants(pipeline: &PipelineSpec) -> String {
    let role = identifier(pipeline.connector.role.as_str());
    format!("GRANT SELECT ON\n{}\nTO {role};\n", lines(&by_name(pipeline)))
}

/// The tables of the publication: the captured ones, those of heartbeat and signals.
pub fn publication(pipeline: &PipelineSpec) -> String {
    let connector = &pipeline.connector;
    let name = identifier(connector.publication.as_str());
    let captured = lines(&by_name(pipeline));
    let own = lines(&[&connector.heartbeat, &connector.signal]);
    format!("ALTER PUBLICATION {name} SET TABLE\n{captured},\n{own};\n")
}

/// The captured tables, by name: a list that a person can read, whatever the order of the file.
pub(super) fn by_name(pipeline: &PipelineSpec) -> Vec<&SourceTable> {
    let mut tables: Vec<&SourceTable> = pipeline.tables.iter().map(|table| &table.source.value).collect();
    tables.sort();
    tables
}

/// A table's name in a statement.
pub fn name_in_sql(table: &SourceTable) -> String {
    format!("{}.{}", identifier(table.schema.as_str()), identifier(table.table.as_str()))
}

fn lines(tables: &[&SourceTable]) -> String {
    let mut lines = vec![String::new()];
    for (i, table) in tables.iter().enumerate() {
        let comma = if i + 1 < tables.len() { "," } else { "" };
        let name = format!("{}{comma}", name_in_sql(table));
        match lines.last_mut() {
            Some(line) if line.is_empty() => *line = format!("    {name}"),
            Some(line) if line.len() + 1 + name.len() <= WIDTH => *line = format!("{line} {name}"),
            _ => lines.push(format!("    {name}")),
        }
    }
    lines.join("\n")
}
