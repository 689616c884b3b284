//! The flags of `replay-rejected`.

use chrono::{DateTime, Utc};
use clap::Args;

use crate::cli::{ClickHouseArgs, JobArgs, OutputArgs, PostgresArgs, ReplicaArgs, SideBySideArgs, StopAt};
use crate::kafka::{WindowLimits, parse_time};
use crate::quarantine::Selection;
use crate::validate::RuleArgs;

/// Flags of `replay-rejected`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Source table; may be repeated [default: all]
    #[arg(long, value_name = "TABLE", value_delimiter = ',')]
    pub table: Vec<String>,
    /// Only records that broke this rule; may be repeated
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    only_rule: Vec<String>,
    /// Only records that this run refused
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Only records refused from this time on: 2026-01-31T08:00:00Z, 2026-01-31, 2h (ago)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Option<DateTime<Utc>>,
    /// Only records refused up to this time (exclusive)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<DateTime<Utc>>,
    /// Leave out records that were tried N times already
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    attempts_below: Option<u32>,
    /// Look at this many records at most: shared among tables and rules, those that were tried least first
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_records: u64,
    /// Decode and judge, write nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub beside: SideBySideArgs,
    #[command(flatten)]
    pub rules: RuleArgs,
    #[command(flatten)]
    pub postgres: PostgresArgs,
    #[command(flatten)]
    pub replica: ReplicaArgs,
    #[command(flatten)]
    pub clickhouse: ClickHouseArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// For tests: freeze at a named point
    #[arg(long, hide = true, value_name = "POINT[:N]")]
    pub stop_at: Option<StopAt>,
    /// For tests: records per batch
    #[arg(long, hide = true, default_value_t = 10_000)]
    batch_records: usize,
}

impl JobArgs for ReplayArgs {
    fn output(&self) -> &OutputArgs {
        &self.output
    }
}

impl ReplayArgs {
    /// Is this table asked for?
    /// The open records that are asked for, of one table.
    pub fn selection(&self, table: &str) -> Selection {
        Selection {
            tables: vec![table.to_owned()],
            rules: self.only_rule.clone(),
            run: self.run.clone(),
            since: self.since,
            until: self.until,
            attempts_below: self.attempts_below,
            statuses: vec!["open"],
            ..Selection::default()
        }
    }

    /// Where batches are cut, when this many records may still be looked at.
    pub fn limits(&self, left: u64) -> WindowLimits {
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        WindowLimits { records: self.batch_records.min(left), bytes: 16 << 20 }
    }
}
