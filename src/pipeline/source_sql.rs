//! What the source has to have, as SQL that may run any number of times: heartbeat and signals, replica identities, and the captured tables,
//! published and readable by the connector's role.

use anyhow::Result;

use super::placeholders::fill;
use super::spec::{PipelineSpec, SourceTable, TableSpec};
use crate::sql::postgres::{identifier, literal};

/// All of it but the roles.
const SOURCE: &str = include_str!("source.sql");

/// Longest line of a list of tables.
const WIDTH: usize = 110;

/// Everything that the connector needs in the source, apart from its role.
///
/// # Errors
/// A placeholder has no value: a fault of this program.
pub fn source(pipeline: &PipelineSpec) -> Result<String> {
    let connector = &pipeline.connector;
    let [publication, role] = [&connector.publication, &connector.role].map(|name| name.as_str());
    let schema = |table: &SourceTable| identifier(table.schema.as_str());
    let keys = keys(pipeline);
    // A name may contain what ends a text in dollars.
    let tags = (0..).map(|n| if n == 0 { "$body$".to_owned() } else { format!("$body_{n}$") });
    let tag = tags.into_iter().find(|tag| !keys.contains(tag.as_str())).unwrap_or_default();
    fill(
        &SOURCE.replace("$body$", &tag),
        &[
            ("heartbeat_schema", &schema(&connector.heartbeat)),
            ("heartbeat", &name_in_sql(&connector.heartbeat)),
            ("signal_schema", &schema(&connector.signal)),
            ("signal", &name_in_sql(&connector.signal)),
            ("role", &identifier(role)),
            ("role_text", &literal(role)),
            ("publication", &identifier(publication)),
            ("publication_text", &literal(publication)),
            ("example", &by_name(pipeline).first().map_or_else(String::new, |table| literal(&name_in_sql(table)))),
            ("schemas", &schemas(pipeline).join(", ")),
            ("keys", &keys),
            ("grants", &grants(pipeline, role)),
            ("tables", self::publication(pipeline).trim_end()),
        ],
    )
}

/// The schemas of the captured tables, as SQL, by name.
pub fn schemas(pipeline: &PipelineSpec) -> Vec<String> {
    let mut schemas: Vec<String> =
        pipeline.tables.iter().map(|table| identifier(table.source.schema.as_str())).collect();
    schemas.sort();
    schemas.dedup();
    schemas
}

/// The captured tables with their keys, as rows of VALUES.
fn keys(pipeline: &PipelineSpec) -> String {
    let mut tables: Vec<&TableSpec> = pipeline.tables.iter().collect();
    tables.sort_by(|a, b| a.source.value.cmp(&b.source.value));
    let row = |table: &TableSpec| {
        let key: Vec<String> = table.key.iter().map(|column| literal(column.as_str())).collect();
        format!("        ({}::regclass, ARRAY[{}]::name[])", literal(&name_in_sql(&table.source)), key.join(", "))
    };
    tables.into_iter().map(row).collect::<Vec<_>>().join(",\n")
}

/// `GRANT SELECT` on the captured tables, to a role.
pub fn grants(pipeline: &PipelineSpec, role: &str) -> String {
    format!("GRANT SELECT ON\n{}\nTO {};\n", lines(&by_name(pipeline)), identifier(role))
}

/// The tables of the publication: the captured ones, those of heartbeat and signals.
fn publication(pipeline: &PipelineSpec) -> String {
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
