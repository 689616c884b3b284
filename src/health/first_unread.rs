//! The oldest record of each partition that nobody has read yet, and when it was committed.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};

use crate::cdc::RawEnvelope;
use crate::kafka::Consumer;

/// How long to look for them.
const LOOK: Duration = Duration::from_secs(3);

/// The oldest record that has not come to the warehouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstUnread {
    /// There is none that anybody waits for.
    Nothing,
    /// It was committed then, in Unix milliseconds of the source's clock. Of a record that does not say, it is when it came to Kafka; of one
    /// behind tombstones that could not be read in time, when the last of these came: it is no older than that.
    Since(i64),
    /// It could not be read in time.
    Unknown,
}

/// The first record at or after each of these offsets that is a change. A partition that did not answer in time is not in the map.
///
/// # Errors
/// The brokers refuse.
pub fn first_unread(consumer: &Consumer, topic: &str, unread: &[(i32, i64)]) -> Result<HashMap<i32, FirstUnread>> {
    let mut found = HashMap::new();
    let mut tombstones = HashMap::new();
    let mut list = TopicPartitionList::new();
    for (partition, offset) in unread {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset))?;
    }
    let reading = || format!("reading the oldest unread records of {topic}");
    consumer.assign(&list).with_context(reading)?;
    let deadline = Instant::now() + LOOK;
    while found.len() < unread.len() && Instant::now() < deadline {
        let (partition, first) = match consumer.poll(Duration::from_millis(50)) {
            // A tombstone follows its delete, and carries nothing that anybody waits for.
            Some(Ok(message)) if message.payload().is_none() => {
                tombstones.insert(message.partition(), came_to_kafka(&message));
                continue;
            }
            Some(Ok(message)) => (message.partition(), committed_at(&message)),
            // Only tombstones and control records are left.
            Some(Err(KafkaError::PartitionEOF(partition))) => (partition, FirstUnread::Nothing),
            // Retention may have taken the offset meanwhile, a broker may be gone: the age is then unknown.
            Some(Err(_)) | None => continue,
        };
        if found.insert(partition, first).is_none() {
            let mut read = TopicPartitionList::new();
            read.add_partition(topic, partition);
            consumer.pause(&read).with_context(reading)?;
        }
    }
    consumer.assign(&TopicPartitionList::new()).with_context(reading)?;
    for (partition, last) in tombstones {
        found.entry(partition).or_insert(last);
    }
    Ok(found)
}

fn committed_at(message: &BorrowedMessage<'_>) -> FirstUnread {
    let source = message.payload().and_then(|value| RawEnvelope::parse(value).ok()?.source?.ts_ms);
    source.filter(|ms| *ms > 0).map_or_else(|| came_to_kafka(message), FirstUnread::Since)
}

fn came_to_kafka(message: &BorrowedMessage<'_>) -> FirstUnread {
    message.timestamp().to_millis().map_or(FirstUnread::Unknown, FirstUnread::Since)
}
