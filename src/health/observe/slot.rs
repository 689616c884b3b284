//! The replication slot.

use postgres::Client;
use serde_json::{Value, json};

use super::connector::SeenConnector;
use super::look::{Look, POSTGRES};
use crate::health::finding::{Finding, Verdict, broken};
use crate::health::observe::alarm::Alarm;
use crate::health::slot::{self, Slot, size};
use crate::ledger::SlotRow;

/// A slot that is there.
pub struct SeenSlot {
    name: String,
    slot: Slot,
}

/// Looks at the slot; one that is not there at all is a wrong name, or a connector that has never come so far.
pub fn observe(look: &mut Look, client: &mut Client, connector: Option<&SeenConnector>) -> Option<SeenSlot> {
    let name = look.slot_name(connector);
    let reader = connector.map(|connector| connector.reader).unwrap_or_default();
    let slot = match slot::read(client, &name, reader) {
        Ok(slot) => slot,
        Err(error) => {
            look.notes.unseen("slot", &broken(&error, POSTGRES));
            return None;
        }
    };
    let health = slot::health(&name, slot.as_ref(), reader);
    let Some(slot) = slot else {
        look.notes.unseen("slot", &health);
        return None;
    };
    tell(look, &name, &slot, &health);
    Some(SeenSlot { name, slot })
}

/// That nobody reads it is normal while Connect moves its work about: it is an alarm when it was not read for a while, or never.
fn tell(look: &mut Look, name: &str, slot: &Slot, health: &Finding) {
    let sentence = format!("slot: {}", health.sentence());
    let since_ms = look.at_ms() - look.settings.slot_inactive_after.ms();
    match health.verdict {
        Verdict::Ok | Verdict::Skipped => {}
        _ if slot.active && health.verdict == Verdict::Warn => look.notes.seen(Alarm::SlotKeepsWal, name, 0, sentence),
        _ if slot.is_safe() && look.warehouse.was_read_since(name, since_ms).unwrap_or(false) => {
            look.notes.passing(Alarm::Slot, name, sentence);
        }
        _ => look.notes.seen(Alarm::Slot, name, 0, sentence),
    }
}

impl SeenSlot {
    /// As it is stored.
    pub fn row(&self, look: &Look) -> SlotRow {
        SlotRow {
            run_id: look.id.clone(),
            observed_at: look.at_ms(),
            dag_run_id: look.dag_run_id.clone(),
            slot: self.name.clone(),
            active: self.slot.active,
            wal_status: self.slot.wal_status.clone(),
            retained_bytes: self.slot.retained,
            confirmed_lsn: self.slot.confirmed_lsn,
            unconfirmed_bytes: self.slot.unconfirmed,
        }
    }

    /// For the summary.
    pub fn json(&self) -> Value {
        let Slot { active, wal_status, retained, confirmed_lsn, unconfirmed } = &self.slot;
        json!({
            "name": self.name, "active": active, "wal_status": wal_status, "retained_bytes": retained,
            "confirmed_lsn": confirmed_lsn, "unconfirmed_bytes": unconfirmed,
        })
    }

    /// For people.
    pub fn line(&self) -> String {
        let bytes = |bytes: Option<i64>| bytes.map_or("?".to_owned(), size);
        format!(
            "{}: {}, {}, keeps {} of WAL, {} not confirmed",
            self.name,
            if self.slot.active { "active" } else { "not active" },
            self.slot.wal_status,
            bytes(self.slot.retained),
            bytes(self.slot.unconfirmed)
        )
    }
}
