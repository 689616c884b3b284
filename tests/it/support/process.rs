//! A job as a process: how it ends, where it freezes, how it is killed.

use std::process::{Child, Command};

use serde_json::Value;

use super::{World, wait_for};

/// What a job printed and how it ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub exit: i32,
    /// The last line of stdout; `Null` if it is no JSON.
    pub summary: Value,
    pub stdout: String,
    pub log: String,
}

impl Outcome {
    /// A number of the summary.
    pub fn count(&self, field: &str) -> i64 {
        self.summary[field].as_i64().unwrap_or_else(|| panic!("no {field} in {self:?}"))
    }

    /// The error of the summary, or nothing.
    pub fn error(&self) -> &str {
        self.summary["error"].as_str().unwrap_or_default()
    }

    /// The error says all of this.
    #[track_caller]
    pub fn error_says(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.error().contains(part), "{part}: {}", self.error());
        }
    }

    /// Whose run it was, in the books.
    #[track_caller]
    pub fn run(&self) -> &str {
        self.summary["run"].as_str().unwrap_or_else(|| panic!("no run in {self:?}"))
    }

    #[track_caller]
    pub fn expect_exit(self, exit: i32) -> Self {
        assert_eq!(self.exit, exit, "{self:#?}");
        self
    }
}

impl World {
    pub fn start_ingest(&self, args: &[&str]) -> Child {
        self.command("ingest-customers", &[&["--verify"], args].concat()).spawn().expect("starting the job")
    }

    /// A job that has stopped itself at `point`.
    pub fn frozen_at(&self, point: &str, job: &str, args: &[&str]) -> Child {
        let mut child = self.command(job, &[args, &["--stop-at", point]].concat()).spawn().expect("starting the job");
        wait_until_frozen(&mut child, point);
        child
    }

    /// `ingest-customers`, verifying what it writes, that has stopped itself at `point`.
    pub fn ingest_frozen_at(&self, point: &str, args: &[&str]) -> Child {
        self.frozen_at(point, "ingest-customers", &[&["--verify"], args].concat())
    }

    /// Runs `ingest-customers` until it freezes at `point`, then kills it with SIGKILL.
    pub fn kill_at(&self, point: &str, args: &[&str]) {
        kill(self.ingest_frozen_at(point, args));
    }

    /// As `kill_at`, and waits until PostgreSQL has noticed: a dead run holds nothing then, while a retry before that is told to try
    /// again.
    pub fn kill_for_good_at(&self, point: &str, args: &[&str]) {
        self.kill_at(point, args);
        self.wait_until_no_session_of("ingest-customers");
    }

    /// Waits until PostgreSQL has noticed that the runs of a job are gone.
    pub fn wait_until_no_session_of(&self, job: &str) {
        let sessions = format!("SELECT count(*) {}", sessions_of(job));
        let mut client = self.postgres();
        wait_for("the run's session to end", || {
            client.query_one(&sessions, &[]).expect("sessions").get::<_, i64>(0) == 0
        });
    }

    /// Ends the sessions that hold a job's locks, as a failover or an administrator would.
    pub fn end_sessions_of(&self, job: &str) {
        let end = format!("SELECT pg_terminate_backend(pid) {}", sessions_of(job));
        self.postgres().execute(&end, &[]).expect("ending sessions");
        self.wait_until_no_session_of(job);
    }
}

fn sessions_of(job: &str) -> String {
    format!("FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE '{job} run%'")
}

/// Lets a frozen job go on, and waits for its end.
pub fn go_on(child: Child) -> Outcome {
    signal(&child, "CONT");
    outcome(child)
}

/// SIGKILL.
pub fn kill(mut child: Child) {
    child.kill().expect("killing the job");
    child.wait().expect("waiting for the job");
}

/// Waits for a job to end.
pub fn outcome(child: Child) -> Outcome {
    let output = child.wait_with_output().expect("waiting for the job");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let summary = stdout.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or(Value::Null);
    Outcome {
        exit: output.status.code().unwrap_or(-1),
        summary,
        stdout,
        log: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Waits until a job has stopped itself with SIGSTOP.
pub fn wait_until_frozen(child: &mut Child, point: &str) {
    if !freezes(child, point) {
        let mut log = String::new();
        std::io::Read::read_to_string(child.stderr.as_mut().expect("stderr"), &mut log).expect("reading the log");
        panic!("the job ended before it came to {point}: {log}");
    }
}

/// Waits until a job has stopped itself with SIGSTOP (true), or has ended without coming to that point (false).
pub fn freezes(child: &mut Child, point: &str) -> bool {
    let stat = format!("/proc/{}/stat", child.id());
    let mut frozen = false;
    wait_for(&format!("the job to freeze at {point}"), || {
        let stat = std::fs::read_to_string(&stat).unwrap_or_default();
        frozen = stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'));
        frozen || child.try_wait().expect("the job's status").is_some()
    });
    frozen
}

/// Sends a signal to a job.
pub fn signal(child: &Child, signal: &str) {
    let status = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().expect("kill");
    assert!(status.success());
}
