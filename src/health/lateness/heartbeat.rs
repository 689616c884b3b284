//! The heartbeat, as it has come to Kafka. The connector writes the source's clock into a captured table; the update comes back through
//! the log, behind everything that was committed before it. The row in the table says only that the connector lives, and
//! `__debezium-heartbeat…` only that it sends.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use chrono::DateTime;
use rdkafka::consumer::Consumer as _;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use serde::Deserialize;

use crate::cdc::RawEnvelope;
use crate::cli::KafkaArgs;
use crate::exit::try_again;
use crate::kafka::{self, Consumer, REQUEST_TIMEOUT, Span};

/// Records that are read from the end first; further back only if there is no update among them.
const TAIL: i64 = 32;

#[derive(Deserialize)]
struct Row<'m> {
    ts: &'m str,
}

/// The `ts` of the newest update, in Unix milliseconds; nothing if the topic has none. A snapshot's row does not count: it is older than
/// what comes behind it.
///
/// # Errors
/// The brokers are gone or refuse.
pub fn newest(kafka: &KafkaArgs, group: &str, topic: &str) -> Result<Option<i64>> {
    // Nothing is committed: any group does.
    let consumer = kafka::connect(kafka, group)?;
    let found = newest_of(&consumer, topic);
    // librdkafka's orderly goodbye takes 100 ms.
    std::mem::forget(consumer);
    found
}

/// For how long Kafka keeps the topic's records; nothing if there is no such topic, it may not be asked for, or they are kept for ever.
///
/// # Errors
/// A setting is unknown to librdkafka.
pub fn kept_for(kafka: &KafkaArgs, group: &str, topic: &str) -> Result<Option<Duration>> {
    let consumer = kafka::connect(kafka, group)?;
    let kept = kafka::topic_setting(&consumer, topic, "retention.ms").and_then(|ms| ms.parse().ok());
    std::mem::forget(consumer);
    Ok(kept.map(Duration::from_millis))
}

fn newest_of(consumer: &Consumer, topic: &str) -> Result<Option<i64>> {
    let Some(info) = kafka::describe(consumer, topic)? else { return Ok(None) };
    let mut newest = None;
    for (partition, log) in info.partitions.iter().zip(kafka::log_spans(consumer, topic, &info.partitions)?) {
        newest = newest.max(newest_in(consumer, topic, *partition, log)?);
    }
    Ok(newest)
}

fn newest_in(consumer: &Consumer, topic: &str, partition: i32, log: Span) -> Result<Option<i64>> {
    let mut length = TAIL;
    loop {
        let start = log.start.max(log.end - length);
        let beat = last_update(consumer, topic, partition, Span { start, end: log.end })?;
        if beat.is_some() || start == log.start {
            return Ok(beat);
        }
        length *= 16;
    }
}

fn last_update(consumer: &Consumer, topic: &str, partition: i32, span: Span) -> Result<Option<i64>> {
    if span.is_empty() {
        return Ok(None);
    }
    let reading = || format!("reading the heartbeats in {topic}");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(span.start))?;
    consumer.assign(&list).with_context(reading)?;
    let deadline = Instant::now() + REQUEST_TIMEOUT;
    let mut newest = None;
    loop {
        match consumer.poll(Duration::from_millis(50)) {
            Some(Ok(record)) => {
                newest = record.payload().and_then(beat_of).or(newest);
                if record.offset() + 1 >= span.end {
                    break;
                }
            }
            // What is left are control records.
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => break,
            _ if Instant::now() >= deadline => {
                let late = format!("no answer in {} s", REQUEST_TIMEOUT.as_secs());
                return Err(try_again(late)).with_context(reading);
            }
            Some(Err(_)) | None => {}
        }
    }
    consumer.assign(&TopicPartitionList::new()).with_context(reading)?;
    Ok(newest)
}

/// The moment that an update of the heartbeat's row carries.
fn beat_of(value: &[u8]) -> Option<i64> {
    let envelope = RawEnvelope::parse(value).ok().filter(|envelope| envelope.op.as_deref() == Some("u"))?;
    let row: Row<'_> = serde_json::from_str(envelope.after?.get()).ok()?;
    Some(DateTime::parse_from_rfc3339(row.ts).ok()?.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_updates_are_heartbeats() {
        let event = |op: &str| format!(r#"{{"op":"{op}","after":{{"id":1,"ts":"2026-11-24T08:19:35.250000Z"}}}}"#);
        assert_eq!(beat_of(event("u").as_bytes()), Some(1_795_508_375_250));
        assert_eq!(beat_of(event("r").as_bytes()), None);
        assert_eq!(beat_of(br#"{"op":"u","after":{"id":1,"ts":17}}"#), None);
        assert_eq!(beat_of(b"{}"), None);
    }
}
