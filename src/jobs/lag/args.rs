//! The flags of `lag`.

use clap::Args;

use crate::cli::{ClickHouseArgs, JobArgs, KafkaArgs, OutputArgs, PostgresArgs, PrefixArgs};

/// Flags of `lag`.
#[derive(Debug, Args)]
pub struct LagArgs {
    /// This topic only [default: that of every table]
    #[arg(long, env = "TOPIC")]
    pub topic: Option<String>,
    /// The consumer group of this topic [default: PREFIX.ingest-<table>]
    #[arg(long, env = "CONSUMER_GROUP")]
    pub group: Option<String>,
    #[command(flatten)]
    pub prefix: PrefixArgs,
    /// Say how many runs with this --max-records it takes to read all
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_records: Option<u64>,
    /// Measure again every so many seconds, until stopped
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub watch: Option<u64>,
    /// The connector's replication slot, for a source without a heartbeat
    #[arg(long, env = "SLOT")]
    pub slot: String,
    #[command(flatten)]
    pub kafka: KafkaArgs,
    #[command(flatten)]
    pub postgres: PostgresArgs,
    #[command(flatten)]
    pub clickhouse: ClickHouseArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl JobArgs for LagArgs {
    fn output(&self) -> &OutputArgs {
        &self.output
    }
}
