//! `jobs`: the list of jobs as JSON, with the names that the pipeline gives: of itself and of its databases. The DAG factory reads it from
//! `airflow/dags/jobs.json`, which `generate` writes, and calls its DAGs after the pipeline.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::jobs::{Job, Kind};
use crate::tables::Pipeline;

/// The job.
pub fn job(pipeline: &'static Pipeline) -> Job {
    super::tool(
        "jobs",
        "Print the list of jobs as JSON",
        |command| command,
        move |_| {
            print!("{}", list(pipeline)?);
            Ok(())
        },
    )
}

/// The list, and whose it is.
///
/// # Errors
/// An ingest job belongs to no table.
pub fn list(pipeline: &'static Pipeline) -> Result<String> {
    let jobs: Result<Vec<Value>> = super::all(pipeline).iter().map(|job| described(pipeline, job)).collect();
    let (name, warehouse) = (pipeline.spec.name.as_str(), &pipeline.spec.warehouse);
    let list = json!({
        "pipeline": name, "warehouse": warehouse.database.as_str(), "ops": warehouse.ops.as_str(), "jobs": jobs?
    });
    Ok(serde_json::to_string_pretty(&list)? + "\n")
}

fn described(pipeline: &Pipeline, job: &Job) -> Result<Value> {
    let mut entry = json!({"name": job.name, "kind": job.kind.name(), "about": job.about});
    if job.kind == Kind::Ingest {
        let table = pipeline.tables.iter().find(|table| table.ingest_job() == job.name);
        let table = table.with_context(|| format!("{} belongs to no table", job.name))?;
        entry["table"] = json!(table.name);
        // Which rule asks for which table: who schedules jobs brings that table first.
        let references: BTreeMap<_, _> = table.references.iter().map(|it| (it.rule, it.parent.name)).collect();
        entry["references"] = json!(references);
        entry["partitions"] = json!(table.spec.partitions());
    }
    Ok(entry)
}
