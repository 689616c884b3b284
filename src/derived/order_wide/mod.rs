//! `order_wide`: one row per order line with all its names. `build-order-wide` has the order of the steps.

pub(crate) mod args;
pub(crate) mod number;
pub(crate) mod rebuild;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod survey;
pub(crate) mod touched;
pub(crate) mod update;
