//! What a run is going to do.

use crate::cdc::{Generation, TopicPartition};
use crate::kafka::{PlanMark, Span, Window};
use crate::ledger::{Mode, Numbers};

/// What this run is going to do.
#[derive(Debug, Clone)]
pub struct ReadPlan {
    /// Plan or backfill.
    pub mode: Mode,
    /// Topic id.
    pub topic_id: String,
    /// Number of partitions of the topic.
    pub partitions: u32,
    /// The topic's number.
    pub generation: Generation,
    /// And that of each of its offsets: it may have had fewer partitions.
    pub numbers: Numbers,
    /// Why it is a new one; empty if it is not.
    pub rose: String,
    /// Partition by partition: those with the lowest number first, of these the longest, so that no partition waits for ever behind
    /// `--max-duration`.
    pub spans: Vec<Planned>,
    /// What `--max-records` has cut off a backfill.
    pub cut: Vec<(i32, Span)>,
}

impl ReadPlan {
    /// The number that a window is written under: all of its offsets have it.
    pub fn number_of(&self, window: &Window<'_>) -> Generation {
        self.numbers.at(window.partition, window.span.start)
    }

    /// The partition that a window of this topic stands in.
    pub fn topic_partition<'a>(&'a self, topic: &'a str, window: &Window<'_>) -> TopicPartition<'a> {
        let (generation, partition) = (self.number_of(window), window.partition);
        TopicPartition { topic, topic_id: &self.topic_id, generation, partition }
    }

    /// What is left when these spans are: a new plan finds the rest of a plan by itself, a backfill keeps its own.
    pub fn left(&self, mut left: Vec<(i32, Span)>) -> Vec<(i32, Span)> {
        for (partition, cut) in &self.cut {
            match left.iter_mut().find(|(p, span)| p == partition && span.end == cut.start) {
                Some((_, span)) => span.end = cut.end,
                None => left.push((*partition, *cut)),
            }
        }
        left
    }
}

/// A partition's part of the plan.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Partition.
    pub partition: i32,
    /// What is to be read.
    pub span: Span,
    /// Sequence number of its next ledger row; 0 outside of plans.
    pub seq: u64,
    /// The plan's mark in the commit metadata.
    pub mark: Option<PlanMark>,
}

impl Planned {
    /// Is it what is left of a plan whose partition made no progress?
    pub fn was_late(&self) -> bool {
        self.mark.as_ref().is_some_and(|mark| mark.late)
    }
}

/// A partition that the run goes on without.
#[derive(Debug)]
pub struct Late {
    pub partition: i32,
    /// What is left to be read; `None` if the partition could not even be asked.
    pub span: Option<Span>,
    pub why: String,
}
