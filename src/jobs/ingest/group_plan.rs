//! The plan of "what is new": the open plan is continued, or a new one is written ahead.

use anyhow::Result;

use crate::jobs::ingest::begin::GroupState;
use crate::jobs::ingest::lineage;
use crate::jobs::ingest::plan::{Planned, ReadPlan};
use crate::jobs::ingest::run::Run;
use crate::kafka::{self, Committed, PlanMark, Span};
use crate::ledger::{Mode, PartitionState, Start, WindowRow, decide, share};

impl GroupState {
    /// "What is new": continue the open plan, or write a new one.
    pub fn group_plan(&mut self, run: &mut Run) -> Result<ReadPlan> {
        // Every stop comes first: nobody takes a number for a run that does not go on.
        lineage::refuse_number(run, &self.topic, &self.lineages)?;
        let mut starts: Vec<Start> = (0..self.partitions.len()).map(|i| self.decide(i)).collect();
        let mut answers = self.answers(run, &starts)?;
        let number = lineage::generation(run, &self.topic, &mut self.lineages, true)?;
        let generation = number.generation;
        self.skip_to_number(run, &mut answers, generation);
        if answers.iter().any(|(i, at)| *at < self.log[*i].end) {
            lineage::refuse_older(run, &self.lineages, generation)?;
        }
        let reset = self.reset(run, &mut starts, &answers, generation)?;
        let late = |i: usize| self.committed[i].as_ref().and_then(|c| c.plan.as_ref()).is_some_and(|plan| plan.late);
        let open = starts.iter().enumerate().any(|(i, start)| matches!(start, Start::Continue(..)) && !late(i));
        let origins: Vec<WindowRow> = (0..starts.len())
            .filter(|i| matches!(starts[*i], Start::Origin(_)))
            .map(|i| {
                let start = self.log[i].start;
                let at = self.topic_partition(run, i, generation);
                self.marker_row(run, at, Mode::Origin, Span { start, end: start }, "")
            })
            .collect();
        let available: Vec<u64> =
            starts.iter().zip(&self.log).map(|(start, log)| if open { 0 } else { to_read(start, *log) }).collect();
        let taken = share(run.args.max_records.unwrap_or(u64::MAX), &available);
        let mut spans = Vec::new();
        let mut commits = Vec::new();
        for (i, start) in starts.iter().enumerate() {
            let partition = self.partitions[i];
            let has_marker = matches!(start, Start::Origin(_)) || reset.contains(&i);
            let seq = self.next_seq(partition) + u64::from(has_marker);
            let (span, mark) = match start {
                Start::Continue(span, plan_run) => {
                    (*span, PlanMark { late: late(i), ..PlanMark::new(span.end, plan_run) })
                }
                Start::Origin(at) | Start::NewPlan(at) | Start::FinishCommit(at) => {
                    let span = Span { start: *at, end: at + taken[i] as i64 };
                    let mark = PlanMark::new(span.end, &run.run.id);
                    let plan = (!span.is_empty()).then(|| mark.clone());
                    if plan.is_some() || matches!(start, Start::FinishCommit(_)) {
                        commits.push((partition, Committed { offset: *at, plan }));
                    }
                    (span, mark)
                }
                Start::Halt(_) => continue,
            };
            if !span.is_empty() {
                spans.push(Planned { partition, span, seq, mark: Some(mark) });
            }
        }
        if !spans.is_empty() {
            lineage::refuse_older(run, &self.lineages, generation)?;
        }
        if !run.args.dry_run {
            self.write_ahead(run, &origins, &commits)?;
        }
        Ok(self.plan(Mode::Plan, number, spans))
    }

    fn decide(&self, i: usize) -> Start {
        let partition = self.partitions[i];
        let ledger = self.ledger_of(partition);
        decide(&PartitionState {
            committed: self.committed[i].clone(),
            ledger,
            foreign_ledger: ledger.is_none() && !self.ledger.is_empty() && self.current().next().is_none(),
            log: self.log[i],
            partitions: self.partition_count(),
        })
    }

    /// The origin rows first, then the plan: a crash between them is "the group's offsets have expired".
    fn write_ahead(&self, run: &Run, origins: &[WindowRow], commits: &[(i32, Committed)]) -> Result<()> {
        if !origins.is_empty() {
            run.warehouse.write_windows(origins)?;
            run.failpoint("origin-written");
        }
        if !commits.is_empty() {
            kafka::commit(&run.consumer, &run.topic, commits)?;
            run.failpoint("plan-committed");
        }
        Ok(())
    }
}

fn to_read(start: &Start, log: Span) -> u64 {
    match start {
        Start::Origin(at) | Start::NewPlan(at) | Start::FinishCommit(at) => Span { start: *at, end: log.end }.len(),
        Start::Continue(..) | Start::Halt(_) => 0,
    }
}
