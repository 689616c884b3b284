//! A look as a table for people.

use std::fmt::Write as _;

use crate::health::observe::{lags, quarantine};
use crate::jobs::observe::Seen;

/// Connector, slot, runs, lags; what is wrong stands below.
pub fn table(seen: &Seen, problems: &[&str]) -> String {
    let mut table = String::new();
    let mut section = |name: &str, lines: Vec<String>| {
        for (i, line) in lines.iter().enumerate() {
            let _ = writeln!(table, "{:<11} {line}", if i == 0 { name } else { "" });
        }
    };
    section("connector", seen.connector.as_ref().map_or_else(Vec::new, |connector| connector.lines()));
    section("slot", seen.slot.iter().map(|slot| slot.line()).collect());
    section("last runs", seen.runs.as_ref().map_or_else(Vec::new, |runs| runs.lines()));
    section("lag", lags::lines(&seen.lags));
    section("quarantine", seen.quarantine.as_deref().map_or_else(Vec::new, quarantine::lines));
    for problem in problems {
        let _ = writeln!(table, "  !  {problem}");
    }
    table
}
