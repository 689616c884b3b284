//! Source and warehouse, compared while both move: snapshot, fence, ordered merge, whose fault a difference is, and repair.

mod added;
mod attribution;
pub(crate) mod compare;
mod difference;
mod fence;
mod key;
mod layout;
pub(crate) mod mend;
pub(crate) mod offenders;
pub(crate) mod rounds;
mod rows;
pub(crate) mod tally;
mod texts;
