//! What every run that writes says about itself: its rows in `{ops}.runs`, its time and memory.

use anyhow::Result;
use postgres::Client;
use serde_json::{Value, json};

use crate::cli::Report;
use crate::cli::clock::Clock;
use crate::exit::Exit;
use crate::ledger::{Installation, RunRow};
use crate::source::{self, LockPlace};
use crate::warehouse::Warehouse;

/// Every job that writes begins with this: `migrate` waits until its session has ended, and the books are those that it knows.
///
/// # Errors
/// Exit 75: `migrate` is at work; 78: the books are older than this executable, or newer, or another warehouse's, or their jobs lock elsewhere.
pub fn enter(warehouse: &Warehouse, session: &mut Client) -> Result<()> {
    source::share_books(session, &warehouse.ops)?;
    warehouse.fits()?.refuse_other_locks(&warehouse.ops, &LockPlace::of(session)?)
}

/// For jobs that go on without the warehouse if it does not answer: where the books belong, if it does.
///
/// # Errors
/// Exit 78: the books are older than this executable, or newer, or another warehouse's.
pub fn fit_if_there(warehouse: &Warehouse) -> Result<Option<Installation>> {
    match warehouse.fits() {
        Ok(installation) => Ok(Some(installation)),
        Err(error) if Exit::of(&error) == Exit::NeedsPerson => Err(error),
        Err(_) => Ok(None),
    }
}

/// A run's row with nothing counted yet; jobs add where they read from and what they did.
pub fn row(id: &str, job: &str, started: Clock, exit: Option<Exit>, summary: &str) -> RunRow {
    RunRow {
        run_id: id.to_owned(),
        job: job.to_owned(),
        status: exit.map_or("running", Exit::status).to_owned(),
        exit_code: exit.unwrap_or(Exit::Done).code() as i16,
        summary: summary.to_owned(),
        host: std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned(),
        version: crate::VERSION.to_owned(),
        dag_run_id: dag_run_id(),
        started_at: started.started_ms(),
        updated_at: if exit.is_none() { started.started_ms() } else { started.ended_ms(started.elapsed()) },
        ..RunRow::default()
    }
}

/// Airflow's run, if it has started this one.
pub fn dag_run_id() -> String {
    std::env::var("AIRFLOW_CTX_DAG_RUN_ID").unwrap_or_default()
}

/// Writes a run's final row, with the error of its report. What it did stands, even if that cannot be written; but the report says so.
pub fn close(warehouse: &Warehouse, row: &RunRow, report: &mut Report) {
    let error = report.fields.get("error").and_then(Value::as_str).unwrap_or_default();
    let row = RunRow { error: error.to_owned(), ..row.clone() };
    let Err(error) = warehouse.write_run(&row) else { return };
    let note = format!("{error:#}");
    tracing::warn!("the run's final row could not be written: {note}");
    report.fields.entry("error").or_insert(Value::from(note));
    if report.exit == Exit::Done {
        report.exit = Exit::of(&error);
    }
}

/// Time and memory, for a summary.
pub fn describe_resources(started: Clock, put: &mut impl FnMut(&str, Value) -> Option<Value>) {
    put("duration_ms", json!(started.elapsed().as_millis() as u64));
    let (cpu_ms, peak_mib) = resources();
    put("cpu_ms", json!(cpu_ms));
    put("peak_mib", json!(peak_mib));
}

/// CPU time of this process, user and system, in milliseconds; peak memory in MiB. (Not `ru_maxrss`: that begins with the memory of
/// the process that started this one.)
fn resources() -> (i64, i64) {
    // SAFETY: rusage is plain data, and getrusage fills it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let ms = |time: libc::timeval| time.tv_sec * 1000 + time.tv_usec / 1000;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak_kib =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    (ms(usage.ru_utime) + ms(usage.ru_stime), peak_kib.unwrap_or(0) / 1024)
}
