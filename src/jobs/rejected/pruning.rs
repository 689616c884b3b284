//! `rejected --prune` and `--prune-ledger`: what is closed and old goes for good. Only this changes the books.

use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, Utc};
use postgres::Client;
use serde_json::{Map, Value, json};

use crate::cli::Report;
use crate::exit::{Exit, usage};
use crate::jobs::rejected::{RecordStatus, RejectedArgs};
use crate::ledger::HeldBack;
use crate::ledger::plain_run::PlainRun;
use crate::quarantine::Selection;
use crate::source;
use crate::warehouse::Warehouse;

/// Tables that a warning names.
const NAMED: usize = 5;

/// Prunes what is asked for, as a run of its own in the books.
///
/// # Errors
/// ClickHouse's settings are wrong. What else goes wrong is in the report.
pub fn run(job: &str, args: &RejectedArgs, warehouse: &Warehouse) -> Result<Report> {
    let closed = closed(args)?;
    let flags = [(args.prune, " --prune"), (args.prune_ledger, " --prune-ledger")];
    let flags: String = flags.iter().filter(|(age, _)| age.is_some()).map(|(_, flag)| *flag).collect();
    let mut run = PlainRun::begin(job, format!("{job}{flags}"), &args.clickhouse)?;
    let session = source::connect(&args.postgres, &run.session_name());
    match session.and_then(|session| enter(session, &mut run, job, warehouse)) {
        Ok(mut session) => {
            let pruned = prune(args, warehouse, closed, &run.id);
            source::unlock(&mut session);
            Ok(run.close(pruned.map(|fields| Report { exit: Exit::Done, fields })))
        }
        Err(error) => Ok(run.close(Err(error))),
    }
}

/// One run at a time: the list of what goes is a table in the books.
fn enter(mut session: Client, run: &mut PlainRun, job: &str, warehouse: &Warehouse) -> Result<Client> {
    run.open(&mut session)?;
    source::lock_job(&mut session, job, &warehouse.ops)?;
    Ok(session)
}

/// What `--prune` may remove.
fn closed(args: &RejectedArgs) -> Result<Vec<&'static str>> {
    match args.status.unwrap_or(RecordStatus::All) {
        RecordStatus::Open if args.prune.is_some() => {
            Err(usage("--prune removes closed records only: open ones wait for a replay"))
        }
        RecordStatus::Open | RecordStatus::All => Ok(vec!["resolved", "superseded"]),
        status => Ok(status.names()),
    }
}

fn prune(
    args: &RejectedArgs,
    warehouse: &Warehouse,
    closed: Vec<&'static str>,
    run_id: &str,
) -> Result<Map<String, Value>> {
    let mut fields = Map::new();
    if let Some(age) = args.prune {
        let until = before(age)?;
        let pruned = warehouse.prune_rejected(&Selection { until: Some(until), ..args.selection(closed) }, run_id)?;
        tracing::info!("{pruned} closed records removed that were closed before {}", text(until));
        fields.insert("pruned".to_owned(), json!(pruned));
    }
    if let Some(age) = args.prune_ledger {
        let before = before(age)?;
        let pruned = warehouse.prune_windows(before, run_id)?;
        tracing::info!("{} rows of the ledger removed that were closed before {}", pruned.rows, text(before));
        pruned.held_back_by.iter().for_each(warn);
        fields.insert("pruned_windows".to_owned(), json!(pruned.rows));
        fields.insert("held_back_by".to_owned(), pruned.held_back_by.iter().map(described).collect());
    }
    Ok(fields)
}

/// Old rows that stay because somebody may still want them.
fn warn(held: &HeldBack) {
    let HeldBack { consumer, rows, tables } = held;
    let more = if tables.len() > NAMED { format!(" and {} more", tables.len() - NAMED) } else { String::new() };
    let named = format!("{}{more}", tables[..tables.len().min(NAMED)].join(", "));
    if consumer.is_empty() {
        return tracing::warn!(
            "{rows} old rows of the ledger stay ({named}): no check and no build follows these tables, and the first one that does would miss them"
        );
    }
    tracing::warn!(
        "old rows of the ledger stay: {consumer} has not taken up {rows} of them ({named}); {}",
        held.remedy()
    );
}

fn described(held: &HeldBack) -> Value {
    json!({"consumer": held.consumer, "rows": held.rows, "tables": held.tables})
}

fn before(age: Duration) -> Result<DateTime<Utc>> {
    Ok(Utc::now() - chrono::Duration::from_std(age)?)
}

fn text(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
