//! What the brokers, the group and the ledger say of a topic.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use crate::cli::KafkaArgs;
use crate::health::first_unread::{FirstUnread, first_unread};
use crate::kafka::{self, Committed, Consumer, Span, TopicInfo};
use crate::ledger::{LedgerRow, PartitionState, Start, decide};
use crate::warehouse::Warehouse;

/// A disagreement of ledger and committed offset is looked at so often again ...
const LOOKS_AT_A_DISAGREEMENT: usize = 2;
/// ... with such pauses.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// A topic and the group that reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The source table whose job it is, if that is known.
    pub source: Option<&'static str>,
    /// Topic.
    pub topic: String,
    /// Consumer group.
    pub group: String,
}

/// A target, and what was found of it.
#[derive(Debug)]
pub struct Lag {
    /// Topic and group.
    pub target: Target,
    /// What was found, or why nothing was.
    pub found: Result<TopicLag>,
}

/// What was found of a topic.
#[derive(Debug)]
pub struct TopicLag {
    /// Debezium makes a topic with a table's first event.
    pub exists: bool,
    /// Partition by partition.
    pub partitions: Vec<PartitionLag>,
    /// Why the ledger could not be read.
    pub ledger_error: Option<String>,
    /// How late the table is, by the source's clock; nothing if that is not known. See `lateness`.
    pub late_seconds: Option<u64>,
    /// Why not, if the topic is the reason.
    pub late_unknown: Option<String>,
}

/// What was found of a partition.
#[derive(Debug)]
pub struct PartitionLag {
    /// Partition.
    pub partition: i32,
    /// Next offset to read, by the group.
    pub committed: Option<i64>,
    /// What the log holds.
    pub log: Span,
    /// Offsets from the commit (without one: from where a run would start) to the log's end.
    pub lag: u64,
    /// The oldest record that has not come to the warehouse.
    pub first_unread: FirstUnread,
    /// How long it has been waiting; 0 without one, nothing if it could not be read in time.
    pub lag_seconds: Option<u64>,
    /// Where the open plan ends.
    pub plan_end: Option<i64>,
    /// Next offset to read, by the ledger.
    pub ledger_end: Option<i64>,
    /// Why the next run would stop and ask.
    pub stop_reason: Option<String>,
}

/// Measures every target, side by side.
pub fn all(kafka: &KafkaArgs, warehouse: &Warehouse, targets: &[Target]) -> Vec<Lag> {
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            targets.iter().map(|target| (target, scope.spawn(move || one(kafka, warehouse, target)))).collect();
        threads
            .into_iter()
            .map(|(target, thread)| {
                let found =
                    thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the thread for {} died", target.topic)));
                Lag { target: target.clone(), found }
            })
            .collect()
    })
}

fn one(kafka: &KafkaArgs, warehouse: &Warehouse, target: &Target) -> Result<TopicLag> {
    // A group's commits can be asked for by a member of the group only, so each has a client.
    let consumer = kafka::connect(kafka, &target.group)?;
    let measured = measure(&consumer, warehouse, target);
    // Nothing is assigned any more: librdkafka's orderly goodbye would take 100 ms and change nothing.
    std::mem::forget(consumer);
    measured
}

fn measure(consumer: &Consumer, warehouse: &Warehouse, target: &Target) -> Result<TopicLag> {
    let Some(info) = kafka::describe(consumer, &target.topic)? else {
        return Ok(TopicLag::of(false, Vec::new(), None));
    };
    let mut found = measure_once(consumer, warehouse, target, &info)?;
    // A job that is at work moves one thing between two looks at others. What is wrong stays as it is.
    for _ in 0..LOOKS_AT_A_DISAGREEMENT {
        if found.partitions.iter().all(|partition| partition.stop_reason.is_none()) {
            break;
        }
        std::thread::sleep(BETWEEN_LOOKS);
        let before = std::mem::replace(&mut found, measure_once(consumer, warehouse, target, &info)?);
        for (partition, before) in found.partitions.iter_mut().zip(before.partitions) {
            partition.stop_reason.take_if(|why| before.stop_reason.as_ref() != Some(why));
        }
    }
    let unread: Vec<(i32, i64)> =
        found.partitions.iter().filter(|p| p.waiting() < p.log.end).map(|p| (p.partition, p.waiting())).collect();
    let first = first_unread(consumer, &target.topic, &unread)?;
    for partition in &mut found.partitions {
        let is_behind = partition.waiting() < partition.log.end;
        let unknown = if is_behind { FirstUnread::Unknown } else { FirstUnread::Nothing };
        partition.first_unread = first.get(&partition.partition).copied().unwrap_or(unknown);
    }
    Ok(found)
}

/// The log's ends, then the ledger's: what was read meanwhile is not taken for unread. The commits between them, which the ledger is
/// never behind.
fn measure_once(consumer: &Consumer, warehouse: &Warehouse, target: &Target, info: &TopicInfo) -> Result<TopicLag> {
    let Target { source, group, topic } = target;
    let log = kafka::log_spans(consumer, topic, &info.partitions)?;
    let committed = kafka::committed(consumer, topic, &info.partitions)?;
    let (ledger, ledger_error) = match warehouse.ledger_ends(*source, group, topic) {
        Ok(ledger) => (Some(ledger), None),
        Err(error) => (None, Some(format!("{error:#}"))),
    };
    let mut partitions = Vec::new();
    for ((partition, committed), log) in info.partitions.iter().zip(committed).zip(log) {
        let view = ledger.as_deref().map(|ledger| LedgerView::of(ledger, &info.id, *partition, info.partitions.len()));
        partitions.push(partition_lag(*partition, committed, log, view));
    }
    Ok(TopicLag::of(true, partitions, ledger_error))
}

/// What the ledger says of a partition.
struct LedgerView<'l> {
    row: Option<&'l LedgerRow>,
    foreign: bool,
    partitions: u32,
}

impl LedgerView<'_> {
    /// The same reading of the ledger as that of an ingest job.
    fn of<'l>(ledger: &'l [LedgerRow], topic_id: &str, partition: i32, partitions: usize) -> LedgerView<'l> {
        let partitions = u32::try_from(partitions).unwrap_or(u32::MAX);
        let row = ledger.iter().find(|row| row.partition == partition && row.end.topic_id == topic_id);
        let current = ledger.iter().any(|row| row.end.topic_id == topic_id && row.end.partitions == partitions);
        LedgerView { row, foreign: row.is_none() && !ledger.is_empty() && !current, partitions }
    }
}

fn partition_lag(
    partition: i32,
    committed: Option<Committed>,
    log: Span,
    view: Option<LedgerView<'_>>,
) -> PartitionLag {
    let ledger_end = view.as_ref().and_then(|view| Some(view.row?.end.end));
    let plan = committed.as_ref().and_then(|committed| committed.plan.as_ref());
    let plan_end = plan.filter(|plan| plan.foreign_metadata().is_none()).map(|plan| plan.end);
    let next = committed.as_ref().map(|committed| committed.offset);
    let stop_reason = view.and_then(|view| {
        let ledger = view.row.map(|row| &row.end);
        let state =
            PartitionState { committed, ledger, foreign_ledger: view.foreign, log, partitions: view.partitions };
        if let Start::Halt(why) = decide(&state) { Some(why) } else { None }
    });
    let mut lag = PartitionLag {
        partition,
        committed: next,
        log,
        lag: 0,
        first_unread: FirstUnread::Nothing,
        lag_seconds: Some(0),
        plan_end,
        ledger_end,
        stop_reason,
    };
    lag.lag = Span { start: lag.next(), end: log.end }.len();
    lag
}

impl PartitionLag {
    /// The next offset to read: the commit, else where a run would start.
    fn next(&self) -> i64 {
        self.committed.or(self.ledger_end).unwrap_or(self.log.start)
    }

    /// The first offset that has not come to the warehouse: a window counts from its ledger row on, before it is committed.
    fn waiting(&self) -> i64 {
        self.ledger_end.or(self.committed).unwrap_or(self.log.start).max(self.log.start)
    }

    /// For the summary.
    pub fn json(&self, target: &Target) -> Value {
        json!({
            "topic": target.topic, "group": target.group, "partition": self.partition, "committed": self.committed,
            "log_start": self.log.start, "log_end": self.log.end, "lag": self.lag, "lag_seconds": self.lag_seconds,
            "plan_end": self.plan_end, "ledger_end": self.ledger_end, "stop_reason": self.stop_reason,
        })
    }
}

impl TopicLag {
    /// How late the table is, is judged later.
    fn of(exists: bool, partitions: Vec<PartitionLag>, ledger_error: Option<String>) -> TopicLag {
        TopicLag { exists, partitions, ledger_error, late_seconds: None, late_unknown: None }
    }

    /// How long its oldest unread record has been waiting; nothing if that is not known of a partition.
    pub fn lag_seconds(&self) -> Option<u64> {
        let ages: Option<Vec<u64>> = self.partitions.iter().map(|partition| partition.lag_seconds).collect();
        ages.map(|ages| ages.into_iter().max().unwrap_or(0))
    }

    /// Runs until nothing is unread, if each takes `max_records` and nothing new comes. An open plan is finished first, in
    /// one run, however long it is.
    pub fn runs(&self, max_records: u64) -> u64 {
        let in_plan = |p: &PartitionLag| p.plan_end.map_or(0, |end| Span { start: p.next(), end }.len().min(p.lag));
        let planned: u64 = self.partitions.iter().map(in_plan).sum();
        let all: u64 = self.partitions.iter().map(|p| p.lag).sum();
        u64::from(planned > 0) + (all - planned).div_ceil(max_records.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::PlanMark;
    use crate::ledger::LedgerEnd;

    const LOG: Span = Span { start: 0, end: 100 };

    fn row(end: i64) -> LedgerRow {
        LedgerRow { partition: 0, end: LedgerEnd { topic_id: "id".into(), generation: 1, end, seq: 1, partitions: 1 } }
    }

    fn lag(committed: Option<(i64, Option<i64>)>, ledger: &[LedgerRow]) -> PartitionLag {
        let committed =
            committed.map(|(offset, end)| Committed { offset, plan: end.map(|end| PlanMark::new(end, "run")) });
        partition_lag(0, committed, LOG, Some(LedgerView::of(ledger, "id", 0, 1)))
    }

    #[test]
    fn what_is_unread_counts_from_the_commit() {
        assert_eq!(lag(Some((40, None)), &[row(40)]).lag, 60);
        assert_eq!(lag(None, &[]).lag, 100, "never read");
        assert_eq!(lag(None, &[row(70)]).lag, 30, "the group's offsets have expired");
        assert_eq!(lag(Some((100, None)), &[row(100)]).lag, 0);
    }

    #[test]
    fn a_disagreement_has_a_reason() {
        assert_eq!(
            lag(Some((40, Some(80))), &[row(60)]).stop_reason,
            None,
            "a crash between ledger and commit is normal"
        );
        assert!(lag(Some((40, None)), &[row(60)]).stop_reason.is_some());
        assert_eq!(partition_lag(0, None, LOG, None).stop_reason, None, "without a ledger there is nothing to compare");
    }

    #[test]
    fn an_open_plan_takes_one_run() {
        let topic = |partition| TopicLag::of(true, vec![partition], None);
        assert_eq!(topic(lag(Some((40, Some(80))), &[row(40)])).runs(10), 3, "40..80, then 20 by tens");
        assert_eq!(topic(lag(Some((40, None)), &[row(40)])).runs(25), 3);
        assert_eq!(topic(lag(Some((100, None)), &[row(100)])).runs(25), 0);
    }
}
