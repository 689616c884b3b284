//! What a record says of a row.

use crate::cdc::{EventMeta, Fields, Truncate, Violation, is_placeholder};
use crate::rows::RowId;

/// What a record says.
#[derive(Debug)]
pub enum Event<'m> {
    /// A row was read, inserted, updated or deleted.
    Change(Change),
    /// As `Change`, but some column values were not sent.
    ToastIncomplete(IncompleteChange<'m>),
    /// The table was truncated.
    Truncate(Truncate),
    /// A null value after a delete.
    Tombstone,
    /// It cannot be decoded; with the row's key, if that could be read.
    Rejected(Violation, Option<String>),
}

/// A change of one row.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    /// What happened.
    pub meta: EventMeta,
    /// Its row among the window's.
    pub row: RowId,
}

/// A change whose unchanged TOAST values have to be carried forward from an earlier state of the row.
#[derive(Debug, Clone)]
pub struct IncompleteChange<'m> {
    /// What happened.
    pub meta: EventMeta,
    /// The canonical text of the row's key.
    pub key: String,
    /// `after`, with placeholders.
    pub after: Fields<'m>,
}

impl<'m> IncompleteChange<'m> {
    /// The columns whose values were not sent.
    pub fn unavailable(&self) -> impl Iterator<Item = &str> {
        self.after.0.iter().filter(|(_, value)| is_placeholder(value)).map(|(name, _)| name.as_ref())
    }
}
