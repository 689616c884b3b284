//! Flags of the checks.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use strum::IntoStaticStr;

use crate::cli::{ClickHouseArgs, JobArgs, KafkaArgs, OutputArgs, PostgresArgs, PrefixArgs, StopAt, parse_duration};
use crate::validate::LimitArgs;

/// Which rows are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Scope {
    /// What was written since this check last took it up
    New,
    /// What was written in the last 24 hours
    Recent,
    /// Everything
    Full,
}

impl Scope {
    /// As it is stored.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// Flags of every check.
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// Only this table, by its name in the source; may be repeated [default: all]
    #[arg(long, value_name = "TABLE")]
    pub table: Vec<String>,
    /// Which rows are looked at
    #[arg(long, value_enum, default_value = "full")]
    pub scope: Scope,
    /// How long to wait until what the source has is in the warehouse; with 0s, what is not there yet is counted as undecided
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_duration)]
    pub wait: Duration,
    /// Rows of the source that check-reconcile reads in one transaction: a larger table is compared slice by slice
    #[arg(long, value_name = "N", default_value = "1000000", value_parser = clap::value_parser!(u64).range(1..))]
    pub rows_per_snapshot: u64,
    /// Severities, and what is late or unusual; checks.toml says which there are, and what they are without this file
    #[arg(long, value_name = "FILE", env = "CHECKS_CONFIG")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub limits: LimitArgs,
    /// A source without a single row in any table is the right one, too
    #[arg(long)]
    pub allow_empty: bool,
    /// Print the checks and what each of them is worth, and end
    #[arg(long)]
    pub list: bool,
    /// Print the SQL of both sides, and end
    #[arg(long)]
    pub explain: bool,
    /// The connector's replication slot
    #[arg(long, env = "SLOT")]
    pub slot: String,
    #[command(flatten)]
    pub prefix: PrefixArgs,
    #[command(flatten)]
    pub kafka: KafkaArgs,
    #[command(flatten)]
    pub postgres: PostgresArgs,
    #[command(flatten)]
    pub clickhouse: ClickHouseArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    /// For tests: freeze at a named point
    #[arg(long, hide = true, value_name = "POINT[:N]")]
    pub stop_at: Option<StopAt>,
}

impl JobArgs for CheckArgs {
    fn output(&self) -> &OutputArgs {
        &self.output
    }
}

/// Flags of `check-reconcile`.
#[derive(Debug, Clone, Args)]
pub struct ReconcileArgs {
    #[command(flatten)]
    pub check: CheckArgs,
    /// Say which offsets to read again to mend what differs; write nothing
    #[arg(long, conflicts_with = "repair")]
    pub plan: bool,
    /// Say which rows would be mended from the source, for what the log can no longer give; with --yes, mend them
    #[arg(long)]
    pub repair: bool,
    /// Write what --repair says
    #[arg(long, requires = "repair")]
    pub yes: bool,
}

impl JobArgs for ReconcileArgs {
    fn output(&self) -> &OutputArgs {
        &self.check.output
    }
}
