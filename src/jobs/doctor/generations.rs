//! How many generations are left.

use anyhow::Result;

use crate::cdc::{Generation, MAX_GENERATION};
use crate::cli::Declared;
use crate::health::finding::{Finding, ok, warn};
use crate::tables::Table;
use crate::warehouse::Warehouse;

/// From here on it is time to think about it: numbers are taken by persons' decisions, so a thousand of them last.
const WARN_FROM: Generation = 3_000;

/// Each topic that a table is read from takes a number, and versions have room for so many.
pub fn generations(warehouse: &Warehouse, wanted: &[&Table]) -> Result<Finding> {
    let mut highest = (0, "");
    for table in wanted {
        let newest = warehouse.lineages(table.target)?.newest().unwrap_or(0);
        highest = highest.max((newest, table.target));
    }
    let (newest, target) = highest;
    let taken = if newest > 0 { format!(", by {target}") } else { String::new() };
    let text = format!("{newest} of {MAX_GENERATION} are taken{taken}{}", side_by_side(&warehouse.side_by_side()?));
    Ok(match newest {
        ..WARN_FROM => ok(text),
        _ => warn(
            text,
            format!(
                "something makes a topic (or partitions) for {target} again and again: SELECT * FROM {}.generations WHERE target = '{target}'; \
                 before the last one is taken, make the table anew and read its topic with --from-beginning",
                warehouse.ops
            ),
        ),
    })
}

/// What the books were told once: a job that nobody tells knows it, too.
fn side_by_side(declared: &Declared) -> String {
    let list = |what: &str, topics: &[String]| match topics.is_empty() {
        true => String::new(),
        false => format!("; {what}: {}", topics.join(", ")),
    };
    list("side by side", &declared.topics) + &list("replaced", &declared.replaced)
}
