//! The parts of files that follow from a pipeline, in the place where they stand.

use anyhow::Result;

use crate::exit::needs_person;
use crate::pipeline::{self, DerivedSpec, PipelineSpec, TableSpec, connector_file};
use crate::tables::Pipeline;

/// A file's text with its part as the pipeline has it.
pub type Part = fn(&str, &PipelineSpec) -> Result<String>;

/// The longest line of a list of tables in a script.
const WIDTH: usize = 114;

/// The files, and the part of each.
pub fn all(pipeline: &Pipeline) -> [(String, Part); 4] {
    [
        (pipeline.spec.connector_file(), connector_file),
        ("postgres/init/02_replication_user.sql".to_owned(), source),
        ("docker-compose.yml".to_owned(), services),
        ("cron/round".to_owned(), round),
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

/// The tables, in the order in which they are brought, and those that are made of them.
fn round(text: &str, pipeline: &PipelineSpec) -> Result<String> {
    let text = list(text, "    for table in ", "ingest-", pipeline.tables.iter().map(TableSpec::ingest_job))?;
    list(&text, "    for derived in ", "build-", pipeline.derived.iter().map(DerivedSpec::build_job))
}

/// The text with these jobs behind `begin`, without the first part of their names.
fn list(text: &str, begin: &str, prefix: &str, jobs: impl Iterator<Item = String>) -> Result<String> {
    let mut lines = vec![begin.trim_end().to_owned()];
    for job in jobs {
        let word = job.trim_start_matches(prefix);
        match lines.last_mut() {
            Some(line) if line.len() + word.len() + " \\".len() < WIDTH => *line += &format!(" {word}"),
            _ => lines.push(format!("        {word}")),
        }
    }
    let list = lines.join(" \\\n");
    between(text, begin, "; do\n", list.get(begin.len()..).unwrap_or_default())
}

/// The text with another one between the first `begin` and the next `end`.
fn between(text: &str, begin: &str, end: &str, new: &str) -> Result<String> {
    let parts = text.split_once(begin).and_then(|(before, rest)| Some((before, rest.split_once(end)?.1)));
    let (before, after) = parts.ok_or_else(|| {
        let (begin, end) = (begin.trim(), end.trim());
        needs_person(format!(
            "there is no {begin:?} with {end:?} behind it: put it where the list of the tables belongs"
        ))
    })?;
    Ok(format!("{before}{begin}{new}{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn a_list_that_was_emptied_is_filled_again() {
        let pipeline = Pipeline::embedded();
        let filled = round("a\n    for table in nothing; do\n    b\n    for derived in ; do\n", pipeline.spec).unwrap();
        let lines: Vec<&str> = filled.lines().collect();
        assert!(lines[1].starts_with("    for table in ") && lines[1].ends_with(" \\"), "{filled}");
        assert!(lines[2].starts_with("        ") && lines[2].ends_with("; do"), "{filled}");
        assert!(filled.contains("\n    for derived in order-wide "), "{filled}");
        let words = |list: &str| list.split_once(';').unwrap().0.replace("\\\n", "").split_whitespace().count();
        let lists: Vec<usize> = filled.split(" in ").skip(1).map(words).collect();
        assert_eq!(lists, [pipeline.tables.len(), pipeline.spec.derived.len()]);
        assert!(lines.iter().all(|line| line.len() <= WIDTH), "{filled}");
    }

    #[test]
    fn a_file_without_the_place_is_for_a_person() {
        for part in [source, services, round] {
            let error = part("nothing of it\n", Pipeline::embedded().spec).unwrap_err();
            assert_eq!(Exit::of(&error), Exit::NeedsPerson, "{error}");
        }
    }
}
