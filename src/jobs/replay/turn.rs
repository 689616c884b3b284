//! A range's turn.

use crate::quarantine::{Selection, QuarantineRange};

/// A range, and which of its records are taken.
pub struct Turn {
    pub range: QuarantineRange,
    pub selection: Selection,
}
