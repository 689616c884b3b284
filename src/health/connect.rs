//! Kafka Connect, over REST: how a connector is set, how it does, and starting again what has failed of it.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;

use crate::cli::{ConnectArgs, Secret};
use crate::exit::usage;
use crate::health::finding::{Finding, broken, clip, fail, ok, unreachable};
use crate::tables::Pipeline;
use crate::tls::{Http, Link, NoAnswer, Tls};

const TIMEOUT: Duration = Duration::from_secs(4);
/// How long a rebalance, or the start of a task, may take before it is worth a word.
const REBALANCE: Duration = Duration::from_secs(2);

/// A connector in Kafka Connect. What cannot be asked is a [`Finding`]: it may pass by itself, or not.
pub struct Connect {
    http: Http,
    url: String,
    connector: String,
    /// The file with its configuration.
    file: String,
}

/// The worker that answers.
pub struct Worker {
    /// Version of Kafka Connect.
    pub version: String,
    /// Id of the Kafka cluster that it uses.
    pub cluster: String,
}

/// The connector's state, and that of its tasks. The connector says RUNNING even when its only task is dead.
#[derive(Debug, Clone, Deserialize)]
pub struct ConnectorStatus {
    /// The connector itself.
    pub connector: Part,
    /// Its tasks.
    #[serde(default)]
    pub tasks: Vec<Part>,
}

/// The connector itself, or one of its tasks.
#[derive(Debug, Clone, Deserialize)]
pub struct Part {
    /// The task's number; the connector itself has none.
    pub id: Option<i32>,
    /// RUNNING, FAILED, PAUSED, …
    pub state: String,
    /// Host and port of the worker that has it.
    #[serde(default)]
    pub worker_id: String,
    /// Why it has failed, as Java tells it.
    #[serde(default)]
    pub trace: String,
}

impl Part {
    /// As a person would call it.
    pub fn name(&self) -> String {
        self.id.map_or("connector".to_owned(), |id| format!("task {id}"))
    }
}

impl ConnectorStatus {
    /// The connector, then its tasks.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        std::iter::once(&self.connector).chain(&self.tasks)
    }

    /// What has failed of it.
    pub fn failed(&self) -> impl Iterator<Item = &Part> {
        self.parts().filter(|part| part.state == "FAILED")
    }

    /// Right after a change of its settings a connector has no tasks, and after a restart they are not at work at once.
    fn is_starting(&self) -> bool {
        let at_work = |task: &Part| task.state != "UNASSIGNED" && task.state != "RESTARTING";
        self.connector.state != "STOPPED" && (self.tasks.is_empty() || !self.tasks.iter().all(at_work))
    }
}

impl Connect {
    /// Prepares the client. A login (basic authentication) is `CONNECT_USER` and `CONNECT_PASSWORD[_FILE]`.
    ///
    /// # Errors
    /// The password cannot be read; a file of the link's TLS is not what it should be (78).
    pub fn new(args: &ConnectArgs, pipeline: &Pipeline) -> anyhow::Result<Connect> {
        let authority = args.connect_url.split_once("://").map_or("", |(_, rest)| rest).split('/').next().unwrap_or("");
        if authority.contains('@') {
            return Err(usage(
                "CONNECT_URL has a login in it: set CONNECT_USER and CONNECT_PASSWORD or CONNECT_PASSWORD_FILE instead",
            ));
        }
        let mut http = Http::new(Tls::of(Link::Connect)?, TIMEOUT)?;
        let password = Secret::from_env("CONNECT_PASSWORD", "")?;
        match std::env::var("CONNECT_USER") {
            Ok(user) => http = http.with_login(&user, &password),
            Err(_) if !password.reveal().is_empty() => {
                return Err(usage("CONNECT_PASSWORD is set, and CONNECT_USER is not"));
            }
            Err(_) => {}
        }
        Ok(Connect {
            http,
            url: args.connect_url.clone(),
            connector: args.connector.clone(),
            file: pipeline.connector_file(),
        })
    }

    /// How the link is secured.
    pub fn tls(&self) -> &Tls {
        &self.http.tls
    }

    /// Is it Kafka Connect that answers there?
    ///
    /// # Errors
    /// Nobody does, or somebody else.
    pub fn worker(&self) -> Result<Worker, Finding> {
        let url = &self.url;
        match self.get("")? {
            (200, answer) if answer["kafka_cluster_id"].is_string() => {
                let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
                Ok(Worker { version: text("version"), cluster: text("kafka_cluster_id") })
            }
            (code @ (502..=504), _) => {
                Err(unreachable(format!("{url} answers HTTP {code}"), "wait until it has started"))
            }
            (code @ (401 | 403), _) => Err(fail(
                format!("{url} answers HTTP {code}: it wants a login"),
                "set CONNECT_USER, and CONNECT_PASSWORD or CONNECT_PASSWORD_FILE",
            )),
            (code, _) => {
                let text = format!("{url} answers HTTP {code}, but not as Kafka Connect does");
                Err(fail(text, "give Kafka Connect's REST address with --connect-url or CONNECT_URL"))
            }
        }
    }

    /// The connector's settings.
    ///
    /// # Errors
    /// There is no such connector, or no answer.
    pub fn config(&self) -> Result<Value, Finding> {
        let path = self.path("config");
        match self.get(&path)? {
            (200, config) => Ok(config),
            (404, _) => Err(self.missing()),
            (code, answer) => Err(self.unexpected("the connector", &path, code, &answer)),
        }
    }

    fn missing(&self) -> Finding {
        let (url, name, file) = (&self.url, &self.connector, &self.file);
        let others = self.get("/connectors").map(|(_, names)| names.to_string()).unwrap_or_default();
        let fix = format!(
            "--connector NAME, or create it: jq .config {file} | \
             curl -X PUT -H 'Content-Type: application/json' -d @- {url}/connectors/{name}/config"
        );
        fail(format!("there is no connector {name}, only {others}"), fix)
    }

    /// How connector and tasks do, when the tasks have been started.
    ///
    /// # Errors
    /// No answer, or none that can be understood.
    pub fn status(&self) -> Result<ConnectorStatus, Finding> {
        let path = self.path("status");
        let deadline = Instant::now() + REBALANCE;
        loop {
            let (code, answer) = self.get(&path)?;
            let unexpected = || self.unexpected("the connector's state", &path, code, &answer);
            let status: ConnectorStatus = serde_json::from_value(answer.clone()).map_err(|_| unexpected())?;
            if !status.is_starting() || Instant::now() >= deadline {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// What is to be said of that: the tasks count, whatever the connector says of itself.
    pub fn health(&self, status: &ConnectorStatus) -> Finding {
        let (url, name) = (&self.url, &self.connector);
        let restart = format!("curl -X POST '{url}/connectors/{name}/restart?includeTasks=true");
        if let Some(part) = status.failed().next() {
            let who = if part.id.is_some() { part.name() } else { "the connector".to_owned() };
            let text = format!("{who} has FAILED: {}", cause(&part.trace));
            return fail(text, format!("correct the cause, then {restart}&onlyFailed=true'"));
        }
        match status.parts().map(|part| part.state.as_str()).find(|state| *state != "RUNNING") {
            Some(state @ ("PAUSED" | "STOPPED")) => fail(
                format!("somebody has halted it ({state}): nothing is captured, and the slot keeps the WAL"),
                format!("curl -X PUT {url}/connectors/{name}/resume"),
            ),
            Some(state) => unreachable(format!("it is {state}: the workers are sharing out their work"), WAIT),
            None if status.tasks.is_empty() => fail("it has no task: nothing is captured", format!("{restart}'")),
            None => ok(format!("connector and {} task(s) RUNNING", status.tasks.len())),
        }
    }

    /// Is its first snapshot not done yet? Connect's offset of a connector names the snapshot until the first record after it.
    pub fn is_snapshotting(&self) -> bool {
        let Ok((200, answer)) = self.get(&self.path("offsets")) else { return false };
        let offset = &answer["offsets"][0]["offset"];
        offset.is_null() || offset.get("snapshot").is_some()
    }

    /// Starts again what has failed, and nothing else.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub fn restart_failed(&self) -> Result<(), Finding> {
        let path = format!("{}?includeTasks=true&onlyFailed=true", self.path("restart"));
        let url = format!("{}{path}", self.url);
        match self.ask("POST", &url)? {
            (200..=299, _) => Ok(()),
            (code, answer) => Err(self.unexpected("a restart", &path, code, &answer)),
        }
    }

    fn path(&self, of: &str) -> String {
        format!("/connectors/{}/{of}", self.connector)
    }

    fn get(&self, path: &str) -> Result<(u16, Value), Finding> {
        self.ask("GET", &format!("{}{path}", self.url))
    }

    /// One request: status and JSON. While the workers share out their work, Connect answers 409 or 500 for a moment.
    fn ask(&self, method: &str, url: &str) -> Result<(u16, Value), Finding> {
        let deadline = Instant::now() + REBALANCE;
        loop {
            let (code, body) = self.http.ask(method, url).map_err(|error| no_answer(&self.url, error))?;
            let answer = serde_json::from_slice(&body).unwrap_or(Value::Null);
            if !is_rebalancing(code, &answer) || Instant::now() >= deadline {
                return Ok((code, answer));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// An answer that is none of the expected ones.
    fn unexpected(&self, what: &str, path: &str, code: u16, answer: &Value) -> Finding {
        let text = format!("asking for {what}: HTTP {code} {}", clip(&answer["message"].to_string()));
        if is_rebalancing(code, answer) || matches!(code, 502..=504) {
            unreachable(text, WAIT)
        } else {
            fail(text, format!("curl {}{path}", self.url))
        }
    }
}

const WAIT: &str = "the workers are busy with each other: wait a moment, then look again";

fn is_rebalancing(code: u16, answer: &Value) -> bool {
    matches!(code, 409 | 500) && answer["message"].as_str().unwrap_or_default().contains("rebalance")
}

fn no_answer(url: &str, error: NoAnswer) -> Finding {
    let fix = "is Kafka Connect running? `make up` starts the local one; else give --connect-url or CONNECT_URL";
    match error {
        NoAnswer::Address(why) => fail(
            format!("{url:?} cannot be used: {why}"),
            "give --connect-url as in http://connect:8083, or https:// with CONNECT_TLS",
        ),
        NoAnswer::Tls(why) => broken(
            &why.context(format!("no answer at {url}")),
            "correct CONNECT_TLS and its files (docs/guides/tls.md)",
        ),
        NoAnswer::Protocol(why) | NoAnswer::Unreachable(why) => unreachable(format!("no answer at {url}: {why}"), fix),
    }
}

/// A Java trace's first line, and its last cause if that says more.
fn cause(trace: &str) -> String {
    let first = trace.lines().next().unwrap_or("no trace");
    match trace.lines().rfind(|line| line.starts_with("Caused by:")) {
        Some(last) if !first.contains(last.trim_start_matches("Caused by: ")) => {
            format!("{} … {}", clip(first), clip(last))
        }
        _ => clip(first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rebalance_is_not_a_fault_of_the_connector() {
        let answer = serde_json::json!({"message": "Request cannot be completed because a rebalance is expected"});
        assert!(is_rebalancing(409, &answer) && is_rebalancing(500, &answer) && !is_rebalancing(404, &answer));
    }

    #[test]
    fn a_trace_is_told_in_two_lines_at_most() {
        let trace = "a.ConnectException: cannot start\n\tat x\nCaused by: b.SQLException: no\nCaused by: c.Refused: here\n\tat y";
        assert_eq!(cause(trace), "a.ConnectException: cannot start … Caused by: c.Refused: here");
        assert_eq!(cause("a.ConnectException: cannot start\n\tat x"), "a.ConnectException: cannot start");
    }
}
