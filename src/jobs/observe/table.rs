//! A look as a table for people.

use crate::cli::{TextTable, printed};
use crate::health::observe::{lags, quarantine};
use crate::jobs::observe::Seen;

/// Connector, slot, runs, lags; what is wrong stands below.
pub fn table(seen: &Seen, problems: &[&str]) -> String {
    let mut table = TextTable::default();
    let mut section = |name: &str, lines: Vec<String>| {
        for (i, line) in lines.iter().enumerate() {
            table.row([if i == 0 { name } else { "" }, line]);
        }
    };
    section("connector", seen.connector.as_ref().map_or_else(Vec::new, |connector| connector.lines()));
    section("slot", seen.slot.iter().map(|slot| slot.line()).collect());
    section("last runs", seen.runs.as_ref().map_or_else(Vec::new, |runs| runs.lines()));
    section("lag", lags::lines(&seen.lags));
    section("quarantine", seen.quarantine.as_deref().map_or_else(Vec::new, quarantine::lines));
    for problem in problems {
        table.line(format!("  !  {problem}"));
    }
    printed(&table.lines())
}
