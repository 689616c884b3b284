//! `jobs`: the list of jobs as JSON, with the names that the pipeline gives: of itself and of its databases. The DAG factory reads it from
//! `airflow/dags/jobs.json`, which `generate` writes, and calls its DAGs after the pipeline.
//! With `--names` a script gets the names of one kind, a line each, in the order in which they are run.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use clap::{Arg, value_parser};
use serde_json::{Value, json};

use crate::cli::say::{say, sayln};
use crate::jobs::{Job, Kind};
use crate::tables::{Pipeline, Table};

/// The job.
pub fn job(pipeline: &'static Pipeline) -> Job {
    super::tool(
        "jobs",
        "Print the list of jobs as JSON",
        |command| {
            let names = Arg::new("names").long("names").value_name("KIND").value_parser(value_parser!(Kind));
            command.arg(names.help("Only the names of one kind, a line each, in the order in which they are run"))
        },
        move |matches| {
            match matches.get_one::<Kind>("names") {
                Some(kind) => in_order(pipeline, *kind).iter().for_each(|name| sayln!("{name}")),
                None => say!("{}", list(pipeline)?),
            }
            Ok(())
        },
    )
}

/// The names of the jobs of a kind. A table's job comes behind those of the tables that it references.
fn in_order(pipeline: &'static Pipeline, kind: Kind) -> Vec<String> {
    match kind {
        Kind::Ingest => pipeline.tables.iter().map(Table::ingest_job).collect(),
        _ => super::all(pipeline).into_iter().filter(|job| job.kind == kind).map(|job| job.name).collect(),
    }
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
        // Of tables that reference each other in a circle, one has to come first.
        let earlier = pipeline.tables.iter().take_while(|it| it.name != table.name).map(|it| it.name);
        let after: Vec<&str> = earlier.filter(|name| references.values().any(|parent| parent == name)).collect();
        entry["after"] = json!(after);
        entry["partitions"] = json!(table.spec.partitions());
    }
    Ok(entry)
}
