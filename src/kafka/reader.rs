//! Reading: from a span of one partition to windows of records.
//!
//! A span ends at a record at or above its end, or where an end of partition is reported at or above its end. Any other end is
//! that of the replica that happens to serve this reader (`client.rack`, a new leader) and says nothing of the log: what is
//! missing there is not a gap, but late.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::{Offset, TopicPartitionList};

use crate::cdc::Record;
use crate::cli::Stop;
use crate::exit::kafka::exit_of;
use crate::exit::{Exit, needs_person, try_again};
use crate::kafka::consumer::{complaint, explain};
use crate::kafka::poll::{Message, Polled, Queue};
use crate::kafka::topic::leaderless;
use crate::kafka::{Consumer, REQUEST_TIMEOUT, Span};

/// Without progress for this long, a partition is late.
const PATIENCE: Duration = Duration::from_secs(30);
/// No progress for this long, when librdkafka has said that no broker is reachable: nobody else will do better.
const NO_BROKER: Duration = Duration::from_secs(10);
/// No progress for this long, when another partition has made none: the brokers have had their time, and each one more would cost all of it.
const AFTER_ANOTHER: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);

/// Where a window is cut. A function of the log and the plan's end alone, so that a rerun cuts the same windows.
#[derive(Debug, Clone, Copy)]
pub struct WindowLimits {
    /// At most this many records.
    pub records: usize,
    /// Cut after the record that reaches this many bytes of keys and values.
    pub bytes: usize,
}

/// What became of reading a window.
pub enum Reading<'c> {
    /// Here it is.
    Window(Window<'c>),
    /// The job was asked to stop, or time ran out.
    OutOfTime,
    /// There is more in the log, by the plan, but it does not come: why.
    Late(String),
}

/// The records of a span of one partition. They stay in librdkafka's buffers until the window is dropped.
pub struct Window<'c> {
    /// Partition.
    pub partition: i32,
    /// The offsets that this window covers.
    pub span: Span,
    /// Offsets in it that hold no record for us: control records, aborted transactions, compaction, or a loss.
    pub gaps: Vec<Span>,
    messages: Vec<Message<'c>>,
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
        self.messages[i].headers_json()
    }

    /// What lies between two records, or a record and the end, has none.
    fn add_gap(&mut self, start: i64, end: i64) {
        let gap = Span { start, end };
        if !gap.is_empty() {
            self.gaps.push(gap);
        }
    }
}

fn record_of<'a>(partition: i32, message: &'a Message<'_>) -> Record<'a> {
    Record {
        partition,
        offset: message.offset(),
        timestamp_ms: message.timestamp_ms(),
        key: message.key(),
        value: message.payload(),
    }
}

/// Reads one partition after the other.
pub struct LogReader<'c> {
    consumer: &'c Consumer,
    queue: Queue<'c>,
    topic: &'c str,
    limits: WindowLimits,
    patience: Duration,
    /// The partition being read and the next offset to read from it.
    position: Option<(i32, i64)>,
    /// A fault for tests: the record at this offset is lost between reading and deciding.
    lose: Option<i64>,
}

impl<'c> LogReader<'c> {
    /// A reader that has not read anything yet.
    ///
    /// # Errors
    /// The consumer has no group.
    pub fn new(
        consumer: &'c Consumer,
        topic: &'c str,
        limits: WindowLimits,
        lose: Option<i64>,
    ) -> Result<LogReader<'c>> {
        let queue = Queue::of(consumer).context("a consumer without a group")?;
        Ok(LogReader { consumer, queue, topic, limits, patience: PATIENCE, position: None, lose })
    }

    /// Another patience than 30 s.
    pub fn with_patience(self, patience: Duration) -> LogReader<'c> {
        LogReader { patience, ..self }
    }

    /// A partition was late, in this run or the one before: from here on there is less time to make any progress.
    pub fn hurry(&mut self) {
        self.patience = self.patience.min(AFTER_ANOTHER);
    }

    /// Reads the next window of `span`, and waits for it until `deadline` if there is one.
    ///
    /// # Errors
    /// The brokers are gone, or the records are.
    pub fn window(
        &mut self,
        partition: i32,
        span: Span,
        deadline: Option<Instant>,
        stop: &Stop,
    ) -> Result<Reading<'c>> {
        self.seek(partition, span.start)?;
        let mut window = Window { partition, span, gaps: Vec::new(), messages: Vec::new() };
        let mut expected = span.start;
        let mut bytes = 0;
        let mut waiting = Waiting::default();
        while window.messages.len() < self.limits.records && bytes < self.limits.bytes {
            if stop.asked() {
                return Ok(Reading::OutOfTime);
            }
            match self.queue.poll(POLL) {
                // Left over from the partition before.
                Polled::Message(message) if message.partition() != partition => {}
                Polled::Message(message) if message.offset() >= span.end => return Ok(self.finish(window, expected)),
                Polled::Message(message) => {
                    waiting = Waiting::default();
                    window.add_gap(expected, message.offset());
                    expected = message.offset() + 1;
                    bytes += message.len();
                    if self.lose != Some(message.offset()) {
                        window.messages.push(message);
                    }
                    if expected == span.end {
                        break;
                    }
                }
                Polled::End { partition: p, offset } if p == partition && offset >= span.end => {
                    return Ok(self.finish(window, expected));
                }
                // A replica that has got on, though only past control records, has made progress.
                Polled::End { partition: p, offset } if p == partition => waiting.reaches(offset),
                Polled::End { .. } => {}
                Polled::Failed(error) => waiting.no_broker |= self.classify(error, partition, expected)?,
                Polled::Nothing => waiting.start(),
            }
            if waiting.longer_than(self.patience) {
                return self.late(partition, Span { start: expected, end: span.end }, &waiting);
            }
            if waiting.since.is_some() && deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                self.position = None;
                return Ok(Reading::OutOfTime);
            }
        }
        window.span.end = expected;
        self.position = Some((partition, expected));
        Ok(Reading::Window(window))
    }

    /// The window reaches the end of its span: what is left of it are offsets without a record.
    fn finish(&mut self, mut window: Window<'c>, expected: i64) -> Reading<'c> {
        window.add_gap(expected, window.span.end);
        self.position = None;
        Reading::Window(window)
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

    /// Nothing comes any more. Is it lost, or late? Only the leader knows.
    fn late(&mut self, partition: i32, rest: Span, waiting: &Waiting) -> Result<Reading<'c>> {
        self.position = None;
        let waited = self.patience.min(waiting.limit()).as_secs();
        let place = format!("{}, partition {partition}: no record at offset {} for {waited} s", self.topic, rest.start);
        if waiting.no_broker {
            let why = complaint(self.consumer);
            return Err(try_again(format!("{place}, though the plan goes to {}{why}", rest.end)));
        }
        let why = match self.consumer.fetch_watermarks(self.topic, partition, REQUEST_TIMEOUT) {
            Ok((_, end)) if end < rest.end => return Err(self.too_short(partition, rest.end, end)),
            Ok((_, end)) => format!(
                "{place}, though the leader's log goes to {end}: the replica that serves this reader is behind (client.rack), or its \
                 broker hangs{}",
                complaint(self.consumer)
            ),
            Err(_) if leaderless(self.consumer, self.topic).contains(&partition) => {
                format!("{place}: the partition has no leader")
            }
            Err(error) => format!("{place}, and its leader does not answer: {error}{}", complaint(self.consumer)),
        };
        Ok(Reading::Late(why))
    }

    fn too_short(&self, partition: i32, plan_end: i64, log_end: i64) -> anyhow::Error {
        needs_person(format!(
            "{}, partition {partition}: the log ends at {log_end}, but the plan goes to {plan_end}: the broker has lost records \
             (unclean leader election, or a restored broker); look at them with `lag`, then choose --resume-from",
            self.topic
        ))
    }

    /// Lets librdkafka try again by itself; `Ok(true)` when no broker is reachable at the moment.
    fn classify(&self, error: KafkaError, partition: i32, offset: i64) -> Result<bool> {
        let place = format!("reading {}, partition {partition} at offset {offset}", self.topic);
        match error.rdkafka_error_code() {
            Some(Code::AllBrokersDown) => Ok(true),
            Some(Code::AutoOffsetReset | Code::OffsetOutOfRange) => Err(needs_person(format!(
                "{place}: the broker does not have this offset any more (retention was shorter than the pause between \
                 runs, or the topic was recreated); the rows in between are lost to the log: choose --resume-from \
                 log-start, then let the connector send the table again (send_again in the source), and reconcile"
            ))),
            _ if exit_of(&error) == Exit::TryAgain => Ok(false),
            _ => Err(explain(self.consumer, error, &place)),
        }
    }
}

/// Time without progress. Asking for the time is not free: only while there is nothing to read.
#[derive(Default)]
struct Waiting {
    since: Option<Instant>,
    no_broker: bool,
    /// Where the serving replica's log ended when it last said so.
    replica_end: i64,
}

impl Waiting {
    fn start(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    fn reaches(&mut self, end: i64) {
        if end > self.replica_end {
            *self = Waiting { replica_end: end, ..Waiting::default() };
        }
        self.start();
    }

    fn limit(&self) -> Duration {
        if self.no_broker { NO_BROKER } else { Duration::MAX }
    }

    fn longer_than(&self, patience: Duration) -> bool {
        self.since.is_some_and(|since| since.elapsed() > patience.min(self.limit()))
    }
}
