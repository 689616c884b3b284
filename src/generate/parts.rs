//! The parts of files that follow from a pipeline, in the place where they stand.

use anyhow::Result;

use crate::exit::needs_person;
use crate::pipeline::{self, DerivedSpec, PipelineSpec, TableSpec, connector_file};
use crate::tables::Pipeline;

/// A file's text with its part as the pipeline has it.
pub type Part = fn(&str, &PipelineSpec) -> Result<String>;

/// The files, and the part of each.
pub fn all(pipeline: &Pipeline) -> [(String, Part); 3] {
    [
        (pipeline.spec.connector_file(), connector_file),
        ("postgres/init/02_replication_user.sql".to_owned(), source),
        ("docker-compose.yml".to_owned(), services),
    ]
}

/// Everything behind the connector's role.
fn source(text: &str, spec: &PipelineSpec) -> Result<String> {
    let source = pipeline::source(spec)?;
    let first = source.lines().next().unwrap_or_default();
    let Some((before, _)) = text.split_once(first) else {
        return Err(needs_person(format!(
            "there is no line {first:?}: put it where the statements belong, behind the role"
        )));
    };
    Ok(format!("{before}{source}"))
}

/// A service for each job that brings or makes a table, among those of the other jobs.
fn services(text: &str, pipeline: &PipelineSpec) -> Result<String> {
    let is_one = |line: &&str| {
        ["  build-", "  ingest-"].iter().any(|kind| line.starts_with(kind))
            && line.contains(": { <<: *on-demand, entrypoint: [lockstep, ")
    };
    let builds = pipeline.derived.iter().map(DerivedSpec::build_job);
    let mut jobs: Vec<String> = pipeline.tables.iter().map(TableSpec::ingest_job).chain(builds).collect();
    jobs.sort();
    let services: String =
        jobs.iter().map(|job| format!("  {job}: {{ <<: *on-demand, entrypoint: [lockstep, {job}] }}\n")).collect();
    let Some(first) = text.split_inclusive('\n').position(|line| is_one(&line)) else {
        return Err(needs_person(format!("there is no service of an ingest job: put one there, as in\n{services}")));
    };
    let lines = || text.split_inclusive('\n');
    let before: String = lines().take(first).collect();
    let after: String = lines().skip(first).filter(|line| !is_one(line)).collect();
    Ok(before + &services + &after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn a_file_without_the_place_is_for_a_person() {
        for part in [source, services] {
            let error = part("nothing of it\n", Pipeline::embedded().spec).unwrap_err();
            assert_eq!(Exit::of(&error), Exit::NeedsPerson, "{error}");
        }
    }
}
