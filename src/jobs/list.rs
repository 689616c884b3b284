//! `jobs`: the list of jobs as JSON, for the DAG factory.

use serde_json::json;

use crate::jobs::Job;

/// The job.
pub fn job() -> Job {
    super::tool(
        "jobs",
        "Print the list of jobs as JSON",
        |command| command,
        |_| {
            let jobs: Vec<_> = super::all()
                .iter()
                .map(|job| json!({"name": job.name, "kind": job.kind.name(), "about": job.about}))
                .collect();
            println!("{}", serde_json::to_string_pretty(&jobs)?);
            Ok(())
        },
    )
}
