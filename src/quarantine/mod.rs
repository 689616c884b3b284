//! The quarantine (elsewhere: dead letter queue): records that were not written, with the reason; which of them are meant, whose
//! turn it is, and what may be thrown away.

mod lots;
mod prune;
mod records;
mod rejected;
mod selection;

pub use lots::Lot;
pub use records::{Kept, Listed, QuarantineRange, RuleCount};
pub use rejected::{Quarantined, RejectedRow, WarningRow};
pub use selection::{Portion, Selection};
