//! What every check works with: flags, settings, the catalogue of checks and their SQL, the rows that are looked at, the results.

pub(crate) mod args;
pub(crate) mod catalogue;
pub(crate) mod checker;
pub(crate) mod results;
pub(crate) mod settings;
pub(crate) mod severity;
pub(crate) mod slice;
pub(crate) mod statement;
