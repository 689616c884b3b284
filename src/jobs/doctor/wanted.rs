//! What should be there, and how it is asked for.

use std::collections::HashMap;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::Result;
use chrono::Utc;
use clap::Args;

use crate::cli::{ClickHouseArgs, ConnectArgs, JobArgs, KafkaArgs, OutputArgs, PostgresArgs, TablesArgs};
use crate::source::LockPlace;
use crate::tables::{Pipeline, Table};

/// Flags of `doctor`.
#[derive(Debug, Clone, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    pub tables: TablesArgs,
    #[command(flatten)]
    pub connect: ConnectArgs,
    #[command(flatten)]
    pub kafka: KafkaArgs,
    #[command(flatten)]
    pub postgres: PostgresArgs,
    #[command(flatten)]
    pub clickhouse: ClickHouseArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl JobArgs for DoctorArgs {
    fn output(&self) -> &OutputArgs {
        &self.output
    }
}

/// What should be there: the flags, and the tables that they choose.
#[derive(Debug)]
pub struct Wanted {
    pub args: DoctorArgs,
    pub pipeline: &'static Pipeline,
    pub tables: Vec<&'static Table>,
}

/// What the source says, for the checks of other servers.
#[derive(Debug, Default)]
pub struct SourceFacts {
    /// Table name → has it rows?
    pub has_rows: HashMap<&'static str, bool>,
    /// Its clock minus ours, in milliseconds.
    pub clock_ms: Option<i64>,
    /// The database in which jobs would lock.
    pub locks: Option<LockPlace>,
}

/// A server's clock minus ours, when it was read between two moments of ours.
pub fn clock_offset(asked_ms: i64, server_ms: i64) -> i64 {
    server_ms - (asked_ms + Utc::now().timestamp_millis()) / 2
}

/// Can a connection be made? Tries every address of the name; says why not.
pub fn dial(host: &str, port: u16) -> Result<(), String> {
    const TIMEOUT: Duration = Duration::from_secs(2);
    let addresses =
        (host, port).to_socket_addrs().map_err(|error| format!("the name {host} is not known here: {error}"))?;
    let mut why = format!("the name {host} has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, TIMEOUT) {
            Ok(_) => return Ok(()),
            Err(error) => why = format!("no connection to {host}:{port}: {error}"),
        }
    }
    Err(why)
}
