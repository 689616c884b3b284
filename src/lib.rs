//! lockstep, change-data capture: PostgreSQL → Debezium on Kafka Connect → Kafka → *short-lived jobs* → ClickHouse.
//!
//! A job consumes a bounded range of offsets, validates it against PostgreSQL, writes the valid rows to ClickHouse and
//! the others to quarantine, commits and exits. The life of one row, which is also the order of the rooms:
//!
//! ```text
//! topic shop.public.customers, partition p, offset o
//!   │ ledger      the plan: per partition a half-open span, fixed before reading, written ahead into the commit's metadata
//!   │ kafka       the window: the next piece of one partition's span
//!   │ cdc         bytes → change of a row                                                   ✗ → quarantine ("decode")
//!   │ source      one query per table: which of these rows, and of those that they reference, exist?
//!   │ validate    the verdict: is it there, are its parents, does it keep its table's rules  ✗ → quarantine (rule name)
//!   │ quarantine  INSERT what was rejected; replay-rejected tries it again
//!   │ batch       the rows and their deduplication token
//!   │ warehouse   INSERT rows
//!   │ ledger      the window's row: from here on it counts
//!   ▼ kafka       commit at the window's end; at last the summary as one JSON line, and an exit code
//! {db}.dim_customers
//!   ├ derived     tables made of tables, from what the ledger says is new
//!   ├ checks      is the data right? reconcile: is it what the source has, to the last cell?
//!   └ health      how far behind, and what is wrong with connector, slot and runs
//! ```
//!
//! None of them knows a table: [`pipeline`] reads the file that says which there are, [`tables`] works it out with [`types`] (the one column
//! type), [`rows`] (rows decoded by a schema) and [`rules`] (one text, three judges). [`jobs`] is what is run, [`cli`] what all jobs share,
//! [`exit`] how a job ends, [`tls`] how links are secured, [`sql`] how names are written for either server, [`generate`] which files of a project follow from a pipeline,
//! [`init`] how a pipeline is written for a database that is there.

pub mod batch;
pub mod cdc;
pub mod checks;
pub mod cli;
pub mod derived;
pub mod exit;
pub mod generate;
pub mod health;
pub mod init;
pub mod jobs;
pub mod kafka;
pub mod ledger;
pub mod pipeline;
pub mod quarantine;
pub mod reconcile;
pub mod rows;
pub mod rules;
pub mod source;
pub mod sql;
pub mod tables;
pub mod tls;
pub mod types;
pub mod validate;
pub mod warehouse;

/// Version and commit.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("LOCKSTEP_COMMIT"), ")");
