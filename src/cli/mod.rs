//! What every job shares on the command line: connections, logging, exit codes, signals, progress.

mod connect;
mod duration;
mod exit;
mod logging;
mod progress;
mod side_by_side;
mod signals;
mod stop_at;
mod tables;

use clap::Args;
use serde_json::{Map, Value};

pub use connect::{ClickHouseArgs, ConnectArgs, KafkaArgs, PostgresArgs, ReplicaArgs, Secret};
pub use duration::parse_duration;
pub use exit::{Exit, Fault, fault, needs_person, try_again, usage};
pub use logging::{LogFormat, SummaryMode};
pub use progress::Progress;
pub use side_by_side::{Declared, SideBySideArgs};
pub use signals::Stop;
pub use stop_at::StopAt;
pub use tables::TablesArgs;

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
    /// See [`logging::init`].
    pub fn start(&self) -> anyhow::Result<()> {
        logging::init(self.log_format, self.summary)
    }
}

/// What a job hands back: how it ended and the fields of its one-line summary.
#[derive(Debug, Clone)]
pub struct Report {
    /// How the job ended.
    pub exit: Exit,
    /// Fields for the summary, in addition to `schema`, `job`, `status` and `exit`.
    pub fields: Map<String, Value>,
}

impl Report {
    /// The summary: one line of JSON.
    pub fn line(&self, job: &str) -> String {
        let mut line = Map::new();
        line.insert("schema".to_owned(), Value::from(1));
        line.insert("job".to_owned(), Value::from(job));
        line.insert("status".to_owned(), Value::from(self.exit.status()));
        line.insert("exit".to_owned(), Value::from(self.exit.code()));
        line.extend(self.fields.clone());
        Value::Object(line).to_string()
    }
}

impl Report {
    /// The report of a job that failed before it could say more.
    pub fn of_error(error: &anyhow::Error) -> Report {
        let fields = Map::from_iter([("error".to_owned(), Value::from(format!("{error:#}")))]);
        Report { exit: Exit::of(error), fields }
    }

    /// The error, as one sentence.
    pub fn error(&self) -> Option<&str> {
        self.fields.get("error").and_then(Value::as_str)
    }
}
