//! The runs: how the last ones ended, and which ones never will.
//!
//! A run that is killed leaves a row that says 'running' for ever. It is called lost by evidence, never by its age alone: a run has a
//! session in PostgreSQL from before its first row to after its last one, under its own name. So, *in this order*: all sessions are
//! read, then the rows. A run whose row still says 'running' then, and that had no session before, ended without its final row;
//! with the order reversed, a run that ends in between would pass for lost.
//!
//! The locks would say less: a backfill takes none, a run has none in its first moments, and of several shards each has some.
//! What remains is a run that lives on after its session broke: it may be called lost, and its final row wins over the mark.

use serde_json::{Value, json};

use super::alarm::Alarm;
use super::look::{CLICKHOUSE, Look};
use super::settings::command_of;
use crate::cli::{TextTable, age};
use crate::health::finding::broken;
use crate::health::lateness::time;
use crate::ledger::{OpenRun, RecentRun};
use crate::source::Sessions;

/// What the books say of the runs.
pub struct SeenRuns {
    /// The last runs of each job, the newest first; those of `observe` apart.
    jobs: Vec<Vec<RecentRun>>,
    /// The looks before this one.
    pub looks: Vec<RecentRun>,
    /// Runs that this look has marked as lost.
    pub lost: Vec<OpenRun>,
}

/// Marks lost runs, if it is known who is alive, and looks at the last ones.
pub fn observe(look: &mut Look, sessions: Option<&Sessions>) -> Option<SeenRuns> {
    match ask(look, sessions) {
        Ok(seen) => {
            for run in &seen.lost {
                look.notes.seen(Alarm::RunLost, &run.job, 0, lost(run));
            }
            for runs in &seen.jobs {
                tell(look, runs, &seen.lost);
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
    // One more than the limit: the newest may be at work.
    let recent = look.warehouse.recent_runs(look.settings.tries_in_a_row + 1)?;
    let by_job = recent.chunk_by(|a, b| a.job == b.job).map(<[RecentRun]>::to_vec);
    let (looks, jobs): (Vec<_>, Vec<_>) = by_job.partition(|runs: &Vec<RecentRun>| runs[0].job == look.job);
    Ok(SeenRuns { jobs, looks: looks.concat(), lost })
}

/// Of a job that has no such session it cannot be said whether its run is alive.
fn has_session(job: &str) -> bool {
    let command = command_of(job);
    let is_of_a_kind = ["ingest-", "build-", "check-"].iter().any(|kind| command.starts_with(kind));
    is_of_a_kind || ["replay-rejected", "sync-schema", "rejected"].contains(&command)
}

fn lost(run: &OpenRun) -> String {
    format!(
        "{} run {} on {}, started {}, has ended without a word (killed?): run {0} again, it goes on where that one stopped",
        run.job,
        run.run_id,
        run.host,
        time(run.started_ms)
    )
}

/// What is to be said of a job, by its last runs.
fn tell(look: &mut Look, runs: &[RecentRun], just_lost: &[OpenRun]) {
    let Some(newest) = runs.first() else { return };
    if !just_lost.iter().any(|lost| lost.run_id == newest.run_id) {
        bad_end(look, newest);
    }
    in_a_row(look, runs);
    silent(look, newest, runs.iter().any(|run| run.by_schedule));
}

/// After some ends a person has to do something. A run that shall be tried again is tried again.
fn bad_end(look: &mut Look, run: &RecentRun) {
    if ["done", "nothing-to-do", "running", "stopped", "try-again"].contains(&run.status.as_str()) {
        return;
    }
    let error = if run.error.is_empty() { "run it again" } else { &run.error };
    let RecentRun { job, run_id, status, started_ms, .. } = run;
    let sentence = format!("the last run of {job} ({run_id}, {}) is {status}: {error}", time(*started_ms));
    let alarm = if status == "lost" { Alarm::RunLost } else { Alarm::RunFailed };
    look.notes.seen(alarm, job, 0, sentence);
}

/// To try again is right once or twice. The run that is at work does not count yet.
fn in_a_row(look: &mut Look, runs: &[RecentRun]) {
    let ended = || runs.iter().skip_while(|run| run.status == "running");
    let failed = ended().take_while(|run| ["try-again", "lost", "stopped"].contains(&run.status.as_str()));
    let failed: Vec<&RecentRun> = failed.collect();
    let limit = look.settings.tries_in_a_row as usize;
    let Some(newest) = failed.first().filter(|_| failed.len() >= limit) else { return };
    let RecentRun { job, status, error, .. } = newest;
    let error = if error.is_empty() { "" } else { &format!(": {error}") };
    let sentence = format!(
        "{job} has not ended well for {limit} times in a row; the last run is {status}{error}; doctor says what is wrong"
    );
    look.notes.seen(Alarm::TriesInARow, job, 0, sentence);
}

/// A run may take so many times as long as the pause after which its job is silent: a first load takes hours.
const HANGS_AFTER: u32 = 12;

/// A run that ends before its first row, or is never started, leaves nothing behind but the age of the one before it. One that hangs has a session,
/// and is not lost.
fn silent(look: &mut Look, newest: &RecentRun, by_schedule: bool) {
    let Some(limit) = look.settings.silent_after(&newest.job, by_schedule) else { return };
    let is_running = newest.status == "running";
    let limit = if is_running { limit.saturating_mul(HANGS_AFTER) } else { limit };
    let seconds = u64::try_from((look.at_ms() - newest.started_ms) / 1000).unwrap_or(0);
    if seconds <= limit.as_secs() {
        return;
    }
    let (job, since) = (&newest.job, age(seconds));
    let sentence = match is_running {
        true => format!(
            "{job} has been running for {since} (run {}): does it hang? Its log says where it is; end it, and the next run goes on",
            newest.run_id
        ),
        false => format!(
            "{job} has not been started for {since}, or ended before it could write that down: is its DAG paused, does cron run, and what does its log say?"
        ),
    };
    look.notes.seen(Alarm::SilentJob, job, 0, sentence);
}

impl SeenRuns {
    fn last(&self) -> impl Iterator<Item = &RecentRun> {
        self.jobs.iter().filter_map(|runs| runs.first())
    }

    /// For the summary: per job, how its last run ended.
    pub fn json(&self) -> Value {
        let last = |run: &RecentRun| json!({"job": run.job, "run": run.run_id, "status": run.status, "started_at": time(run.started_ms)});
        self.last().map(last).collect()
    }

    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let mut table = TextTable::default();
        for run in self.last() {
            let came = format!("{} written, {} rejected", run.written, run.rejected);
            table.row([&run.job, &run.status, &time(run.started_ms), &came]);
        }
        table.lines()
    }
}
