//! How late the warehouse is, by one clock: the source's. It is complete up to a moment W of that clock, which means that every change
//! committed before W is in it; lateness is the clock minus W.
//!
//! *In this order*, or W would promise too much: the newest update in the topic of the heartbeat's table (H), where the topics end, where
//! the ledger ends. The connector sends what was committed before H before H. So if all is read, W = H; else W is the commit time of
//! the oldest record that is not read yet, if that is earlier.

pub mod clock;
mod heartbeat;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use chrono::DateTime;
use postgres::Client;
use postgres::types::PgLsn;

use crate::cli::KafkaArgs;
use crate::health::lateness::clock::TOLERATED_MS;
use crate::health::{FirstUnread, Lag, TopicLag};
use crate::pipeline::name_in_sql;
use crate::tables::Pipeline;

const PAUSE: Duration = Duration::from_millis(100);

/// Up to when the source's changes have come to Kafka. Times are Unix milliseconds of the source's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Captured {
    /// What was committed before this moment is in the topics.
    UpTo(i64),
    /// There was a heartbeat, and Kafka has forgotten it: what was committed after this moment is not known to be there.
    NotSince(i64),
    /// Nobody knows; why, and what to do.
    Unknown(String),
}

/// Whose changes, and how to ask for them.
pub struct Source<'s> {
    /// The pipeline: its heartbeat tells how far the connector is.
    pub pipeline: &'s Pipeline,
    /// The source.
    pub client: &'s mut Client,
    /// The connector's slot, for when there is no heartbeat.
    pub slot: &'s str,
    /// What the topics' names begin with.
    pub prefix: &'s str,
    /// How long the slot may take to confirm what the source has.
    pub patience: Duration,
}

impl Source<'_> {
    /// Up to when its changes have come to Kafka.
    ///
    /// # Errors
    /// Kafka or PostgreSQL is gone or refuses.
    pub fn captured(&mut self, kafka: &KafkaArgs) -> Result<Captured> {
        let topic = self.pipeline.heartbeat_topic(self.prefix);
        let group = self.pipeline.client("heartbeat");
        if let Some(beat) = heartbeat::newest(kafka, &group, &topic)? {
            return Ok(Captured::UpTo(beat));
        }
        let slot = self.confirms_the_end()?;
        if let Some(up_to) = slot.up_to {
            return Ok(Captured::UpTo(up_to));
        }
        // The first heartbeat may have come meanwhile.
        if let Some(beat) = heartbeat::newest(kafka, &group, &topic)? {
            return Ok(Captured::UpTo(beat));
        }
        let why = format!("{topic} has no heartbeat, and slot {} {}", self.slot, slot.state);
        Ok(match heartbeat::kept_for(kafka, &group, &topic)? {
            Some(kept) => Captured::NotSince(slot.clock_ms - i64::try_from(kept.as_millis()).unwrap_or(i64::MAX)),
            None => Captured::Unknown(format!(
                "{why}: nobody knows how far the connector is; set its heartbeat.action.query, and let it capture {} (lockstep doctor)",
                name_in_sql(&self.pipeline.spec.connector.heartbeat)
            )),
        })
    }

    /// Without a heartbeat: has the slot confirmed what the log held at a moment before?
    fn confirms_the_end(&mut self) -> Result<Slot> {
        let asking = "asking how far the replication slot is";
        let end = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::int8, pg_current_wal_lsn()";
        let row = self.client.query_one(end, &[]).context(asking)?;
        let (clock_ms, lsn): (i64, PgLsn) = (row.get(0), row.get(1));
        let is_past =
            "SELECT coalesce(confirmed_flush_lsn >= $2, false), coalesce(confirmed_flush_lsn::text, 'nothing')
                       FROM pg_replication_slots WHERE slot_name = $1";
        let deadline = Instant::now() + self.patience;
        loop {
            let row = self.client.query_opt(is_past, &[&self.slot, &lsn]).context(asking)?;
            let Some(row) = row else { return Ok(Slot { up_to: None, clock_ms, state: "is not there".to_owned() }) };
            if row.get(0) {
                return Ok(Slot { up_to: Some(clock_ms), clock_ms, state: String::new() });
            }
            if Instant::now() + PAUSE >= deadline {
                let state = format!("has confirmed {} of {lsn}", row.get::<_, String>(1));
                return Ok(Slot { up_to: None, clock_ms, state });
            }
            std::thread::sleep(PAUSE);
        }
    }
}

struct Slot {
    up_to: Option<i64>,
    clock_ms: i64,
    state: String,
}

impl Captured {
    /// Up to when the warehouse has what a topic gets.
    ///
    /// # Errors
    /// That cannot be said; why, and what to do.
    pub fn complete_up_to(&self, topic: &TopicLag, now_ms: i64) -> Result<i64, String> {
        let captured = match self {
            Captured::UpTo(ms) | Captured::NotSince(ms) => *ms,
            Captured::Unknown(why) => return Err(why.clone()),
        };
        self.is_past(now_ms)?;
        topic.partitions.iter().try_fold(captured, |up_to, partition| {
            let what = format!("the oldest unread record of partition {}", partition.partition);
            match partition.first_unread {
                FirstUnread::Nothing => Ok(up_to),
                FirstUnread::Since(ms) => is_past(&what, now_ms, ms).map(|()| up_to.min(ms)),
                FirstUnread::Unknown => Err(format!("{what} could not be read in time")),
            }
        })
    }

    /// Is it a moment that the source's clock has reached?
    ///
    /// # Errors
    /// It is not; what that means.
    pub fn is_past(&self, now_ms: i64) -> Result<(), String> {
        match self {
            Captured::UpTo(ms) => is_past("the newest heartbeat", now_ms, *ms),
            Captured::NotSince(_) | Captured::Unknown(_) => Ok(()),
        }
    }

    /// In words, at a moment of the source's clock.
    pub fn text(&self, now_ms: i64) -> String {
        match self {
            Captured::UpTo(ms) => {
                self.is_past(now_ms).map_or_else(|why| why, |()| format!("{} s behind", seconds(now_ms, *ms)))
            }
            Captured::NotSince(ms) => format!(
                "at least {} s behind (Kafka keeps heartbeats for so long, and has none; is it written, and does its table have its row?)",
                seconds(now_ms, *ms)
            ),
            Captured::Unknown(why) => why.clone(),
        }
    }
}

/// Says of each topic how long its oldest unread records wait, and how late its table is.
pub fn measure(lags: &mut [Lag], captured: Option<&Captured>, now_ms: i64) {
    for topic in lags.iter_mut().filter_map(|lag| lag.found.as_mut().ok()) {
        let up_to = captured.map(|captured| captured.complete_up_to(topic, now_ms));
        topic.late_seconds = up_to.as_ref().and_then(|up_to| up_to.as_ref().ok()).map(|up_to| seconds(now_ms, *up_to));
        topic.late_unknown = up_to.and_then(Result::err);
        for partition in &mut topic.partitions {
            partition.lag_seconds = match partition.first_unread {
                FirstUnread::Nothing => Some(0),
                FirstUnread::Since(ms) if !is_ahead(now_ms, ms) => Some(seconds(now_ms, ms)),
                FirstUnread::Since(_) | FirstUnread::Unknown => None,
            };
        }
    }
}

/// Has the source's clock not reached this moment of it? What was read before the clock is past, unless that was set back since, or the
/// moment is another server's.
fn is_ahead(now_ms: i64, then_ms: i64) -> bool {
    then_ms - now_ms > TOLERATED_MS
}

fn is_past(what: &str, now_ms: i64, then_ms: i64) -> Result<(), String> {
    if !is_ahead(now_ms, then_ms) {
        return Ok(());
    }
    Err(format!(
        "{what} is {} s ahead of PostgreSQL's clock, which was set back (or another server has written it): what is late cannot be told by it \
         until that moment has come, or something newer; synchronise the servers' clocks (chrony)",
        (then_ms - now_ms) / 1000
    ))
}

/// Whole seconds from a moment to a later one.
pub fn seconds(now_ms: i64, then_ms: i64) -> u64 {
    u64::try_from((now_ms - then_ms) / 1000).unwrap_or(0)
}

/// A moment for people.
pub fn time(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).map_or("?".to_owned(), |time| time.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}
