//! Consumers of the ledger that have not taken anything up for long: a check that was switched off, a build that nobody runs. Their positions
//! keep old rows from being pruned.

use super::alarm::Alarm;
use super::look::{CLICKHOUSE, Look};
use crate::cli::age;
use crate::health::finding::broken;
use crate::ledger::FarBehind;

/// Looks for them.
pub fn observe(look: &mut Look) {
    let before_ms = look.at_ms() - look.settings.consumer_behind_after.ms();
    match look.warehouse.far_behind(before_ms) {
        Ok(behind) => behind.iter().for_each(|behind| tell(look, behind)),
        Err(error) => look.notes.unseen("consumers of the ledger", &broken(&error, CLICKHOUSE)),
    }
}

fn tell(look: &mut Look, behind: &FarBehind) {
    let FarBehind { consumer, rows, since_ms, tables } = behind;
    let since = age(u64::try_from((look.at_ms() - since_ms) / 1000).unwrap_or(0));
    let sentence = format!(
        "{consumer} has not taken up {rows} rows of the ledger ({}), the oldest of them for {since}, and they cannot be pruned; {}",
        tables.join(", "),
        behind.remedy()
    );
    look.notes.seen(Alarm::ConsumerBehind, consumer, 0, sentence);
}
