//! Which rows a TRUNCATE removes. Events say neither the server nor the timeline that they come from, so log order says it where there is
//! one, and LSN and commit time together where there is none.

use crate::cdc::{Generation, Lsn, Version};

/// A commit later than this beside a lower LSN is of another timeline; less may be a clock that was set.
pub const CLOCK_SLACK_MS: i64 = 60_000;

/// Where a row stands: what a TRUNCATE judges it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Standing {
    pub version: u64,
    pub partition: i32,
    pub offset: i64,
    pub lsn: Option<Lsn>,
    /// When the source committed it, milliseconds since the epoch.
    pub ts_ms: i64,
    pub deleted: bool,
}

/// A TRUNCATE event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truncate {
    /// Its position in the source's log.
    pub lsn: Lsn,
    /// When the source committed it, milliseconds since the epoch.
    pub ts_ms: i64,
}

impl Truncate {
    /// Does the row stand before it, where offsets cannot say so? Within a timeline the LSN decides (a TRUNCATE locks writers out);
    /// the commit time excludes rows of a later one.
    pub fn is_after(&self, row: &Standing) -> bool {
        match row.lsn {
            Some(lsn) => lsn < self.lsn && row.ts_ms <= self.ts_ms + CLOCK_SLACK_MS,
            None => row.ts_ms < self.ts_ms,
        }
    }
}

/// The truncates that rows of one topic id may stand before, as few as say the same as all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Truncates {
    /// Of the topic itself, per partition: the offset of the last one.
    pub last: Vec<(i32, i64)>,
    /// Of the topic itself, per partition: those that no other one stands behind in both LSN and time; of one timeline this is one.
    pub fronts: Vec<(i32, Truncate)>,
    /// Of topics that came later to the same table: their generation, and the last one.
    pub later: Vec<(Generation, Truncate)>,
}

impl Truncates {
    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.last.is_empty() && self.later.is_empty()
    }

    /// A truncate that removes the row, if there is one.
    ///
    /// 1. Of a later topic: everything that was an event of this one; of what was repaired, what was repaired before.
    /// 2. Of the same partition: the events at lower offsets.
    /// 3. Of another partition, and for rows that were repaired: [`Truncate::is_after`].
    pub fn removing(&self, row: &Standing) -> Option<Truncate> {
        let is_event = Version::is_event(row.version);
        let generation = Version::generation_of(row.version);
        let by_topic =
            self.later.iter().find(|(later, truncate)| generation < *later && (is_event || row.ts_ms < truncate.ts_ms));
        if let Some((_, truncate)) = by_topic {
            return Some(*truncate);
        }
        let behind = |partition: i32| self.last.iter().any(|(p, last)| *p == partition && row.offset < *last);
        let fronts = || self.fronts.iter();
        if is_event && behind(row.partition) {
            let of_partition = fronts().filter(|(partition, _)| *partition == row.partition).map(|(_, front)| *front);
            return of_partition.max_by_key(|front| front.ts_ms).or(Some(Truncate { lsn: Lsn(0), ts_ms: 0 }));
        }
        fronts()
            .filter(|(partition, _)| !is_event || *partition != row.partition)
            .map(|(_, front)| *front)
            .find(|front| front.is_after(row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Truncate = Truncate { lsn: Lsn(1_000), ts_ms: 1_000_000 };

    fn row(partition: i32, offset: i64, lsn: Option<u64>, ts_ms: i64) -> Standing {
        let version = Version::of(1, offset).unwrap().get();
        Standing { version, partition, offset, lsn: lsn.map(Lsn), ts_ms, deleted: false }
    }

    fn truncates() -> Truncates {
        Truncates { last: vec![(0, 10)], fronts: vec![(0, T)], later: Vec::new() }
    }

    #[test]
    fn in_its_own_partition_the_offset_decides_alone() {
        let removes = |offset, lsn| truncates().removing(&row(0, offset, lsn, 0)).is_some();
        assert!(removes(9, Some(5_000)) && removes(9, None));
        assert!(!removes(11, Some(1)) && !removes(11, None));
    }

    #[test]
    fn elsewhere_the_lsn_decides_and_a_later_commit_excludes() {
        let removes = |lsn, ts_ms| truncates().removing(&row(1, 50, lsn, ts_ms)).is_some();
        assert!(removes(Some(999), T.ts_ms - 1) && removes(Some(999), T.ts_ms + CLOCK_SLACK_MS));
        assert!(!removes(Some(999), T.ts_ms + CLOCK_SLACK_MS + 1), "another timeline");
        assert!(!removes(Some(1_000), 0) && !removes(Some(1_001), 0));
        assert!(removes(None, T.ts_ms - 1) && !removes(None, T.ts_ms));
    }

    #[test]
    fn a_repaired_row_is_judged_by_lsn_and_time_wherever_it_stands() {
        let repaired = |lsn, ts_ms| Standing { version: row(0, 3, None, 0).version + 1, ..row(0, 3, lsn, ts_ms) };
        assert_eq!(truncates().removing(&repaired(Some(2_000), T.ts_ms + 1)), None);
        assert_eq!(truncates().removing(&repaired(Some(900), T.ts_ms - 1)), Some(T));
    }

    #[test]
    fn a_later_topics_truncate_takes_everything_but_what_was_repaired_afterwards() {
        let later = Truncates { later: vec![(2, T)], ..Truncates::default() };
        assert_eq!(later.removing(&row(0, 3, Some(5_000), T.ts_ms + 999_999)), Some(T));
        let repaired = |ts_ms| Standing { version: row(0, 3, None, 0).version + 1, ..row(0, 3, Some(1), ts_ms) };
        assert_eq!(later.removing(&repaired(T.ts_ms + 1)), None);
        assert_eq!(later.removing(&repaired(T.ts_ms - 1)), Some(T));
        let newer = Standing { version: Version::of(2, 3).unwrap().get(), ..row(0, 3, Some(1), 0) };
        assert_eq!(later.removing(&newer), None);
    }
}
