//! What librdkafka has to say, one word at a time.
//!
//! Not `BaseConsumer::poll`: of an end of partition it tells which partition it is, but not *where* it ends, and by that alone an
//! end is believed (`reader.rs`).

use std::ffi::{CStr, c_char};
use std::marker::PhantomData;
use std::ptr::{NonNull, null, null_mut};
use std::slice;
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka_sys as sys;
use sys::rd_kafka_resp_err_t::{RD_KAFKA_RESP_ERR__PARTITION_EOF, RD_KAFKA_RESP_ERR_NO_ERROR};

use crate::kafka::Consumer;

/// What a poll brings.
pub enum Polled<'c> {
    /// A record.
    Message(Message<'c>),
    /// The replica that serves this reader has no more: its high watermark or last stable offset.
    End {
        /// Partition.
        partition: i32,
        /// One above the last offset that it gives out.
        offset: i64,
    },
    /// Brokers or records are in trouble.
    Failed(KafkaError),
    /// Nothing yet.
    Nothing,
}

/// A consumer's queue.
pub struct Queue<'c> {
    consumer: &'c Consumer,
    queue: NonNull<sys::rd_kafka_queue_t>,
}

impl<'c> Queue<'c> {
    /// The queue of a consumer; `None` if it has no group.
    pub fn of(consumer: &'c Consumer) -> Option<Queue<'c>> {
        // SAFETY: the client lives as long as `'c`; the queue is destroyed once, when this is dropped.
        let queue = unsafe { sys::rd_kafka_queue_get_consumer(consumer.client().native_ptr()) };
        NonNull::new(queue).map(|queue| Queue { consumer, queue })
    }

    /// Waits until there is something, at most so long.
    pub fn poll(&self, wait: Duration) -> Polled<'c> {
        let wait = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the queue is alive; the event is ours, and destroyed once, by `Event`.
        let event = unsafe { sys::rd_kafka_queue_poll(self.queue.as_ptr(), wait) };
        let Some(event) = NonNull::new(event).map(Event) else { return Polled::Nothing };
        match event.kind() {
            sys::RD_KAFKA_EVENT_FETCH => Message::of(event).map_or(Polled::Nothing, Polled::Message),
            sys::RD_KAFKA_EVENT_ERROR => self.error(&event),
            sys::RD_KAFKA_EVENT_LOG => {
                self.log(&event);
                Polled::Nothing
            }
            _ => Polled::Nothing,
        }
    }

    fn error(&self, event: &Event) -> Polled<'c> {
        let code = event.error();
        if code == RD_KAFKA_RESP_ERR_NO_ERROR {
            return Polled::Nothing;
        }
        if code == RD_KAFKA_RESP_ERR__PARTITION_EOF
            && let Some((partition, offset)) = event.place()
        {
            return Polled::End { partition, offset };
        }
        self.consumer.client().context().error(KafkaError::Global(code.into()), event.reason().trim());
        Polled::Failed(KafkaError::MessageConsumption(code.into()))
    }

    fn log(&self, event: &Event) {
        let Some((level, facility, line)) = event.log_line() else { return };
        let level = match level {
            ..=3 => RDKafkaLogLevel::Error,
            4 => RDKafkaLogLevel::Warning,
            5 | 6 => RDKafkaLogLevel::Info,
            _ => RDKafkaLogLevel::Debug,
        };
        self.consumer.client().context().log(level, facility.trim(), line.trim());
    }
}

impl Drop for Queue<'_> {
    fn drop(&mut self) {
        // SAFETY: made by `of`, destroyed here alone.
        unsafe { sys::rd_kafka_queue_destroy(self.queue.as_ptr()) };
    }
}

/// An event of librdkafka.
struct Event(NonNull<sys::rd_kafka_event_t>);

// SAFETY, for all of these: the event lives as long as `self`, and what is pointed to lives as long as the event.
impl Event {
    fn kind(&self) -> sys::rd_kafka_event_type_t {
        unsafe { sys::rd_kafka_event_type(self.0.as_ptr()) }
    }

    fn error(&self) -> sys::rd_kafka_resp_err_t {
        unsafe { sys::rd_kafka_event_error(self.0.as_ptr()) }
    }

    fn reason(&self) -> String {
        unsafe { text(sys::rd_kafka_event_error_string(self.0.as_ptr())) }
    }

    fn place(&self) -> Option<(i32, i64)> {
        unsafe {
            let place = sys::rd_kafka_event_topic_partition(self.0.as_ptr());
            let known = place.as_ref().map(|place| (place.partition, place.offset));
            if !place.is_null() {
                sys::rd_kafka_topic_partition_destroy(place);
            }
            known
        }
    }

    fn log_line(&self) -> Option<(i32, String, String)> {
        let (mut facility, mut line, mut level) = (null(), null(), 0);
        unsafe {
            let failed = sys::rd_kafka_event_log(self.0.as_ptr(), &mut facility, &mut line, &mut level);
            (failed == 0).then(|| (level, text(facility), text(line)))
        }
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        unsafe { sys::rd_kafka_event_destroy(self.0.as_ptr()) };
    }
}

/// # Safety
/// Null, or a string that ends with a NUL byte.
unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}

/// A record, in librdkafka's own buffers.
pub struct Message<'c> {
    message: NonNull<sys::rd_kafka_message_t>,
    /// What owns the message.
    _event: Event,
    _client: PhantomData<&'c Consumer>,
}

// SAFETY, for all of these: message, payload, key and headers live as long as their event, so as long as `self`.
impl Message<'_> {
    fn of(event: Event) -> Option<Self> {
        let message = unsafe { sys::rd_kafka_event_message_next(event.0.as_ptr()) };
        NonNull::new(message.cast_mut()).map(|message| Message { message, _event: event, _client: PhantomData })
    }

    fn native(&self) -> &sys::rd_kafka_message_t {
        unsafe { self.message.as_ref() }
    }

    /// Its offset.
    pub fn offset(&self) -> i64 {
        self.native().offset
    }

    /// Its partition.
    pub fn partition(&self) -> i32 {
        self.native().partition
    }

    /// Its key.
    pub fn key(&self) -> Option<&[u8]> {
        unsafe { bytes(self.native().key.cast(), self.native().key_len) }
    }

    /// Its value.
    pub fn payload(&self) -> Option<&[u8]> {
        unsafe { bytes(self.native().payload.cast(), self.native().len) }
    }

    /// Bytes of key and value.
    pub fn len(&self) -> usize {
        self.native().key_len + self.native().len
    }

    /// Its timestamp, if it has one.
    pub fn timestamp_ms(&self) -> Option<i64> {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        let time = unsafe { sys::rd_kafka_message_timestamp(self.message.as_ptr(), &mut kind) };
        (time != -1).then_some(time)
    }

    /// Its headers as JSON, `[[name, value], …]`; a value that is not UTF-8 is shown with replacement characters.
    pub fn headers_json(&self) -> String {
        let shown = |(name, value): (String, Option<&[u8]>)| {
            (name, value.map(|value| String::from_utf8_lossy(value).into_owned()))
        };
        let pairs: Vec<(String, Option<String>)> = self.headers().into_iter().map(shown).collect();
        if pairs.is_empty() { String::new() } else { serde_json::to_string(&pairs).unwrap_or_default() }
    }

    fn headers(&self) -> Vec<(String, Option<&[u8]>)> {
        let mut headers = null_mut();
        let mut pairs = Vec::new();
        unsafe {
            if sys::rd_kafka_message_headers(self.message.as_ptr(), &mut headers) != RD_KAFKA_RESP_ERR_NO_ERROR {
                return pairs;
            }
            let (mut name, mut value, mut len) = (null(), null(), 0);
            while sys::rd_kafka_header_get_all(headers, pairs.len(), &mut name, &mut value, &mut len)
                == RD_KAFKA_RESP_ERR_NO_ERROR
            {
                pairs.push((text(name), bytes(value.cast(), len)));
            }
        }
        pairs
    }
}

/// # Safety
/// Null, or `len` bytes that live as long as `'m`.
unsafe fn bytes<'m>(pointer: *const u8, len: usize) -> Option<&'m [u8]> {
    (!pointer.is_null()).then(|| unsafe { slice::from_raw_parts(pointer, len) })
}
