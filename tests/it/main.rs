//! Tests on the real servers: one file per situation that a user would notice, one executable for all of them.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod comes_and_goes;
mod command_line;
mod crash;
mod debezium;
mod doctor;
mod events;
mod faults;
mod gaps;
mod lag;
mod migrate;
mod poison;
mod prototype;
mod quarantine;
mod races;
mod ranges;
mod recreated_topic;
mod rejects;
mod replay;
mod replay_faults;
mod replay_order;
mod resume;
mod rules;
mod settings;
mod source;
mod support;
mod toast;
mod truncate;
mod workload;
