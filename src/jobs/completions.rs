//! `completions SHELL`: completion scripts.

use clap::{Arg, Command, value_parser};
use clap_complete::Shell;

use crate::jobs::Job;
use crate::tables::Pipeline;

/// The job's name.
pub const NAME: &str = "completions";

/// The job.
pub fn job(pipeline: &'static Pipeline) -> Job {
    super::tool(
        NAME,
        "Print the completion script for a shell",
        |command| command.arg(Arg::new("shell").required(true).value_parser(value_parser!(Shell))),
        move |matches| {
            let shell: Shell = *matches.get_one("shell").unwrap_or(&Shell::Bash);
            let jobs = super::all(pipeline);
            let mut out = std::io::stdout();
            clap_complete::generate(shell, &mut super::command(&jobs), "lockstep", &mut out);
            for job in jobs {
                let mut command: Command = job.command;
                clap_complete::generate(shell, &mut command, job.name, &mut out);
            }
            Ok(())
        },
    )
}
