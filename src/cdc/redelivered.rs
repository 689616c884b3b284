//! After a crash the connector sends the tail of its log again. The end of the tail wins again, so nothing is lost;
//! the summary says how many events were seen twice.

use std::collections::HashMap;

use crate::cdc::Sequence;

/// Counts events at or below a position that their partition has already shown.
#[derive(Debug, Default)]
pub struct Redelivered {
    newest: HashMap<i32, (Sequence, Vec<u64>)>,
    count: u64,
}

impl Redelivered {
    /// Looks at one event that did not come from a snapshot. A primary-key change is a delete and a create with one
    /// position, perhaps of keys that differ in trailing blanks only, and COPY writes many rows at one; so the same position
    /// counts only for the same op and key.
    pub fn see(&mut self, partition: i32, sequence: Sequence, change_hash: u64) {
        match self.newest.get_mut(&partition) {
            Some((newest, _)) if sequence < *newest => self.count += 1,
            Some((newest, changes)) if sequence == *newest && changes.contains(&change_hash) => self.count += 1,
            Some((newest, changes)) => {
                if sequence > *newest {
                    *newest = sequence;
                    changes.clear();
                }
                changes.push(change_hash);
            }
            None => {
                self.newest.insert(partition, (sequence, vec![change_hash]));
            }
        }
    }

    /// Events seen again so far.
    pub fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cdc::Lsn;

    #[test]
    fn a_tail_sent_again_is_counted_and_a_key_change_is_not() {
        let mut redelivered = Redelivered::default();
        for (commit, lsn, change) in [(10, 20, 1), (10, 20, 2), (10, 30, 1), (10, 20, 1), (10, 30, 1), (30, 40, 1)] {
            redelivered.see(0, Sequence(Lsn(commit), Lsn(lsn)), change);
        }
        assert_eq!(redelivered.count(), 2);
    }

    #[test]
    fn a_tail_that_ends_with_a_key_change_is_counted() {
        let mut redelivered = Redelivered::default();
        for change in [1, 2, 1, 2] {
            redelivered.see(0, Sequence(Lsn(10), Lsn(20)), change);
        }
        assert_eq!(redelivered.count(), 2);
    }
}
