//! Source and warehouse compared row by row, and what is different mended.

mod reconcile;
mod reconcile_added;
mod reconcile_keys;
mod reconcile_large;
mod reconcile_moving;
mod reconcile_slices;
mod reconcile_transactions;
mod repair;
mod repair_cut_short;
mod sent_again;
