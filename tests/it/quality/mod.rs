//! The checks of what is in the warehouse, and the rules that they and the ingest know.

mod check_jobs;
mod checks;
mod freshness;
mod odd_tables;
mod rules;
mod rules_parity;
