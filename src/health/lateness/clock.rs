//! The servers' clocks against this machine's. What is measured across machines is wrong by as much as they differ.

use anyhow::{Context, Result};
use chrono::Utc;
use clickhouse::Row;
use postgres::Client;
use serde::Deserialize;

use crate::health::finding::{Finding, warn};
use crate::warehouse::Warehouse;

/// What the servers' clocks may differ by.
pub const TOLERATED_MS: i64 = 1_000;
/// Of so many readings the one with the shortest way there and back counts.
const READINGS: usize = 3;

/// A server's clock, read once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Unix milliseconds, by that clock.
    pub now_ms: i64,
    /// Ahead of this machine by so much; the truth lies within `uncertain_ms` of it.
    pub skew_ms: i64,
    /// Half of the way there and back.
    pub uncertain_ms: i64,
}

impl Clock {
    /// Reads a clock: it is compared with the middle of the way there and back.
    fn read(mut ask: impl FnMut() -> Result<i64>) -> Result<Clock> {
        let mut best: Option<Clock> = None;
        for _ in 0..READINGS {
            let asked_ms = Utc::now().timestamp_millis();
            let now_ms = ask()?;
            let answered_ms = Utc::now().timestamp_millis();
            let uncertain_ms = (answered_ms - asked_ms + 1) / 2;
            let skew_ms = now_ms - (asked_ms + answered_ms) / 2;
            let reading = Clock { now_ms, skew_ms, uncertain_ms };
            // The last reading's moment, the surest reading's skew.
            best = Some(match best {
                Some(best) if best.uncertain_ms <= uncertain_ms => Clock { now_ms, ..best },
                _ => reading,
            });
        }
        best.context("a clock that was never read")
    }

    /// The source's.
    ///
    /// # Errors
    /// PostgreSQL is gone or refuses.
    pub fn of_source(client: &mut Client) -> Result<Clock> {
        Clock::read(|| {
            let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::int8";
            Ok(client.query_one(sql, &[]).context("asking PostgreSQL for the time")?.get(0))
        })
    }

    /// The warehouse's.
    ///
    /// # Errors
    /// ClickHouse is gone or refuses.
    pub fn of_warehouse(warehouse: &Warehouse) -> Result<Clock> {
        #[derive(Row, Deserialize)]
        struct Now {
            ms: i64,
        }
        let sql = "SELECT toUnixTimestamp64Milli(now64(3)) AS ms";
        Clock::read(|| Ok(warehouse.row::<Now>("asking for the time", sql)?.ms))
    }

    /// This machine's, for want of another one.
    pub fn of_this_machine() -> Clock {
        Clock { now_ms: Utc::now().timestamp_millis(), skew_ms: 0, uncertain_ms: 0 }
    }
}

/// What is to be said if clocks certainly differ by more than a second; each is compared with this machine's, too.
pub fn skew(source: Clock, warehouse: Clock) -> Option<Finding> {
    let here = Clock { now_ms: 0, skew_ms: 0, uncertain_ms: 0 };
    let apart = |a: Clock, b: Clock| (a.skew_ms - b.skew_ms).abs() - a.uncertain_ms - b.uncertain_ms;
    let most = [(source, here), (warehouse, here), (source, warehouse)].map(|(a, b)| apart(a, b)).into_iter().max()?;
    (most > TOLERATED_MS).then(|| {
        let each = |name: &str, clock: Clock| format!("{name} {:+} ms (± {})", clock.skew_ms, clock.uncertain_ms);
        warn(
            format!(
                "the clocks differ: against this machine {}, {}; times of the one are no times of the other",
                each("PostgreSQL", source),
                each("ClickHouse", warehouse)
            ),
            "synchronise them: timedatectl set-ntp true (or chrony)",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(skew_ms: i64, uncertain_ms: i64) -> Clock {
        Clock { now_ms: 0, skew_ms, uncertain_ms }
    }

    #[test]
    fn only_a_difference_that_is_certain_is_told() {
        assert_eq!(skew(clock(900, 0), clock(0, 0)), None);
        assert_eq!(skew(clock(1_500, 600), clock(0, 0)), None, "the answer was slow");
        assert!(skew(clock(0, 3), clock(-1_200, 5)).is_some_and(|f| f.text.contains("ClickHouse -1200 ms (± 5)")));
        assert!(skew(clock(700, 1), clock(-700, 1)).is_some(), "each is near us, but not near the other one");
    }
}
