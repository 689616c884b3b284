//! The group's offsets, with the plan written ahead into their metadata.

use anyhow::{Context, Result};
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use rdkafka_sys as sys;
use serde::{Deserialize, Serialize};

use crate::kafka::consumer::explain;
use crate::kafka::{Consumer, REQUEST_TIMEOUT};

/// The open plan of a partition, as it stands in the commit's metadata: `{"v":1,"end":n,"run":id}`, and `"late":true` if the
/// others did not wait for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanMark {
    /// Version of this form.
    pub v: u8,
    /// Where the plan ends (exclusive).
    pub end: i64,
    /// The run that made the plan.
    pub run: String,
    /// The partition made no progress, and the run went on without it: so do later ones.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
}

impl PlanMark {
    /// The mark of a plan that ends at `end`.
    pub fn new(end: i64, run: &str) -> PlanMark {
        PlanMark { v: 1, end, run: run.to_owned(), late: false }
    }

    /// What stands for metadata that this pipeline did not write: a reason to stop, see [`crate::ledger::decide`].
    pub fn foreign(metadata: &str) -> PlanMark {
        PlanMark { v: 0, end: -1, run: metadata.to_owned(), late: false }
    }

    /// The metadata, if this pipeline did not write it.
    pub fn foreign_metadata(&self) -> Option<&str> {
        (self.v == 0).then_some(self.run.as_str())
    }

    fn read(metadata: &str) -> Option<PlanMark> {
        let mark = || serde_json::from_str(metadata).ok().filter(|mark: &PlanMark| mark.v == 1);
        (!metadata.is_empty()).then(|| mark().unwrap_or_else(|| PlanMark::foreign(metadata)))
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
/// The brokers do not answer.
pub fn committed(consumer: &Consumer, topic: &str, partitions: &[i32]) -> Result<Vec<Option<Committed>>> {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(topic, *partition);
    }
    let list = consumer
        .committed_offsets(list, REQUEST_TIMEOUT)
        .map_err(|error| explain(consumer, error, &format!("asking for the committed offsets of {topic}")))?;
    let read = |partition: &i32| -> Result<Option<Committed>> {
        let Some(element) = list.find_partition(topic, *partition) else { return Ok(None) };
        element.error().with_context(|| format!("committed offset of {topic}, partition {partition}"))?;
        let Offset::Offset(offset) = element.offset() else { return Ok(None) };
        Ok(Some(Committed { offset, plan: PlanMark::read(element.metadata()) }))
    };
    partitions.iter().map(read).collect()
}

/// Commits offsets and waits for the answer; with a plan if there is more to do, with empty metadata if not.
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
    commit_in_time(consumer, &list).map_err(|error| {
        let offsets: Vec<String> = offsets.iter().map(|(p, c)| format!("{p}:{}", c.offset)).collect();
        explain(consumer, error, &format!("committing {topic} {}", offsets.join(" ")))
    })
}

/// librdkafka's own synchronous commit (`rd_kafka_commit`) has no time limit: when the last broker had died it did not
/// return for ten minutes. A commit that arrives after all does no harm: it says what the ledger says.
fn commit_in_time(consumer: &Consumer, list: &TopicPartitionList) -> Result<(), KafkaError> {
    use sys::rd_kafka_resp_err_t as err;
    let client = consumer.client().native_ptr();
    let wait = i32::try_from(REQUEST_TIMEOUT.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the queue and its event are created, used and destroyed here; librdkafka copies the list; without a callback
    // the answer comes as an event of the queue.
    let error = unsafe {
        let queue = sys::rd_kafka_queue_new(client);
        let mut error = sys::rd_kafka_commit_queue(client, list.ptr(), queue, None, std::ptr::null_mut());
        if error == err::RD_KAFKA_RESP_ERR_NO_ERROR {
            let event = sys::rd_kafka_queue_poll(queue, wait);
            error = err::RD_KAFKA_RESP_ERR__TIMED_OUT;
            if !event.is_null() {
                error = sys::rd_kafka_event_error(event);
                sys::rd_kafka_event_destroy(event);
            }
        }
        sys::rd_kafka_queue_destroy(queue);
        error
    };
    if error == err::RD_KAFKA_RESP_ERR_NO_ERROR { Ok(()) } else { Err(KafkaError::ConsumerCommit(error.into())) }
}
