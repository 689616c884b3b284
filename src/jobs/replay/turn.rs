//! A range's turn.

use crate::quarantine::{QuarantineRange, Selection};

/// A range, and which of its records are taken.
pub struct Turn {
    pub range: QuarantineRange,
    pub selection: Selection,
}
