//! The flags of every job about its output.

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
    /// Where the summary goes: stdout (logs on stderr), or last-line (both on stdout, summary last)
    #[arg(long, env = "SUMMARY", value_enum, default_value = "stdout")]
    pub summary: SummaryMode,
}

impl OutputArgs {
    /// Starts logging as asked.
    ///
    /// # Errors
    /// See [`crate::cli::logging::init`].
    pub fn start(&self) -> anyhow::Result<()> {
        logging::init(self.log_format, self.summary)
    }
}

/// The flags of a job.
pub trait JobArgs: Args {
    /// The flags about output, which are needed before the job runs.
    fn output(&self) -> &OutputArgs;
}
