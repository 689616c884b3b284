//! One run per partition, one build per warehouse: session-level advisory locks on the primary.
//!
//! An Airflow retry starts while the killed worker's container lives on; cron runs beside a DAG; a sharded run beside
//! an unsharded one. The lock ends with its session, so a dead run holds nothing.

use anyhow::{Context, Result};
use postgres::Client;
use xxhash_rust::xxh3::xxh3_64;

use crate::cli::{needs_person, try_again};

fn lock_class(who: &str, what: &str) -> i32 {
    xxh3_64(format!("{who}\0{what}").as_bytes()) as i32
}

/// Locks every partition, or none.
///
/// # Errors
/// Exit 75 if another run holds one, naming it; 78 on a standby, where advisory locks mean nothing to others.
pub fn lock(client: &mut Client, group: &str, topic: &str, partitions: &[i32]) -> Result<()> {
    let Some(busy) = take(client, lock_class(group, topic), partitions)? else { return Ok(()) };
    let (partitions, holders) = (join(&busy.locks), busy.holders);
    Err(try_again(format!("{topic}, partition {partitions}: another run is at work: {holders}; nothing was done")))
}

/// Locks a job that reads no topic but works on a whole database of the warehouse.
///
/// # Errors
/// As [`lock`].
pub fn lock_job(client: &mut Client, job: &str, database: &str) -> Result<()> {
    let Some(busy) = take(client, lock_class(job, database), &[0])? else { return Ok(()) };
    Err(try_again(format!("{job} of {database}: another run is at work: {}; nothing was done", busy.holders)))
}

/// Locks that another session holds.
struct Busy {
    locks: Vec<i32>,
    holders: String,
}

/// Takes all of these locks, or none and says who is in the way.
fn take(client: &mut Client, class: i32, locks: &[i32]) -> Result<Option<Busy>> {
    let row = client
        .query_one(
            "SELECT pg_is_in_recovery(), array_agg(p) FILTER (WHERE NOT pg_try_advisory_lock($1, p)) FROM unnest($2::int4[]) AS p",
            &[&class, &locks],
        )
        .context("taking the run's locks in PostgreSQL")?;
    if row.get::<_, bool>(0) {
        return Err(needs_person(
            "this PostgreSQL is a standby: locks taken here are not seen by other runs; point POSTGRES_HOST at the primary",
        ));
    }
    let Some(locks) = row.get::<_, Option<Vec<i32>>>(1) else { return Ok(None) };
    let holders = holders(client, class, &locks)?;
    client.execute("SELECT pg_advisory_unlock_all()", &[]).context("giving the locks back")?;
    Ok(Some(Busy { locks, holders }))
}

/// Is the session that holds the locks still alive? Session locks live exactly as long as their session.
///
/// # Errors
/// Exit 75: it is gone, and another run may have the partitions by now.
pub fn still_held(client: &mut Client) -> Result<()> {
    client.simple_query("").map(|_| ()).map_err(|error| {
        try_again(format!(
            "the PostgreSQL session that holds the partitions' locks is gone ({error}); another run may be at work, so this window stays open; run again"
        ))
    })
}

fn holders(client: &mut Client, class: i32, locks: &[i32]) -> Result<String> {
    let rows = client
        .query(
            "SELECT DISTINCT coalesce(nullif(a.application_name, ''), 'unnamed session') || ' (pid ' || a.pid || ', from ' ||
                    coalesce(host(a.client_addr), 'local') || ', since ' || to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC)'
             FROM pg_locks l
             JOIN pg_stat_activity a USING (pid)
             WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.pid <> pg_backend_pid()
               AND l.classid = ($1::int8 & 4294967295)::oid AND l.objid::int8 = ANY($2::int8[])",
            &[&i64::from(class), &locks.iter().map(|lock| i64::from(*lock)).collect::<Vec<_>>()],
        )
        .context("asking who holds the locks")?;
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    Ok(if names.is_empty() { "it has just ended".to_owned() } else { names.join(", ") })
}

fn join(locks: &[i32]) -> String {
    locks.iter().map(i32::to_string).collect::<Vec<_>>().join(", ")
}
