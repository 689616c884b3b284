//! A shelf's turn.

use crate::quarantine::{Selection, Shelf};

/// A shelf, and which of its records are taken.
pub struct Turn {
    pub shelf: Shelf,
    pub selection: Selection,
}
