//! A window once it is judged.

use crate::cdc::{Completion, Event, Record};
use crate::old::Table;
use crate::validate::Warning;

/// The records of a window, and what became of them.
pub struct Judged<'e, 'm, T: Table> {
    /// As they were read.
    pub records: &'e [Record<'m>],
    /// As they were decoded and judged.
    pub events: &'e [Event<'m, T>],
    /// Rules that rows break though they are written.
    pub warnings: Vec<Warning>,
    /// What was carried forward.
    pub carried: Completion<'m>,
}
