//! `link DIR`: puts the executable and a link for every job into a folder.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Arg, value_parser};

use crate::jobs::Job;
use crate::tables::Pipeline;

/// The job.
pub fn job(pipeline: &'static Pipeline) -> Job {
    super::tool(
        "link",
        "Put the executable into a folder, with a link for every job",
        |command| command.arg(Arg::new("dir").required(true).value_parser(value_parser!(PathBuf))),
        move |matches| match matches.get_one::<PathBuf>("dir") {
            Some(dir) => link(dir, pipeline),
            None => Ok(()),
        },
    )
}

fn link(dir: &PathBuf, pipeline: &'static Pipeline) -> Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
    let own = std::env::current_exe().context("finding the executable")?;
    let target = dir.join("lockstep");
    if own.canonicalize().ok() != target.canonicalize().ok() {
        // A running executable cannot be written over, but it can be replaced.
        let new = dir.join(".lockstep.new");
        std::fs::copy(&own, &new).with_context(|| format!("copying to {}", new.display()))?;
        std::fs::rename(&new, &target).with_context(|| format!("replacing {}", target.display()))?;
    }
    for job in super::all(pipeline) {
        let link = dir.join(&job.name);
        if link.symlink_metadata().is_ok() {
            std::fs::remove_file(&link).with_context(|| format!("replacing {}", link.display()))?;
        }
        std::os::unix::fs::symlink("lockstep", &link).with_context(|| format!("linking {}", link.display()))?;
    }
    Ok(())
}
