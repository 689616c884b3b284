//! Where a run starts, and how much it takes: pure functions of what Kafka and the ledger say.

use crate::cdc::Generation;
use crate::kafka::{Committed, Span};

/// The ledger's newest row of modes origin, plan and reset for one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEnd {
    /// Topic id that the row was written under.
    pub topic_id: String,
    /// Generation of that topic.
    pub generation: Generation,
    /// Next offset to read.
    pub end: i64,
    /// Sequence number of the row.
    pub seq: u64,
    /// How many partitions the topic had.
    pub partitions: u32,
}

/// All that decides where a partition's next span starts.
#[derive(Debug, Clone)]
pub struct PartitionState<'s> {
    /// The group's commit.
    pub committed: Option<Committed>,
    /// The ledger's end under the current topic id.
    pub ledger: Option<&'s LedgerEnd>,
    /// Has the ledger rows of this group and topic, for any partition, under another topic id or partition count only?
    pub foreign_ledger: bool,
    /// What the log holds.
    pub log: Span,
    /// How many partitions the topic has now.
    pub partitions: u32,
}

/// What to do with a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// First time: an origin row at the log's start, then a plan from there.
    Origin(i64),
    /// A new plan from here.
    NewPlan(i64),
    /// The open plan, from here to its end. Its run id stays in the mark.
    Continue(Span, String),
    /// The open plan is done in the ledger, only its commit is missing: commit its end, then a new plan from there.
    FinishCommit(i64),
    /// The books disagree; a person must decide. What is wrong, as a sentence.
    Halt(String),
}

/// The state table of `docs/DESIGN.md`, "Where a run starts".
pub fn decide(state: &PartitionState<'_>) -> Start {
    let start = match (&state.committed, state.ledger) {
        (_, None) if state.foreign_ledger => {
            return Start::Halt(
                "the topic is not the one that the ledger knows: it was deleted and recreated, or partitions were added and keys have moved".to_owned(),
            );
        }
        (_, Some(ledger)) if ledger.partitions != state.partitions => {
            return Start::Halt(format!(
                "the topic has {} partitions and had {}: keys have moved between partitions (answer five minutes after that, or when the connector was \
                 restarted: until then it may write by the old count, metadata.max.age.ms)",
                state.partitions, ledger.partitions
            ));
        }
        (Some(Committed { plan: Some(plan), .. }), _) if let Some(metadata) = plan.foreign_metadata() => {
            return Start::Halt(format!(
                "the commit's metadata {metadata:?} is not a plan of this pipeline: another program uses this consumer group, \
                 and should have a group of its own"
            ));
        }
        (None, None) => return Start::Origin(state.log.start),
        (Some(committed), None) => {
            return Start::Halt(format!(
                "the group has committed offset {}, but the ledger has no row of it",
                committed.offset
            ));
        }
        // The group's offsets have expired, or a crash came between the origin row and the first commit.
        (None, Some(ledger)) => Start::NewPlan(ledger.end),
        (Some(Committed { offset, plan: None }), Some(ledger)) if *offset == ledger.end => Start::NewPlan(ledger.end),
        (Some(Committed { offset, plan: Some(plan) }), Some(ledger))
            if *offset <= ledger.end && ledger.end < plan.end =>
        {
            Start::Continue(Span { start: ledger.end, end: plan.end }, plan.run.clone())
        }
        (Some(Committed { plan: Some(plan), .. }), Some(ledger)) if ledger.end == plan.end => {
            Start::FinishCommit(plan.end)
        }
        (Some(committed), Some(ledger)) => {
            let open =
                committed.plan.as_ref().map_or(String::new(), |plan| format!(" with a plan open to {}", plan.end));
            return Start::Halt(format!(
                "the group has committed offset {}{open}, the ledger ends at {}",
                committed.offset, ledger.end
            ));
        }
    };
    within_log(start, state.log)
}

fn within_log(start: Start, log: Span) -> Start {
    let (first, last) = match &start {
        Start::Continue(span, _) => (span.start, span.end),
        Start::Origin(at) | Start::NewPlan(at) | Start::FinishCommit(at) => (*at, *at),
        Start::Halt(_) => return start,
    };
    if first < log.start {
        return Start::Halt(format!(
            "the next offset is {first}, but the log starts at {}: retention has deleted {} offsets that were never read",
            log.start,
            log.start - first
        ));
    }
    if last > log.end {
        return Start::Halt(format!(
            "the next offset is {last}, but the log ends at {}: the broker has lost records",
            log.end
        ));
    }
    start
}

/// Shares `budget` offsets among partitions that have `available` each: evenly, and what some do not need goes to
/// those that have more.
pub fn share(budget: u64, available: &[u64]) -> Vec<u64> {
    let mut order: Vec<usize> = (0..available.len()).collect();
    order.sort_by_key(|i| available[*i]);
    let mut taken = vec![0; available.len()];
    let mut left = budget;
    for (done, i) in order.iter().enumerate() {
        let waiting = (available.len() - done) as u64;
        taken[*i] = available[*i].min(left / waiting);
        left -= taken[*i];
    }
    // Integer division leaves less than one offset per partition: give it to those that still have something.
    for i in order.into_iter().rev() {
        let more = left.min(available[i] - taken[i]);
        taken[i] += more;
        left -= more;
    }
    taken
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kafka::PlanMark;

    const LOG: Span = Span { start: 100, end: 1000 };

    fn ledger(end: i64) -> LedgerEnd {
        LedgerEnd { topic_id: "id".into(), generation: 1, end, seq: 1, partitions: 4 }
    }

    fn at(offset: i64, plan_end: Option<i64>) -> Option<Committed> {
        Some(Committed { offset, plan: plan_end.map(|end| PlanMark::new(end, "run-1")) })
    }

    fn stops(start: &Start, word: &str) -> bool {
        matches!(start, Start::Halt(why) if why.contains(word))
    }

    #[test]
    fn the_state_table() {
        let decide_one = |committed: Option<Committed>, end: Option<i64>| {
            let ledger = end.map(ledger);
            decide(&PartitionState {
                committed,
                ledger: ledger.as_ref(),
                foreign_ledger: false,
                log: LOG,
                partitions: 4,
            })
        };
        let resume = |start, end| Start::Continue(Span { start, end }, "run-1".into());
        assert_eq!(decide_one(None, None), Start::Origin(100));
        assert_eq!(decide_one(None, Some(500)), Start::NewPlan(500), "the group's offsets have expired");
        assert_eq!(decide_one(at(500, None), Some(500)), Start::NewPlan(500));
        assert_eq!(decide_one(at(500, Some(800)), Some(500)), resume(500, 800));
        assert_eq!(decide_one(at(500, Some(800)), Some(600)), resume(600, 800), "a crash between ledger and commit");
        assert_eq!(decide_one(at(500, Some(800)), Some(800)), Start::FinishCommit(800));
        assert!(stops(&decide_one(at(500, None), None), "no row"));
        assert!(stops(&decide_one(at(600, None), Some(500)), "ledger ends at 500"));
        assert!(stops(&decide_one(at(400, None), Some(500)), "ledger ends at 500"));
        assert!(stops(&decide_one(at(600, Some(800)), Some(500)), "open to 800"));
        assert!(stops(&decide_one(at(500, Some(800)), Some(900)), "open to 800"));
        assert!(stops(&decide_one(at(50, None), Some(50)), "log starts at 100"));
        assert!(stops(&decide_one(at(1001, None), Some(1001)), "log ends at 1000"));
        assert!(stops(&decide_one(at(500, Some(1001)), Some(600)), "log ends at 1000"));
        assert_eq!(decide_one(at(1000, None), Some(1000)), Start::NewPlan(1000), "nothing new is not an error");
        let foreign = Some(Committed { offset: 500, plan: Some(PlanMark::foreign("consumer-7")) });
        assert!(stops(&decide_one(foreign, Some(500)), "\"consumer-7\" is not a plan"));
    }

    #[test]
    fn another_topic_or_partition_count_is_a_stop() {
        let known = ledger(500);
        let state = PartitionState { committed: None, ledger: None, foreign_ledger: true, log: LOG, partitions: 4 };
        assert!(stops(&decide(&state), "recreated"));
        let state = PartitionState {
            committed: at(500, None),
            ledger: Some(&known),
            foreign_ledger: false,
            log: LOG,
            partitions: 6,
        };
        assert!(stops(&decide(&state), "6 partitions and had 4"));
    }

    #[test]
    fn the_remainder_goes_to_partitions_that_have_more() {
        assert_eq!(share(10_000, &[100_000, 10, 0, 100_000]), [4995, 10, 0, 4995]);
        assert_eq!(share(3, &[5, 5]).iter().sum::<u64>(), 3);
    }

    proptest! {
        #[test]
        fn a_share_is_never_more_than_there_is_and_never_less_than_the_budget_allows(
            budget in 0u64..5_000, available in prop::collection::vec(0u64..2_000, 1..20)
        ) {
            let taken = share(budget, &available);
            prop_assert!(taken.iter().zip(&available).all(|(t, a)| t <= a));
            prop_assert_eq!(taken.iter().sum::<u64>(), budget.min(available.iter().sum()));
        }
    }
}
