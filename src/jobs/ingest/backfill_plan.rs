//! The plan of a backfill, an explicit range: offsets that a person names, or that a time stands for.

use anyhow::Result;

use crate::exit::needs_person;
use crate::jobs::ingest::begin::GroupState;
use crate::jobs::ingest::lineage;
use crate::jobs::ingest::plan::{Planned, ReadPlan};
use crate::jobs::ingest::run::Run;
use crate::kafka::Span;
use crate::ledger::{Mode, share};

impl GroupState {
    /// A backfill needs the topic's generation, and nothing from the ledger. Of a topic that came in place of another one not
    /// a part is read first: what stands above it in the log would be below it in the table.
    pub fn backfill_plan(&mut self, run: &mut Run, spans: Vec<(i32, Span)>) -> Result<ReadPlan> {
        if self.is_another(&run.topic) {
            return Err(needs_person(format!(
                "{} is not the topic that the ledger knows (it was recreated, or has other partitions): \
                 run the job once with --resume-from log-start before reading explicit ranges",
                run.topic
            )));
        }
        let budget = run.args.max_records.unwrap_or(u64::MAX);
        let lengths: Vec<u64> = spans.iter().map(|(_, span)| span.len()).collect();
        let mut taken = Vec::new();
        let mut cut = Vec::new();
        for ((partition, span), take) in spans.into_iter().zip(share(budget, &lengths)) {
            let middle = span.start + take as i64;
            taken.push(Planned { partition, span: Span { start: span.start, end: middle }, seq: 0, mark: None });
            cut.push((partition, Span { start: middle, end: span.end }));
        }
        taken.retain(|planned| !planned.span.is_empty());
        cut.retain(|(_, span)| !span.is_empty());
        if !taken.is_empty() {
            lineage::refuse_number(run, &self.topic, &self.lineages)?;
        }
        let number = lineage::generation(run, &self.topic, &mut self.lineages, !taken.is_empty())?;
        if !taken.is_empty() {
            lineage::refuse_older(run, &self.lineages, number.generation)?;
        }
        Ok(ReadPlan { cut, ..self.plan(Mode::Backfill, number, taken) })
    }
}
