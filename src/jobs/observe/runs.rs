//! The runs: how the last ones ended, and which ones never will.
//!
//! A run that is killed leaves a row that says 'running' for ever. It is called lost by evidence, never by its age alone: a run has a
//! session in PostgreSQL from before its first row to after its last one, under its own name. So, *in this order*: all sessions are
//! read, then the rows. A run whose row still says 'running' then, and that had no session before, ended without its final row;
//! with the order reversed, a run that ends in between would pass for lost.
//!
//! The locks would say less: an explicit range takes none, a run has none in its first moments, and of several shards each has some.
//! What remains is a run that lives on after its session broke: it may be called lost, and its final row wins over the mark.

use chrono::DateTime;
use serde_json::{Value, json};

use super::{CLICKHOUSE, Look};
use crate::jobs::finding::broken;
use crate::source::Sessions;
use crate::warehouse::{LastRun, OpenRun};

/// What the books say of the runs.
pub struct SeenRuns {
    /// The last run of each job.
    pub last: Vec<LastRun>,
    /// Runs that this look has marked as lost.
    pub lost: Vec<OpenRun>,
}

/// Marks lost runs, if it is known who is alive, and looks at the last ones.
pub fn look(look: &mut Look, sessions: Option<&Sessions>) -> Option<SeenRuns> {
    match ask(look, sessions) {
        Ok(seen) => {
            for run in &seen.lost {
                look.notes.problem(lost(run));
            }
            for run in seen.last.iter().filter(|last| !seen.lost.iter().any(|lost| lost.run_id == last.run_id)) {
                if let Some(problem) = bad_end(run) {
                    look.notes.problem(problem);
                }
            }
            Some(seen)
        }
        Err(error) => {
            look.notes.unseen("runs", &broken(&error, CLICKHOUSE));
            None
        }
    }
}

fn ask(look: &Look, sessions: Option<&Sessions>) -> anyhow::Result<SeenRuns> {
    let mut lost = Vec::new();
    if let Some(sessions) = sessions {
        let min_age_ms = look.args.lost_after.as_millis() as i64;
        let is_lost = |run: &OpenRun| {
            let without = sessions.without_since(&run.job, &run.run_id, run.started_ms);
            has_session(&run.job) && without.is_some_and(|since_ms| look.at_ms() - since_ms >= min_age_ms)
        };
        lost = look.warehouse.open_runs()?.into_iter().filter(is_lost).collect();
        for run in &lost {
            look.warehouse.mark_lost(run)?;
        }
    }
    Ok(SeenRuns { last: look.warehouse.last_runs(&look.job)?, lost })
}

/// Of a job that has no such session it cannot be said whether its run is alive.
fn has_session(job: &str) -> bool {
    job.starts_with("ingest-") || job == "replay-rejected" || job == "build-order-wide"
}

fn lost(run: &OpenRun) -> String {
    format!(
        "{} run {} on {}, started {} UTC, has ended without a word (killed?): run {0} again, it goes on where that one stopped",
        run.job,
        run.run_id,
        run.host,
        time(run.started_ms)
    )
}

/// A last run after which a person has to do something. One that shall be tried again is tried again.
fn bad_end(run: &LastRun) -> Option<String> {
    let expected = ["done", "nothing-to-do", "running", "stopped", "try-again"].contains(&run.status.as_str());
    let error = if run.error.is_empty() { "run it again" } else { &run.error };
    (!expected).then(|| {
        format!("the last run of {} ({}, {} UTC) is {}: {error}", run.job, run.run_id, time(run.started_ms), run.status)
    })
}

impl SeenRuns {
    /// For the summary: per job, how its last run ended.
    pub fn json(&self) -> Value {
        let last = |run: &LastRun| json!({"job": run.job, "run": run.run_id, "status": run.status, "started_at": time(run.started_ms)});
        self.last.iter().map(last).collect()
    }

    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let line = |run: &LastRun| {
            let LastRun { job, status, written, rejected, .. } = run;
            format!("{job:<28} {status:<16} {} UTC  {written} written, {rejected} rejected", time(run.started_ms))
        };
        self.last.iter().map(line).collect()
    }
}

fn time(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).map_or("?".to_owned(), |time| time.format("%Y-%m-%d %H:%M:%S").to_string())
}
