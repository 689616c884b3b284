//! Kafka Connect, over REST: does the connector run, and with the settings that the jobs rely on?

use std::time::{Duration, Instant};

use serde_json::Value;

use super::settings::SETTINGS;
use super::sheet::{Finding, Server, Sheet, fail, ok, unreachable, warn};
use super::{Wanted, clip};

const TIMEOUT: Duration = Duration::from_secs(4);
/// How long a rebalance, or the start of a task, may take before it is worth a word.
const REBALANCE: Duration = Duration::from_secs(2);

/// What the other checks need to know of the connector.
#[derive(Debug, Clone)]
pub struct Connector {
    /// Its replication slot.
    pub slot: String,
    /// Its publication.
    pub publication: String,
    /// publication.autocreate.mode
    pub autocreate: String,
    /// Do all of its tasks run?
    pub runs: bool,
    /// Is its first snapshot not done yet? Until then nobody reads the slot, and topics are still to come.
    pub snapshots: bool,
    /// The Kafka cluster that its worker uses.
    pub cluster: String,
}

/// Makes the checks.
pub fn check(sheet: &Sheet, wanted: &Wanted) -> Option<Connector> {
    let put = |check, finding| sheet.put(Server::Connect, check, finding);
    let (found, cluster) = reachable(&wanted.args.connect_url);
    if !put("reachable", found) {
        sheet.skip(Server::Connect, &["connector", "state", "settings"], "Kafka Connect does not answer");
        return None;
    }
    let (found, config) = exists(wanted);
    if !put("connector", found) {
        sheet.skip(Server::Connect, &["state", "settings"], "the connector could not be asked");
        return None;
    }
    let runs = put("state", state(wanted));
    let snapshots = runs && is_snapshotting(wanted);
    if snapshots {
        put("snapshot", warn("its snapshot is not done yet: topics are not complete", "wait, then run `doctor` again"));
    }
    for setting in SETTINGS {
        put("settings", setting(wanted, &config));
    }
    let text = |key: &str, default: &str| config[key].as_str().unwrap_or(default).to_owned();
    Some(Connector {
        slot: text("slot.name", "debezium"),
        publication: text("publication.name", "dbz_publication"),
        autocreate: text("publication.autocreate.mode", "all_tables"),
        runs,
        snapshots,
        cluster,
    })
}

/// One GET: status and JSON, or why there is no answer. While the workers share out their work, Connect answers 409 or
/// 500 for a moment.
fn get(url: &str) -> Result<(u16, Value), ureq::Error> {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(TIMEOUT)).build().into();
    let deadline = Instant::now() + REBALANCE;
    loop {
        let mut response = agent.get(url).call()?;
        let code = response.status().as_u16();
        let answer = response.body_mut().read_json().unwrap_or(Value::Null);
        if !is_rebalancing(code, &answer) || Instant::now() >= deadline {
            return Ok((code, answer));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn is_rebalancing(code: u16, answer: &Value) -> bool {
    matches!(code, 409 | 500) && answer["message"].as_str().unwrap_or_default().contains("rebalance")
}

/// An answer that is none of the expected ones.
fn unexpected(what: &str, url: &str, code: u16, answer: &Value) -> Finding {
    let text = format!("asking for {what}: HTTP {code} {}", clip(&answer["message"].to_string()));
    if is_rebalancing(code, answer) || matches!(code, 502..=504) {
        unreachable(text, "the workers are busy with each other: wait a moment, then run `doctor` again")
    } else {
        fail(text, format!("curl {url}"))
    }
}

fn no_answer(url: &str, error: &ureq::Error) -> Finding {
    let fix = "is Kafka Connect running? `make up` starts the local one; else give --connect-url or CONNECT_URL";
    match error {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::TlsRequired => {
            fail(format!("{url:?} cannot be used: {error}"), "give --connect-url as in http://connect:8083")
        }
        _ => unreachable(format!("no answer at {url}: {error}"), fix),
    }
}

fn reachable(url: &str) -> (Finding, String) {
    match get(url) {
        Err(error) => (no_answer(url, &error), String::new()),
        Ok((200, answer)) if answer["kafka_cluster_id"].is_string() => {
            let cluster = answer["kafka_cluster_id"].as_str().unwrap_or_default();
            let version = answer["version"].as_str().unwrap_or_default();
            (ok(format!("Kafka Connect {version} at {url}")), cluster.to_owned())
        }
        Ok((status @ (502..=504), _)) => {
            (unreachable(format!("{url} answers HTTP {status}"), "wait until it has started"), String::new())
        }
        Ok((status, _)) => {
            let text = format!("{url} answers HTTP {status}, but not as Kafka Connect does");
            (fail(text, "give Kafka Connect's REST address with --connect-url or CONNECT_URL"), String::new())
        }
    }
}

/// Does the connector exist? Its configuration, too.
fn exists(wanted: &Wanted) -> (Finding, Value) {
    let (url, name) = (&wanted.args.connect_url, &wanted.args.connector);
    let config_url = format!("{url}/connectors/{name}/config");
    match get(&config_url) {
        Err(error) => (no_answer(url, &error), Value::Null),
        Ok((200, config)) => {
            let text = |key: &str| config[key].as_str().unwrap_or("?").to_owned();
            let found = format!("{name}: database {}, topics {}.*", text("database.dbname"), text("topic.prefix"));
            (ok(found), config)
        }
        Ok((404, _)) => {
            let others = get(&format!("{url}/connectors")).map(|(_, names)| names.to_string()).unwrap_or_default();
            let fix = format!(
                "--connector NAME, or create it: jq .config connectors/debezium-northwind.json | \
                 curl -X PUT -H 'Content-Type: application/json' -d @- {url}/connectors/{name}/config"
            );
            (fail(format!("there is no connector {name}, only {others}"), fix), Value::Null)
        }
        Ok((code, answer)) => (unexpected("the connector", &config_url, code, &answer), Value::Null),
    }
}

/// The connector's status, when its tasks have been started: right after a change of its settings it has none.
fn settled_status(url: &str) -> Result<(u16, Value), ureq::Error> {
    let deadline = Instant::now() + REBALANCE;
    loop {
        let (code, status) = get(url)?;
        let states = || status["tasks"].as_array().into_iter().flatten().map(|task| &task["state"]);
        let halted = status["connector"]["state"] == "STOPPED";
        let starting = states().count() == 0 || states().any(|state| state == "UNASSIGNED" || state == "RESTARTING");
        if code != 200 || halted || !starting || Instant::now() >= deadline {
            return Ok((code, status));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The connector's own state is RUNNING even when its only task is dead: the tasks count.
fn state(wanted: &Wanted) -> Finding {
    let (url, name) = (&wanted.args.connect_url, &wanted.args.connector);
    let status_url = format!("{url}/connectors/{name}/status");
    let status = match settled_status(&status_url) {
        Err(error) => return no_answer(url, &error),
        Ok((200, status)) => status,
        Ok((code, answer)) => return unexpected("the connector's state", &status_url, code, &answer),
    };
    let no_tasks = Vec::new();
    let tasks = status["tasks"].as_array().unwrap_or(&no_tasks);
    let restart = format!(
        "correct the cause, then curl -X POST '{url}/connectors/{name}/restart?includeTasks=true&onlyFailed=true'"
    );
    let parts = std::iter::once(&status["connector"]).chain(tasks);
    if let Some(failed) = parts.clone().find(|part| part["state"] == "FAILED") {
        let who = failed["id"].as_i64().map_or("the connector".to_owned(), |id| format!("task {id}"));
        return fail(format!("{who} has FAILED: {}", cause(failed["trace"].as_str().unwrap_or_default())), restart);
    }
    match parts.clone().find_map(|part| part["state"].as_str().filter(|state| *state != "RUNNING")) {
        Some(state @ ("PAUSED" | "STOPPED")) => {
            let fix = format!("curl -X PUT {url}/connectors/{name}/resume");
            fail(format!("somebody has halted it ({state}): nothing is captured, and the slot keeps the WAL"), fix)
        }
        Some(state) => unreachable(
            format!("it is {state}: the workers are sharing out their work"),
            "wait a moment, then run `doctor` again",
        ),
        None if tasks.is_empty() => fail(
            "it has no task: nothing is captured",
            format!("curl -X POST '{url}/connectors/{name}/restart?includeTasks=true'"),
        ),
        None => ok(format!("connector and {} task(s) RUNNING", tasks.len())),
    }
}

/// Connect's offset of a connector names the snapshot until the first record after it.
fn is_snapshotting(wanted: &Wanted) -> bool {
    let url = format!("{}/connectors/{}/offsets", wanted.args.connect_url, wanted.args.connector);
    let Ok((200, answer)) = get(&url) else { return false };
    let offset = &answer["offsets"][0]["offset"];
    offset.is_null() || offset.get("snapshot").is_some()
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
