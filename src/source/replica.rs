//! Look-ups may go to a read replica. It lags, so before each window it has to have replayed what the primary had written by then:
//! else rows that it does not have *yet* would pass for rows that do not exist.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use postgres::Client;
use postgres::types::PgLsn;

use crate::cli::{PostgresArgs, ReplicaArgs};
use crate::exit::try_again;
use crate::source::connect_to;

/// The session that answers look-ups.
pub struct LookUps {
    replica: Option<Client>,
    patience: Duration,
}

impl LookUps {
    /// Look-ups by the replica that flags name, or else by the primary itself.
    ///
    /// # Errors
    /// The replica is not there, or refuses.
    pub fn connect(args: &PostgresArgs, replica: &ReplicaArgs, name: &str) -> Result<LookUps> {
        let connect = |host: &String| connect_to(args, host, replica.lookup_port, name);
        let client = replica.lookup_host.as_ref().map(connect).transpose()?;
        Ok(LookUps { replica: client, patience: replica.lookup_wait })
    }

    /// The session to ask about everything that the primary has committed by now.
    ///
    /// The LSN of a change is not enough to wait for: a transaction becomes visible with its commit, which stands behind it in the
    /// log, and events do not say where.
    ///
    /// # Errors
    /// Exit 75: the replica is too far behind.
    pub fn up_to_date<'c>(&'c mut self, primary: &'c mut Client) -> Result<&'c mut Client> {
        let Some(replica) = &mut self.replica else { return Ok(primary) };
        let written: PgLsn = primary
            .query_one("SELECT pg_current_wal_flush_lsn()", &[])
            .context("asking the primary how far it is")?
            .get(0);
        let deadline = Instant::now() + self.patience;
        loop {
            let row = replica
                .query_one(
                    "SELECT NOT pg_is_in_recovery() OR coalesce(pg_last_wal_replay_lsn() >= $1, false),
                            coalesce(pg_last_wal_replay_lsn()::text, 'nothing')",
                    &[&written],
                )
                .context("asking the read replica how far it is")?;
            if row.get(0) {
                return Ok(replica);
            }
            if Instant::now() >= deadline {
                return Err(try_again(format!(
                    "the read replica for look-ups has replayed {}, the primary is at {written}: not there within {} s; run again, \
                     or let the look-ups go to the primary (no --lookup-host)",
                    row.get::<_, String>(1),
                    self.patience.as_secs()
                )));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
