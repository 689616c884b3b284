//! `lag`: how far the jobs are behind, partition by partition. It takes no locks and writes nothing.

mod args;
mod capture;
mod table;

use std::time::{Duration, Instant};

use anyhow::Result;
use chrono::Utc;
use serde_json::{Map, Value, json};

use crate::cli::Call;
use crate::cli::say::say;
use crate::cli::{Report, Stop};
use crate::exit::{Exit, usage};
use crate::health::Lag;
use crate::health::Target;
use crate::health::TopicLag;
use crate::health::measure;
use crate::jobs::lag::args::LagArgs;
use crate::jobs::{Job, Kind};
use crate::ledger::run_rows;
use crate::tables::{Pipeline, Table};
use crate::warehouse::Warehouse;

/// The job.
pub fn job(pipeline: &'static Pipeline) -> Job {
    let prefix = pipeline.spec.topic_prefix.as_str();
    let topic = pipeline.tables.first().map(|table| format!(" --topic {}", table.topic(prefix))).unwrap_or_default();
    let examples = format!("  lag\n  lag{topic} --max-records 10000\n  lag --watch 5");
    super::job(pipeline, "lag", "Say how far the jobs are behind the topics", &examples, Kind::Tool, run)
}

fn run(call: &Call<'_>, args: LagArgs) -> Result<Report> {
    let targets = targets(call.pipeline, &args)?;
    let warehouse = Warehouse::new(&args.clickhouse)?;
    run_rows::fit_if_there(&warehouse)?;
    let mut source = capture::Source::connect(&args);
    let mut measure = || -> (Vec<Lag>, capture::Seen) {
        let captured = source.captured(call.pipeline, &args, &targets);
        let mut lags = measure(&args.kafka, &warehouse, &targets);
        let seen = source.measure_lateness(&mut lags, captured);
        (lags, seen)
    };
    let (mut lags, mut seen) = measure();
    say!("{}{}", table::table(&lags, args.max_records), seen.line());
    while let Some(seconds) = args.watch {
        if !sleep(Duration::from_secs(seconds), call.stop) {
            break;
        }
        (lags, seen) = measure();
        let table = table::table(&lags, args.max_records);
        say!("\n{} UTC\n{table}{}", Utc::now().format("%Y-%m-%d %H:%M:%S"), seen.line());
    }
    report(&lags, &seen, args.max_records)
}

fn targets(pipeline: &'static Pipeline, args: &LagArgs) -> Result<Vec<Target>> {
    let prefix = &args.prefix.prefix;
    let target =
        |table: &Table| Target { source: Some(table.name), topic: table.topic(prefix), group: table.group(prefix) };
    let Some(topic) = args.topic.clone() else {
        return match &args.group {
            None => Ok(pipeline.tables.iter().map(target).collect()),
            Some(group) => Err(usage(format!("--group {group} needs --topic: a group's offsets belong to a topic"))),
        };
    };
    // A topic with another prefix is of the same table.
    let of_topic =
        |table: &&Table| topic.ends_with(&table.topic("")) || topic == table.topic("").trim_start_matches('.');
    let table = pipeline.tables.iter().find(of_topic);
    match (args.group.clone(), table) {
        (Some(group), table) => Ok(vec![Target { source: table.map(|table| table.name), topic, group }]),
        (None, Some(table)) => Ok(vec![Target { topic, ..target(table) }]),
        (None, None) => {
            Err(usage(format!("--topic {topic} is not a topic of a table that has a job: say --group as well")))
        }
    }
}

/// Sleeps unless the job is asked to stop.
fn sleep(time: Duration, stop: &Stop) -> bool {
    let until = Instant::now() + time;
    while Instant::now() < until && !stop.asked() {
        std::thread::sleep(Duration::from_millis(50));
    }
    !stop.asked()
}

fn report(lags: &[Lag], seen: &capture::Seen, max_records: Option<u64>) -> Result<Report> {
    let found: Vec<&TopicLag> = lags.iter().filter_map(|lag| lag.found.as_ref().ok()).collect();
    let partitions = || found.iter().flat_map(|topic| &topic.partitions);
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    put("lag", json!(partitions().map(|p| p.lag).sum::<u64>()));
    let waits: Option<Vec<u64>> = found.iter().map(|topic| topic.lag_seconds()).collect();
    put("lag_seconds", json!(waits.map(|waits| waits.into_iter().max().unwrap_or(0))));
    let late: Option<Vec<u64>> = found.iter().map(|topic| topic.late_seconds).collect();
    put("late_seconds", json!(late.and_then(|late| late.into_iter().max())));
    put("captured", json!(seen.line().trim()));
    put("disagreements", json!(partitions().filter(|p| p.stop_reason.is_some()).count()));
    let topics = lags.iter().map(|lag| topic_json(lag, max_records));
    put("topics", topics.collect());
    let described = lags.iter().filter_map(|lag| Some((lag, lag.found.as_ref().ok()?)));
    put(
        "partitions",
        described.flat_map(|(lag, found)| found.partitions.iter().map(|p| p.json(&lag.target))).collect(),
    );
    if let Some(runs) = max_records.and_then(|n| found.iter().map(|topic| topic.runs(n)).max()) {
        put("runs", json!(runs));
    }
    // One topic that cannot be asked does not hide the others; the first error decides how the job ends.
    let error = lags.iter().find_map(|lag| lag.found.as_ref().err());
    if let Some(error) = error {
        put("error", json!(format!("{error:#}")));
    }
    Ok(Report { exit: error.map_or(Exit::Done, Exit::of), fields })
}

fn topic_json(lag: &Lag, max_records: Option<u64>) -> Value {
    let mut topic = json!({"topic": lag.target.topic, "group": lag.target.group});
    match &lag.found {
        Err(error) => topic["error"] = json!(format!("{error:#}")),
        Ok(found) => {
            topic["exists"] = json!(found.exists);
            topic["lag"] = json!(found.partitions.iter().map(|p| p.lag).sum::<u64>());
            topic["late_seconds"] = json!(found.late_seconds);
            if let Some(why) = &found.late_unknown {
                topic["late_unknown"] = json!(why);
            }
            if let Some(n) = max_records {
                topic["runs"] = json!(found.runs(n));
            }
            if let Some(error) = &found.ledger_error {
                topic["ledger_error"] = json!(error);
            }
        }
    }
    topic
}
