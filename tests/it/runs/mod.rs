//! Bounded runs: how much one reads, where the next goes on, and what a kill, a race or an absent server leaves behind.

mod crash;
mod faults;
mod gaps;
mod long_lists;
mod membership_flapping;
mod races;
mod ranges;
mod replicas;
mod resume;
mod slow_partitions;
mod verify;
