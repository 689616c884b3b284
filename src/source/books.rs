//! Jobs and `migrate` keep apart: every job that writes holds the books together with others for as long as its session lives,
//! `migrate` holds them alone while it changes them.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result};
use postgres::Client;
use postgres::error::SqlState;

use crate::exit::{needs_person, try_again};
use crate::source::identity;
use crate::source::locks::{holders, lock_class};

/// A database in which jobs lock: those of another one do not see these locks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockPlace {
    /// The server's system identifier; empty if it does not tell.
    pub system: String,
    /// The database's name.
    pub database: String,
}

impl LockPlace {
    /// The session's.
    ///
    /// # Errors
    /// The server is gone.
    pub fn of(client: &mut Client) -> Result<LockPlace> {
        let identity = identity(client)?.unwrap_or_default();
        let system = identity.split('/').next().unwrap_or_default().to_owned();
        let row = client.query_one("SELECT current_database()::text", &[]).context("asking for the database's name")?;
        Ok(LockPlace { system, database: row.get(0) })
    }

    /// The same, as far as servers tell. A standby that was promoted is still the same.
    pub fn may_be(&self, other: &LockPlace) -> bool {
        let same_system = self.system == other.system || self.system.is_empty() || other.system.is_empty();
        same_system && self.database == other.database
    }
}

impl fmt::Display for LockPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.system.as_str() {
            "" => write!(f, "{}", self.database),
            system => write!(f, "{} of server {system}", self.database),
        }
    }
}

fn class(books: &str) -> i32 {
    lock_class("books", books)
}

/// Holds the books together with other jobs.
///
/// # Errors
/// Exit 75: `migrate` has them, or waits for them.
pub fn share_books(client: &mut Client, books: &str) -> Result<()> {
    let class = class(books);
    let row = client
        .query_one("SELECT pg_try_advisory_lock_shared($1, 0)", &[&class])
        .context("holding the books, with a lock in PostgreSQL")?;
    if row.get(0) {
        return Ok(());
    }
    let holders = holders(client, class, &[0])?;
    Err(try_again(format!("{books} is being migrated, or is about to be: {holders}; nothing was done")))
}

/// Takes the books alone, as soon as the jobs that hold them have ended. While it waits, no other job begins.
///
/// # Errors
/// Exit 75: jobs are still at work after `patience`, naming them; 78 on a standby, where locks mean nothing to others.
pub fn take_books(client: &mut Client, books: &str, patience: Duration) -> Result<()> {
    let class = class(books);
    if client.query_one("SELECT pg_is_in_recovery()", &[]).context("asking whether PostgreSQL is a standby")?.get(0) {
        return Err(needs_person(
            "this PostgreSQL is a standby: locks taken here are not seen by the jobs; point POSTGRES_HOST at the primary",
        ));
    }
    // 0 would be no limit.
    let limit = patience.as_millis().max(1);
    client
        .batch_execute(&format!("SET statement_timeout = 0; SET lock_timeout = {limit}"))
        .context("setting the patience")?;
    match client.execute("SELECT pg_advisory_lock($1, 0)", &[&class]) {
        Ok(_) => Ok(()),
        Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
            let holders = holders(client, class, &[0])?;
            Err(try_again(format!(
                "{books}: jobs are at work: {holders}; nothing was changed; run again, or with a longer --wait"
            )))
        }
        Err(error) => Err(error).context("taking the books, with a lock in PostgreSQL"),
    }
}
