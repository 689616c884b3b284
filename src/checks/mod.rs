//! What every check works with: flags, settings, the catalogue of checks, what is asked of both sides, the rows that are looked at, the results.

pub(crate) mod args;
pub(crate) mod catalogue;
pub(crate) mod checker;
mod conditions;
pub(crate) mod constraint;
pub(crate) mod results;
pub(crate) mod settings;
pub(crate) mod slice;
pub(crate) mod sql_check;
pub(crate) mod statement;
