//! Tests on the real servers, one executable for all of them: a folder per subject, and in it a file per situation that a user would
//! notice. A file's name runs it: `cargo test --test it crash`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod books;
mod capture;
mod changes;
mod cli;
mod comparison;
mod declarations;
mod derived;
mod health;
mod lineages;
mod links;
mod own_database;
mod quality;
mod refusals;
mod runs;
mod support;
mod values;
