//! `_version`: the order of the log, as one number that ReplacingMergeTree can compare.

use anyhow::Result;

use crate::exit::needs_person;

/// Counts the topics that a table has been read from (docs/DESIGN.md, "Generations"). From 1.
pub type Generation = u16;

const OFFSET_BITS: u32 = 44;
const STEP_BITS: u32 = 8;
const MAX_OFFSET: i64 = (1 << OFFSET_BITS) - 1;
/// The last generation that a version has room for.
pub const MAX_GENERATION: Generation = (1 << 12) - 1;

/// `generation:12 | offset:44 | step:8`.
///
/// Not a clock and not the LSN: a transaction that was open when a snapshot was taken arrives *after* the snapshot's
/// row with a *lower* LSN, and must win. Per key the order of the topic is the truth. Step 0 is the event itself; a
/// truncate mark or a repair is the key's version + 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u64);

impl Version {
    /// The version of the event at `offset`.
    ///
    /// # Errors
    /// The offset is negative or above 2^44 − 1, or the generation above 4095.
    pub fn of(generation: Generation, offset: i64) -> Result<Version> {
        if !(0..=MAX_OFFSET).contains(&offset) || generation > MAX_GENERATION {
            return Err(needs_person(format!(
                "offset {offset} of generation {generation} does not fit in a version (offset < 2^44, generation < 2^12)"
            )));
        }
        Ok(Version((u64::from(generation) << (OFFSET_BITS + STEP_BITS)) | ((offset as u64) << STEP_BITS)))
    }

    /// The lowest version of a generation.
    pub fn floor(generation: Generation) -> Version {
        Version(u64::from(generation) << (OFFSET_BITS + STEP_BITS))
    }

    /// The highest version of a generation.
    pub fn ceiling(generation: Generation) -> Version {
        Version(Version::floor(generation).0 | ((1 << (OFFSET_BITS + STEP_BITS)) - 1))
    }

    /// The generation of a version as it is stored.
    pub fn generation_of(version: u64) -> Generation {
        (version >> (OFFSET_BITS + STEP_BITS)) as Generation
    }

    /// How many versions an event has room for: itself, marks and repairs.
    pub const STEPS: u64 = 1 << STEP_BITS;

    /// Is it the event itself, not a mark or a repair?
    pub fn is_event(version: u64) -> bool {
        version.is_multiple_of(Version::STEPS)
    }

    /// The offset of a version as it is stored.
    pub fn offset_of(version: u64) -> i64 {
        ((version >> STEP_BITS) as i64) & MAX_OFFSET
    }

    /// Are these two versions of the same event, as it was written, marked by a truncate, or repaired?
    pub fn same_event(a: u64, b: u64) -> bool {
        a >> STEP_BITS == b >> STEP_BITS
    }

    /// As it is stored.
    pub fn get(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_order_is_number_order() {
        let v = |generation, offset| Version::of(generation, offset).unwrap().get();
        assert!(v(1, 0) < v(1, 1));
        assert!(v(1, 0) + 1 < v(1, 1), "a repair of an event stays below the next event");
        assert!(v(1, MAX_OFFSET) < v(2, 0), "a recreated topic wins over everything before it");
        assert!(v(1, MAX_OFFSET) + 1 < Version::ceiling(1).get() && Version::ceiling(1) < Version::floor(2));
    }

    #[test]
    fn a_mark_or_a_repair_is_the_same_event() {
        let version = Version::of(3, 7).unwrap().get();
        assert_eq!(Version::generation_of(version + 1), 3);
        assert!(Version::same_event(version, version + 2));
        assert!(!Version::same_event(version, Version::of(3, 8).unwrap().get()));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(Version::of(1, -1).is_err());
        assert!(Version::of(1, MAX_OFFSET + 1).is_err());
        assert!(Version::of(4096, 0).is_err());
    }
}
