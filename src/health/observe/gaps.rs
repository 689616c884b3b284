//! Offsets without a record in the last 24 hours, of topics that have no reason for them.

use super::alarm::Alarm;
use super::look::{CLICKHOUSE, Look};
use crate::health::Lag;
use crate::health::finding::broken;
use crate::kafka::gaps::{GapList, are_expected, meaning};
use crate::kafka::{self, Span};
use crate::ledger::RecentGaps;

/// Looks for them in the ledger; only if there are some, the brokers are asked for the topics' policies.
pub fn observe(look: &mut Look, lags: &[Lag]) {
    let groups: Vec<(&str, &str)> = lags.iter().map(|lag| (&*lag.target.group, &*lag.target.topic)).collect();
    let gaps = match look.warehouse.recent_gaps(&groups) {
        Ok(gaps) if gaps.is_empty() => return,
        Ok(gaps) => gaps,
        Err(error) => return look.notes.unseen("gaps", &broken(&error, CLICKHOUSE)),
    };
    let consumer = match kafka::connect(&look.args.kafka, &look.pipeline.client("observe")) {
        Ok(consumer) => consumer,
        Err(error) => return look.notes.unseen("gaps", &broken(&error, "correct -X KEY=VALUE or KAFKA_OPTIONS")),
    };
    for of_topic in gaps.chunk_by(|a, b| a.topic == b.topic) {
        let policy = kafka::topic_setting(&consumer, &of_topic[0].topic, "cleanup.policy");
        if !are_expected(policy.as_deref()) {
            let offsets: u64 = of_topic.iter().map(|gaps| gaps.offsets).sum();
            look.notes.seen(Alarm::Gaps, &of_topic[0].topic, offsets, sentence(of_topic, offsets, policy.as_deref()));
        }
    }
    // Nothing is assigned: librdkafka's orderly goodbye would take 100 ms and change nothing.
    std::mem::forget(consumer);
}

fn sentence(of_topic: &[RecentGaps], offsets: u64, policy: Option<&str>) -> String {
    let mut spans = GapList::default();
    for gaps in of_topic {
        gaps.spans.iter().for_each(|(start, end)| spans.add(gaps.partition, Span { start: *start, end: *end }));
    }
    let topic = &of_topic[0].topic;
    format!(
        "{topic}: {offsets} offsets read in the last 24 hours hold no record ({spans}): {}. With transactions this goes on for as long as Connect writes \
         in them, and says nothing of the data: then set gaps = \"off\" in [observe.severity] of checks.toml",
        meaning(policy)
    )
}
