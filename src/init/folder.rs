//! The files of a pipeline's folder.

use anyhow::Result;
use serde_json::{Map, Value};

use super::draft::{Draft, LeftOut};
use crate::pipeline::{connector_file, fill, grants, schemas, source};
use crate::sql::postgres::{identifier, literal};
use crate::tables::Pipeline;

/// The pipeline's file.
pub const FILE: &str = "lockstep.toml";

/// The connector's settings that follow from no pipeline.
const CONNECTOR: &str = include_str!("connector.json");
/// What is done next.
const README: &str = include_str!("folder.md");
/// The roles, and what else is not the connector's.
const ROLES: &str = include_str!("roles.sql");

/// Where the source is, for the connector.
#[derive(Debug, Clone)]
pub struct Address {
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// The files beside the pipeline's: what has to be run in the source, the connector, what to do next. `connector` is the connector's file where there is one:
/// what its owner has written there stays.
///
/// # Errors
/// The connector's file is none.
pub fn files(
    pipeline: &Pipeline,
    draft: &Draft,
    address: &Address,
    connector: Option<&str>,
) -> Result<Vec<(&'static str, String)>> {
    Ok(vec![
        ("source.sql", source_sql(pipeline)?),
        ("connector.json", connector_json(pipeline, draft, address, connector)?),
        ("README.md", readme(pipeline, &draft.all_left_out())?),
    ])
}

fn source_sql(pipeline: &Pipeline) -> Result<String> {
    let spec = pipeline.spec;
    let role = spec.connector.role.as_str();
    let jobs = format!("{}_jobs", spec.name);
    let relations: Vec<String> =
        pipeline.tables.iter().map(|table| format!("{}::regclass", literal(&table.relation))).collect();
    let roles = fill(
        ROLES,
        &[
            ("pipeline", spec.name.as_str()),
            ("role_text", &literal(role)),
            ("jobs_text", &literal(&jobs)),
            ("jobs", &identifier(&jobs)),
            ("schemas", &schemas(spec).join(", ")),
            ("grants", grants(spec, &jobs).trim_end()),
            ("relations", &relations.join(", ")),
        ],
    )?;
    Ok(format!("{roles}\n{}", source(spec)?))
}

fn connector_json(pipeline: &Pipeline, draft: &Draft, address: &Address, connector: Option<&str>) -> Result<String> {
    let mut file: Value = serde_json::from_str(connector.unwrap_or(CONNECTOR))?;
    if let Some(config) = file.get_mut("config").and_then(Value::as_object_mut) {
        if connector.is_none() {
            config.insert("database.hostname".to_owned(), Value::from(address.host.as_str()));
            config.insert("database.port".to_owned(), Value::from(address.port.to_string()));
        }
        message_keys(config, draft);
    }
    connector_file(&file.to_string(), pipeline.spec)
}

/// Debezium takes the primary key by itself; other keys it is told.
fn message_keys(config: &mut Map<String, Value>, draft: &Draft) {
    let escaped = |name: &str| regex::escape(name).replace(',', "\\,").replace([':', ';'], ".");
    let of_table = |table: &super::draft::DraftTable| {
        let key: Vec<String> = table.key.iter().map(|name| escaped(name)).collect();
        format!("{}\\.{}:{}", escaped(&table.schema), escaped(&table.table), key.join(","))
    };
    let keys: Vec<String> = draft.tables.iter().filter(|table| !table.is_primary).map(of_table).collect();
    if keys.is_empty() {
        config.shift_remove("message.key.columns");
    } else {
        config.insert("message.key.columns".to_owned(), Value::from(keys.join(";")));
    }
}

fn readme(pipeline: &Pipeline, left_out: &[LeftOut]) -> Result<String> {
    let spec = pipeline.spec;
    let first = pipeline.tables.first().map(|table| table.ingest_job()).unwrap_or_default();
    fill(
        README,
        &[
            ("pipeline", spec.name.as_str()),
            ("database", spec.connector.database.as_str()),
            ("connector", spec.connector.name.as_str()),
            ("tables", &pipeline.tables.len().to_string()),
            ("job", &first),
            ("left_out", &listed(left_out)),
        ],
    )
}

fn listed(left_out: &[LeftOut]) -> String {
    if left_out.is_empty() {
        return "Nothing: every table and every column is captured.".to_owned();
    }
    let cell = |text: &str| text.replace('|', "\\|").replace(['\n', '\r'], " ");
    let line = |it: &LeftOut| format!("| {} | {} | {} |", cell(&it.what), cell(&it.why), cell(&it.instead));
    format!("| what | why | instead |\n|---|---|---|\n{}", left_out.iter().map(line).collect::<Vec<_>>().join("\n"))
}
