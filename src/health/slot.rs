//! The connector's replication slot, as PostgreSQL sees it: does somebody read it, and how much WAL does it keep?

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use postgres::Client;

use crate::health::finding::{Finding, fail, ok, warn};

/// WAL that a slot keeps, in bytes, from which on somebody should look.
const MUCH_WAL: i64 = 1 << 30;
/// How long a slot may be without a reader while the connector says that it runs.
const RESTART: Duration = Duration::from_secs(4);

/// The connector, as the one who should read the slot.
#[derive(Debug, Clone, Copy, Default)]
pub struct SlotReader {
    /// Do all of its tasks run?
    pub runs: bool,
    /// Is its first snapshot not done yet? Until then nobody reads the slot, and topics are still to come.
    pub snapshots: bool,
}

impl SlotReader {
    fn should_read(self) -> bool {
        self.runs && !self.snapshots
    }
}

/// A replication slot.
#[derive(Debug, Clone)]
pub struct Slot {
    /// Does somebody read it?
    pub active: bool,
    /// reserved, extended, unreserved or lost.
    pub wal_status: String,
    /// WAL that PostgreSQL keeps for it, in bytes; nothing if the slot is lost.
    pub retained: Option<i64>,
    /// Up to where its reader has confirmed that it has everything.
    pub confirmed_lsn: Option<i64>,
    /// WAL behind that, in bytes.
    pub unconfirmed: Option<i64>,
}

impl Slot {
    /// Does PostgreSQL keep all that its reader has not read?
    pub fn is_safe(&self) -> bool {
        !["lost", "unreserved"].contains(&self.wal_status.as_str())
    }
}

/// Looks at a slot. A task that has just been started again takes a moment to come back: it is waited for.
///
/// # Errors
/// PostgreSQL is gone or refuses.
pub fn read(client: &mut Client, name: &str, reader: SlotReader) -> Result<Option<Slot>> {
    let deadline = Instant::now() + RESTART;
    loop {
        let slot = slot(client, name)?;
        let is_read = slot.as_ref().is_some_and(|slot| slot.active);
        if is_read || !reader.should_read() || Instant::now() >= deadline {
            return Ok(slot);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn slot(client: &mut Client, name: &str) -> Result<Option<Slot>> {
    let row = client
        .query_opt(
            "SELECT active, coalesce(wal_status, ''), pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::int8,
                    pg_wal_lsn_diff(confirmed_flush_lsn, '0/0')::int8, pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::int8
             FROM pg_replication_slots
             WHERE slot_name = $1",
            &[&name],
        )
        .context("looking at the replication slot")?;
    Ok(row.map(|row| Slot {
        active: row.get(0),
        wal_status: row.get(1),
        retained: row.get(2),
        confirmed_lsn: row.get(3),
        unconfirmed: row.get(4),
    }))
}

/// What is to be said of it.
pub fn health(name: &str, slot: Option<&Slot>, reader: SlotReader) -> Finding {
    let Some(slot) = slot else {
        let text = format!("there is no slot {name}: nobody captures");
        let fix =
            "the connector makes it when it starts, and then has to snapshot again: look at the connector's state";
        return if reader.should_read() { fail(text, fix) } else { warn(text, fix) };
    };
    let kept = slot.retained.unwrap_or(0);
    let keeps = format!("keeps {} of WAL", size(kept));
    let drop = format!("psql -c \"SELECT pg_drop_replication_slot('{name}')\"");
    match (slot.active, slot.wal_status.as_str()) {
        (_, "lost") => fail(
            format!(
                "{name} is lost: PostgreSQL has removed WAL that the connector had not read (max_slot_wal_keep_size)"
            ),
            format!("{drop}, then let the connector snapshot again"),
        ),
        (_, "unreserved") => fail(
            format!("{name} is about to be lost: the next checkpoint removes WAL that the connector has not read"),
            "let the connector catch up at once, and raise max_slot_wal_keep_size",
        ),
        (true, _) if kept < MUCH_WAL => ok(format!("{name} is active and {keeps}")),
        (true, _) => warn(
            format!("{name} is active, but {keeps}: the connector lags"),
            "see the connector's log; is heartbeat.action.query set?",
        ),
        (false, _) if reader.snapshots => ok(format!("{name} {keeps}; nobody reads it until the snapshot is done")),
        (false, _) if reader.runs => fail(
            format!("nobody reads {name}, though the connector says RUNNING; it {keeps}"),
            "look at Kafka Connect's log, and restart the connector; is it this PostgreSQL that it captures?",
        ),
        (false, _) => warn(
            format!("nobody reads {name}; it {keeps}, and more with every change"),
            format!("bring the connector back; if it is gone for good: {drop}"),
        ),
    }
}

/// Bytes, in a unit that fits.
pub fn size(bytes: i64) -> String {
    let mib = bytes as f64 / f64::from(1 << 20);
    if mib < 1024.0 { format!("{mib:.1} MiB") } else { format!("{:.1} GiB", mib / 1024.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_unit_that_fits() {
        assert_eq!((size(2640), size(3 << 30)), ("0.0 MiB".to_owned(), "3.0 GiB".to_owned()));
    }
}
