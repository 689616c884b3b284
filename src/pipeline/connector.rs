//! The connector's file: the keys that follow from the pipeline. The others (hosts, passwords, intervals) are its owner's.

use anyhow::{Context, Result};
use serde_json::Value;

use super::source_sql::name_in_sql;
use super::spec::{PipelineSpec, SourceTable};
use super::topic_groups;
use crate::types::connector::{BinaryMode, TimeMode};

/// Debezium's `table.include.list`: the pipeline's tables by name, then the table of the heartbeat.
pub fn table_include_list(pipeline: &PipelineSpec) -> String {
    let tables = super::source_sql::by_name(pipeline).into_iter().chain([&pipeline.connector.heartbeat]);
    tables.map(pattern).collect::<Vec<_>>().join(",")
}

/// The keys of the connector's configuration that follow from the pipeline. A key without a value has to be absent, because
/// what Debezium does without it is meant.
pub fn connector_settings(pipeline: &PipelineSpec) -> Vec<(&'static str, Option<String>)> {
    let connector = &pipeline.connector;
    let SourceTable { schema, table } = &connector.heartbeat;
    let heartbeat = name_in_sql(&connector.heartbeat);
    let heartbeat_topic = format!("{}\\.{}", escaped(schema.as_str()), escaped(table.as_str()));
    let time_precision = connector.time_precision;
    let binary_handling = connector.binary_handling;
    vec![
        ("database.user", Some(connector.role.to_string())),
        ("database.dbname", Some(connector.database.to_string())),
        ("topic.prefix", Some(pipeline.topic_prefix.to_string())),
        ("table.include.list", Some(table_include_list(pipeline))),
        ("column.exclude.list", excluded_columns(pipeline)),
        ("slot.name", Some(connector.slot.to_string())),
        ("publication.name", Some(connector.publication.to_string())),
        ("decimal.handling.mode", Some(connector.decimal_handling.as_ref().to_owned())),
        ("time.precision.mode", (time_precision != TimeMode::Adaptive).then(|| time_precision.as_ref().to_owned())),
        ("binary.handling.mode", (binary_handling != BinaryMode::Bytes).then(|| binary_handling.as_ref().to_owned())),
        ("heartbeat.action.query", Some(format!("UPDATE {heartbeat} SET ts = now() WHERE id = 1"))),
        ("signal.data.collection", Some(format!("{}.{}", connector.signal.schema, connector.signal.table))),
        ("topic.creation.default.partitions", Some("1".to_owned())),
        ("topic.creation.heartbeat.include", Some(format!("__debezium-heartbeat\\..*,.*\\.{heartbeat_topic}"))),
    ]
}

/// The connector's file with these keys as the pipeline has them; everything else stays as it is, in its place.
///
/// # Errors
/// The file is no JSON with a name and a config.
pub fn connector_file(file: &str, pipeline: &PipelineSpec) -> Result<String> {
    let mut json: Value = serde_json::from_str(file).context("reading the connector's file")?;
    let root = json.as_object_mut().context("the connector's file is no JSON object")?;
    root.insert("name".to_owned(), Value::from(pipeline.connector.name.as_str()));
    let config = root.get_mut("config").and_then(Value::as_object_mut);
    let config = config.context("the connector's file has no object \"config\"")?;
    for (key, value) in connector_settings(pipeline) {
        match value {
            Some(value) => config.insert(key.to_owned(), Value::from(value)),
            None => config.shift_remove(key),
        };
    }
    topic_groups::put(config, pipeline);
    Ok(serde_json::to_string_pretty(&json)? + "\n")
}

/// Columns that are never read; Debezium leaves them out of its messages.
fn excluded_columns(pipeline: &PipelineSpec) -> Option<String> {
    let column = |table: &SourceTable, column: &str| {
        [table.schema.as_str(), table.table.as_str(), column].map(escaped).join("\\.")
    };
    let excluded: Vec<String> = pipeline
        .tables
        .iter()
        .flat_map(|table| table.excluded.iter().map(|excluded| column(&table.source, excluded.name.as_str())))
        .collect();
    (!excluded.is_empty()).then(|| excluded.join(","))
}

/// A table as a regular expression of Debezium, which compares it with `schema.table` as a whole. The dot between the two
/// is not escaped where neither has one of its own: nothing else can be there.
fn pattern(table: &SourceTable) -> String {
    let (schema, name) = (table.schema.as_str(), table.table.as_str());
    let dot = if schema.contains('.') || name.contains('.') { "\\." } else { "." };
    // Debezium takes letters of either size for the same, unless it is told not to.
    let has_capitals = [schema, name].iter().any(|name| name.chars().any(char::is_uppercase));
    let case = if has_capitals { "(?-i)" } else { "" };
    format!("{case}{}{dot}{}", escaped(schema), escaped(name))
}

/// Letters that mean something in a regular expression, or between two of them, lose their meaning.
pub(super) fn escaped(name: &str) -> String {
    let special = |c: char| "\\.[]{}()*+-?^$|,".contains(c);
    name.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}
