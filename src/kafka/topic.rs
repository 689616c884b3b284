//! What the brokers say about a topic: its id, its partitions, where its log starts and ends.

use std::ffi::{CStr, CString, c_char};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use rdkafka_sys as sys;

use crate::exit::try_again;
use crate::kafka::consumer::{explain, is_shut_out};
use crate::kafka::{Consumer, REQUEST_TIMEOUT, Span};

/// A topic as the cluster knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// Kafka's topic id (base64 of a UUID): a deleted and recreated topic has another one.
    pub id: String,
    /// Partition numbers, ascending.
    pub partitions: Vec<i32>,
}

/// Asks for a topic's id and partitions; `None` if there is no such topic.
///
/// `rdkafka` 0.39 does not wrap DescribeTopics (KIP-430, `rdkafka.h`: `rd_kafka_DescribeTopics`).
///
/// # Errors
/// The brokers do not answer, or refuse.
pub fn describe(consumer: &Consumer, topic: &str) -> Result<Option<TopicInfo>> {
    let name = CString::new(topic).context("a topic name with a NUL byte")?;
    let client = consumer.client().native_ptr();
    // SAFETY: the handles are created, used and destroyed here in the order that rdkafka.h prescribes; `name` outlives
    // the call that copies it; everything read from the event is copied before the event is destroyed.
    unsafe {
        let mut names = [name.as_ptr()];
        let topics = sys::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        let options =
            sys::rd_kafka_AdminOptions_new(client, sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
        let mut why: [c_char; 256] = [0; 256];
        let timeout = i32::try_from(REQUEST_TIMEOUT.as_millis()).unwrap_or(i32::MAX);
        sys::rd_kafka_AdminOptions_set_request_timeout(options, timeout, why.as_mut_ptr(), why.len());
        let queue = sys::rd_kafka_queue_new(client);
        sys::rd_kafka_DescribeTopics(client, topics, options, queue);
        let event = await_event(consumer, queue, REQUEST_TIMEOUT + Duration::from_secs(1));
        let answer = read_answer(event, topic);
        if !event.is_null() {
            sys::rd_kafka_event_destroy(event);
        }
        sys::rd_kafka_queue_destroy(queue);
        sys::rd_kafka_AdminOptions_destroy(options);
        sys::rd_kafka_TopicCollection_destroy(topics);
        answer.map_err(|error| explain(consumer, error, &format!("describing topic {topic}")))
    }
}

/// Waits for an answer, but not if nobody is going to give one: a wrong password would cost the whole time.
///
/// # Safety
/// `queue` is a live queue. The event is the caller's to destroy; null without an answer.
pub(super) unsafe fn await_event(
    consumer: &Consumer,
    queue: *mut sys::rd_kafka_queue_t,
    timeout: Duration,
) -> *mut sys::rd_kafka_event_t {
    let until = Instant::now() + timeout;
    loop {
        // SAFETY: as the caller promises.
        let event = unsafe { sys::rd_kafka_queue_poll(queue, 200) };
        if !event.is_null() || Instant::now() > until || is_shut_out(consumer) {
            return event;
        }
    }
}

/// # Safety
/// `event` is null or a live event of DescribeTopics.
unsafe fn read_answer(event: *mut sys::rd_kafka_event_t, topic: &str) -> Result<Option<TopicInfo>> {
    use sys::rd_kafka_resp_err_t as err;
    if event.is_null() {
        return Err(try_again("the brokers do not answer"));
    }
    // SAFETY: as the caller promises; pointers into the event live as long as the event.
    unsafe {
        if sys::rd_kafka_event_error(event) != err::RD_KAFKA_RESP_ERR_NO_ERROR {
            let text = CStr::from_ptr(sys::rd_kafka_event_error_string(event)).to_string_lossy().into_owned();
            return Err(try_again(format!("the brokers do not answer: {text}")));
        }
        let result = sys::rd_kafka_event_DescribeTopics_result(event);
        let mut count = 0;
        let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        if count != 1 {
            bail!("expected one topic description, got {count}");
        }
        let description = *topics;
        let error = sys::rd_kafka_TopicDescription_error(description);
        match sys::rd_kafka_error_code(error) {
            err::RD_KAFKA_RESP_ERR_NO_ERROR => {}
            err::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART | err::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID => return Ok(None),
            _ => {
                let text = CStr::from_ptr(sys::rd_kafka_error_string(error)).to_string_lossy().into_owned();
                return Err(crate::exit::needs_person(format!("{topic}: {text}")));
            }
        }
        let id = sys::rd_kafka_Uuid_base64str(sys::rd_kafka_TopicDescription_topic_id(description));
        let id = CStr::from_ptr(id).to_string_lossy().into_owned();
        let infos = sys::rd_kafka_TopicDescription_partitions(description, &mut count);
        let mut partitions: Vec<i32> =
            (0..count).map(|i| sys::rd_kafka_TopicPartitionInfo_partition(*infos.add(i))).collect();
        partitions.sort_unstable();
        Ok(Some(TopicInfo { id, partitions }))
    }
}

/// Where each partition's log starts and where a reader of committed data can read to (the last stable offset).
///
/// # Errors
/// The brokers do not answer.
pub fn log_spans(consumer: &Consumer, topic: &str, partitions: &[i32]) -> Result<Vec<Span>> {
    each_log_span(consumer, topic, partitions).into_iter().collect()
}

/// As [`log_spans`], each partition for itself: one that has no leader hides only itself. They are asked side by side, because
/// every such one costs the time limit.
pub fn each_log_span(consumer: &Consumer, topic: &str, partitions: &[i32]) -> Vec<Result<Span>> {
    let ask = |partition: i32| consumer.fetch_watermarks(topic, partition, REQUEST_TIMEOUT);
    let answers: Vec<_> = std::thread::scope(|scope| {
        let asked: Vec<_> = partitions.iter().map(|partition| scope.spawn(move || ask(*partition))).collect();
        asked.into_iter().map(|thread| thread.join().unwrap_or(Err(KafkaError::Canceled))).collect()
    });
    let leaderless = if answers.iter().any(Result::is_err) { leaderless(consumer, topic) } else { Vec::new() };
    let explained = |(partition, answer): (&i32, Result<(i64, i64), KafkaError>)| match answer {
        Ok((start, end)) => Ok(Span { start, end }),
        // To librdkafka it is an unknown one then.
        Err(_) if leaderless.contains(partition) => {
            Err(try_again(format!("{topic}, partition {partition} has no leader at the moment")))
        }
        Err(error) => {
            let place = format!("asking where the log of {topic}, partition {partition} starts and ends");
            Err(explain(consumer, error, &place))
        }
    };
    partitions.iter().zip(answers).map(explained).collect()
}

/// Partitions that no broker leads at the moment; none if the brokers do not say.
pub fn leaderless(consumer: &Consumer, topic: &str) -> Vec<i32> {
    let metadata = consumer.fetch_metadata(Some(topic), REQUEST_TIMEOUT);
    let partitions = metadata.iter().flat_map(|metadata| metadata.topics()).flat_map(|topic| topic.partitions());
    partitions.filter(|partition| partition.leader() < 0).map(|partition| partition.id()).collect()
}

/// The first offset at or after a time, per partition; `None` if there is none.
///
/// # Errors
/// The brokers do not answer.
pub fn offsets_at(consumer: &Consumer, topic: &str, partitions: &[i32], time_ms: i64) -> Result<Vec<Option<i64>>> {
    let mut times = TopicPartitionList::new();
    for partition in partitions {
        times.add_partition_offset(topic, *partition, Offset::Offset(time_ms))?;
    }
    let found = consumer
        .offsets_for_times(times, REQUEST_TIMEOUT)
        .map_err(|error| explain(consumer, error, &format!("asking for the offsets of {topic} at a time")))?;
    let offset_of = |partition: &i32| match found.find_partition(topic, *partition).map(|p| p.offset()) {
        Some(Offset::Offset(offset)) => Some(offset),
        _ => None,
    };
    Ok(partitions.iter().map(offset_of).collect())
}
