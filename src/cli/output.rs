//! The flags of every job about its output.

use std::io::IsTerminal;

use clap::Args;

use crate::cli::logging;
use crate::cli::logging::{LogFormat, SummaryMode};

/// Flags of every job.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Log lines as text or as JSON
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value = "text")]
    pub log_format: LogFormat,
    /// Where the summary goes, as JSON: stdout (logs on stderr), or last-line (both on stdout, summary last) [default: stdout; on a terminal words for people]
    #[arg(long, env = "SUMMARY", value_enum)]
    pub summary: Option<SummaryMode>,
}

impl OutputArgs {
    /// Starts logging as asked.
    ///
    /// # Errors
    /// See [`crate::cli::logging::init`].
    pub fn start(&self) -> anyhow::Result<()> {
        logging::init(self.log_format, self.summary.unwrap_or(SummaryMode::Stdout))
    }

    /// Does a person read the summary?
    pub fn is_for_people(&self) -> bool {
        self.summary.is_none() && std::io::stdout().is_terminal()
    }
}

/// The flags of a job.
pub trait JobArgs: Args {
    /// The flags about output, which are needed before the job runs.
    fn output(&self) -> &OutputArgs;
}
