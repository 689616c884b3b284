//! Tables that are older than the books.

use super::alarm::Alarm;
use super::look::{CLICKHOUSE, Look};
use crate::health::finding::broken;
use crate::ledger::NewestWindow;
use crate::tables::Table;

/// Asks of each table whether it has the rows of its newest window.
pub fn look(look: &mut Look, tables: &[&'static Table]) {
    for table in tables {
        match look.warehouse.rows_missing(table) {
            Ok(None) => {}
            Ok(Some(newest)) => look.notes.seen(Alarm::RowsMissing, table.target, 0, sentence(table.target, &newest)),
            Err(error) => return look.notes.unseen("rows of the newest windows", &broken(&error, CLICKHOUSE)),
        }
    }
}

/// What is missing, and what that means.
pub fn sentence(target: &str, newest: &NewestWindow) -> String {
    let NewestWindow { topic, partition, start_offset, end_offset, closed_at } = newest;
    format!(
        "{target} is older than its books: {topic}, partition {partition}, offsets {start_offset}..{end_offset} were written to it ({closed_at}), but it \
         has no row from there on; it was emptied, or restored from an older copy. Ingest does not read them again by itself"
    )
}
