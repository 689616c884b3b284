//! A topic that got more partitions, and where its new number begins.
//!
//! Keys have moved, and offsets of two partitions do not say which change came first. So what stands in the partitions that were there
//! keeps the lower number, up to where their logs end when the new number is taken: whatever it says of a key, what the added
//! partitions say of it is newer. One doubt is left. `hash mod n` moves keys into added partitions only, if the new count is a multiple of
//! the old one; else also between the old ones, and what is unread there may have been written before or after.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::exit::needs_person;
use crate::jobs::ingest::args::ResumeFrom;
use crate::jobs::ingest::run::Run;
use crate::kafka::{self, Span, TopicInfo};
use crate::ledger::ReadTo;

/// How a topic grew, as the ledger tells.
pub struct Grown {
    /// How many partitions it has now.
    partitions: u32,
    read: Vec<ReadTo>,
    /// What the logs of the partitions hold that it had last; empty if the ledger has read it with those of now.
    old: Vec<(i32, Span)>,
}

impl Grown {
    /// `None` if it did not grow.
    ///
    /// # Errors
    /// A server is gone; a partition does not answer (75).
    pub fn find(run: &Run, topic: &TopicInfo) -> Result<Option<Grown>> {
        let partitions = topic.partitions.len() as u32;
        let read = run.warehouse.read_to(run.table.name, &topic.id, partitions)?;
        let Some(had) = read.iter().map(|row| row.partitions).filter(|count| *count < partitions).max() else {
            return Ok(None);
        };
        let is_known = read.iter().any(|row| row.partitions == partitions);
        let old: Vec<i32> =
            topic.partitions.iter().copied().filter(|p| !is_known && (0..had as i32).contains(p)).collect();
        let spans = kafka::log_spans(&run.consumer, &run.topic, &old)?;
        Ok(Some(Grown { partitions, read, old: old.into_iter().zip(spans).collect() }))
    }

    /// The counts of partitions that it had before.
    pub fn before(&self) -> Vec<u32> {
        let mut counts: Vec<u32> =
            self.read.iter().map(|row| row.partitions).filter(|c| *c < self.partitions).collect();
        counts.dedup();
        counts
    }

    /// Where the offsets begin that have the number of so many partitions.
    pub fn starts(&self, partitions: u32) -> Vec<(i32, i64)> {
        match partitions == self.partitions && !self.old.is_empty() {
            true => self.old.iter().map(|(partition, log)| (*partition, log.end)).collect(),
            false => self.read_with_fewer(partitions).into_iter().collect(),
        }
    }

    /// Is the order of what is unread in the old partitions known? Skipping it is the only answer if it is not.
    ///
    /// # Errors
    /// Exit 78, with what to do.
    pub fn refuse_unordered(&self, run: &Run) -> Result<()> {
        let had = self.old.len() as u32;
        let unread = self.unread();
        if had == 0 || self.partitions.is_multiple_of(had) || unread.is_empty() {
            return Ok(());
        }
        let skips = run.args.resume_from == Some(ResumeFrom::LogEnd);
        // A group that has read nothing starts where the logs do, whatever it was told.
        let is_new = run.warehouse.ledger_ends(Some(run.table.name), &run.group, &run.topic)?.is_empty();
        if skips && !is_new {
            return Ok(());
        }
        let who =
            if is_new { "This group has read nothing yet: let the group that reads it answer first. " } else { "" };
        let unread: Vec<String> =
            unread.iter().map(|(partition, span)| format!("partition {partition}: {span}")).collect();
        Err(needs_person(format!(
            "{topic} has {now} partitions and had {had}: keys have moved, between the old partitions too, since {now} is not a multiple of {had}. \
             Nobody had read these offsets by then: {unread}. Whether their changes are older or newer than others of the same keys is not known. \
             Nothing was read. {who}Skip them, and have the table sent again: --resume-from log-end, then \
             {send_again} in the source",
            topic = run.topic,
            now = self.partitions,
            unread = unread.join(", "),
            send_again = run.table.send_again(),
        )))
    }

    fn unread(&self) -> Vec<(i32, Span)> {
        let read = self.read_with_fewer(self.partitions);
        let rest = |(partition, log): &(i32, Span)| {
            let start = read.get(partition).map_or(log.start, |end| log.start.max(*end));
            (*partition, Span { start, end: log.end })
        };
        self.old.iter().map(rest).filter(|(_, span)| span.start < span.end).collect()
    }

    fn read_with_fewer(&self, partitions: u32) -> BTreeMap<i32, i64> {
        let mut read = BTreeMap::new();
        for row in self.read.iter().filter(|row| row.partitions < partitions) {
            let end = read.entry(row.partition).or_insert(row.end);
            *end = row.end.max(*end);
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grown(partitions: u32, read: &[(u32, i32, i64)], old: &[(i32, i64, i64)]) -> Grown {
        let read = read.iter().map(|&(partitions, partition, end)| ReadTo { partitions, partition, end }).collect();
        let old = old.iter().map(|&(partition, start, end)| (partition, Span { start, end })).collect();
        Grown { partitions, read, old }
    }

    #[test]
    fn a_number_begins_where_the_old_partitions_end() {
        let grown = grown(4, &[(1, 0, 6), (2, 0, 9), (2, 1, 3)], &[(0, 0, 12), (1, 2, 3)]);
        assert_eq!(grown.before(), [1, 2]);
        assert_eq!((grown.starts(1), grown.starts(2), grown.starts(4)), (vec![], vec![(0, 6)], vec![(0, 12), (1, 3)]));
        assert_eq!(grown.unread(), [(0, Span { start: 9, end: 12 })]);
    }

    /// Somebody reads it under its number already: what its log has got since is not older.
    #[test]
    fn of_a_number_that_was_lost_the_ledger_knows_where_it_began() {
        let grown = grown(4, &[(1, 0, 6), (2, 0, 5), (2, 1, 3), (4, 0, 20)], &[]);
        assert_eq!((grown.before(), grown.starts(4)), (vec![1, 2], vec![(0, 6), (1, 3)]));
    }

    #[test]
    fn what_retention_took_or_the_log_lost_is_not_unread() {
        let grown = grown(3, &[(2, 0, 6)], &[(0, 8, 8), (1, 4, 7)]);
        assert_eq!(grown.unread(), [(1, Span { start: 4, end: 7 })]);
        let shorter = super::tests::grown(3, &[(2, 0, 6), (2, 1, 0)], &[(0, 0, 4), (1, 0, 0)]);
        assert_eq!((shorter.starts(3), shorter.unread()), (vec![(0, 4), (1, 0)], vec![]));
    }
}
