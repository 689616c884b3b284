//! Tests on the real servers: one file per situation that a user would notice, one executable for all of them.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod all_tables;
mod comes_and_goes;
mod command_line;
mod corpus;
mod crash;
mod debezium;
mod doctor;
mod events;
mod faults;
mod gaps;
mod history;
mod lag;
mod migrate;
mod parity;
mod poison;
mod prototype;
mod races;
mod ranges;
mod read_replica;
mod recreated_topic;
mod rejects;
mod resume;
mod rules;
mod schema_drift;
mod schema_person;
mod settings;
mod source;
mod source_moves;
mod support;
mod toast;
mod truncate;
mod views;
mod workload;
