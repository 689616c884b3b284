//! One look at everything, piece by piece. `observe` has the order of the pieces.

pub(crate) mod alarm;
pub(crate) mod args;
pub(crate) mod connector;
pub(crate) mod consumers;
pub(crate) mod derived;
pub(crate) mod gaps;
pub(crate) mod lags;
pub(crate) mod look;
pub(crate) mod news;
pub(crate) mod notes;
pub(crate) mod quarantine;
pub(crate) mod rows;
pub(crate) mod runs;
pub(crate) mod settings;
pub(crate) mod slot;
