//! What follows from a pipeline's file, in the files of a project that have it: so a table is added in one place.
//!
//! Files that follow as a whole are written where their folder is there; of the others only the part that follows, and only if they are there:
//! everything around it is their owner's.

mod parts;
pub(crate) mod schema;

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::tables::Pipeline;

/// The schema of the warehouse.
const SCHEMA: &str = "clickhouse/init";
/// The list of jobs that the DAGs are made of.
const JOBS: &str = "airflow/dags/jobs.json";

/// A file, as it is and as it should be.
#[derive(Debug)]
pub struct Generated {
    /// Below the project's folder.
    pub path: PathBuf,
    is: Option<String>,
    /// Nothing: it belongs to a table that the pipeline does not have.
    wanted: Option<String>,
}

impl Generated {
    /// Is it as it should be?
    pub fn is_current(&self) -> bool {
        self.is == self.wanted
    }

    /// Makes it so.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn write(&self, tree: &Path) -> Result<()> {
        let path = tree.join(&self.path);
        let written = match &self.wanted {
            Some(text) => fs::write(&path, text),
            None => fs::remove_file(&path),
        };
        written.with_context(|| format!("writing {}", path.display()))
    }
}

/// Every file of a project that has something which follows from the pipeline. `jobs` is the list of its jobs.
///
/// # Errors
/// A file cannot be read, or the part that follows is not found in it.
pub fn files(pipeline: &'static Pipeline, jobs: String, tree: &Path) -> Result<Vec<Generated>> {
    let mut files = Vec::new();
    if tree.join(SCHEMA).is_dir() {
        files.extend(schema_files(pipeline, tree)?);
    }
    if tree.join(JOBS).parent().is_some_and(Path::is_dir) {
        files.push(Generated { path: JOBS.into(), is: read(tree, JOBS)?, wanted: Some(jobs) });
    }
    for (path, part) in parts::all(pipeline) {
        let Some(is) = read(tree, &path)? else { continue };
        let wanted = part(&is, pipeline.spec).with_context(|| format!("in {path}"))?;
        files.push(Generated { path: path.into(), is: Some(is), wanted: Some(wanted) });
    }
    Ok(files)
}

fn schema_files(pipeline: &'static Pipeline, tree: &Path) -> Result<Vec<Generated>> {
    let warehouse = &pipeline.spec.warehouse;
    let wanted = schema::files(pipeline, warehouse.database.as_str(), warehouse.ops.as_str())?;
    let names: BTreeSet<&str> = wanted.iter().map(|(name, _)| name.as_str()).collect();
    let mut files = Vec::new();
    for entry in fs::read_dir(tree.join(SCHEMA)).with_context(|| format!("reading {SCHEMA}"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if schema::is_of_table(&name) && !names.contains(name.as_str()) {
            let path = format!("{SCHEMA}/{name}");
            files.push(Generated { is: read(tree, &path)?, path: path.into(), wanted: None });
        }
    }
    for (name, text) in wanted {
        let path = format!("{SCHEMA}/{name}");
        files.push(Generated { is: read(tree, &path)?, path: path.into(), wanted: Some(text) });
    }
    Ok(files)
}

fn read(tree: &Path, path: &str) -> Result<Option<String>> {
    match fs::read_to_string(tree.join(path)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading {}", tree.join(path).display())),
    }
}
