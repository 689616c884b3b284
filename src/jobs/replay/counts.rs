//! The accounts of a batch.

use std::collections::BTreeMap;

/// What the records of a batch came to.
#[derive(Debug, Default)]
pub struct ReplayCounts {
    pub written: u64,
    pub truncates: u64,
    /// In the warehouse already.
    pub landed: u64,
    pub superseded: u64,
    /// Refused again, by rule.
    pub refused: BTreeMap<&'static str, u64>,
    /// Written though they break a rule of severity `warn`, by rule.
    pub warned: BTreeMap<&'static str, u64>,
}

impl ReplayCounts {
    /// Records that are refused again.
    pub fn refused(&self) -> u64 {
        self.refused.values().sum()
    }

    /// Records that leave the quarantine.
    pub fn resolved(&self) -> u64 {
        self.written + self.truncates + self.landed
    }

    /// Everything.
    pub fn records(&self) -> u64 {
        self.resolved() + self.superseded + self.refused()
    }
}
