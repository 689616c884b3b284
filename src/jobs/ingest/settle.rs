//! Settling a window: from the insert's acknowledgement to the commit. See the crash table in `docs/DESIGN.md`.

use anyhow::Result;

use crate::batch::scope::BatchScope;
use crate::cli::Progress;
use crate::jobs::ingest::counts::WindowCounts;
use crate::jobs::ingest::pending::Pending;
use crate::jobs::ingest::run::Run;
use crate::jobs::ingest::totals::IngestTotals;
use crate::kafka::commit;
use crate::source;

use crate::warehouse::chunks;

impl Run {
    /// Settles a window, if there is one.
    ///
    /// # Errors
    /// Whatever fails before the ledger row leaves the window open.
    pub fn settle(&mut self, pending: Option<Pending>, progress: &mut Progress) -> Result<()> {
        let Some(mut pending) = pending else { return Ok(()) };
        if let Some(in_flight) = pending.in_flight.take() {
            in_flight.acknowledged(&self.warehouse)?;
        }
        self.failpoint("rows-inserted");
        self.apply_truncates(&pending)?;
        self.failpoint("truncates-applied");
        self.resolve(&pending)?;
        self.failpoint("quarantine-resolved");
        self.verify(&pending)?;
        source::still_held(&mut self.source)?;
        self.warehouse.write_windows(std::slice::from_ref(&pending.ledger))?;
        self.failpoint("ledger-written");
        if let Some(committed) = &pending.commit {
            source::still_held(&mut self.source)?;
            commit(&self.consumer, &self.topic, &[(pending.partition, committed.clone())])?;
        }
        self.failpoint("committed");
        self.totals.add(&pending.counts);
        progress.advance(pending.span.len());
        Ok(())
    }

    /// Closes what lies in quarantine and was accepted this time. Cut short, it leaves some of the records open: the rerun finds these,
    /// accepted as before because their rows are in the warehouse, and closes them.
    fn resolve(&mut self, pending: &Pending) -> Result<()> {
        for part in chunks::of_offsets(&pending.resolved) {
            let at = pending.topic_partition(&self.topic);
            self.warehouse.close_quarantine(at, part, "resolved", &self.run.id)?;
            self.totals.resolved += part.len() as u64;
            self.failpoint("quarantine-part-resolved");
        }
        Ok(())
    }

    /// Store, then mark; and after every insert look whether a truncate of another window concerns these rows.
    fn apply_truncates(&mut self, pending: &Pending) -> Result<()> {
        self.warehouse.store_truncates(&pending.truncates, &pending.token)?;
        self.failpoint("truncates-stored");
        let scope = BatchScope {
            at: pending.topic_partition(&self.topic),
            kin: &self.kin,
            start: pending.span.start,
            run: &self.run.id,
        };
        let marked = scope.mark_truncated(
            &self.warehouse,
            self.table,
            &self.args.beside,
            &pending.written,
            &pending.truncates,
        )?;
        self.totals.truncated_rows += marked;
        Ok(())
    }
}

impl IngestTotals {
    /// Takes in a finished window.
    pub fn add(&mut self, counts: &WindowCounts) {
        self.written += counts.written;
        for (rule, count) in &counts.rejected {
            *self.rejected_by_rule.entry(rule).or_default() += count;
        }
        for (rule, count) in &counts.warned {
            *self.warned_by_rule.entry(rule).or_default() += count;
        }
        self.tombstones += counts.tombstones;
        self.truncates += counts.truncates;
        self.gaps += counts.gaps;
        let (partition, spans) = &counts.gap_spans;
        spans.iter().for_each(|span| self.gap_spans.add(*partition, *span));
        self.windows += 1;
    }
}
