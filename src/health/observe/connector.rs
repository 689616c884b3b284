//! The connector and its tasks: how they do, and starting them again.

use serde_json::{Value, json};

use super::look::{CLICKHOUSE, Look};
use crate::health::connect::{Connect, ConnectorStatus, Part};
use crate::health::finding::{Finding, Verdict, broken, clip};
use crate::health::observe::alarm::Alarm;
use crate::health::slot::SlotReader;
use crate::ledger::{ConnectorRow, RestartRow};

/// A connector that was asked.
pub struct SeenConnector {
    name: String,
    /// Its replication slot, by its settings.
    pub slot: String,
    pub status: ConnectorStatus,
    /// How it does as the slot's reader.
    pub reader: SlotReader,
    connect: Connect,
}

/// Looks at the connector.
pub fn observe(look: &mut Look) -> Option<SeenConnector> {
    let what = format!("connector {}", look.args.connect.connector);
    match ask(look) {
        Ok((seen, health)) => {
            tell(look, &what, &seen, &health);
            Some(seen)
        }
        Err(why) => {
            look.notes.unseen(&what, &why);
            None
        }
    }
}

/// What has failed is an alarm when it is not started again.
fn tell(look: &mut Look, what: &str, seen: &SeenConnector, health: &Finding) {
    let sentence = format!("{what}: {}", health.sentence());
    match health.verdict {
        Verdict::Ok | Verdict::Skipped => {}
        Verdict::Unreachable => look.notes.unseen(what, health),
        Verdict::Warn => look.notes.passing(Alarm::Connector, what, sentence),
        Verdict::Fail if look.args.restart_failed && seen.status.failed().next().is_some() => {
            look.notes.passing(Alarm::Connector, what, sentence);
        }
        Verdict::Fail => look.notes.seen(Alarm::Connector, what, 0, sentence),
    }
}

fn ask(look: &Look) -> Result<(SeenConnector, Finding), Finding> {
    let connect = Connect::new(&look.args.connect, look.pipeline)
        .map_err(|error| broken(&error, "correct the settings of Kafka Connect's link"))?;
    connect.worker()?;
    let config = connect.config()?;
    let status = connect.status()?;
    let health = connect.health(&status);
    let runs = !health.failed();
    let snapshots = runs && connect.is_snapshotting();
    let name = look.args.connect.connector.clone();
    let slot = config["slot.name"].as_str().unwrap_or("debezium").to_owned();
    Ok((SeenConnector { name, slot, status, reader: SlotReader { runs, snapshots }, connect }, health))
}

impl SeenConnector {
    /// As it is stored: the connector itself, then its tasks.
    pub fn rows(&self, look: &Look) -> Vec<ConnectorRow> {
        let row = |part: &Part| ConnectorRow {
            run_id: look.id.clone(),
            observed_at: look.at_ms(),
            dag_run_id: look.dag_run_id.clone(),
            connector: self.name.clone(),
            task: part.id.unwrap_or(-1),
            state: part.state.clone(),
            worker: part.worker_id.clone(),
            trace: part.trace.clone(),
        };
        self.status.parts().map(row).collect()
    }

    /// For the summary.
    pub fn json(&self) -> Value {
        let task = |task: &Part| json!({"task": task.id, "state": task.state, "worker": task.worker_id});
        json!({
            "name": self.name, "state": self.status.connector.state,
            "tasks": self.status.tasks.iter().map(task).collect::<Vec<_>>(), "snapshotting": self.reader.snapshots,
        })
    }

    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let line = |part: &Part| format!("{} {}: {} on {}", self.name, part.name(), part.state, part.worker_id);
        self.status.parts().map(line).collect()
    }
}

/// Starts again what has failed, if that is wanted and did not happen too often already; returns how often.
///
/// It is noted down first: a look that is killed in between must not give the next one a restart more than it may have.
pub fn restart_failed(look: &mut Look, seen: Option<&SeenConnector>) -> u64 {
    let Some(seen) = seen.filter(|_| look.args.restart_failed) else { return 0 };
    let failed: Vec<String> = seen.status.failed().map(Part::name).collect();
    if failed.is_empty() {
        return 0;
    }
    let (what, limit) = (format!("restarting {}", seen.name), look.args.restarts_per_hour);
    let done = match note_down(look, seen, failed) {
        Ok(done) => done,
        Err(error) => {
            look.notes.unseen(&what, &broken(&error, CLICKHOUSE));
            return 0;
        }
    };
    let Some(number) = done else {
        let failed: Vec<&str> =
            seen.status.failed().map(|part| part.trace.lines().next().unwrap_or_default()).collect();
        let sentence = format!(
            "{what}: {limit} restart(s) in the last hour have not helped, and no more are made (--restarts-per-hour); correct the cause: {}",
            clip(&failed.join("; "))
        );
        look.notes.seen(Alarm::Connector, &what, 0, sentence);
        return 0;
    };
    match seen.connect.restart_failed() {
        Ok(()) => {
            tracing::info!("{what}: restart {number} of {limit} in an hour");
            1
        }
        Err(why) => {
            look.notes.unseen(&what, &why);
            0
        }
    }
}

/// Notes a restart down, unless there were enough in the last hour; returns which one it is.
fn note_down(look: &Look, seen: &SeenConnector, failed: Vec<String>) -> anyhow::Result<Option<u64>> {
    let done = look.warehouse.restarts_of_the_last_hour(&seen.name)?;
    if done >= look.args.restarts_per_hour {
        return Ok(None);
    }
    let row = RestartRow {
        run_id: look.id.clone(),
        observed_at: look.at_ms(),
        dag_run_id: look.dag_run_id.clone(),
        connector: seen.name.clone(),
        failed,
    };
    look.warehouse.write_observed("connector_restarts", &look.id, &[row])?;
    Ok(Some(done + 1))
}
