//! How far the ingest jobs are behind: the measurement of `lag`.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::alarm::Alarm;
use super::look::Look;
use crate::cli::{TextTable, age};
use crate::exit::Exit;
use crate::health::finding::{broken, unreachable};
use crate::health::lateness::clock::{self, Clock};
use crate::health::lateness::{self, Captured};
use crate::health::severity::Severity;
use crate::health::{self, Lag, Target, TopicLag};
use crate::ledger::LagRow;
use crate::tables::Table;

/// How long a slot may take to confirm what the source has, if there is no heartbeat to go by.
const PATIENCE: Duration = Duration::from_secs(5);

/// How far the warehouse is.
#[derive(Default)]
pub struct SeenLags {
    /// Topic by topic.
    pub lags: Vec<Lag>,
    /// Up to when the source's changes are in Kafka.
    captured: Option<Captured>,
    /// The source's clock.
    now_ms: i64,
}

/// Looks at the topics of these tables: how far the connector is, where the topics and the ledger end, and what time it is at the source.
pub fn observe(look: &mut Look, tables: &[&'static Table], slot: &str) -> SeenLags {
    let prefixes = &look.args.tables;
    let target = |table: &&'static Table| Target {
        source: Some(table.name),
        topic: table.topic(&prefixes.prefix.prefix),
        group: table.group(&prefixes.prefix.prefix),
    };
    let targets: Vec<Target> = tables.iter().map(target).collect();
    let captured = captured(look, slot);
    let mut lags = health::measure(&look.args.kafka, &look.warehouse, &targets);
    let now_ms = clocks(look).now_ms;
    let captured = captured.filter(|captured| tell_ahead(look, captured, now_ms));
    lateness::measure(&mut lags, captured.as_ref(), now_ms);
    tell_errors(look, &lags);
    for (target, found) in measured(&lags) {
        for why in disagreements(found) {
            let topic = &target.topic;
            let sentence =
                format!("{topic}: ledger and committed offset disagree, the next run will stop (exit 78): {why}");
            look.notes.seen(Alarm::BooksDisagree, topic, 0, sentence);
        }
    }
    for (lag, table) in lags.iter().zip(tables) {
        tell_late(look, lag, table);
    }
    tell_unknown(look, &lags);
    SeenLags { lags, captured, now_ms }
}

fn captured(look: &mut Look, slot: &str) -> Option<Captured> {
    let prefix = &look.args.tables.prefix.prefix;
    let client = look.session.as_mut()?;
    let mut source = lateness::Source { pipeline: look.pipeline, client, slot, prefix, patience: PATIENCE };
    match source.captured(&look.args.kafka) {
        Ok(Captured::Unknown(why)) => {
            look.notes.seen(Alarm::Late, "PostgreSQL to Kafka", 0, why);
            None
        }
        Ok(captured) => Some(captured),
        Err(error) => {
            look.notes
                .unseen("how far the connector is", &broken(&error, "is Kafka running? `doctor` says what is wrong"));
            None
        }
    }
}

/// The source's clock; this machine's, if it cannot be asked.
fn clocks(look: &mut Look) -> Clock {
    let source = look.session.as_mut().and_then(|client| Clock::of_source(client).ok());
    if let (Some(source), Ok(warehouse)) = (source, Clock::of_warehouse(&look.warehouse))
        && let Some(skew) = clock::skew(source, warehouse)
    {
        look.notes.seen(Alarm::ClockSkew, "clocks", 0, skew.sentence());
    }
    source.unwrap_or_else(Clock::of_this_machine)
}

/// A heartbeat that is ahead of the source's clock says nothing.
fn tell_ahead(look: &mut Look, captured: &Captured, now_ms: i64) -> bool {
    let is_past = captured.is_past(now_ms);
    if let Err(why) = &is_past {
        look.notes.unseen("how far the connector is", &unreachable(why, "look again when the next heartbeat has come"));
    }
    is_past.is_ok()
}

/// Not to know how late a table is, is not to know that it is not late.
fn tell_unknown(look: &mut Look, lags: &[Lag]) {
    let unknown = |(target, found): (&Target, &TopicLag)| {
        found.late_unknown.as_ref().map(|why| format!("{} ({why})", target.topic))
    };
    let unknown: Vec<String> = measured(lags).filter_map(unknown).collect();
    if !unknown.is_empty() && look.settings.severity(Alarm::Late) != Severity::Off {
        let text = format!("cannot be said of {}", unknown.join(", "));
        let fix = "look again; does Kafka answer slowly? The ingest job reads the same record, or says why not";
        look.notes.unseen("how late tables are", &unreachable(text, fix));
    }
}

fn tell_late(look: &mut Look, lag: &Lag, table: &Table) {
    let limit = look.freshness.of(table.name).fail_after;
    let Ok(found) = &lag.found else { return };
    let Some(seconds) = found.late_seconds.filter(|late| *late > limit.as_secs()) else { return };
    let sentence = format!(
        "{}: {} is {} late, {} offsets are unread; is the connector behind, or its ingest job? check-freshness says which",
        lag.target.topic,
        table.target,
        age(seconds),
        offsets(found)
    );
    look.notes.seen(Alarm::Late, &lag.target.topic, 0, sentence);
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
    found.partitions.iter().filter_map(|partition| partition.stop_reason.as_deref()).collect()
}

fn offsets(found: &TopicLag) -> u64 {
    found.partitions.iter().map(|partition| partition.lag).sum()
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
        lag_seconds: found.lag_seconds(),
        late_seconds: found.late_seconds,
        disagreements: disagreements(found).into_iter().collect::<Vec<_>>().join("; "),
    };
    measured(lags).map(row).collect()
}

/// For the summary: the sum of the offsets, and the oldest record; nothing if no topic could be asked, or the oldest record of one could not be read.
pub fn describe(seen: &SeenLags, put: &mut impl FnMut(&str, Value) -> Option<Value>) {
    let lags = &seen.lags;
    let known = lags.iter().any(|lag| lag.found.is_ok());
    let all: u64 = measured(lags).map(|(_, found)| offsets(found)).sum();
    let waits: Option<Vec<u64>> = measured(lags).map(|(_, found)| found.lag_seconds()).collect();
    let oldest = waits.map(|waits| waits.into_iter().max().unwrap_or(0));
    put("topics", json!(measured(lags).count()));
    put("lag", json!(known.then_some(all)));
    put("lag_seconds", json!(oldest.filter(|_| known)));
    let late = lags.iter().filter_map(|lag| lag.found.as_ref().ok()?.late_seconds).max();
    put("late_seconds", json!(late));
}

/// For people.
pub fn lines(seen: &SeenLags) -> Vec<String> {
    let mut table = TextTable::default();
    if let Some(captured) = &seen.captured {
        table.line(format!("PostgreSQL to Kafka: {}", captured.text(seen.now_ms)));
    }
    for (target, found) in measured(&seen.lags) {
        let unread = match (offsets(found), found.lag_seconds()) {
            (0, _) => "all read".to_owned(),
            (offsets, seconds) => {
                format!("{offsets} unread, the oldest {} old", seconds.map_or("?".to_owned(), age))
            }
        };
        table.row([&target.topic, &unread]);
    }
    table.lines()
}
