//! `completions SHELL`: completion scripts.

use clap::{Arg, Command, value_parser};
use clap_complete::Shell;

use crate::jobs::Job;

/// The job.
pub fn job() -> Job {
    super::tool(
        "completions",
        "Print the completion script for a shell",
        |command| command.arg(Arg::new("shell").required(true).value_parser(value_parser!(Shell))),
        |matches| {
            let shell: Shell = *matches.get_one("shell").unwrap_or(&Shell::Bash);
            let jobs = super::all();
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
