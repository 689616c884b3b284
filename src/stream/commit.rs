//! The group's offsets, with the plan written ahead into their metadata.

use anyhow::{Context, Result};
use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};

use crate::cli::needs_person;
use crate::stream::{Consumer, REQUEST_TIMEOUT};

/// The open plan of a partition, as it stands in the commit's metadata: `{"v":1,"end":n,"run":id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanMark {
    /// Version of this form.
    pub v: u8,
    /// Where the plan ends (exclusive).
    pub end: i64,
    /// The run that made the plan.
    pub run: String,
}

impl PlanMark {
    /// The mark of a plan that ends at `end`.
    pub fn new(end: i64, run: &str) -> PlanMark {
        PlanMark { v: 1, end, run: run.to_owned() }
    }
}

/// A committed offset and the plan that is still open at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Next offset to read.
    pub offset: i64,
    /// The open plan.
    pub plan: Option<PlanMark>,
}

/// What the group has committed, per partition.
///
/// # Errors
/// The brokers do not answer, or the metadata is not ours.
pub fn committed(consumer: &Consumer, topic: &str, partitions: &[i32]) -> Result<Vec<Option<Committed>>> {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(topic, *partition);
    }
    let list = consumer
        .committed_offsets(list, REQUEST_TIMEOUT)
        .with_context(|| format!("asking for the committed offsets of {topic}{}", consumer.client().context().last()))?;
    let read = |partition: &i32| -> Result<Option<Committed>> {
        let Some(element) = list.find_partition(topic, *partition) else { return Ok(None) };
        element.error().with_context(|| format!("committed offset of {topic}, partition {partition}"))?;
        let Offset::Offset(offset) = element.offset() else { return Ok(None) };
        let plan = match element.metadata() {
            "" => None,
            text => Some(serde_json::from_str(text).map_err(|_| {
                needs_person(format!(
                    "{topic}, partition {partition}: the commit's metadata {text:?} is not a plan of this pipeline; another \
                     program uses this consumer group: give it a group of its own, then use --resume-from ledger"
                ))
            })?),
        };
        Ok(Some(Committed { offset, plan }))
    };
    partitions.iter().map(read).collect()
}

/// Commits offsets, synchronously; with a plan if there is more to do, with empty metadata if not.
///
/// # Errors
/// The brokers do not answer or refuse; a member that subscribed to the group makes them refuse.
pub fn commit(consumer: &Consumer, topic: &str, offsets: &[(i32, Committed)]) -> Result<()> {
    let mut list = TopicPartitionList::new();
    for (partition, committed) in offsets {
        let mut element = list.add_partition(topic, *partition);
        element.set_offset(Offset::Offset(committed.offset))?;
        element.set_metadata(match &committed.plan {
            Some(plan) => serde_json::to_string(plan)?,
            None => String::new(),
        });
    }
    consumer.commit(&list, CommitMode::Sync).with_context(|| {
        let offsets: Vec<String> = offsets.iter().map(|(p, c)| format!("{p}:{}", c.offset)).collect();
        format!("committing {topic} {}{}", offsets.join(" "), consumer.client().context().last())
    })
}
