//! One run per partition, one replay per table, one build per warehouse, and nobody writes to a table while a new number is taken
//! for it: session-level advisory locks on the primary.
//!
//! An Airflow retry starts while the killed worker's container lives on; cron runs beside a DAG; a sharded run beside
//! an unsharded one. The lock ends with its session, so a dead run holds nothing.

use anyhow::{Context, Result};
use postgres::Client;
use xxhash_rust::xxh3::xxh3_64;

use crate::exit::{needs_person, try_again};

pub(super) fn lock_class(who: &str, what: &str) -> i32 {
    xxh3_64(format!("{who}\0{what}").as_bytes()) as i32
}

/// Locks every partition, or none.
///
/// # Errors
/// Exit 75 if another run holds one, naming it; 78 on a standby, where advisory locks mean nothing to others.
pub fn lock(client: &mut Client, group: &str, topic: &str, partitions: &[i32]) -> Result<()> {
    let name = |busy: &[i32]| format!("{topic}, partition {}", join(busy.iter().map(i32::to_string)));
    take(client, lock_class(group, topic), partitions, name)
}

/// Locks every table for a kind of work, or none. `books` tells pipelines apart that share a source.
///
/// # Errors
/// As [`lock`].
pub fn lock_tables(client: &mut Client, work: &str, books: &str, tables: &[&str]) -> Result<()> {
    let number = |table: &str| xxh3_64(table.as_bytes()) as i32;
    let numbers: Vec<i32> = tables.iter().map(|table| number(table)).collect();
    let name = |busy: &[i32]| {
        let busy = tables.iter().filter(|table| busy.contains(&number(table)));
        format!("{work} of {}", join(busy.map(|table| (*table).to_owned())))
    };
    take(client, lock_class(work, books), &numbers, name)
}

/// Locks a job that reads no topic but works on a whole database of the warehouse.
///
/// # Errors
/// As [`lock`].
pub fn lock_job(client: &mut Client, job: &str, database: &str) -> Result<()> {
    take(client, lock_class(job, database), &[0], |_| format!("{job} of {database}"))
}

/// A warehouse table that is written to (shared), or given a new generation (for oneself).
#[derive(Debug, Clone)]
pub struct TargetLock {
    name: String,
    class: i32,
    number: i32,
}

impl TargetLock {
    /// That of a table of a warehouse database.
    pub fn of(database: &str, table: &str) -> TargetLock {
        let (class, number) = (lock_class("write", database), xxh3_64(table.as_bytes()) as i32);
        TargetLock { name: format!("{database}.{table}"), class, number }
    }

    /// Takes it together with others, if nobody has it for himself.
    ///
    /// # Errors
    /// Exit 78 on a standby.
    pub fn share(&self, client: &mut Client) -> Result<bool> {
        self.ask(client, "pg_try_advisory_lock_shared")
    }

    /// Takes it for oneself, if nobody has it.
    ///
    /// # Errors
    /// Exit 78 on a standby.
    pub fn own(&self, client: &mut Client) -> Result<bool> {
        self.ask(client, "pg_try_advisory_lock")
    }

    /// Gives back what [`TargetLock::share`] took.
    ///
    /// # Errors
    /// The session is gone.
    pub fn unshare(&self, client: &mut Client) -> Result<()> {
        self.ask(client, "pg_advisory_unlock_shared").map(|_| ())
    }

    /// Gives back what [`TargetLock::own`] took.
    ///
    /// # Errors
    /// The session is gone.
    pub fn disown(&self, client: &mut Client) -> Result<()> {
        self.ask(client, "pg_advisory_unlock").map(|_| ())
    }

    /// Others have it: exit 75, and who they are.
    pub fn busy(&self, client: &mut Client, why: &str) -> anyhow::Error {
        match holders(client, self.class, &[self.number]) {
            Ok(holders) => try_again(format!("{}: {why}: {holders}; nothing was done", self.name)),
            Err(error) => error,
        }
    }

    fn ask(&self, client: &mut Client, function: &str) -> Result<bool> {
        let sql = format!("SELECT pg_is_in_recovery(), {function}($1, $2)");
        let row = client
            .query_one(&sql, &[&self.class, &self.number])
            .with_context(|| format!("asking PostgreSQL for the lock of {}", self.name))?;
        if row.get(0) { Err(standby()) } else { Ok(row.get(1)) }
    }
}

fn standby() -> anyhow::Error {
    needs_person(
        "this PostgreSQL is a standby: locks taken here are not seen by other runs; point POSTGRES_HOST at the primary",
    )
}

fn take(client: &mut Client, class: i32, numbers: &[i32], name: impl Fn(&[i32]) -> String) -> Result<()> {
    let row = client
        .query_one(
            "SELECT pg_is_in_recovery(), array_agg(p) FILTER (WHERE NOT pg_try_advisory_lock($1, p)) FROM unnest($2::int4[]) AS p",
            &[&class, &numbers],
        )
        .context("taking the locks in PostgreSQL")?;
    if row.get::<_, bool>(0) {
        return Err(standby());
    }
    let Some(busy) = row.get::<_, Option<Vec<i32>>>(1) else { return Ok(()) };
    let holders = holders(client, class, &busy)?;
    // Not all locks of the session: it also holds the books.
    let taken: Vec<i32> = numbers.iter().copied().filter(|number| !busy.contains(number)).collect();
    client
        .execute("SELECT pg_advisory_unlock($1, p) FROM unnest($2::int4[]) AS p", &[&class, &taken])
        .context("giving the locks back")?;
    Err(try_again(format!("{}: another run is at work: {holders}; nothing was done", name(&busy))))
}

/// Gives a session's locks back. Not left to its end: the next run may start before PostgreSQL has noticed that.
pub fn unlock(client: &mut Client) {
    let _ = client.simple_query("SELECT pg_advisory_unlock_all()");
}

/// Is the session that holds the locks still alive? Session locks live exactly as long as their session.
///
/// # Errors
/// Exit 75: it is gone, and another run may have the partitions by now.
pub fn still_held(client: &mut Client) -> Result<()> {
    client.simple_query("").map(|_| ()).map_err(|error| {
        try_again(format!(
            "the PostgreSQL session that holds the locks is gone ({error}); another run may be at work, so nothing more is written; run again"
        ))
    })
}

pub(super) fn holders(client: &mut Client, class: i32, numbers: &[i32]) -> Result<String> {
    let rows = client
        .query(
            "SELECT DISTINCT coalesce(nullif(a.application_name, ''), 'unnamed session') || ' (pid ' || a.pid || ', from ' ||
                    coalesce(host(a.client_addr), 'local') || ', since ' || to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC)'
             FROM pg_locks l
             JOIN pg_stat_activity a USING (pid)
             WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.pid <> pg_backend_pid()
               AND l.classid = ($1::int8 & 4294967295)::oid AND l.objid::int8 = ANY($2::int8[])",
            &[&i64::from(class), &numbers.iter().map(|number| i64::from(*number as u32)).collect::<Vec<_>>()],
        )
        .context("asking who holds the locks")?;
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    Ok(if names.is_empty() { "it has just ended".to_owned() } else { names.join(", ") })
}

fn join(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
