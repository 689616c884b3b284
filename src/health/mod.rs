//! How the pipeline does: connector, slot, lags and lateness, and what is to be said of them.

pub(crate) mod connect;
pub(crate) mod finding;
mod first_unread;
pub(crate) mod freshness;
pub(crate) mod lag;
pub(crate) mod lateness;
pub(crate) mod observe;
pub(crate) mod severity;
pub(crate) mod slot;

pub use first_unread::FirstUnread;
pub use lag::{Lag, Target, TopicLag, all as measure};
