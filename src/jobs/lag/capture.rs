//! The source's half of a lag: up to when its changes have come to Kafka, and what time it is there.

use std::time::Duration;

use postgres::Client;

use super::args::LagArgs;
use crate::health::lateness::clock::Clock;
use crate::health::lateness::{self, Captured};
use crate::health::{Lag, Target};
use crate::source;
use crate::tables::Pipeline;

/// PostgreSQL, if it is there: the offsets can be told without it.
pub struct Source(Option<Client>);

/// What was seen of it.
pub struct Seen {
    captured: Option<Captured>,
    now_ms: i64,
    /// Is that the source's clock?
    of_source: bool,
}

impl Source {
    /// Connects, if that is possible.
    pub fn connect(args: &LagArgs) -> Source {
        let client = source::connect(&args.postgres, "lag");
        Source(client.inspect_err(|error| tracing::warn!("how far the connector is cannot be told: {error:#}")).ok())
    }

    /// Up to when the source's changes are in Kafka; nothing if the topics are of several connectors, or it cannot be told.
    pub fn captured(&mut self, pipeline: &Pipeline, args: &LagArgs, targets: &[Target]) -> Option<Captured> {
        let topic = &targets.first()?.topic;
        let prefix = pipeline.tables.iter().find_map(|table| topic.strip_suffix(&table.topic("")))?;
        let client = self.0.as_mut()?;
        let mut source = lateness::Source { pipeline, client, slot: &args.slot, prefix, patience: Duration::ZERO };
        let captured = source.captured(&args.kafka);
        captured.inspect_err(|error| tracing::warn!("how far the connector is cannot be told: {error:#}")).ok()
    }

    /// Measures how late tables are by the source's clock, which is read last: what is late becomes no younger by having been looked at.
    pub fn measure_lateness(&mut self, lags: &mut [Lag], captured: Option<Captured>) -> Seen {
        let clock = self.0.as_mut().and_then(|client| Clock::of_source(client).ok());
        let now_ms = clock.unwrap_or_else(Clock::of_this_machine).now_ms;
        lateness::measure(lags, captured.as_ref(), now_ms);
        Seen { captured, now_ms, of_source: clock.is_some() }
    }
}

impl Seen {
    /// For people.
    pub fn line(&self) -> String {
        let clock = if self.of_source { "" } else { " (by this machine's clock: PostgreSQL cannot be asked)" };
        let captured = self.captured.as_ref().map(|captured| captured.text(self.now_ms));
        format!("PostgreSQL to Kafka: {}{clock}\n", captured.as_deref().unwrap_or("not known"))
    }
}
