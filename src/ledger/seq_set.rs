//! Numbers of ledger rows, stream by stream: runs of neighbours take no more room than one.

use std::collections::BTreeMap;

use crate::ledger::stream_key::StreamKey;

/// Some numbers in some streams.
#[derive(Debug, Clone, Default)]
pub(super) struct SeqSet(BTreeMap<StreamKey, Vec<(u64, u64)>>);

impl SeqSet {
    /// Adds a number. [`SeqSet::contains`] expects those of a stream in ascending order.
    pub fn add(&mut self, place: &StreamKey, seq: u64) {
        let runs = match self.0.get_mut(place) {
            Some(runs) => runs,
            None => self.0.entry(place.clone()).or_default(),
        };
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == seq => *last = seq,
            _ => runs.push((seq, seq)),
        }
    }

    /// Is it one of them?
    pub fn contains(&self, place: &StreamKey, seq: u64) -> bool {
        let Some(runs) = self.0.get(place) else { return false };
        let behind = runs.partition_point(|(first, _)| *first <= seq);
        behind > 0 && seq <= runs[behind - 1].1
    }

    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = (&StreamKey, u64)> {
        self.0.iter().flat_map(|(place, runs)| {
            runs.iter().flat_map(move |(first, last)| (*first..=*last).map(move |seq| (place, seq)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_one_run() {
        let place = |stream| StreamKey { stream, ..StreamKey::default() };
        let mut numbers = SeqSet::default();
        for seq in [1, 2, 3, 7, 9, 10] {
            numbers.add(&place(0), seq);
        }
        numbers.add(&place(1), 2);
        assert_eq!(numbers.0[&place(0)], [(1, 3), (7, 7), (9, 10)]);
        let there: Vec<u64> = (0..12).filter(|seq| numbers.contains(&place(0), *seq)).collect();
        assert_eq!(there, [1, 2, 3, 7, 9, 10]);
        assert!(!numbers.contains(&place(2), 2));
        assert_eq!(numbers.iter().map(|(place, seq)| (place.stream, seq)).last(), Some((1, 2)));
    }
}
