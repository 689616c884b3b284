//! Logs go to stderr, or with `--summary last-line` to stdout together with the summary.
//!
//! DockerOperator takes the last line of stdout and stderr *mixed* as the task's result, and the order of
//! two pipes is not kept. So in a container everything goes down one stream, summary last.

use std::io::Write;

use anyhow::{Context, Result};
use chrono::{SecondsFormat, Utc};
use clap::ValueEnum;
use env_logger::fmt::Formatter;
use log::Record;

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// `2026-01-31T08:00:00.123Z INFO message key=value`
    Text,
    /// One JSON object per line.
    Json,
}

/// Where the summary and the logs go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SummaryMode {
    /// Summary on stdout, logs on stderr: for people and pipes.
    Stdout,
    /// Both on stdout, summary last: for DockerOperator.
    LastLine,
}

/// Starts logging. Call once, before anything else writes.
///
/// # Errors
/// The streams cannot be joined, or logging was started before.
pub fn init(format: LogFormat, summary: SummaryMode) -> Result<()> {
    if summary == SummaryMode::LastLine {
        send_stderr_to_stdout()?;
    }
    let filter =
        std::env::var("RUST_LOG").unwrap_or_else(|_| "warn,lockstep=info,librdkafka=off,rdkafka=off".to_owned());
    env_logger::Builder::new()
        .parse_filters(&filter)
        .target(env_logger::Target::Stderr)
        .format(move |out, record| match format {
            LogFormat::Text => text(out, record),
            LogFormat::Json => json(out, record),
        })
        .try_init()
        .context("starting the log")
}

/// C libraries and panics write to descriptor 2 themselves, so the descriptor is moved, not just our writer.
fn send_stderr_to_stdout() -> Result<()> {
    // SAFETY: dup2 on the two standard descriptors of this process; no memory is touched.
    if unsafe { libc::dup2(1, 2) } == -1 {
        return Err(std::io::Error::last_os_error()).context("sending stderr to stdout");
    }
    Ok(())
}

fn text(out: &mut Formatter, record: &Record<'_>) -> std::io::Result<()> {
    let now = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
    writeln!(out, "{now} {} {}", record.level(), record.args())
}

fn json(out: &mut Formatter, record: &Record<'_>) -> std::io::Result<()> {
    let line = serde_json::json!({
        "ts": Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
        "level": record.level().as_str(),
        "target": record.target(),
        "message": record.args().to_string(),
    });
    writeln!(out, "{line}")
}
