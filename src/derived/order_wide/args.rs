//! The flags of `build-order-wide`.

use clap::Args;

use crate::cli::{ClickHouseArgs, JobArgs, OutputArgs, PostgresArgs, StopAt};

/// Flags of `build-order-wide`.
#[derive(Debug, Clone, Args)]
pub struct OrderWideArgs {
    /// Make every row anew beside the table, then swap the two; readers see the old one or the new one
    #[arg(long)]
    pub full: bool,
    /// Say how many lines would be touched, and whether every value fits; write nothing
    #[arg(long)]
    pub dry_run: bool,
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

impl JobArgs for OrderWideArgs {
    fn output(&self) -> &OutputArgs {
        &self.output
    }
}
