//! Derived tables: made from the warehouse's own tables by SQL of the pipeline's file, kept up to date from the ledger. A job `build-<name>` has the
//! order of the steps ([`crate::jobs`]).
//!
//! ```text
//! table     a derived table: its names, its columns as SQL
//! touched   windows → the rows of the driving table that a change in them touches
//! members   to which rows of the derived table those belonged, and belong; only where its key is not the driving table's
//! work      both, noted down for a build or asked for a dry run; batch by batch the SELECT of the rows
//! select    a SELECT whose values have to fit: what it gives, what does not fit
//! survey    looks before anything is written; sets aside what does not fit
//! update    rows and delete markers of what is touched      rebuild   all rows, in a table beside
//! number    the build's number, by which the newest one alone writes
//! ```

pub(crate) mod args;
mod members;
pub(crate) mod number;
pub(crate) mod rebuild;
pub(crate) mod run;
pub(crate) mod schema;
mod select;
pub(crate) mod survey;
mod table;
pub(crate) mod touched;
pub(crate) mod update;
mod work;

pub use table::Derived;
