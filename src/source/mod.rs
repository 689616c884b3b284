//! PostgreSQL, the source: look-ups, catalogue and locks. The jobs never write to it.

mod books;
mod catalogue;
mod constraints;
mod drift;
mod identity;
mod locks;
mod lookup;
mod partitions;
mod replica;
mod sessions;
mod snapshot;
mod survey;
mod transactions;

use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result};
use postgres::config::{Host, SslMode};
use postgres::{Client, NoTls};
use postgres_openssl::MakeTlsConnector;

use crate::cli::{PostgresArgs, Secret};
use crate::exit::{needs_person, try_again, usage};
use crate::tls::{Link, Tls};

pub use books::{LockPlace, share_books, take_books};
pub use catalogue::{HAS_LONG_COLUMN, SourceColumn, SourceTable, catalogue};
pub use constraints::{Constraint, constraints};
pub use drift::{Changed, Drift, stays};
pub use identity::identity;
pub use locks::{TargetLock, lock, lock_job, lock_tables, still_held, unlock};
pub use lookup::{Existence, Found, is_possible, look_up};
pub use partitions::without_partition;
pub use replica::LookUps;
pub use sessions::{Sessions, session_name};
pub use snapshot::{Rows, SnapshotTx, key_in, key_parts};
pub use survey::{ForeignKey, Survey, SurveyedServer, SurveyedTable, UniqueKey, survey};
pub use transactions::{Snapshot, Written, next_transaction};

/// A server that takes connections and says nothing must not hold up a job for ever.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);

/// Connects as `name` (shown in `pg_stat_activity`), with time limits on locks and statements, so that a look-up
/// never waits behind the shop for long and the shop never waits behind a look-up. Where policies (row level security) would hide rows
/// from the role, a statement is refused: rows that are hidden must not look as if they were not there. How values are written is said,
/// whatever the database's own settings are.
///
/// # Errors
/// The server is not there, or refuses.
pub fn connect(args: &PostgresArgs, name: &str) -> Result<Client> {
    connect_to(args, &args.postgres_host, args.postgres_port, name)
}

/// As [`connect`], to another server of the same database: a read replica.
///
/// # Errors
/// The server is not there, or refuses.
pub fn connect_to(args: &PostgresArgs, host: &str, port: u16, name: &str) -> Result<Client> {
    let PostgresArgs { postgres_db: db, postgres_user: user, .. } = args;
    let mut config = postgres::Config::new();
    config.host(host).port(port).dbname(db).user(user).password(password()?.reveal());
    connect_by(config, Tls::of(Link::Postgres)?, name)
        .with_context(|| format!("connecting to PostgreSQL, database {db} at {host}:{port} as {user}"))
}

/// As [`connect`], to the database of a URL, `postgres://user@host:port/database?sslmode=verify-full`. A password that it does not have comes from
/// the environment, and so does its TLS.
///
/// # Errors
/// It is no such URL; the server is not there, or refuses.
pub fn connect_to_url(url: &str, name: &str) -> Result<Client> {
    let no_url = |why: String| usage(format!("--from: {why}: write postgres://user@host:port/database"));
    let (url, mode) = without_ssl_mode(url);
    if let Some(word) = ["sslrootcert=", "sslcert=", "sslkey="].into_iter().find(|word| url.contains(word)) {
        return Err(no_url(format!(
            "leave {word}… out, and set POSTGRES_TLS_CA_FILE, POSTGRES_TLS_CERT_FILE, POSTGRES_TLS_KEY_FILE"
        )));
    }
    let tls = match mode {
        Some(word) => Tls::with_mode_of(Link::Postgres, "sslmode of --from", &word)?,
        None => Tls::of(Link::Postgres)?,
    };
    let mut config: postgres::Config = url.parse().map_err(|error| no_url(format!("{error:#}")))?;
    let Some(database) = config.get_dbname().map(str::to_owned) else {
        return Err(no_url("it names no database".to_owned()));
    };
    if config.get_password().is_none() {
        config.password(password()?.reveal());
    }
    connect_by(config, tls, name).with_context(|| format!("connecting to PostgreSQL, database {database} of --from"))
}

fn password() -> Result<Secret> {
    Secret::from_env("POSTGRES_PASSWORD", "app_password")
}

/// A URL without its `sslmode`, and that: the client knows fewer words than libpq does.
fn without_ssl_mode(url: &str) -> (String, Option<String>) {
    let Some((address, query)) = url.split_once('?') else { return (url.to_owned(), None) };
    let (modes, others): (Vec<&str>, Vec<&str>) = query.split('&').partition(|pair| pair.starts_with("sslmode="));
    let url = if others.is_empty() { address.to_owned() } else { format!("{address}?{}", others.join("&")) };
    (url, modes.last().map(|pair| pair.trim_start_matches("sslmode=").to_owned()))
}

fn connect_by(mut config: postgres::Config, tls: Tls, name: &str) -> Result<Client> {
    // As in libpq, a socket of this machine is not encrypted, whatever is demanded.
    let is_socket = config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
    let is_on = tls.is_on() && !is_socket;
    let connector = is_on.then(|| tls.builder()).transpose()?.map(|builder| {
        let (mut connector, tls) = (MakeTlsConnector::new(builder.build()), tls.clone());
        connector.set_callback(move |connection, _| tls.configure(connection));
        connector
    });
    config
        .ssl_mode(if is_on { SslMode::Require } else { SslMode::Disable })
        .application_name(name)
        .connect_timeout(Duration::from_secs(5))
        .keepalives_idle(Duration::from_secs(15))
        .tcp_user_timeout(Duration::from_secs(30))
        .options(
            "-c lock_timeout=5s -c statement_timeout=30s -c TimeZone=UTC -c default_transaction_read_only=on \
                  -c row_security=off -c DateStyle=ISO -c IntervalStyle=postgres -c extra_float_digits=1 -c bytea_output=hex \
                  -c quote_all_identifiers=off",
        );
    let (answer, answered) = mpsc::channel();
    std::thread::spawn(move || {
        let _ = answer.send(match connector {
            Some(connector) => config.connect(connector),
            None => config.connect(NoTls),
        });
    });
    answered
        .recv_timeout(HANDSHAKE_TIMEOUT)
        .map_err(|_| {
            try_again(format!("it took the connection and said nothing for {} s", HANDSHAKE_TIMEOUT.as_secs()))
        })
        .and_then(|client| client.map_err(|error| tls.explain(&error).unwrap_or_else(|| explain(error, &tls))))
}

/// Has one of these tables (their names as SQL) a row?
///
/// # Errors
/// PostgreSQL is gone, or refuses.
pub fn has_rows(client: &mut Client, relations: &[&str]) -> Result<bool> {
    for relation in relations {
        let sql = format!("SELECT EXISTS (SELECT FROM {relation})");
        let row =
            client.query_one(&sql, &[]).with_context(|| format!("asking PostgreSQL whether {relation} has rows"))?;
        if row.get(0) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// pgbouncer knows few startup parameters. It could be told to ignore ours, which would help nobody: a pooler lends one session to
/// many clients, and the jobs' locks and settings are their session's.
fn explain(error: postgres::Error, tls: &Tls) -> anyhow::Error {
    match error.as_db_error().map(|refusal| refusal.message()) {
        Some(refusal) if refusal.contains("startup parameter") => needs_person(format!(
            "a connection pooler (pgbouncer?) refuses the session's settings (`options`): {refusal}; jobs need sessions of their own for \
             their locks: point POSTGRES_HOST and POSTGRES_PORT at PostgreSQL itself"
        )),
        // Only TLS is let in (hostssl in pg_hba.conf, rds.force_ssl and the like).
        Some(refusal) if refusal.contains("no encryption") || refusal.contains("SSL connection is required") => {
            needs_person(format!(
                "{refusal}; only encrypted connections are let in there: set {}=verify-full",
                tls.said_by()
            ))
        }
        _ => anyhow::Error::new(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_of_a_url_is_taken_out_of_it() {
        let of = |url: &str| {
            let (url, mode) = without_ssl_mode(url);
            (url, mode.unwrap_or_default())
        };
        assert_eq!(of("postgres://a@b/c"), ("postgres://a@b/c".into(), String::new()));
        assert_eq!(of("postgres://a@b/c?sslmode=require"), ("postgres://a@b/c".into(), "require".into()));
        let (url, mode) = of("postgres://a@b/c?channel_binding=require&sslmode=verify-full&connect_timeout=3");
        assert_eq!(
            (url.as_str(), mode.as_str()),
            ("postgres://a@b/c?channel_binding=require&connect_timeout=3", "verify-full")
        );
    }
}
