//! When a run began, and how long ago that is by a clock that nobody can set.
//!
//! A run's final row must win against its first one, and against observe's mark that it is lost, which is one millisecond above the
//! first. The row with the highest `updated_at` wins; the machine's clock may be set back in between. So only the beginning is read
//! from it, and the time since from the monotonic clock.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

/// A run's clock, started with the run.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    at: DateTime<Utc>,
    since: Instant,
}

impl Clock {
    /// The run begins now.
    pub fn start() -> Clock {
        Clock { at: Utc::now(), since: Instant::now() }
    }

    /// The beginning, in Unix milliseconds.
    pub fn started_ms(&self) -> i64 {
        self.at.timestamp_millis()
    }

    /// For how long the run has been going on.
    pub fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    /// Unix milliseconds of a final row that is written after this long.
    pub fn ended_ms(&self, after: Duration) -> i64 {
        let since = TimeDelta::from_std(after).unwrap_or_default().num_milliseconds();
        self.started_ms() + since.max(ABOVE_THE_MARK)
    }
}

/// The first row stands at the beginning, observe's mark 1 ms later.
const ABOVE_THE_MARK: i64 = 2;

/// `_updated_at` of this moment.
pub fn now_seconds() -> u32 {
    u32::try_from(Utc::now().timestamp()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_above_the_mark_of_a_lost_run_however_short_the_run_is() {
        let clock = Clock::start();
        let ended = |after: Duration| clock.ended_ms(after) - clock.started_ms();
        assert_eq!(ended(Duration::ZERO), 2);
        assert_eq!(ended(Duration::from_micros(1_900)), 2);
        assert_eq!(ended(Duration::from_secs(90)), 90_000);
    }
}
