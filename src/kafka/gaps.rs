//! Offsets without a record, and what they may be: markers of transactions, aborted records, what compaction has taken away, or a
//! loss. A reader cannot tell them apart; the topic's `cleanup.policy` tells at least whether it has to worry.

use std::fmt;

use crate::kafka::Span;

/// As many as a person reads. A compacted topic has thousands.
const LISTED: usize = 20;

/// Spans of offsets without a record, as far as they are listed.
#[derive(Debug, Default)]
pub struct GapList {
    listed: Vec<(i32, Span)>,
    more: u64,
    last: Option<(i32, i64)>,
}

impl GapList {
    /// Adds the next one; one that goes on where the last one ends, in the next window, is the same.
    pub fn add(&mut self, partition: i32, span: Span) {
        let goes_on = self.last == Some((partition, span.start));
        self.last = Some((partition, span.end));
        if goes_on {
            if let Some((_, listed)) = self.listed.last_mut().filter(|_| self.more == 0) {
                listed.end = span.end;
            }
        } else if self.listed.len() < LISTED {
            self.listed.push((partition, span));
        } else {
            self.more += 1;
        }
    }

    /// Those that are listed, as `partition:start..end`.
    pub fn listed(&self) -> Vec<String> {
        self.listed.iter().map(|(partition, span)| format!("{partition}:{span}")).collect()
    }

    /// How many are not.
    pub fn more(&self) -> u64 {
        self.more
    }
}

impl fmt::Display for GapList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.listed().join(", "))?;
        if self.more > 0 { write!(f, " and {} more spans", self.more) } else { Ok(()) }
    }
}

/// Do gaps belong to a topic with this policy?
pub fn are_expected(policy: Option<&str>) -> bool {
    policy.is_some_and(|policy| policy.contains("compact"))
}

/// What they are in a topic with this policy, and what to do.
pub fn meaning(policy: Option<&str>) -> String {
    let Some(policy) = policy else {
        return format!(
            "the brokers do not say what cleanup.policy the topic has: with compaction it must be so, else {TRANSACTIONS}"
        );
    };
    if are_expected(Some(policy)) {
        return format!("cleanup.policy={policy}: compaction takes away what a newer record of the same key replaces");
    }
    format!("cleanup.policy={policy} takes nothing out of the middle of a log: {TRANSACTIONS}")
}

const TRANSACTIONS: &str = "markers and aborted records of transactions, if Kafka Connect writes in them \
    (exactly.once.source.support); without transactions the brokers have lost records: see check-reconcile";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_one_span_and_only_some_are_listed() {
        let mut gaps = GapList::default();
        gaps.add(0, Span { start: 5, end: 8 });
        gaps.add(0, Span { start: 8, end: 10 });
        gaps.add(1, Span { start: 10, end: 11 });
        assert_eq!(gaps.to_string(), "0:5..10, 1:10..11");
        for i in 0..30 {
            gaps.add(2, Span { start: 10 * i, end: 10 * i + 1 });
        }
        gaps.add(2, Span { start: 291, end: 292 });
        assert_eq!((gaps.listed().len(), gaps.more()), (20, 12), "the last one goes on");
        assert!(gaps.to_string().ends_with("2:170..171 and 12 more spans"), "{gaps}");
    }

    #[test]
    fn compaction_explains_gaps_and_retention_does_not() {
        assert!(are_expected(Some("compact")) && are_expected(Some("compact,delete")));
        assert!(!are_expected(Some("delete")) && !are_expected(None));
        assert!(meaning(Some("delete")).contains("lost records"));
    }
}
