//! Reading: from a span of one partition to windows of records.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

use crate::cdc::Record;
use crate::cli::{Stop, needs_person, try_again};
use crate::stream::consumer::complaint;
use crate::stream::{Consumer, REQUEST_TIMEOUT, Span};

/// Nothing read for this long, although there is something to read: the brokers are in trouble.
const NO_PROGRESS: Duration = Duration::from_secs(30);
/// The same, when librdkafka has said that no broker is reachable.
const NO_BROKER: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);

/// Where a window is cut. A function of the log and the plan's end alone, so that a rerun cuts the same windows.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// At most this many records.
    pub records: usize,
    /// Cut after the record that reaches this many bytes of keys and values.
    pub bytes: usize,
}

/// The records of a span of one partition. They stay in librdkafka's buffers until the window is dropped.
pub struct Window<'c> {
    /// Partition.
    pub partition: i32,
    /// The offsets that this window covers.
    pub span: Span,
    /// Offsets in it that hold no record for us: control records, aborted transactions, compaction.
    pub gaps: u64,
    messages: Vec<BorrowedMessage<'c>>,
}

impl Window<'_> {
    /// Number of records.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// No record in it?
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The records, in order.
    pub fn records(&self) -> Vec<Record<'_>> {
        let record = |message| record_of(self.partition, message);
        self.messages.iter().map(record).collect()
    }

    /// The headers of the `i`th record, as JSON: `[[name, value], …]`. Read only for the quarantine.
    pub fn headers(&self, i: usize) -> String {
        headers_json(&self.messages[i])
    }
}

fn record_of<'a>(partition: i32, message: &'a BorrowedMessage<'_>) -> Record<'a> {
    Record {
        partition,
        offset: message.offset(),
        timestamp_ms: message.timestamp().to_millis(),
        key: message.key(),
        value: message.payload(),
    }
}

/// A message's headers as JSON; a value that is not UTF-8 is shown with replacement characters.
pub fn headers_json(message: &BorrowedMessage<'_>) -> String {
    let Some(headers) = message.headers() else { return String::new() };
    let pairs: Vec<(&str, Option<String>)> =
        headers.iter().map(|h| (h.key, h.value.map(|v| String::from_utf8_lossy(v).into_owned()))).collect();
    serde_json::to_string(&pairs).unwrap_or_default()
}

/// Reads one partition after the other.
pub struct Reader<'c> {
    consumer: &'c Consumer,
    topic: &'c str,
    limits: Limits,
    /// The partition being read and the next offset to read from it.
    position: Option<(i32, i64)>,
    /// A fault for tests: the record at this offset is lost between reading and deciding.
    lose: Option<i64>,
}

impl<'c> Reader<'c> {
    /// A reader that has not read anything yet.
    pub fn new(consumer: &'c Consumer, topic: &'c str, limits: Limits, lose: Option<i64>) -> Reader<'c> {
        Reader { consumer, topic, limits, position: None, lose }
    }

    /// Reads the next window of `span`. `None` if the job was asked to stop meanwhile.
    ///
    /// # Errors
    /// The brokers are gone, or the records are.
    pub fn window(&mut self, partition: i32, span: Span, stop: &Stop) -> Result<Option<Window<'c>>> {
        self.seek(partition, span.start)?;
        let mut window = Window { partition, span, gaps: 0, messages: Vec::new() };
        let mut expected = span.start;
        let mut bytes = 0;
        // Asking for the time is not free: only while there is nothing to read.
        let mut waiting_since: Option<Instant> = None;
        let mut no_broker = false;
        while window.messages.len() < self.limits.records && bytes < self.limits.bytes {
            if stop.asked() {
                return Ok(None);
            }
            match self.consumer.poll(POLL) {
                Some(Ok(message)) if message.offset() >= span.end => return Ok(Some(self.finish(window, expected))),
                Some(Ok(message)) => {
                    waiting_since = None;
                    no_broker = false;
                    window.gaps += Span { start: expected, end: message.offset() }.len();
                    expected = message.offset() + 1;
                    bytes += message.key_len() + message.payload_len();
                    if self.lose != Some(message.offset()) {
                        window.messages.push(message);
                    }
                    if expected == span.end {
                        break;
                    }
                }
                Some(Err(KafkaError::PartitionEOF(p))) if p == partition => {
                    self.ends_at_least_at(partition, span.end)?;
                    return Ok(Some(self.finish(window, expected)));
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {}
                Some(Err(error)) => no_broker |= self.judge(error, partition, expected)?,
                None => {
                    waiting_since.get_or_insert_with(Instant::now);
                }
            }
            let patience = if no_broker { NO_BROKER } else { NO_PROGRESS };
            if waiting_since.is_some_and(|since| since.elapsed() > patience) {
                let why = complaint(self.consumer);
                return Err(try_again(format!(
                    "{}, partition {partition}: no record at offset {expected} for {} s, though the plan goes to {}{why}",
                    self.topic,
                    patience.as_secs(),
                    span.end
                )));
            }
        }
        window.span.end = expected;
        self.position = Some((partition, expected));
        Ok(Some(window))
    }

    /// The window reaches the end of its span: what is left of it are offsets without a record.
    fn finish(&mut self, mut window: Window<'c>, expected: i64) -> Window<'c> {
        window.gaps += Span { start: expected, end: window.span.end }.len();
        self.position = None;
        window
    }

    fn seek(&mut self, partition: i32, offset: i64) -> Result<()> {
        if self.position == Some((partition, offset)) {
            return Ok(());
        }
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(self.topic, partition, Offset::Offset(offset))?;
        self.consumer
            .assign(&list)
            .with_context(|| format!("assigning {}, partition {partition} from offset {offset}", self.topic))?;
        self.position = Some((partition, offset));
        Ok(())
    }

    /// The end of the partition must not lie before the end of the plan: then the log has lost records.
    fn ends_at_least_at(&self, partition: i32, end: i64) -> Result<()> {
        let (_, log_end) = self.consumer.fetch_watermarks(self.topic, partition, REQUEST_TIMEOUT)?;
        if log_end >= end {
            return Ok(());
        }
        Err(needs_person(format!(
            "{}, partition {partition}: the log ends at {log_end}, but the plan goes to {end}: the broker has lost records \
             (unclean leader election, or a restored broker); look at them with `lag`, then choose --resume-from",
            self.topic
        )))
    }

    /// Lets librdkafka reconnect by itself; `Ok(true)` when no broker is reachable at the moment.
    fn judge(&self, error: KafkaError, partition: i32, offset: i64) -> Result<bool> {
        let place = format!("reading {}, partition {partition} at offset {offset}", self.topic);
        match error.rdkafka_error_code() {
            Some(Code::AllBrokersDown) => Ok(true),
            Some(Code::BrokerTransportFailure | Code::OperationTimedOut | Code::RequestTimedOut | Code::Resolve) => {
                Ok(false)
            }
            Some(Code::AutoOffsetReset | Code::OffsetOutOfRange) => Err(needs_person(format!(
                "{place}: the broker does not have this offset any more (retention was shorter than the pause between \
                 runs, or the topic was recreated); the rows in between are lost to the log: choose --resume-from \
                 log-start, then SELECT northwind_cdc.send_again('<table>') in the source, and reconcile"
            ))),
            _ => Err(error).with_context(|| format!("{place}{}", complaint(self.consumer))),
        }
    }
}
