//! The flags of the builds.

use clap::Args;

use crate::cli::{ClickHouseArgs, JobArgs, OutputArgs, PostgresArgs, StopAt};

/// Flags of `build-<name>`.
#[derive(Debug, Clone, Args)]
pub struct BuildArgs {
    /// Make every row anew beside the table, then swap the two; readers see the old one or the new one
    #[arg(long)]
    pub full: bool,
    /// Say how many rows would be touched, and whether every value fits; write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// About how many rows one statement is about; fewer need less of the server's memory
    #[arg(long, value_name = "N", default_value = "1000000", value_parser = clap::value_parser!(u64).range(1..))]
    pub batch: u64,
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

impl JobArgs for BuildArgs {
    fn output(&self) -> &OutputArgs {
        &self.output
    }
}
