//! Tables that are older than the books.

use super::alarm::Alarm;
use super::look::{CLICKHOUSE, Look};
use crate::health::finding::broken;
use crate::ledger::NewestWindow;
use crate::tables::Table;

/// Partitions that are named.
const NAMED: usize = 10;

/// Asks of each table whether it has the rows of its newest windows.
pub fn observe(look: &mut Look, tables: &[&'static Table]) {
    for table in tables {
        match look.warehouse.rows_missing(table) {
            Ok(missing) if missing.is_empty() => {}
            Ok(missing) => look.notes.seen(Alarm::RowsMissing, table.target, 0, sentence(table.target, &missing)),
            Err(error) => return look.notes.unseen("rows of the newest windows", &broken(&error, CLICKHOUSE)),
        }
    }
}

/// What is missing, and what that means.
pub fn sentence(target: &str, missing: &[NewestWindow]) -> String {
    let mut places: Vec<String> = missing.iter().take(NAMED).map(place).collect();
    if missing.len() > NAMED {
        places.push(format!("and of {} more partitions", missing.len() - NAMED));
    }
    let topic = missing.first().map_or("", |window| &window.topic);
    format!(
        "{target} is older than its books: {topic}, {} were written to it, but it has no row of them from there on; it was emptied, or restored \
         from an older copy. Ingest does not read them again by itself",
        places.join(", ")
    )
}

fn place(window: &NewestWindow) -> String {
    let NewestWindow { partition, start_offset, end_offset, closed_at, .. } = window;
    format!("partition {partition}, offsets {start_offset}..{end_offset} ({closed_at})")
}
