//! What a comparison counts, and as much of what differs as it keeps.

use std::collections::BTreeMap;

use crate::checks::results::KEPT_FAILURES;
use crate::reconcile::difference::Difference;

/// What the differing rows take that are kept.
const KEPT_BYTES: usize = 64 << 20;
/// Keys that are remembered by name.
pub(super) const MOST_KEYS: usize = 100_000;

/// What a comparison counts.
#[derive(Debug, Default)]
pub struct Tally {
    /// Live rows of the source, and of the warehouse.
    pub rows: (u64, u64),
    /// Keys that are the same.
    pub same: u64,
    /// Keys that differ and should not.
    pub different: u64,
    /// Keys whose newer event lies in quarantine.
    pub quarantined: u64,
    /// Rows of the warehouse whose partition the source has dropped or detached, and that are kept.
    pub kept: u64,
    /// Keys that were being changed, or whose change is on its way: to be looked at again.
    pub undecided: Vec<String>,
    /// More of them, whose names are not kept.
    pub forgotten: u64,
    /// Values that the warehouse cannot hold, and has as NULL, by column.
    pub misfits: BTreeMap<String, u64>,
    /// The differing rows, as far as they are kept.
    pub differing: Vec<Difference>,
    /// The keys of the others, as far as they are remembered.
    pub named_only: Vec<String>,
    /// Keys whose newer event lies in quarantine, as far as they are kept.
    pub held_back: Vec<String>,
    /// What the differing rows take that are kept.
    kept_bytes: usize,
}

impl Tally {
    /// Keeps a differing row, or only its key: as many rows as there may be failures, as long as they have room. One is kept, however long.
    pub(super) fn keep(&mut self, difference: Difference) {
        let bytes = self.kept_bytes + difference.bytes();
        if self.differing.is_empty() || self.differing.len() < KEPT_FAILURES && bytes <= KEPT_BYTES {
            self.kept_bytes = bytes;
            self.differing.push(difference);
        } else if self.named_only.len() < MOST_KEYS {
            self.named_only.push(difference.key);
        }
    }

    /// Takes in a later round's tally about the keys that were undecided.
    pub fn take_in(&mut self, later: Tally) {
        self.same += later.same;
        self.different += later.different;
        self.quarantined += later.quarantined;
        self.kept += later.kept;
        for (column, count) in later.misfits {
            *self.misfits.entry(column).or_default() += count;
        }
        later.differing.into_iter().for_each(|difference| self.keep(difference));
        self.named_only.extend(later.named_only);
        self.held_back.extend(later.held_back);
        self.undecided.extend(later.undecided);
        self.forgotten += later.forgotten;
    }

    /// Forgets names beyond those that one comparison keeps.
    pub fn forget_surplus(&mut self) {
        self.named_only.truncate(MOST_KEYS);
        self.held_back.truncate(MOST_KEYS);
        self.forgotten += self.undecided.len().saturating_sub(MOST_KEYS) as u64;
        self.undecided.truncate(MOST_KEYS);
    }

    /// Keys that could not be decided.
    pub fn open(&self) -> u64 {
        self.undecided.len() as u64 + self.forgotten
    }
}
