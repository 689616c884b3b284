//! Partitions without a leader, or without progress. They do not end the run of the others: that finishes and commits, then ends
//! with 75, and the late one's plan stays open.
//!
//! A plan that is open makes a rerun finish it before it plans anything new. Its mark says if it is open because its partition
//! was late: then later runs plan for the others, or a partition that hangs for a day would stop all of them.

use anyhow::{Error, Result};
use serde_json::{Value, json};

use crate::exit::{Exit, try_again};
use crate::jobs::ingest::plan::{Late, Planned, ReadPlan};
use crate::jobs::ingest::run::Run;
use crate::kafka::{self, Backfill, Committed, PlanMark, Span};
use crate::ledger::Mode;
use crate::source;

impl Run {
    /// Asks where the logs start and end, and leaves out the partitions that do not answer.
    ///
    /// # Errors
    /// None of them answers, or one needs a person.
    pub fn reachable(&mut self, partitions: Vec<i32>) -> Result<(Vec<i32>, Vec<Span>)> {
        let answers = kafka::each_log_span(&self.consumer, &self.topic, &partitions);
        let nobody = answers.iter().all(Result::is_err);
        let mut reached = (Vec::new(), Vec::new());
        for (partition, answer) in partitions.into_iter().zip(answers) {
            match answer {
                Ok(span) => {
                    reached.0.push(partition);
                    reached.1.push(span);
                }
                // What a person decides, is decided for the whole topic.
                Err(error) if nobody || self.args.resume_from.is_some() || Exit::of(&error) != Exit::TryAgain => {
                    return Err(error);
                }
                Err(error) => self.goes_on_without(Late { partition, span: None, why: format!("{error:#}") }),
            }
        }
        Ok(reached)
    }

    /// Of offsets that were named, those that can be read now; of the late partitions, those that were asked for.
    pub fn without_late(&mut self, backfill: Backfill) -> Backfill {
        let Backfill::Offsets(mut ranges) = backfill else { return backfill };
        let unreachable = std::mem::take(&mut self.late);
        ranges.retain(|range| {
            let Some(late) = unreachable.iter().find(|late| late.partition == range.partition) else { return true };
            self.late.push(Late { partition: range.partition, span: Some(range.span), why: late.why.clone() });
            false
        });
        Backfill::Offsets(ranges)
    }

    /// Notes a late partition down.
    pub fn goes_on_without(&mut self, late: Late) {
        tracing::warn!("{}; the run goes on with the other partitions", late.why);
        self.late.push(late);
    }

    /// How a run with late partitions ends: their plans stay open, and say why.
    ///
    /// # Errors
    /// Always: 75, or what has kept the plans from being marked.
    pub fn ends_late(&mut self, plan: &ReadPlan, rests: &[Planned]) -> Error {
        if let Err(error) = self.mark_late(plan, rests) {
            return error;
        }
        let why: Vec<&str> = self.late.iter().map(|late| late.why.as_str()).collect();
        let open = if plan.mode == Mode::Backfill { "see `next`" } else { "its plan stays open: run again" };
        try_again(format!("{}; what the other partitions had is done, {open}", why.join("; ")))
    }

    fn mark_late(&mut self, plan: &ReadPlan, rests: &[Planned]) -> Result<()> {
        let late = |rest: &Planned| {
            let mark = PlanMark { late: true, ..rest.mark.clone()? };
            Some((rest.partition, Committed { offset: rest.span.start, plan: Some(mark) }))
        };
        let commits: Vec<(i32, Committed)> = rests.iter().filter_map(late).collect();
        if commits.is_empty() || plan.mode == Mode::Backfill || self.args.dry_run {
            return Ok(());
        }
        source::still_held(&mut self.source)?;
        kafka::commit(&self.consumer, &self.topic, &commits)
    }

    /// For the summary.
    pub fn unfinished(&self) -> Vec<Value> {
        let described = |late: &Late| {
            let (start, end) = (late.span.map(|span| span.start), late.span.map(|span| span.end));
            json!({"partition": late.partition, "start": start, "end": end, "why": late.why})
        };
        self.late.iter().map(described).collect()
    }
}
