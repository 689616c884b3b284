//! The flags of `observe`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::cli::{
    ClickHouseArgs, ConnectArgs, JobArgs, KafkaArgs, OutputArgs, PostgresArgs, TablesArgs, parse_duration,
};

/// Flags of `observe`.
#[derive(Debug, Args)]
pub struct ObserveArgs {
    /// Start the connector and its tasks again if they have FAILED
    #[arg(long)]
    pub restart_failed: bool,
    /// … but not more often than this
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub restarts_per_hour: u64,
    /// A run is not called lost before it is so old, as in 60s, 5m
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_duration)]
    pub lost_after: Duration,
    /// The replication slot [default: the connector's]
    #[arg(long, value_name = "NAME")]
    pub slot: Option<String>,
    /// What is an alarm, and from when on; checks.toml says what there is, and what it is without this file
    #[arg(long, value_name = "FILE", env = "CHECKS_CONFIG")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub tables: TablesArgs,
    #[command(flatten)]
    pub connect: ConnectArgs,
    #[command(flatten)]
    pub kafka: KafkaArgs,
    #[command(flatten)]
    pub postgres: PostgresArgs,
    #[command(flatten)]
    pub clickhouse: ClickHouseArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

impl JobArgs for ObserveArgs {
    fn output(&self) -> &OutputArgs {
        &self.output
    }
}
