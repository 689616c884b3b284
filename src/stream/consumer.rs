//! The Kafka client. It assigns partitions itself and never subscribes: a short run must not wait for a rebalance.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::cli::KafkaArgs;

/// Keeps what librdkafka last complained about: its error codes alone ("local: timed out") help nobody.
#[derive(Debug)]
pub struct Complaints {
    brokers: String,
    last: Mutex<Option<String>>,
}

impl ClientContext for Complaints {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!("librdkafka: {error}: {reason}");
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // "All brokers are down" comes after the reason why one of them is.
        if last.is_none() || error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            *last = Some(reason.to_owned());
        }
    }
}

/// Why the brokers do not do as they are asked, as the end of a sentence. For a consumer that has failed: librdkafka hands
/// its complaints over when it is polled, and whatever else comes then is lost.
pub fn complaint(consumer: &Consumer) -> String {
    let until = Instant::now() + Duration::from_millis(100);
    while consumer.poll(Duration::ZERO).is_some() && Instant::now() < until {}
    let Complaints { brokers, last } = &**consumer.client().context();
    match last.lock().unwrap_or_else(PoisonError::into_inner).as_deref() {
        Some(reason) => format!(" (librdkafka: {reason})"),
        None => format!(" (brokers: {brokers})"),
    }
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
        .set("group.id", group)
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
    access(&mut config, args)?;
    let complaints = Complaints { brokers: args.kafka.clone(), last: Mutex::new(None) };
    config.create_with_context(complaints).with_context(|| format!("creating the Kafka client for {}", args.kafka))
}

/// Where the brokers are, and what they want to know of us; for any kind of client.
///
/// # Errors
/// The SASL password cannot be read.
pub(super) fn access(config: &mut ClientConfig, args: &KafkaArgs) -> Result<()> {
    config.set("bootstrap.servers", &args.kafka).set("client.id", "northwind");
    let password = crate::cli::Secret::from_env("KAFKA_SASL_PASSWORD", "")?;
    if !password.reveal().is_empty() {
        config.set("sasl.password", password.reveal());
    }
    for (key, value) in &args.settings {
        config.set(key, value);
    }
    Ok(())
}
