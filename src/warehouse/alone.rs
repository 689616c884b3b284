//! Statements that may take longer than anybody waits. The server goes on with them when their client is killed; so they have a name, and
//! whoever comes next waits for the one that is at work instead of starting another beside it.

use std::time::{Duration, Instant};

use anyhow::Result;
use clickhouse::Row;
use serde::Deserialize;

use crate::exit::try_again;
use crate::warehouse::{Warehouse, quote};

/// Longer than this a run waits neither for another one's statement nor for its own.
const PATIENCE: Duration = Duration::from_secs(30 * 60);
const PAUSE: Duration = Duration::from_millis(200);

/// QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING
const SAME_ID: &str = "Code: 216.";

#[derive(Row, Deserialize)]
struct AtWork {
    elapsed: f64,
}

impl Warehouse {
    /// Runs a statement under a name that no other one has at the same time.
    ///
    /// # Errors
    /// Exit 75: it, or the one before it, is not done in half an hour; the server goes on, and the next run waits for it.
    pub fn execute_alone(&self, name: &str, what: &str, sql: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut is_said = false;
        loop {
            let at_work = self.at_work(name)?;
            if at_work.is_none() {
                match self.execute_within(PATIENCE, name, what, sql) {
                    // Another run came first; this user may not see its statement.
                    Err(error) if format!("{error:#}").contains(SAME_ID) => {}
                    ended => return ended,
                }
            }
            if !is_said {
                let since = at_work.map_or(String::new(), |elapsed| format!(", for {elapsed:.0} s now"));
                tracing::info!("{name}: rows are still being marked by an earlier run{since}: waiting for it");
                is_said = true;
            }
            if Instant::now() >= deadline {
                return Err(try_again(format!(
                    "{name}: the statement of an earlier run is still at work in ClickHouse (query_id {name:?}); run again later"
                )));
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn at_work(&self, name: &str) -> Result<Option<f64>> {
        let sql = format!("SELECT elapsed FROM system.processes WHERE query_id = {}", quote(name));
        let found: Vec<AtWork> = self.rows("looking for the statement of an earlier run", &sql)?;
        Ok(found.first().map(|row| row.elapsed))
    }
}
