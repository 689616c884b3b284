//! `generate`: writes what follows from the pipeline's file into the files of a project: DDL, the connector's keys, grants and publication,
//! the lists of jobs.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::{Map, Value, json};

use crate::cli::{Call, JobArgs, OutputArgs, Report};
use crate::exit::{Exit, needs_person};
use crate::generate::{self, Generated};
use crate::jobs::{Job, Kind, list};
use crate::tables::Pipeline;

/// Flags of `generate`.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// The project's folder
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Only say which files differ (exit 10)
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    output: OutputArgs,
}

impl JobArgs for GenerateArgs {
    fn output(&self) -> &OutputArgs {
        &self.output
    }
}

/// The job.
pub fn job(pipeline: &'static Pipeline) -> Job {
    let examples = "  lockstep --pipeline pipelines/shop.toml generate\n  generate --check\n  generate /srv/shop";
    let about = "Write what follows from the pipeline into the files of a project";
    super::job(pipeline, "generate", about, examples, Kind::Tool, run)
}

fn run(call: &Call<'_>, args: GenerateArgs) -> Result<Report> {
    let files = generate::files(call.pipeline, list::list(call.pipeline)?, &args.dir)?;
    if files.is_empty() {
        return Err(needs_person(format!(
            "{} has none of the files: write the folder of a project",
            args.dir.display()
        )));
    }
    let differing: Vec<&Generated> = files.iter().filter(|file| !file.is_current()).collect();
    let names: Vec<String> = differing.iter().map(|file| file.path.display().to_string()).collect();
    let mut fields = Map::from_iter([
        ("files".to_owned(), json!(files.len())),
        ("check".to_owned(), json!(args.check)),
        ("differing".to_owned(), json!(names)),
    ]);
    if !args.check {
        for file in differing {
            file.write(&args.dir)?;
            tracing::info!("{}: {} is written", call.job, file.path.display());
        }
        return Ok(Report { exit: Exit::Done, fields });
    }
    if names.is_empty() {
        return Ok(Report { exit: Exit::Done, fields });
    }
    let origin = &call.pipeline.origin;
    let error = format!("{} do not say what the pipeline says ({origin}): run `lockstep generate`", names.join(", "));
    fields.insert("error".to_owned(), Value::from(error));
    Ok(Report { exit: Exit::CheckFailed, fields })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_projects_own_files_say_what_its_pipeline_says() {
        let pipeline = Pipeline::embedded();
        let tree = Path::new(env!("CARGO_MANIFEST_DIR"));
        let files = generate::files(pipeline, list::list(pipeline).unwrap(), tree).unwrap();
        let differing: Vec<_> = files.iter().filter(|file| !file.is_current()).map(|file| &file.path).collect();
        assert!(differing.is_empty(), "{differing:?} differ: run `make generate`");
        let of_tables = files.iter().filter(|file| file.path.to_string_lossy().contains("/10_")).count();
        assert_eq!((of_tables, files.len()), (pipeline.tables.len(), pipeline.tables.len() + 12));
    }
}
