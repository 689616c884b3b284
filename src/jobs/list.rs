//! `jobs`: the list of jobs as JSON. The DAG factory reads it from `airflow/dags/jobs.json`, where a test keeps it equal.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::jobs::{Job, Kind};
use crate::tables::{Pipeline, Table};

const CONNECTOR: &str = include_str!("../../connectors/debezium-northwind.json");

/// The job.
pub fn job(pipeline: &'static Pipeline) -> Job {
    super::tool(
        "jobs",
        "Print the list of jobs as JSON",
        |command| command,
        move |_| {
            let connector: Value = serde_json::from_str(CONNECTOR).context("reading the connector's file")?;
            let jobs: Result<Vec<Value>> =
                super::all(pipeline).iter().map(|job| described(pipeline, job, &connector["config"])).collect();
            println!("{}", serde_json::to_string_pretty(&jobs?)?);
            Ok(())
        },
    )
}

fn described(pipeline: &Pipeline, job: &Job, connector: &Value) -> Result<Value> {
    let mut entry = json!({"name": job.name, "kind": job.kind.name(), "about": job.about});
    if job.kind == Kind::Ingest {
        let facts = pipeline.tables.iter().find(|table| table.ingest_job() == job.name);
        let facts = facts.with_context(|| format!("{} belongs to no table", job.name))?;
        entry["table"] = json!(facts.name);
        // Which rule asks for which table: who schedules jobs brings that table first.
        let references: BTreeMap<_, _> = facts.references.iter().map(|it| (it.rule, it.parent.name)).collect();
        entry["references"] = json!(references);
        entry["partitions"] = json!(partitions(facts, connector)?);
    }
    Ok(entry)
}

/// With how many partitions the connector creates a table's topic: by the group that names it, else by default.
fn partitions(table: &Table, connector: &Value) -> Result<u32> {
    let setting = |name: &str| connector[name].as_str().unwrap_or_default();
    let topic = table.topic(setting("topic.prefix"));
    let names_it = |group: &&str| {
        let included = setting(&format!("topic.creation.{group}.include"));
        included.split(',').any(|pattern| pattern.trim().replace("\\.", ".") == topic)
    };
    let groups = setting("topic.creation.groups");
    let group = groups.split(',').map(str::trim).find(names_it).unwrap_or("default");
    let number = setting(&format!("topic.creation.{group}.partitions"));
    number.parse().with_context(|| format!("topic.creation.{group}.partitions is {number:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_names_a_topic_says_how_many_partitions_it_has() {
        let connector = json!({
            "topic.prefix": "northwind",
            "topic.creation.groups": "other, large",
            "topic.creation.default.partitions": "1",
            "topic.creation.other.include": "northwind\\.public\\.orders_old",
            "topic.creation.other.partitions": "2",
            "topic.creation.large.include": "northwind\\.public\\.products,northwind\\.public\\.orders",
            "topic.creation.large.partitions": "6",
        });
        let of = |name: &str| partitions(Pipeline::embedded().table(name).unwrap(), &connector).unwrap();
        assert_eq!((of("orders"), of("products"), of("customers")), (6, 6, 1));
    }
}
