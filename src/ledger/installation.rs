//! Where the books belong: they are of one warehouse, and its jobs lock in one PostgreSQL database.
//!
//! Positions, generations and truncates carry neither name. Two warehouses of one ledger would each miss what the other has taken up;
//! jobs that lock in two databases would not see each other.

use anyhow::Result;
use chrono::Utc;
use clickhouse::Row;
use serde::{Deserialize, Serialize};

use crate::exit::{needs_person, try_again};
use crate::source::LockPlace;
use crate::warehouse::Warehouse;

/// So often the first row may have been deleted, before whoever wants to write it gives up.
const MOST_ROUNDS: u32 = 1_000;

/// A row of `{ops}.installation`.
#[derive(Debug, Clone, PartialEq, Eq, Row, Serialize, Deserialize)]
pub struct Installation {
    /// Database of the warehouse tables.
    pub warehouse: String,
    /// System identifier of the PostgreSQL server in which jobs lock; empty if it does not tell.
    pub lock_system: String,
    /// Its database.
    pub lock_database: String,
    /// Version of the executable.
    pub noted_by: String,
    /// Milliseconds since the epoch.
    pub noted_at: i64,
}

impl Installation {
    /// Where the jobs lock.
    pub fn locks(&self) -> LockPlace {
        LockPlace { system: self.lock_system.clone(), database: self.lock_database.clone() }
    }

    /// Are the books those of this warehouse?
    ///
    /// # Errors
    /// Exit 78: they are another one's.
    pub fn refuse_other_warehouse(&self, of: &Warehouse) -> Result<()> {
        if self.warehouse == of.db { Ok(()) } else { Err(other_warehouse(&of.ops, &self.warehouse, &of.db)) }
    }

    /// Do the jobs lock here?
    ///
    /// # Errors
    /// Exit 78: they lock elsewhere.
    pub fn refuse_other_locks(&self, books: &str, here: &LockPlace) -> Result<()> {
        let there = self.locks();
        if there.may_be(here) {
            return Ok(());
        }
        Err(needs_person(format!(
            "the jobs of {books} lock in PostgreSQL database {there}; this one would lock in {here}, and neither would see the other. Nothing was \
             done. If this is the wrong one, set POSTGRES_HOST, POSTGRES_PORT and POSTGRES_DB. If the source has moved, end the jobs that \
             still use the old one, then run `migrate --moved`"
        )))
    }
}

/// Exit 78, with what to do.
pub fn other_warehouse(books: &str, owner: &str, this: &str) -> anyhow::Error {
    needs_person(format!(
        "{books} are the books of the warehouse {owner}, not of {this}: what was read, and what checks and builds have taken up, is said of one \
         warehouse. Nothing was done. For {owner}: CLICKHOUSE_DB={owner}. For a second warehouse: books of its own (CLICKHOUSE_OPS_DB, then \
         `migrate`). If {owner} was renamed, or restored as {this}: `migrate --moved`"
    ))
}

impl Warehouse {
    /// Where the books belong, if they say so. The table has to be there.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn installation(&self) -> Result<Option<Installation>> {
        let sql = format!(
            "SELECT warehouse, lock_system, lock_database, noted_by, toUnixTimestamp64Milli(installation.noted_at) AS noted_at
             FROM {}.installation ORDER BY installation.noted_at DESC LIMIT 1",
            self.ops
        );
        Ok(self.rows("asking where the books belong", &sql)?.into_iter().next())
    }

    /// Notes down that the books belong here; what they said before counts no more.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn move_books(&self, locks: &LockPlace) -> Result<()> {
        // Above what they say now, though it was noted by a clock that is ahead of this one.
        let newest = self.installation()?.map_or(0, |newest| newest.noted_at);
        let here = self.here(locks);
        let row = Installation { noted_at: here.noted_at.max(newest + 1), ..here };
        self.insert::<Installation>(
            &self.ops,
            "installation",
            &format!("moved/{}", uuid::Uuid::now_v7()),
            [&row].into_iter(),
        )
    }

    /// Notes down that the books belong here, if they do not say yet where: compare and set, as for generations.
    ///
    /// # Errors
    /// Exit 78: they belong elsewhere. The server is gone or refuses.
    pub fn claim_books(&self, locks: &LockPlace) -> Result<()> {
        for round in 0..MOST_ROUNDS {
            if let Some(owner) = self.installation()? {
                owner.refuse_other_warehouse(self)?;
                return owner.refuse_other_locks(&self.ops, locks);
            }
            let row = self.here(locks);
            self.insert::<Installation>(&self.ops, "installation", &format!("first/{round}"), [&row].into_iter())?;
        }
        Err(try_again(format!("{}.installation keeps losing its row; run again", self.ops)))
    }

    fn here(&self, locks: &LockPlace) -> Installation {
        Installation {
            warehouse: self.db.clone(),
            lock_system: locks.system.clone(),
            lock_database: locks.database.clone(),
            noted_by: crate::VERSION.to_owned(),
            noted_at: Utc::now().timestamp_millis(),
        }
    }
}
