//! The flags of an ingest job.

use std::str::FromStr;
use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};

use crate::cli::{
    ClickHouseArgs, JobArgs, KafkaArgs, OutputArgs, PostgresArgs, PrefixArgs, ReplicaArgs, SideBySideArgs, StopAt,
    parse_duration,
};
use crate::exit::usage;
use crate::kafka::{Backfill, OffsetRange, WindowLimits, parse_time};
use crate::validate::RuleArgs;

/// Flags of `ingest-<table>`.
#[derive(Debug, Clone, Args)]
pub struct IngestArgs {
    /// Topic [default: PREFIX.<schema>.<table>]
    #[arg(long, env = "TOPIC")]
    pub topic: Option<String>,
    /// Consumer group that keeps the offsets; nobody may subscribe to it [default: PREFIX.ingest-<table>]
    #[arg(long, env = "CONSUMER_GROUP")]
    pub group: Option<String>,
    #[command(flatten)]
    pub prefix: PrefixArgs,
    /// Read at most this many offsets, shared fairly among the partitions
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_records: Option<u64>,
    /// Stop at a window's end after this long, as in 90s, 10m, 1h; the rest stays for the next run
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub max_duration: Option<Duration>,
    /// Read again from the log's start to the committed offset; the group does not move
    #[arg(long, conflicts_with_all = ["since", "until", "offsets"])]
    pub from_beginning: bool,
    /// Read again from this time on: 2026-01-31T08:00:00Z, 2026-01-31, 2h (ago); the group does not move
    #[arg(long, value_name = "TIME", value_parser = parse_time, conflicts_with = "offsets")]
    pub since: Option<DateTime<Utc>>,
    /// Read again up to this time (exclusive)
    #[arg(long, value_name = "TIME", value_parser = parse_time, conflicts_with = "offsets")]
    pub until: Option<DateTime<Utc>>,
    /// Read these offsets again, as in 0:100..200; may be repeated; the group does not move
    #[arg(long, value_name = "P:A..B", value_delimiter = ',')]
    pub offsets: Vec<OffsetRange>,
    /// Take only the partitions p with p mod N = I − 1, as in 1/2
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Answer to a stop with exit code 78: where to go on
    #[arg(long, value_enum)]
    pub resume_from: Option<ResumeFrom>,
    /// Read and validate, write and commit nothing
    #[arg(long)]
    pub dry_run: bool,
    /// After each window, look whether the warehouse has what was written
    #[arg(long, env = "VERIFY")]
    pub verify: bool,
    /// When offsets hold no record: say so, or stop (78) with their window left open
    #[arg(long, value_enum, default_value = "warn")]
    pub on_gaps: OnGaps,
    /// Exit 99 instead of 0 when there is nothing to do
    #[arg(long)]
    pub skip_empty: bool,
    /// Stop with exit code 65 when more than this share of the records is rejected (counted from 100 records on)
    #[arg(long, value_name = "0..1", value_parser = parse_ratio)]
    pub max_reject_ratio: Option<f64>,
    #[command(flatten)]
    pub beside: SideBySideArgs,
    /// A topic that stood side by side and has been replaced by another one: its rows are an earlier topic's from now on, and its own
    /// job is refused if the newer one has been read. Said once, every job knows it. May be repeated
    #[arg(long, value_name = "TOPIC", value_delimiter = ',')]
    pub replaced: Vec<String>,
    #[command(flatten)]
    pub rules: RuleArgs,
    #[command(flatten)]
    pub kafka: KafkaArgs,
    #[command(flatten)]
    pub postgres: PostgresArgs,
    #[command(flatten)]
    pub replica: ReplicaArgs,
    #[command(flatten)]
    pub clickhouse: ClickHouseArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    /// For tests: freeze at a named point
    #[arg(long, hide = true, value_name = "POINT[:N]")]
    pub stop_at: Option<StopAt>,
    /// For tests: lose the record at this offset after it was read
    #[arg(long, hide = true)]
    pub lose_record: Option<i64>,
    /// For tests: records per window
    #[arg(long, hide = true, default_value_t = 50_000)]
    pub window_records: usize,
    /// For tests: bytes per window
    #[arg(long, hide = true, default_value_t = 16 << 20)]
    pub window_bytes: usize,
    /// For tests: without progress for this long, a partition is late
    #[arg(long, hide = true, value_name = "TIME", default_value = "30s", value_parser = parse_duration)]
    pub patience: Duration,
    /// For tests: read uncommitted records too, because librdkafka's mock cluster gives every replica the leader's last stable offset
    #[arg(long, hide = true)]
    pub read_uncommitted: bool,
}

impl JobArgs for IngestArgs {
    fn output(&self) -> &OutputArgs {
        &self.output
    }
}

impl IngestArgs {
    /// How to talk to Kafka.
    pub fn kafka(&self) -> KafkaArgs {
        let mut kafka = self.kafka.clone();
        if self.read_uncommitted {
            kafka.settings.push(("isolation.level".to_owned(), "read_uncommitted".to_owned()));
        }
        kafka
    }

    /// Where windows are cut.
    pub fn limits(&self) -> WindowLimits {
        WindowLimits { records: self.window_records, bytes: self.window_bytes }
    }

    /// The backfill, if one was asked for.
    ///
    /// # Errors
    /// Flags that cannot go together.
    pub fn backfill(&self) -> Result<Option<Backfill>> {
        let backfill = if self.from_beginning {
            Some(Backfill::FromBeginning)
        } else if !self.offsets.is_empty() {
            Some(Backfill::Offsets(self.offsets.clone()))
        } else if self.since.is_some() || self.until.is_some() {
            Some(Backfill::Between(self.since, self.until))
        } else {
            None
        };
        if backfill.is_some() && self.resume_from.is_some() {
            return Err(usage("--resume-from moves the group; an explicit range does not: use one of them"));
        }
        Ok(backfill)
    }
}

/// `--shard i/n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: i32,
    count: i32,
}

impl Shard {
    /// Does this shard take the partition?
    pub fn takes(self, partition: i32) -> bool {
        partition % self.count == self.index - 1
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split_once('/')
            .and_then(|(index, count)| Some(Shard { index: index.parse().ok()?, count: count.parse().ok()? }))
            .filter(|shard| shard.count > 0 && (1..=shard.count).contains(&shard.index))
            .ok_or_else(|| format!("{text:?} is not a shard: use I/N with 1 ≤ I ≤ N, as in 1/2"))
    }
}

/// `--resume-from`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ResumeFrom {
    /// Where the ledger ends
    Ledger,
    /// Where the group has committed
    Committed,
    /// Where the log starts (also: earliest): nothing that is still there is left out
    #[value(alias = "earliest")]
    LogStart,
    /// Where the log ends (also: latest): skip everything; the connector has to send the table again
    #[value(alias = "latest")]
    LogEnd,
}

/// `--on-gaps`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnGaps {
    /// Count them, and say what they may be
    Warn,
    /// Stop before the window that has one
    Stop,
}

fn parse_ratio(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|ratio| (0.0..=1.0).contains(ratio))
        .ok_or_else(|| format!("{text:?} is not between 0 and 1"))
}

/// Three examples for `--help`.
pub fn examples(job: &str) -> String {
    format!("  {job} --max-records 10000\n  {job} --dry-run --since 2h\n  {job} --offsets 0:1200..1300 --verify\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_divide_the_partitions_among_them() {
        let shards: Vec<Shard> = ["1/2", "2/2"].iter().map(|s| s.parse().unwrap()).collect();
        for partition in 0..10 {
            assert_eq!(shards.iter().filter(|shard| shard.takes(partition)).count(), 1);
        }
        for wrong in ["0/2", "3/2", "1", "a/b", "1/0"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn kafkas_words_for_the_ends_of_a_log_are_understood() {
        for (word, at) in [("earliest", ResumeFrom::LogStart), ("latest", ResumeFrom::LogEnd)] {
            assert_eq!(ResumeFrom::from_str(word, false), Ok(at));
        }
    }
}
