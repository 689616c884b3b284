//! Change-data capture for Northwind: PostgreSQL → Debezium on Kafka Connect → Kafka → *short-lived jobs* → ClickHouse.
//!
//! A job consumes a bounded range of offsets, validates it against PostgreSQL, writes the valid rows to ClickHouse and
//! the others to quarantine, commits and exits. The life of one row, which is also the order of the modules:
//!
//! ```text
//! topic northwind.public.customers, partition p, offset o
//!   │ stream     the plan: per partition a half-open span, fixed before reading, written ahead into the commit's metadata
//!   │            the window: the next piece of one partition's span
//!   │ cdc        bytes → change of a row                                                   ✗ → rejected ("decode")
//!   │ source     one query per table: which of these rows, and of those that they point at, exist?
//!   │ validate   the verdict: is it there, are its parents, does it keep its table's rules  ✗ → rejected (rule name)
//!   │ warehouse  INSERT rejected, INSERT rows, each with a deduplication token; then the window's ledger row
//!   ▼ stream     commit at the window's end; at last the summary as one JSON line, and an exit code
//! northwind_dw.dim_customers
//! ```
//!
//! [`tables`] says what is particular to a table, [`jobs`] what is run, [`cli`] what all jobs share. [`pipeline`] reads the file
//! that says the same of the tables as [`tables`] does; a test keeps the two equal.

pub mod cdc;
pub mod cli;
pub mod jobs;
pub mod pipeline;
pub mod rows;
pub mod rules;
pub mod source;
pub mod stream;
pub mod tables;
pub mod types;
pub mod validate;
pub mod warehouse;

/// Version and commit.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("NORTHWIND_COMMIT"), ")");
