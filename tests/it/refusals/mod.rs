//! Records that are refused: how they lie in quarantine, and how a replay judges them again.

mod malformed;
mod odd_keys;
mod quarantine;
mod rejects;
mod replay;
mod replay_faults;
mod replay_order;
mod replay_share;
mod replay_windows;
