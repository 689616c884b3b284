//! `rejected`: what lies in quarantine, one record in full, and what may be thrown away. Only closed records ever are.

mod pruning;
mod show;
mod table;

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use crate::cli::Call;
use crate::cli::say::{say, sayln};
use crate::cli::{ClickHouseArgs, JobArgs, OutputArgs, PostgresArgs, Report, parse_duration};
use crate::exit::{Exit, usage};
use crate::jobs::{Job, Kind, some_tables};
use crate::kafka::parse_time;
use crate::quarantine::Selection;
use crate::tables::Pipeline;
use crate::validate::NOT_IN_POSTGRES;
use crate::warehouse::Warehouse;

/// Flags of `rejected`.
#[derive(Debug, Args)]
pub struct RejectedArgs {
    /// Source table; may be repeated [default: all]
    #[arg(long, value_name = "TABLE", value_delimiter = ',')]
    table: Vec<String>,
    /// This topic only
    #[arg(long)]
    topic: Option<String>,
    /// Only records that broke this rule; may be repeated
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    rule: Vec<String>,
    /// Only records that this run refused, or closed
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Only records refused, or closed, from this time on: 2026-01-31T08:00:00Z, 2026-01-31, 2h (ago)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Option<DateTime<Utc>>,
    /// Only records refused, or closed, up to this time (exclusive)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<DateTime<Utc>>,
    /// Only records that were tried at least N times
    #[arg(long, value_name = "N")]
    attempts: Option<u32>,
    /// Open ones wait for a replay; the others are history [default: open; with --show or --prune: all that apply]
    #[arg(long, value_enum)]
    status: Option<RecordStatus>,
    /// List so many, the newest first; all are counted
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u64,
    /// Print the record that stood at this place whole, bytes and all; needs --table or --topic
    #[arg(long, value_name = "PARTITION:OFFSET")]
    show: Option<At>,
    /// Remove closed records for good that were closed longer ago than this, as in 90d
    #[arg(long, value_name = "TIME", value_parser = parse_duration, conflicts_with_all = ["show", "since", "until"])]
    prune: Option<Duration>,
    /// Remove rows of the ledger that were closed longer ago than this, as in 400d, and that every check and build has taken up
    #[arg(long, value_name = "TIME", value_parser = parse_duration, conflicts_with_all = ["show", "since", "until"])]
    prune_ledger: Option<Duration>,
    #[command(flatten)]
    postgres: PostgresArgs,
    #[command(flatten)]
    clickhouse: ClickHouseArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// `--status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RecordStatus {
    /// Refused, and waiting.
    Open,
    /// Written later.
    Resolved,
    /// Their key went on without them.
    Superseded,
    /// All of these.
    All,
}

impl RecordStatus {
    fn names(self) -> Vec<&'static str> {
        match self {
            RecordStatus::Open => vec!["open"],
            RecordStatus::Resolved => vec!["resolved"],
            RecordStatus::Superseded => vec!["superseded"],
            RecordStatus::All => Vec::new(),
        }
    }
}

/// A place in a topic.
#[derive(Debug, Clone, Copy)]
struct At {
    partition: i32,
    offset: i64,
}

impl FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split_once(':')
            .and_then(|(p, o)| Some(At { partition: p.parse().ok()?, offset: o.parse().ok()? }))
            .ok_or_else(|| format!("{text:?} is not PARTITION:OFFSET, as in 0:1234"))
    }
}

impl JobArgs for RejectedArgs {
    fn output(&self) -> &OutputArgs {
        &self.output
    }
}

/// The job.
pub fn job(pipeline: &'static Pipeline) -> Job {
    let table = some_tables(pipeline, 1);
    let examples = format!(
        "  rejected\n  rejected{table} --rule {NOT_IN_POSTGRES} --since 1d\n  rejected{table} --show 0:1234\n  \
         rejected --prune 90d --prune-ledger 400d\n"
    );
    super::job(
        pipeline,
        "rejected",
        "Look at rejected records, and throw old closed ones away",
        &examples,
        Kind::Tool,
        run,
    )
}

fn run(call: &Call<'_>, args: RejectedArgs) -> Result<Report> {
    call.pipeline.chosen(&args.table)?;
    let warehouse = Warehouse::new(&args.clickhouse)?;
    let fields = match args.show {
        _ if args.prune.or(args.prune_ledger).is_some() => return pruning::run(call.job, &args, &warehouse),
        Some(at) => warehouse.fits().and_then(|_| show(&args, &warehouse, at))?,
        None => warehouse.fits().and_then(|_| list(&args, &warehouse))?,
    };
    Ok(Report { exit: Exit::Done, fields })
}

impl RejectedArgs {
    fn selection(&self, statuses: Vec<&'static str>) -> Selection {
        Selection {
            tables: self.table.clone(),
            topic: self.topic.clone(),
            rules: self.rule.clone(),
            run: self.run.clone(),
            since: self.since,
            until: self.until,
            attempts: self.attempts,
            statuses,
            ..Selection::default()
        }
    }
}

fn list(args: &RejectedArgs, warehouse: &Warehouse) -> Result<Map<String, Value>> {
    let selection = args.selection(args.status.unwrap_or(RecordStatus::Open).names());
    let counts = warehouse.count_rejected(&selection)?;
    let listed = warehouse.list_rejected(&selection, args.limit)?;
    say!("{}", table::table(&listed));
    let mut by_rule: BTreeMap<&str, u64> = BTreeMap::new();
    let mut by_table: BTreeMap<&str, u64> = BTreeMap::new();
    for count in &counts {
        *by_rule.entry(&count.rule).or_default() += count.records;
        *by_table.entry(&count.table).or_default() += count.records;
    }
    let mut fields = Map::new();
    fields.insert("records".to_owned(), json!(counts.iter().map(|count| count.records).sum::<u64>()));
    fields.insert("listed".to_owned(), json!(listed.len()));
    fields.insert("by_rule".to_owned(), json!(by_rule));
    fields.insert("by_table".to_owned(), json!(by_table));
    Ok(fields)
}

/// A recreated topic has the same places again: then there are several.
fn show(args: &RejectedArgs, warehouse: &Warehouse, at: At) -> Result<Map<String, Value>> {
    let place = format!("{}:{}", at.partition, at.offset);
    if args.table.is_empty() && args.topic.is_none() {
        return Err(usage(format!("--show {place} needs --table or --topic: every topic has such a place")));
    }
    let statuses = args.status.unwrap_or(RecordStatus::All).names();
    let selection = Selection { at: Some((at.partition, at.offset)), ..args.selection(statuses) };
    let found = warehouse.kept_of(&selection, args.limit)?;
    if found.is_empty() {
        return Err(usage(format!(
            "--show {place}: the quarantine has no such record; `rejected --status all` lists them"
        )));
    }
    for kept in &found {
        sayln!("{}", show::whole(kept));
    }
    Ok(Map::from_iter([("records".to_owned(), json!(found.len()))]))
}
