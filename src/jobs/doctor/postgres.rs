//! PostgreSQL, the source: can the jobs ask it, and can the connector capture it?

use anyhow::{Context, Result};
use chrono::Utc;
use postgres::Client;
use postgres::error::SqlState;

use super::capture;
use super::connect::Connector;
use super::encryption::encryption;
use super::report::{DoctorReport, Server};
use super::types;
use super::wanted::{SourceFacts, Wanted, clock_offset, dial};
use crate::cli::PostgresArgs;
use crate::health::finding::{Finding, broken, fail, ok, unreachable};
use crate::source::{self, LockPlace};
use crate::sql;
use crate::tls::{Link, Tls};

const ALL: [&str; 10] =
    ["login", "encryption", "primary", "session", "tables", "types", "wal_level", "publication", "identity", "slot"];

/// Makes the checks.
pub fn check(report: &DoctorReport, wanted: &Wanted, connector: Option<&Connector>) -> SourceFacts {
    let args = &wanted.args.postgres;
    let check = |name, result| report.check(Server::Postgres, name, result);
    let mut facts = SourceFacts::default();
    if !report.put(Server::Postgres, "reachable", reachable(args)) {
        report.skip(Server::Postgres, &ALL, "PostgreSQL does not answer");
        return facts;
    }
    let (found, client) = login(args);
    report.put(Server::Postgres, "login", found);
    let Some(mut client) = client else {
        report.skip(Server::Postgres, &ALL[1..], "the login failed");
        return facts;
    };
    facts.clock_ms = clock(&mut client).ok();
    facts.locks = LockPlace::of(&mut client).ok();
    check("encryption", Tls::of(Link::Postgres).map(|tls| encryption(&tls, &args.postgres_host)));
    let primary = check("primary", primary(&mut client));
    check("session", session(args, &mut client));
    if check("tables", tables(args, &mut client, wanted, &mut facts)) {
        check("types", types::types(&mut client, wanted));
    } else {
        report.skip(Server::Postgres, &["types"], "not every table can be read");
    }
    check("wal_level", capture::wal_level(&mut client));
    check("publication", capture::publication(&mut client, wanted, connector));
    check("identity", capture::identity(&mut client, wanted));
    if primary {
        check("slot", capture::slot(&mut client, wanted, connector));
    } else {
        report.skip(Server::Postgres, &["slot"], "slots are the primary's");
    }
    facts
}

fn reachable(args: &PostgresArgs) -> Finding {
    let (host, port) = (&args.postgres_host, args.postgres_port);
    // A socket's directory instead of a host name.
    if host.starts_with('/') {
        return ok(format!("by socket in {host}"));
    }
    match dial(host, port) {
        Ok(()) => ok(format!("{host}:{port}")),
        Err(why) => unreachable(
            why,
            "is PostgreSQL running? `make up` starts the local one; else set POSTGRES_HOST and POSTGRES_PORT",
        ),
    }
}

fn login(args: &PostgresArgs) -> (Finding, Option<Client>) {
    let PostgresArgs { postgres_user: user, postgres_db: db, .. } = args;
    let error = match source::connect(args, "doctor") {
        Ok(mut client) => {
            let version = client.query_one("SELECT current_setting('server_version')", &[]);
            let version = version.map(|row| row.get::<_, String>(0)).unwrap_or_default();
            return (ok(format!("{user} in database {db}, PostgreSQL {version}")), Some(client));
        }
        Err(error) => error,
    };
    let state = error.chain().find_map(|cause| cause.downcast_ref::<postgres::Error>()?.code());
    let fix = match state {
        Some(state) if *state == SqlState::INVALID_CATALOG_NAME => "set POSTGRES_DB to one of: psql -l".to_owned(),
        Some(state) if state.code().starts_with("28") => {
            format!(
                "set the password of {user} in POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE; or it is pg_hba.conf that refuses this machine"
            )
        }
        Some(state) if state.code().starts_with("53") => "wait, or raise max_connections".to_owned(),
        _ => "look at PostgreSQL's log; is it still starting?".to_owned(),
    };
    (broken(&error, fix), None)
}

/// Advisory locks of a standby are not seen by runs elsewhere.
fn primary(client: &mut Client) -> Result<Finding> {
    let standby: bool =
        client.query_one("SELECT pg_is_in_recovery()", &[]).context("asking whether this is a standby")?.get(0);
    Ok(if standby {
        fail(
            "this server is a standby: advisory locks taken here do not keep two runs apart",
            "set POSTGRES_HOST to the primary",
        )
    } else {
        ok("this is the primary: advisory locks keep two runs apart")
    })
}

/// Behind a transaction pooler a session is not one: its locks belong to whoever comes next.
fn session(args: &PostgresArgs, client: &mut Client) -> Result<Finding> {
    let pid = |client: &mut Client| -> Result<i32> {
        Ok(client.query_one("SELECT pg_backend_pid()", &[]).context("asking for the session's process id")?.get(0))
    };
    let first = pid(client)?;
    let mut other = source::connect(args, "doctor, a second session")?;
    let second = pid(&mut other)?;
    Ok(if is_pooled(first, second, pid(client)?) {
        fail(
            "a transaction pooler stands between: sessions share server processes, so advisory locks do not last",
            "set POSTGRES_HOST and POSTGRES_PORT to PostgreSQL itself, or give the jobs pool_mode=session",
        )
    } else {
        ok("one server process per session: advisory locks last")
    })
}

/// Two sessions that are open at the same time have a process each, and each keeps it.
fn is_pooled(first: i32, other: i32, first_again: i32) -> bool {
    first != first_again || first == other
}

/// Do the tables exist, may we read them, and have they rows?
fn tables(args: &PostgresArgs, client: &mut Client, wanted: &Wanted, facts: &mut SourceFacts) -> Result<Finding> {
    let user = &args.postgres_user;
    for table in &wanted.tables {
        let (name, schema) = (&table.relation, table.spec.source.schema.as_str());
        let sql = "SELECT to_regclass($1) IS NOT NULL,
                          CASE WHEN to_regclass($1) IS NOT NULL
                               THEN has_schema_privilege($2, 'USAGE') AND has_table_privilege(to_regclass($1), 'SELECT') END";
        let row =
            client.query_one(sql, &[name, &schema]).with_context(|| format!("asking whether {name} can be read"))?;
        if !row.get::<_, bool>(0) {
            let text = format!("there is no table {name} in database {}", args.postgres_db);
            return Ok(fail(text, "is POSTGRES_DB right? The local stack: local-stack/stack up"));
        }
        if !row.get::<_, Option<bool>>(1).unwrap_or(false) {
            let schema = sql::postgres::identifier(schema);
            let user = sql::postgres::identifier(user);
            let grants = format!("GRANT USAGE ON SCHEMA {schema} TO {user}; GRANT SELECT ON {name} TO {user}");
            return Ok(fail(format!("{user} may not read {name}"), capture::psql(args, ["-c", &grants])));
        }
        let any = client
            .query_one(&format!("SELECT EXISTS (SELECT FROM {name})"), &[])
            .with_context(|| format!("reading {name}"))?;
        facts.has_rows.insert(table.name, any.get(0));
    }
    Ok(ok(format!("{user} may read {} table(s)", wanted.tables.len())))
}

fn clock(client: &mut Client) -> Result<i64> {
    let asked = Utc::now().timestamp_millis();
    let row = client
        .query_one("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::int8", &[])
        .context("asking for the time")?;
    Ok(clock_offset(asked, row.get(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pooler_gives_itself_away() {
        assert!(!is_pooled(10, 11, 10));
        assert!(is_pooled(10, 11, 11), "the session moved to another process");
        assert!(is_pooled(10, 10, 10), "two sessions in one process");
    }
}
