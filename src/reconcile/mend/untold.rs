//! Repaired rows that the ledger does not tell of, because a repair was cut short behind its insert.
//!
//! They are what the source has, so no comparison finds them again; but derived tables and checks follow the ledger, and would never take them
//! up. Whoever compares a table as a whole writes the windows that are missing. The rows are there by then, so no consumer can come too early;
//! a window too many, because the repair is alive and about to write its own, is only work.

use anyhow::Result;

use crate::checks::checker::Checker;
use crate::ledger::WindowRow;
use crate::reconcile::mend::repair::Repair;
use crate::tables::Table;

/// Writes the missing windows of a table's repaired rows, all in one insert.
///
/// # Errors
/// A server is gone or refuses.
pub fn tell(checker: &Checker<'_>, table: &'static Table, run_id: &str) -> Result<()> {
    let untold = checker.warehouse.untold(table)?;
    if untold.is_empty() {
        return Ok(());
    }
    let rows: u64 = untold.iter().map(|untold| untold.rows).sum();
    tracing::warn!(
        "{}: {rows} rows of a repair were not in the ledger (it was cut short, or its windows were pruned): now they are",
        table.name
    );
    let repair = Repair::of(checker, table, run_id)?;
    let windows: Vec<WindowRow> = untold
        .iter()
        .map(|untold| repair.window(untold.partition, (untold.start_offset, untold.end_offset), "untold"))
        .collect();
    checker.warehouse.write_windows(&windows)
}
