//! Which number an offset of a topic has. A topic that got more partitions has one number for each count of them; an offset keeps the
//! number that it was first read under, whichever group or range reads it: so its version is always the same.

use anyhow::Result;
use clickhouse::Row;
use serde::Deserialize;

use crate::cdc::{Generation, Version};
use crate::kafka::Span;
use crate::ledger::generations::{Lineage, Lineages};
use crate::warehouse::{Warehouse, quote};

/// The numbers of one topic, that of its partitions of now first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbers(Vec<Lineage>);

impl Lineages {
    /// Those of a topic that has so many partitions now; none if its number is not known.
    pub fn numbers(&self, topic_id: &str, partitions: u32) -> Option<Numbers> {
        self.of(topic_id, partitions)?;
        let mut own: Vec<Lineage> = self
            .taken
            .iter()
            .filter(|lineage| {
                lineage.topic_id == topic_id && self.of(topic_id, lineage.partitions) == Some(lineage.generation)
            })
            .filter(|lineage| lineage.partitions <= partitions)
            .cloned()
            .collect();
        own.sort_unstable_by_key(|lineage| std::cmp::Reverse(lineage.partitions));
        Some(Numbers(own))
    }
}

impl Numbers {
    /// The number of an offset.
    pub fn at(&self, partition: i32, offset: i64) -> Generation {
        let known = self.0.iter().find(|lineage| lineage.start_of(partition) <= offset);
        // Older books may not know the topic's first lineage: it is below those that they know.
        let lowest = || self.0.last().map_or(1, |lineage| lineage.generation.saturating_sub(1).max(1));
        known.map_or_else(lowest, |lineage| lineage.generation)
    }

    /// The version of an offset's event.
    ///
    /// # Errors
    /// As [`Version::of`].
    pub fn version(&self, partition: i32, offset: i64) -> Result<Version> {
        Version::of(self.at(partition, offset), offset)
    }

    /// The first part of a span whose offsets have one number.
    pub fn piece(&self, partition: i32, span: Span) -> Span {
        let starts = self.0.iter().map(|lineage| lineage.start_of(partition));
        let end = starts.filter(|start| (span.start + 1..span.end).contains(start)).min().unwrap_or(span.end);
        Span { start: span.start, end }
    }
}

/// How far a partition was read when its topic had so many of them, by whichever group.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct ReadTo {
    /// How many partitions the topic had.
    pub partitions: u32,
    /// Which one.
    pub partition: i32,
    /// The highest offset that was next to read.
    pub end: i64,
}

impl Warehouse {
    /// How far the ledger has read a topic, for each count of partitions up to this one.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn read_to(&self, source: &str, topic_id: &str, partitions: u32) -> Result<Vec<ReadTo>> {
        let sql = format!(
            "SELECT partitions, partition, max(end_offset) AS end
             FROM {}.windows
             WHERE source = {} AND topic_id = {} AND partitions BETWEEN 1 AND {partitions}
             GROUP BY partitions, partition ORDER BY partitions, partition",
            self.ops,
            quote(source),
            quote(topic_id)
        );
        self.rows("asking how far the topic was read", &sql)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lineage(generation: Generation, topic_id: &str, partitions: u32, starts: &[(i32, i64)]) -> Lineage {
        Lineage {
            target: "dim_customers".into(),
            generation,
            topic: "a".into(),
            topic_id: topic_id.into(),
            partitions,
            starts: starts.to_vec(),
            run_id: "run".into(),
            taken_at: 0,
        }
    }

    fn books(taken: Vec<Lineage>) -> Lineages {
        Lineages { taken, former: Vec::new() }
    }

    #[test]
    fn an_offset_has_the_number_that_it_was_first_read_under() {
        let books = books(vec![
            lineage(1, "x", 1, &[]),
            lineage(2, "y", 1, &[]),
            lineage(3, "x", 2, &[(0, 6)]),
            lineage(5, "x", 4, &[(0, 10), (1, 3)]),
        ]);
        let numbers = books.numbers("x", 4).unwrap();
        let at = |partition, offsets: [i64; 4]| offsets.map(|offset| numbers.at(partition, offset));
        assert_eq!((at(0, [0, 5, 6, 9]), at(0, [10, 11, 99, 100])), ([1, 1, 3, 3], [5; 4]));
        assert_eq!((at(1, [0, 2, 3, 4]), at(2, [0, 1, 2, 3])), ([3, 3, 5, 5], [5; 4]));
        let piece = |start, end| numbers.piece(0, Span { start, end }).end;
        assert_eq!(
            [piece(0, 20), piece(6, 20), piece(10, 20), piece(2, 4), piece(5, 6), piece(7, 7)],
            [6, 10, 20, 4, 6, 7]
        );
        assert_eq!(books.numbers("x", 2).unwrap().at(0, 99), 3, "of a run that began before the topic grew");
        assert_eq!(books.numbers("x", 8), None);
    }

    #[test]
    fn what_older_books_do_not_know_is_below_what_they_know() {
        let books = books(vec![lineage(1, "y", 1, &[]), lineage(4, "x", 3, &[(0, 6)])]);
        let numbers = books.numbers("x", 3).unwrap();
        assert_eq!([numbers.at(0, 5), numbers.at(0, 6), numbers.at(1, 0)], [3, 4, 4]);
    }
}
