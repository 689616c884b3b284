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

    /// Runs the job until it freezes at `point`, then kills it with SIGKILL.
    pub fn kill_at(&self, point: &str, args: &[&str]) {
        let mut child = self.start_ingest(&[&["--stop-at", point], args].concat());
        wait_until_frozen(&mut child, point);
        child.kill().expect("killing the job");
        child.wait().expect("waiting for the job");
    }
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
