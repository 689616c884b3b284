//! ClickHouse, the warehouse: is it there, and do its tables fit?

use std::time::Duration;

use anyhow::Result;
use chrono::Utc;
use clickhouse::Row;
use serde::Deserialize;

use super::encryption::encryption;
use super::generations::generations;
use super::report::{DoctorReport, Server};
use super::wanted::{Wanted, clock_offset};
use super::warehouse_tables::{columns, deduplication, engine, existing, find, tables};
use crate::cli::ClickHouseArgs;
use crate::exit::Exit;
use crate::health::finding::{Finding, Verdict, broken, clip, fail, ok, unreachable};
use crate::health::observe;
use crate::ledger::Versions;
use crate::source::LockPlace;
use crate::tables::Table;
use crate::tls::{Http, Link, NoAnswer, Tls};
use crate::warehouse::{Warehouse, quote};

const TIMEOUT: Duration = Duration::from_secs(3);
const AFTER_LOGIN: [&str; 9] =
    ["databases", "version", "locks", "tables", "columns", "engine", "deduplication", "generations", "rows"];

/// Makes the checks; returns the server's clock minus ours, in milliseconds.
pub fn check(report: &DoctorReport, wanted: &Wanted, locks: Option<&LockPlace>) -> Option<i64> {
    let (args, wanted) = (&wanted.args.clickhouse, &wanted.tables);
    let put = |check, finding| report.put(Server::ClickHouse, check, finding);
    let skip = |checks, why| report.skip(Server::ClickHouse, checks, why);
    if !report.check(Server::ClickHouse, "reachable", reachable(args)) {
        skip(&["encryption", "login"], "ClickHouse does not answer");
        skip(&AFTER_LOGIN, "ClickHouse does not answer");
        return None;
    }
    report.check(
        Server::ClickHouse,
        "encryption",
        Tls::of(Link::ClickHouse).map(|tls| encryption(&tls, &args.clickhouse_host)),
    );
    let (found, warehouse, clock) = login(args);
    put("login", found);
    let Some(warehouse) = warehouse else {
        skip(&AFTER_LOGIN, "the login failed");
        return None;
    };
    if !report.check(Server::ClickHouse, "databases", databases(&warehouse)) {
        skip(&AFTER_LOGIN[1..], "there is no such database");
        return clock;
    }
    match warehouse.versions() {
        Ok(versions) => {
            put("version", version(&warehouse, &versions));
            put("locks", places(&versions, locks));
        }
        Err(error) => {
            put("version", broken(&error, format!("GRANT SELECT ON {}.* TO {}", warehouse.ops, args.clickhouse_user)));
            skip(&["locks"], "what the books say is not known");
        }
    }
    let existing = match existing(&warehouse) {
        Ok(existing) => existing,
        Err(error) => {
            put("tables", broken(&error, format!("GRANT SELECT ON system.tables TO {}", args.clickhouse_user)));
            skip(&AFTER_LOGIN[4..], "the tables are not known");
            return clock;
        }
    };
    put("tables", tables(&warehouse, wanted, &existing));
    // A table that is missing is on the report already; the others are worth a look.
    let there: Vec<&'static Table> =
        wanted.iter().copied().filter(|table| find(&existing, &warehouse.db, table.target).is_some()).collect();
    report.check(Server::ClickHouse, "columns", columns(&warehouse, &there));
    put("engine", engine(&warehouse, &there, &existing));
    report.check(Server::ClickHouse, "deduplication", deduplication(&warehouse, &there, &existing));
    match find(&existing, &warehouse.ops, "generations") {
        Some(_) => {
            report.check(Server::ClickHouse, "generations", generations(&warehouse, &there));
            report.check(Server::ClickHouse, "rows", rows(&warehouse, &there));
        }
        None => skip(&["generations", "rows"], "there is no such table"),
    }
    clock
}

/// Are the books those of this executable, and of this warehouse?
fn version(warehouse: &Warehouse, versions: &Versions) -> Finding {
    if let Err(error) = versions.refuse_newer() {
        return fail(error.to_string(), "install the executable that migrated it, or a newer one");
    }
    if let Err(error) = versions.refuse_other_warehouse() {
        return fail(
            error.to_string(),
            "set CLICKHOUSE_DB or CLICKHOUSE_OPS_DB; if it was renamed: lockstep migrate --moved",
        );
    }
    match versions.fit() {
        Ok(()) => ok(format!("{} is at version {}", warehouse.ops, versions.newest())),
        Err(error) => fail(error.to_string(), "lockstep migrate"),
    }
}

/// Would jobs lock where the others do?
fn places(versions: &Versions, locks: Option<&LockPlace>) -> Finding {
    let Some(here) = locks else {
        return Finding {
            verdict: Verdict::Skipped,
            text: "not checked: PostgreSQL does not say where".to_owned(),
            fix: String::new(),
        };
    };
    match versions.refuse_other_locks(here) {
        Ok(()) => ok(format!("jobs lock in {here}")),
        Err(error) => fail(
            error.to_string(),
            "set POSTGRES_HOST or POSTGRES_DB; if the source has moved: lockstep migrate --moved",
        ),
    }
}

/// Are the tables as new as the books?
fn rows(warehouse: &Warehouse, wanted: &[&Table]) -> Result<Finding> {
    let mut older = Vec::new();
    for table in wanted {
        let missing = warehouse.rows_missing(table)?;
        if !missing.is_empty() {
            older.push(observe::rows::sentence(table.target, &missing));
        }
    }
    Ok(match older.is_empty() {
        true => ok("every table has the rows of its newest windows"),
        false => fail(
            older.join("; "),
            "restore warehouse and books of one backup; or `check-reconcile --plan` names what to read again (docs/OPERATIONS.md, Restore)",
        ),
    })
}

/// `/ping` needs no login.
fn reachable(args: &ClickHouseArgs) -> Result<Finding> {
    let tls = Tls::of(Link::ClickHouse)?;
    let scheme = if tls.is_on() { "https" } else { "http" };
    let url = format!("{scheme}://{}", args.address());
    let port = "set CLICKHOUSE_PORT to ClickHouse's HTTP port, 8123 by default (9000 is its native port)";
    Ok(match Http::new(tls, TIMEOUT)?.ask("GET", &format!("{url}/ping")) {
        Ok((_, body)) if body.trim_ascii() == b"Ok." => ok(url),
        Ok((_, body)) => {
            let text = clip(&String::from_utf8_lossy(&body));
            fail(format!("{url} answers, but not as ClickHouse does: {text:?}"), port)
        }
        Err(NoAnswer::Protocol(error)) => fail(format!("{url} does not speak HTTP: {error}"), port),
        Err(NoAnswer::Tls(why)) => broken(
            &why.context(format!("no answer at {url}")),
            "correct CLICKHOUSE_TLS and its files (docs/guides/tls.md)",
        ),
        Err(NoAnswer::Address(error) | NoAnswer::Unreachable(error)) => unreachable(
            format!("no answer at {url}: {error}"),
            "is ClickHouse running? `make up` starts the local one; else set CLICKHOUSE_HOST and CLICKHOUSE_PORT",
        ),
    })
}

#[derive(Row, Deserialize)]
struct Hello {
    version: String,
    now_ms: i64,
}

fn login(args: &ClickHouseArgs) -> (Finding, Option<Warehouse>, Option<i64>) {
    let user = &args.clickhouse_user;
    let hello = || -> Result<(Warehouse, Hello, i64)> {
        let warehouse = Warehouse::new(args)?;
        warehouse.execute("saying hello", "SELECT 1")?;
        // The connection is made: this one measures the clock.
        let asked = Utc::now().timestamp_millis();
        let sql = "SELECT version() AS version, toUnixTimestamp64Milli(now64(3)) AS now_ms";
        let hello = warehouse.rows::<Hello>("asking for the version", sql)?.into_iter().next();
        let hello = hello.ok_or_else(|| anyhow::anyhow!("ClickHouse returned no row for its version"))?;
        let offset = clock_offset(asked, hello.now_ms);
        Ok((warehouse, hello, offset))
    };
    match hello() {
        Ok((warehouse, hello, offset)) => {
            (ok(format!("{user}, ClickHouse {}", hello.version)), Some(warehouse), Some(offset))
        }
        Err(error) => {
            let fix = match Exit::of(&error) {
                Exit::TryAgain => "look at ClickHouse's log; is it still starting?".to_owned(),
                _ => format!(
                    "set CLICKHOUSE_USER, and the password of {user} in CLICKHOUSE_PASSWORD or CLICKHOUSE_PASSWORD_FILE"
                ),
            };
            (broken(&error, fix), None, None)
        }
    }
}

#[derive(Row, Deserialize)]
struct Name {
    name: String,
}

fn databases(warehouse: &Warehouse) -> Result<Finding> {
    let sql = format!(
        "SELECT name FROM system.databases WHERE name IN ({}, {})",
        quote(&warehouse.db),
        quote(&warehouse.ops)
    );
    let found: Vec<String> =
        warehouse.rows::<Name>("looking for the databases", &sql)?.into_iter().map(|row| row.name).collect();
    let missing: Vec<&str> = [warehouse.db.as_str(), warehouse.ops.as_str()]
        .into_iter()
        .filter(|name| !found.iter().any(|f| f == name))
        .collect();
    Ok(if missing.is_empty() {
        ok(format!("{} and {}", warehouse.db, warehouse.ops))
    } else {
        let text = format!("there is no database {}", missing.join(" and no "));
        fail(text, "lockstep migrate (or is CLICKHOUSE_DB or CLICKHOUSE_OPS_DB wrong?)")
    })
}
