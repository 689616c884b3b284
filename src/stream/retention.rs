//! How long the brokers keep a topic's records.

use std::time::Duration;

use anyhow::{Context, Result};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;

use crate::cli::KafkaArgs;
use crate::stream::REQUEST_TIMEOUT;
use crate::stream::consumer::access;

/// For how long; nothing if there is no such topic, it may not be asked for, or what it has is kept for ever.
///
/// # Errors
/// A setting is unknown to librdkafka, or the brokers do not answer.
pub fn retention(args: &KafkaArgs, topic: &str) -> Result<Option<Duration>> {
    let asking = || format!("asking how long {topic} is kept");
    let mut config = ClientConfig::new();
    access(&mut config, args)?;
    let admin: AdminClient<DefaultClientContext> = config.create().with_context(asking)?;
    let options = AdminOptions::new().request_timeout(Some(REQUEST_TIMEOUT));
    let resources = [ResourceSpecifier::Topic(topic)];
    let answer = tokio::runtime::Builder::new_current_thread()
        .build()
        .with_context(asking)?
        .block_on(admin.describe_configs(&resources, &options))
        .with_context(asking)?;
    let Some(Ok(resource)) = answer.into_iter().next() else { return Ok(None) };
    let kept = resource.get("retention.ms").and_then(|entry| entry.value.as_ref()?.parse().ok());
    Ok(kept.map(Duration::from_millis))
}
