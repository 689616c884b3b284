//! Derived tables: made from the warehouse's own tables, kept up to date from the ledger.

pub(crate) mod order_wide;
