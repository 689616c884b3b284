//! How far the ingest jobs are behind: the measurement of `lag`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Look;
use crate::cli::Exit;
use crate::jobs::finding::broken;
use crate::jobs::lag::{self, Lag, Target, TopicLag, age};
use crate::tables::TableFacts;
use crate::warehouse::LagRow;

/// Looks at the topics of these tables.
pub fn look(look: &mut Look, tables: &[TableFacts]) -> Vec<Lag> {
    let prefixes = &look.args.tables;
    let target = |table: &TableFacts| Target {
        topic: table.topic(&prefixes.topic_prefix),
        group: table.group(&prefixes.group_prefix),
    };
    let targets: Vec<Target> = tables.iter().map(target).collect();
    let lags = lag::measure(&look.args.kafka, &look.warehouse, &targets);
    tell_errors(look, &lags);
    for (target, found) in measured(&lags) {
        for why in disagreements(found) {
            let topic = &target.topic;
            look.notes.problem(format!("{topic}: the books disagree, the next run will stop (exit 78): {why}"));
        }
    }
    lags
}

/// Brokers that are away say so once per topic, each time in other words: it is told once, and first what will not pass by itself.
fn tell_errors(look: &mut Look, lags: &[Lag]) {
    let errors: Vec<_> = lags.iter().filter_map(|lag| lag.found.as_ref().err()).collect();
    let lasting = errors.iter().find(|error| Exit::of(error) != Exit::TryAgain);
    if let Some(error) = lasting.or(errors.first()) {
        let what = format!("lag of {} topic(s)", errors.len());
        look.notes.unseen(&what, &broken(error, "is Kafka running? `doctor` says what is wrong"));
    }
}

/// Each partition tells its own; most of the time it is the same.
fn disagreements(found: &TopicLag) -> BTreeSet<&str> {
    found.partitions.iter().filter_map(|partition| partition.books.as_deref()).collect()
}

fn offsets(found: &TopicLag) -> u64 {
    found.partitions.iter().map(|partition| partition.lag).sum()
}

/// Nothing if the age of a partition's oldest record is not known.
fn seconds(found: &TopicLag) -> Option<u64> {
    found
        .partitions
        .iter()
        .map(|partition| partition.lag_seconds)
        .collect::<Option<Vec<u64>>>()
        .map(|ages| ages.into_iter().max().unwrap_or(0))
}

fn measured(lags: &[Lag]) -> impl Iterator<Item = (&Target, &TopicLag)> {
    lags.iter().filter_map(|lag| match &lag.found {
        Ok(found) if found.exists => Some((&lag.target, found)),
        _ => None,
    })
}

/// As they are stored.
pub fn rows(look: &Look, lags: &[Lag]) -> Vec<LagRow> {
    let row = |(target, found): (&Target, &TopicLag)| LagRow {
        run_id: look.id.clone(),
        observed_at: look.at_ms(),
        dag_run_id: look.dag_run_id.clone(),
        topic: target.topic.clone(),
        group_id: target.group.clone(),
        lag: offsets(found),
        lag_seconds: seconds(found),
        disagreements: disagreements(found).into_iter().collect::<Vec<_>>().join("; "),
    };
    measured(lags).map(row).collect()
}

/// For the summary: the sum of the offsets, and the oldest record; nothing if no topic could be asked.
pub fn describe(lags: &[Lag], put: &mut impl FnMut(&str, Value) -> Option<Value>) {
    let known = lags.iter().any(|lag| lag.found.is_ok());
    let all: u64 = measured(lags).map(|(_, found)| offsets(found)).sum();
    let oldest = measured(lags).filter_map(|(_, found)| seconds(found)).max().unwrap_or(0);
    put("topics", json!(measured(lags).count()));
    put("lag", json!(known.then_some(all)));
    put("lag_seconds", json!(known.then_some(oldest)));
}

/// For people.
pub fn lines(lags: &[Lag]) -> Vec<String> {
    let line = |(target, found): (&Target, &TopicLag)| {
        let unread = match (offsets(found), seconds(found)) {
            (0, _) => "all read".to_owned(),
            (offsets, seconds) => {
                format!("{offsets} unread, the oldest {} old", seconds.map_or("?".to_owned(), age))
            }
        };
        format!("{:<40} {unread}", target.topic)
    };
    measured(lags).map(line).collect()
}
