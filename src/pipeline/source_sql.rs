//! What the source has to have: the captured tables, published and readable by the connector's role.

use super::spec::{PipelineSpec, SourceTable};
use crate::source::is_reserved;

/// Longest line of a list of tables.
const WIDTH: usize = 110;

/// `GRANT SELECT` on the captured tables, to the connector's role.
pub fn grants(pipeline: &PipelineSpec) -> String {
    let role = quoted(pipeline.connector.role.as_str());
    format!("GRANT SELECT ON\n{}\nTO {role};\n", lines(&by_name(pipeline)))
}

/// The tables of the publication: the captured ones, those of heartbeat and signals.
pub fn publication(pipeline: &PipelineSpec) -> String {
    let connector = &pipeline.connector;
    let name = quoted(connector.publication.as_str());
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
    format!("{}.{}", quoted(table.schema.as_str()), quoted(table.table.as_str()))
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

/// A name in quotes, unless it is a plain word that means nothing else.
fn quoted(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !is_reserved(name);
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}
