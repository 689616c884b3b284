//! Where the servers are. Flags win over the environment, the environment over the defaults, and the defaults
//! are the local stack. A secret is never a flag: it would be readable in the process list.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use crate::cli::parse_duration;
use crate::exit::usage;

/// A password that does not show itself in logs.
#[derive(Clone, Default)]
pub struct Secret(String);

impl Secret {
    /// Reads `NAME`, or the file named by `NAME_FILE` (one trailing newline is dropped), or takes the default.
    ///
    /// # Errors
    /// Both are set, or the file cannot be read.
    pub fn from_env(name: &str, default: &str) -> Result<Secret> {
        let file_variable = format!("{name}_FILE");
        let value = std::env::var(name).ok();
        let file = std::env::var_os(&file_variable).map(PathBuf::from);
        match (value, file) {
            (Some(_), Some(_)) => Err(usage(format!("both {name} and {file_variable} are set: keep one"))),
            (Some(value), None) => Ok(Secret(value)),
            (None, Some(path)) => {
                let text = std::fs::read_to_string(&path)
                    .with_context(|| format!("reading {} (from {file_variable})", path.display()))
                    .map_err(|e| usage(format!("{e:#}")))?;
                Ok(Secret(text.strip_suffix('\n').map_or(text.as_str(), |t| t).to_owned()))
            }
            (None, None) => Ok(Secret(default.to_owned())),
        }
    }

    /// The secret itself, for the client that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Kafka: brokers and librdkafka settings.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Kafka")]
pub struct KafkaArgs {
    /// Brokers, host:port, comma separated
    #[arg(long, env = "KAFKA_BOOTSTRAP_SERVERS", default_value = "127.0.0.1:29092")]
    pub kafka: String,
    /// A librdkafka setting, for TLS or SASL; may be repeated. The SASL password comes from KAFKA_SASL_PASSWORD[_FILE]
    #[arg(short = 'X', value_name = "KEY=VALUE", env = "KAFKA_OPTIONS", value_delimiter = ' ', value_parser = parse_setting)]
    pub settings: Vec<(String, String)>,
}

/// Settings on which the exactly-once effect rests.
const FIXED_SETTINGS: [&str; 7] = [
    "bootstrap.servers",
    "group.id",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "auto.offset.reset",
    "isolation.level",
    "enable.partition.eof",
];

fn parse_setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE, as in security.protocol=SSL")?;
    if key == "sasl.password" {
        return Err(
            "set KAFKA_SASL_PASSWORD or KAFKA_SASL_PASSWORD_FILE: a flag is readable in the process list".to_owned()
        );
    }
    if FIXED_SETTINGS.contains(&key) {
        return Err(format!("{key} is set by the job itself and cannot be changed"));
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// PostgreSQL, the source.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "PostgreSQL (password: POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE)")]
pub struct PostgresArgs {
    /// Host of the primary
    #[arg(long, env = "POSTGRES_HOST", default_value = "127.0.0.1")]
    pub postgres_host: String,
    /// Port
    #[arg(long, env = "POSTGRES_PORT", default_value_t = 5432)]
    pub postgres_port: u16,
    /// Database
    #[arg(long, env = "POSTGRES_DB")]
    pub postgres_db: String,
    /// User; SELECT on the tables is enough
    #[arg(long, env = "POSTGRES_USER", default_value = "app_user")]
    pub postgres_user: String,
}

/// A read replica of PostgreSQL.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Read replica (same database, user and password)")]
pub struct ReplicaArgs {
    /// Host of a read replica that answers the look-ups instead of the primary
    #[arg(long, env = "POSTGRES_LOOKUP_HOST")]
    pub lookup_host: Option<String>,
    /// Its port
    #[arg(long, env = "POSTGRES_LOOKUP_PORT", default_value_t = 5432)]
    pub lookup_port: u16,
    /// How long to wait for it to catch up with the primary, as in 10s, before a window is looked up
    #[arg(long, value_name = "TIME", env = "POSTGRES_LOOKUP_WAIT", default_value = "10s", value_parser = parse_duration)]
    pub lookup_wait: Duration,
}

/// Kafka Connect.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Kafka Connect")]
pub struct ConnectArgs {
    /// Its REST address
    #[arg(long, env = "CONNECT_URL", value_name = "URL", default_value = "http://127.0.0.1:8083", value_parser = parse_url)]
    pub connect_url: String,
    /// The connector
    #[arg(long, value_name = "NAME", env = "CONNECTOR")]
    pub connector: String,
}

/// Paths are appended to it.
fn parse_url(text: &str) -> Result<String, Infallible> {
    Ok(text.trim_end_matches('/').to_owned())
}

/// ClickHouse, the warehouse.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "ClickHouse (password: CLICKHOUSE_PASSWORD or CLICKHOUSE_PASSWORD_FILE)")]
pub struct ClickHouseArgs {
    /// Host
    #[arg(long, env = "CLICKHOUSE_HOST", default_value = "127.0.0.1")]
    pub clickhouse_host: String,
    /// HTTP port
    #[arg(long, env = "CLICKHOUSE_PORT", default_value_t = 8123)]
    pub clickhouse_port: u16,
    /// Database of the warehouse tables
    #[arg(long, env = "CLICKHOUSE_DB")]
    pub clickhouse_db: String,
    /// Database of the pipeline's own books: runs, ledger, quarantine
    #[arg(long, env = "CLICKHOUSE_OPS_DB")]
    pub clickhouse_ops_db: String,
    /// User
    #[arg(long, env = "CLICKHOUSE_USER", default_value = "default")]
    pub clickhouse_user: String,
}

impl ClickHouseArgs {
    /// Host and port, as a URL has them.
    pub fn address(&self) -> String {
        let (host, port) = (&self.clickhouse_host, self.clickhouse_port);
        if host.contains(':') && !host.starts_with('[') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_carry_the_guarantee_cannot_be_changed() {
        assert!(parse_setting("isolation.level=read_uncommitted").is_err_and(|e| e.contains("cannot be changed")));
        assert_eq!(parse_setting("security.protocol=SSL"), Ok(("security.protocol".into(), "SSL".into())));
        assert!(parse_setting("security.protocol").is_err());
        assert!(parse_setting("sasl.password=x").is_err_and(|e| e.contains("KAFKA_SASL_PASSWORD")));
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        assert_eq!(format!("{:?}", Secret("canary".into())), "Secret(…)");
    }
}
