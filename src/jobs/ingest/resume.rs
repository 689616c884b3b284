//! When ledger and committed offset disagree: the explained stop, and `--resume-from`, a person's answer to it.

use anyhow::Result;

use crate::cdc::Generation;
use crate::exit::needs_person;
use crate::jobs::ingest::args::ResumeFrom;
use crate::jobs::ingest::begin::GroupState;
use crate::jobs::ingest::run::Run;
use crate::kafka::{self, Committed, Span};
use crate::ledger::{Mode, Start};

impl GroupState {
    /// Where `--resume-from` goes on, for each partition with a stop.
    pub fn answers(&self, run: &Run, starts: &[Start]) -> Result<Vec<(usize, i64)>> {
        let stops: Vec<usize> = (0..starts.len()).filter(|i| matches!(starts[*i], Start::Halt(_))).collect();
        match run.args.resume_from {
            None if !stops.is_empty() => Err(self.explain(run, starts)),
            None => Ok(Vec::new()),
            Some(from) => stops.into_iter().map(|i| self.resume_at(run, i, from).map(|at| (i, at))).collect(),
        }
    }

    /// `log-end` skips all that has a lower number. The log may have grown before this one was taken, and nobody knows the order of that either.
    pub fn skip_to_number(&self, run: &Run, answers: &mut [(usize, i64)], generation: Generation) {
        if run.args.resume_from != Some(ResumeFrom::LogEnd) {
            return;
        }
        let Some(number) = self.lineages.taken.iter().find(|lineage| lineage.generation == generation) else { return };
        for (i, at) in answers {
            *at = number.start_of(self.partitions[*i]).max(*at);
        }
    }

    /// Carries the answers out: a reset row per partition, then the commit. Returns which partitions.
    pub fn reset(
        &self,
        run: &Run,
        starts: &mut [Start],
        answers: &[(usize, i64)],
        generation: Generation,
    ) -> Result<Vec<usize>> {
        let mut reset = Vec::new();
        let mut decisions = Vec::new();
        let mut rows = Vec::new();
        let mut commits = Vec::new();
        for &(i, new) in answers {
            let start = &mut starts[i];
            let Start::Halt(reason) = start else { continue };
            let partition = self.partitions[i];
            let old_end =
                self.ledger.iter().rfind(|row| row.partition == partition).map_or(self.log[i].start, |row| row.end.end);
            decisions.push(format!(
                "{}, partition {partition}: going on at {new} instead of {old_end} ({reason})",
                run.topic
            ));
            let (at, moved) = (self.topic_partition(run, i, generation), Span { start: old_end, end: new });
            rows.push(self.marker_row(run, at, Mode::Reset, moved, reason));
            commits.push((partition, Committed { offset: new, plan: None }));
            *start = Start::NewPlan(new);
            reset.push(i);
        }
        decisions.iter().for_each(|decision| tracing::warn!("{decision}"));
        if !run.args.dry_run && !rows.is_empty() {
            run.warehouse.write_windows(&rows)?;
            run.failpoint("reset-written");
            kafka::commit(&run.consumer, &run.topic, &commits)?;
        }
        Ok(reset)
    }

    fn resume_at(&self, run: &Run, i: usize, resume_from: ResumeFrom) -> Result<i64> {
        let (log, partition) = (self.log[i], self.partitions[i]);
        // A partition that was added to a known topic has not been read: all it holds is new.
        let was_added =
            self.ledger_of(partition).is_none() && self.ledger.iter().any(|row| row.end.topic_id == self.topic.id);
        let added = was_added.then_some(log.start);
        let at = match resume_from {
            ResumeFrom::LogStart => Some(log.start),
            // Nothing in an added partition is older than what stands in the others.
            ResumeFrom::LogEnd => added.or(Some(log.end)),
            ResumeFrom::Ledger => self.ledger_of(partition).map(|end| end.end).or(added),
            ResumeFrom::Committed => self.committed[i].as_ref().map(|committed| committed.offset).or(added),
        };
        at.filter(|at| (log.start..=log.end).contains(at)).ok_or_else(|| {
            needs_person(format!(
                "{}, partition {partition}: {} is not possible: {}; the log holds {log}: choose log-start or log-end",
                run.topic,
                format!("--resume-from {resume_from:?}").to_lowercase(),
                at.map_or("there is no such offset".to_owned(), |at| format!("it says {at}"))
            ))
        })
    }

    fn explain(&self, run: &Run, starts: &[Start]) -> anyhow::Error {
        let stops: Vec<(i32, &str)> = starts
            .iter()
            .zip(&self.partitions)
            .filter_map(
                |(start, partition)| {
                    if let Start::Halt(why) = start { Some((*partition, why.as_str())) } else { None }
                },
            )
            .collect();
        needs_person(format!(
            "{} (group {}): {}. Nothing was read. Decide where to go on: --resume-from ledger (where the warehouse stands), committed \
             (where the group stands), log-start (all that is there), or log-end (skip it, then {} in the source)",
            run.topic,
            run.group,
            reasons(&stops),
            run.table.send_again()
        ))
    }
}

/// Each reason once, with the partitions that it stops.
fn reasons(stops: &[(i32, &str)]) -> String {
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for (partition, why) in stops {
        match reasons.iter_mut().find(|(reason, _)| reason == why) {
            Some((_, partitions)) => partitions.push(partition.to_string()),
            None => reasons.push((why, vec![partition.to_string()])),
        }
    }
    let sentence = |(why, partitions): &(&str, Vec<String>)| {
        let plural = if partitions.len() > 1 { "s" } else { "" };
        format!("partition{plural} {}: {why}", partitions.join(", "))
    };
    reasons.iter().map(sentence).collect::<Vec<_>>().join("; ")
}
