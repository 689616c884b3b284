//! Is the source still the server that it was? Events do not say which server they are from, so this decides nothing: it warns.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::jobs::ingest::run::Run;
use crate::ledger::LedgerRow;
use crate::source;

/// Asks the source who it is, and warns if the group's last windows were closed beside another one.
///
/// # Errors
/// A server is gone.
pub fn warn_if_changed(run: &mut Run, ledger: &[LedgerRow]) -> Result<()> {
    let Some(now) = source::identity(&mut run.source)? else { return Ok(()) };
    let mut last: BTreeMap<i32, u64> = BTreeMap::new();
    for row in ledger {
        let seq = last.entry(row.partition).or_default();
        *seq = row.end.seq.max(*seq);
    }
    let before = run.warehouse.sources_of(&run.group, &run.topic, &last)?;
    if !before.is_empty() && !before.contains(&now) {
        let changed = format!(
            "the source is another server than when {} was last read: system identifier and timeline were {}, and are {now} now (restored, promoted, \
             moved?); what was changed there and never sent is not in the log: run check-reconcile, and {} in the \
             source if the table differs",
            run.topic,
            before.join(" and "),
            run.table.send_again()
        );
        tracing::warn!("{changed}");
        run.source_changed = Some(changed);
    }
    run.source_id = now;
    Ok(())
}
