//! The Kafka client. It assigns partitions itself and never subscribes: a short run must not wait for a rebalance.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::cli::KafkaArgs;
use crate::exit::needs_person;
use crate::tls::{Link, Tls};

/// Keeps what librdkafka complained about: its error codes alone ("local: timed out") help nobody.
#[derive(Debug)]
pub struct Complaints {
    brokers: String,
    /// Is nothing encrypted?
    is_plain: bool,
    heard: Mutex<Heard>,
}

/// How OpenSSL's refusals begin (its library number 20 is TLS). A broker that hangs up in the middle of it may come back.
const TLS_REFUSED: &str = "error:0A";

#[derive(Debug, Default)]
struct Heard {
    last: Option<String>,
    /// A broker does not let this client in: librdkafka tries again for ever, so requests only time out.
    refused: Option<String>,
    no_broker: bool,
}

impl Complaints {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Complaints {
    /// What librdkafka writes into its log. A handshake that fails is not always told otherwise, and is tried again five times a second.
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let is_refused = facility == "FAIL" && message.contains(TLS_REFUSED);
        let is_known = is_refused && self.heard().refused.replace(message.to_owned()).is_some();
        match level {
            _ if is_known => tracing::debug!("librdkafka: {facility} {message}"),
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                tracing::error!("librdkafka: {facility} {message}");
            }
            RDKafkaLogLevel::Warning => tracing::warn!("librdkafka: {facility} {message}"),
            // Every connection that ends is told here.
            _ => tracing::debug!("librdkafka: {facility} {message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!("librdkafka: {error}: {reason}");
        let mut heard = self.heard();
        match error.rdkafka_error_code() {
            // Where a log ends is no complaint.
            Some(Code::PartitionEOF) => return,
            Some(Code::AllBrokersDown) => heard.no_broker = true,
            Some(Code::Authentication | Code::SaslAuthenticationFailed | Code::SSL) => {
                heard.refused = Some(reason.to_owned());
            }
            _ => {}
        }
        // "All brokers are down" comes after the reason why one of them is.
        if heard.last.is_none() || error.rdkafka_error_code() != Some(Code::AllBrokersDown) {
            heard.last = Some(reason.to_owned());
        }
    }
}

/// Why the brokers do not do as they are asked, as the end of a sentence. For a consumer that has failed: librdkafka hands
/// its complaints over when it is polled, and whatever else comes then is lost.
pub fn complaint(consumer: &Consumer) -> String {
    let until = Instant::now() + Duration::from_millis(100);
    while consumer.poll(Duration::ZERO).is_some() && Instant::now() < until {}
    let complaints = consumer.client().context();
    let heard = complaints.heard();
    match heard.last.as_deref() {
        // It was there, and has hung up without a word.
        Some(reason) if complaints.is_plain && reason.ends_with("brokers are down") => {
            format!(" (librdkafka: {reason}; if they await TLS there: set KAFKA_TLS=verify-full)")
        }
        Some(reason) => format!(" (librdkafka: {reason})"),
        None => format!(" (brokers: {})", complaints.brokers),
    }
}

/// A request that failed: where, and why as far as librdkafka says. A refused login is the cause, and needs a person; the time-out
/// that it ends in looks as if another try could help.
pub fn explain(consumer: &Consumer, error: impl Into<anyhow::Error>, place: &str) -> anyhow::Error {
    let why = complaint(consumer);
    match consumer.client().context().heard().refused.as_deref() {
        None => error.into().context(format!("{place}{why}")),
        Some(reason) => needs_person(format!(
            "{place}: the brokers do not let this client in: {reason}; correct KAFKA_SASL_PASSWORD or \
             KAFKA_SASL_PASSWORD_FILE, KAFKA_TLS and its files, and sasl.* (-X KEY=VALUE, KAFKA_OPTIONS)"
        )),
    }
}

/// Has every broker gone, or refused this client? Then there is no sense in waiting for an answer. Nothing may be assigned.
pub fn is_shut_out(consumer: &Consumer) -> bool {
    while consumer.poll(Duration::ZERO).is_some() {}
    let heard = consumer.client().context().heard();
    heard.no_broker && heard.refused.is_some()
}

impl ConsumerContext for Complaints {}

/// The consumer that reads, and that commits for its group.
pub type Consumer = BaseConsumer<Complaints>;

/// Creates the client; the first request connects it.
///
/// # Errors
/// A setting is unknown to librdkafka, or the SASL password cannot be read.
pub fn connect(args: &KafkaArgs, group: &str) -> Result<Consumer> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &args.kafka)
        .set("group.id", group)
        .set("client.id", "lockstep")
        // Offsets are committed by the ledger's word only, never by librdkafka's timer.
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // An offset that is not there any more is a gap to be explained, not a reason to jump.
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        // A small local queue bounds memory; the default back-off of 1 s on a full queue would make it slow.
        .set("queued.min.messages", "20000")
        .set("queued.max.messages.kbytes", "16384")
        .set("fetch.queue.backoff.ms", "2")
        .set("fetch.message.max.bytes", "4194304")
        .set("fetch.wait.max.ms", "100")
        .set("socket.keepalive.enable", "true")
        .set("reconnect.backoff.max.ms", "1000");
    let password = crate::cli::Secret::from_env("KAFKA_SASL_PASSWORD", "")?;
    let is_sasl = |(key, _): &(String, String)| key.starts_with("sasl.");
    let has_login = !password.reveal().is_empty() || args.settings.iter().any(is_sasl);
    for (key, value) in Tls::of(Link::Kafka)?.for_kafka(has_login)? {
        config.set(key, value);
    }
    if !password.reveal().is_empty() {
        config.set("sasl.password", password.reveal());
    }
    for (key, value) in &args.settings {
        config.set(key, value);
    }
    let is_plain = config.get("security.protocol").is_none_or(|protocol| !protocol.to_lowercase().ends_with("ssl"));
    let complaints = Complaints { brokers: args.kafka.clone(), is_plain, heard: Mutex::default() };
    config.create_with_context(complaints).with_context(|| format!("creating the Kafka client for {}", args.kafka))
}
