//! Which runs are alive: a run's session in PostgreSQL has the run's name, and ends with its process.

use anyhow::{Context, Result};
use postgres::Client;

use crate::exit::needs_person;

/// PostgreSQL cuts `application_name` off behind so many bytes.
const NAME_LENGTH: usize = 63;

/// What a run's session is called in `pg_stat_activity`.
///
/// A job whose runs are looked after by `observe` opens this session before its row in `{ops}.runs`, and keeps it until
/// after its final row.
pub fn session_name(job: &str, run: &str) -> String {
    let command = job.split(' ').next().unwrap_or(job);
    format!("{command} run {run}")
}

/// Every session of the server at one moment.
#[derive(Debug)]
pub struct Sessions {
    names: Vec<String>,
    /// When the server was started, in Unix milliseconds.
    since_ms: i64,
}

impl Sessions {
    /// The sessions of this moment. `application_name` is shown to every user.
    ///
    /// # Errors
    /// Exit 78 on a standby: the jobs' sessions are on the primary.
    pub fn now(client: &mut Client) -> Result<Sessions> {
        let row = client
            .query_one(
                "SELECT pg_is_in_recovery(), (extract(epoch FROM pg_postmaster_start_time()) * 1000)::int8,
                        (SELECT coalesce(array_agg(application_name), '{}') FROM pg_stat_activity WHERE application_name <> '')",
                &[],
            )
            .context("asking PostgreSQL which runs are alive")?;
        if row.get(0) {
            return Err(needs_person(
                "this PostgreSQL is a standby: it does not know which runs are alive; point POSTGRES_HOST at the primary",
            ));
        }
        Ok(Sessions { since_ms: row.get(1), names: row.get(2) })
    }

    /// Since when a run that started at `started_ms` may have been without a session; nothing if it has one. All in Unix milliseconds.
    ///
    /// A restart of the server ends every session: a run that was at work then gets its time to notice.
    pub fn without_since(&self, job: &str, run: &str, started_ms: i64) -> Option<i64> {
        (!self.has(job, run)).then_some(started_ms.max(self.since_ms))
    }

    fn has(&self, job: &str, run: &str) -> bool {
        let whole = session_name(job, run);
        self.names.iter().any(|name| *name == whole || (name.len() == NAME_LENGTH && whole.starts_with(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_postgresql_cuts_off_is_known_again() {
        let (long, run) = ("ingest-customer-customer-demo", "0193a2b4-1111-7222-8333-444455556666");
        let whole = session_name(long, run);
        let names = vec![whole[..NAME_LENGTH].to_owned(), session_name("ingest-orders", run)];
        let sessions = Sessions { names, since_ms: 0 };
        assert!(sessions.has(long, run) && sessions.has("ingest-orders", run));
        assert!(!sessions.has(long, "0193a2b4-1111-7222-9333-444455556666"), "another run of the same millisecond");
        assert_eq!(sessions.without_since("ingest-orders", run, 5), None);
        assert!(!sessions.has("ingest-order", run) && !sessions.has("ingest", run));
    }

    #[test]
    fn a_restart_of_the_server_says_nothing_of_the_runs_before_it() {
        let sessions = Sessions { names: Vec::new(), since_ms: 1_000 };
        assert_eq!(sessions.without_since("ingest-orders", "a", 900), Some(1_000));
        assert_eq!(sessions.without_since("ingest-orders", "b", 1_100), Some(1_100));
    }
}
