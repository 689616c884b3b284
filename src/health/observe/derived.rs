//! Rows of derived tables that are set aside: they are in no table, and only a correction brings them back.

use super::alarm::Alarm;
use super::look::{CLICKHOUSE, Look};
use crate::health::finding::broken;
use crate::ledger::SetAside;

/// Looks for them.
pub fn observe(look: &mut Look) {
    match look.warehouse.set_aside() {
        Ok(tables) => tables.iter().for_each(|table| tell(look, table)),
        Err(error) => look.notes.unseen("what derived tables cannot hold", &broken(&error, CLICKHOUSE)),
    }
}

fn tell(look: &mut Look, table: &SetAside) {
    let SetAside { derived, rows, example } = table;
    let sentence = format!(
        "{derived}: {rows} row(s) have values that it cannot hold as they are, and are not in it, as {example}; correct them in PostgreSQL, or \
         widen the column and build it with --full ({}.derived_rejected has all of them)",
        look.warehouse.ops
    );
    look.notes.seen(Alarm::DerivedRejected, derived, *rows, sentence);
}
