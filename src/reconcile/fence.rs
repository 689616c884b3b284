//! The fence: everything that the snapshot saw has left PostgreSQL, has come to Kafka, and has been ingested. In this order, each
//! asked only after the one before: the slot has passed the snapshot's LSN, *then* the topic's ends are taken, *then* the group reaches
//! them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use postgres::Client;
use postgres::types::PgLsn;
use serde_json::{Value, json};

use crate::cdc::Lsn;
use crate::checks::checker::{STOPPED, Timeouts};
use crate::cli::Stop;
use crate::exit::{Exit, fault, needs_person};
use crate::kafka::{self, Consumer};

const PAUSE: Duration = Duration::from_millis(50);

/// What is waited for.
pub struct Fence<'f> {
    /// The connector's replication slot.
    pub slot: &'f str,
    /// The table's topic.
    pub topic: &'f str,
    /// A client of the group that ingests it.
    pub consumer: &'f Consumer,
    /// How long.
    pub timeouts: Timeouts,
    /// Asked to stop?
    pub stop: &'f Stop,
}

/// How far it got.
pub enum FenceOutcome {
    /// Everything is there.
    Passed(Value),
    /// The connector is behind; in words.
    NotCaptured(String),
    /// The ingest job is behind; in words.
    NotIngested(String),
}

impl Fence<'_> {
    /// Waits until everything up to `lsn` is in the warehouse.
    ///
    /// # Errors
    /// A server is gone; there is no such slot (78).
    pub fn wait(&self, client: &mut Client, lsn: Lsn) -> Result<FenceOutcome> {
        let mut confirmed = String::new();
        let passed = self.until(self.timeouts.capture, || {
            let (is_past, at) = self.confirmed(client, lsn)?;
            confirmed = at;
            Ok(is_past)
        })?;
        if !passed {
            return Ok(FenceOutcome::NotCaptured(format!(
                "PostgreSQL to Kafka: slot {} has confirmed {confirmed}, the snapshot was taken at {lsn}; is the connector running? (lockstep doctor)",
                self.slot
            )));
        }
        let Some(topic) = kafka::describe(self.consumer, self.topic)? else {
            // A table that never had a row has no topic; then there is nothing to wait for.
            return Ok(FenceOutcome::Passed(json!({"lsn": lsn.to_string(), "topic": null})));
        };
        let log = kafka::log_spans(self.consumer, self.topic, &topic.partitions)?;
        let ends: Vec<i64> = log.iter().map(|span| span.end).collect();
        let mut committed = Vec::new();
        let passed = self.until(self.timeouts.ingest, || {
            let commits = kafka::committed(self.consumer, self.topic, &topic.partitions)?;
            let reached = commits.iter().zip(&log);
            committed = reached.map(|(commit, log)| commit.as_ref().map_or(log.start, |c| c.offset)).collect();
            Ok(committed.iter().zip(&ends).all(|(committed, end)| committed >= end))
        })?;
        if passed {
            return Ok(FenceOutcome::Passed(
                json!({"lsn": lsn.to_string(), "partitions": topic.partitions, "ends": ends, "committed": committed}),
            ));
        }
        let behind: i64 = committed.iter().zip(&ends).map(|(committed, end)| (end - committed).max(0)).sum();
        Ok(FenceOutcome::NotIngested(format!(
            "Kafka to ClickHouse: {behind} offsets of {} are not ingested yet; run its ingest job, or look why it does not run",
            self.topic
        )))
    }

    fn confirmed(&self, client: &mut Client, lsn: Lsn) -> Result<(bool, String)> {
        let sql = "SELECT coalesce(confirmed_flush_lsn >= $2, false), coalesce(confirmed_flush_lsn::text, 'nothing')
                   FROM pg_replication_slots WHERE slot_name = $1";
        let row = client
            .query_opt(sql, &[&self.slot, &PgLsn::from(lsn.get())])
            .context("asking how far the replication slot is")?;
        let row = row.ok_or_else(|| {
            needs_person(format!(
                "there is no replication slot {}: is this the captured server, and is the connector registered? (--slot, lockstep doctor)",
                self.slot
            ))
        })?;
        Ok((row.get(0), row.get(1)))
    }

    fn until(&self, timeout: Duration, mut condition: impl FnMut() -> Result<bool>) -> Result<bool> {
        let deadline = Instant::now() + timeout;
        loop {
            if condition()? {
                return Ok(true);
            }
            if self.stop.asked() {
                return Err(fault(Exit::Stopped, STOPPED));
            }
            if Instant::now() + PAUSE >= deadline {
                return Ok(false);
            }
            std::thread::sleep(PAUSE);
        }
    }
}
