//! A test's own Debezium connector: the project's configuration, on the test's database, with its own slot and prefix.

use serde_json::{Value, json};

use super::{World, connect_postgres, env, root, wait_for};

fn connect_url() -> String {
    env("CONNECT_URL", "http://127.0.0.1:8083")
}

/// While the workers divide their connectors anew, Connect answers 409 or 500 and says so: then it is asked again.
pub(super) fn rest(method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    let mut last = (0, Value::Null);
    wait_for("Connect to be done with its rebalance", || {
        last = rest_once(method, path, body);
        last.0 < 400 || !last.1["message"].as_str().is_some_and(|text| text.contains("rebalance"))
    });
    last
}

fn rest_once(method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let url = format!("{}{path}", connect_url());
    let sent = match (method, body) {
        ("PUT", Some(body)) => agent.put(url).send_json(body),
        ("PUT", None) => agent.put(url).send_empty(),
        ("POST", _) => agent.post(url).send_empty(),
        ("PATCH", Some(body)) => agent.patch(url).send_json(body),
        ("DELETE", _) => agent.delete(url).call(),
        _ => agent.get(url).call(),
    };
    let mut response = sent.expect("Kafka Connect: is the stack up? make up");
    let status = response.status().as_u16();
    (status, response.body_mut().read_json().unwrap_or(Value::Null))
}

impl World {
    /// Starts a connector on this world's database, and waits until its snapshot is in the topics. The world's topic becomes
    /// the connector's customers topic.
    pub fn capture(&mut self, changes: &[(&str, &str)]) -> String {
        let name = self.name.replace('-', "_");
        self.topic = format!("{name}.public.customers");
        let text =
            std::fs::read_to_string(root().join("connectors/debezium-northwind.json")).expect("the connector's file");
        let mut config = serde_json::from_str::<Value>(&text).expect("JSON")["config"].clone();
        let own = [
            ("database.hostname", env("POSTGRES_HOST", "127.0.0.1")),
            ("database.port", env("POSTGRES_PORT", "5432")),
            ("database.dbname", self.pg_db.clone()),
            ("topic.prefix", name.clone()),
            ("slot.name", name.clone()),
        ];
        for (key, value) in own {
            config[key] = json!(value);
        }
        for (key, value) in changes {
            config[*key] = json!(value);
        }
        let (status, answer) = rest("PUT", &format!("/connectors/{name}/config"), Some(&config));
        assert!(status < 300, "{status} {answer}");
        if !self.connectors.contains(&name) {
            self.connectors.push(name.clone());
        }
        self.wait_for_snapshot(&name);
        name
    }

    pub fn wait_for_snapshot(&self, connector: &str) {
        wait_for("the connector's task to run", || task_state(connector) == "RUNNING");
        wait_for("the snapshot to be in the topics", || {
            let (_, answer) = rest("GET", &format!("/connectors/{connector}/offsets"), None);
            let offset = &answer["offsets"][0]["offset"];
            offset.get("lsn").is_some() && offset.get("snapshot").is_none()
        });
    }

    /// Pauses Connect's work on the connector: its task is stopped, its offsets stay.
    pub fn stop_connector(&self, connector: &str) {
        rest("PUT", &format!("/connectors/{connector}/stop"), None);
        wait_for("the connector to stop", || {
            let (_, answer) = rest("GET", &format!("/connectors/{connector}/status"), None);
            answer["connector"]["state"] == "STOPPED" && answer["tasks"].as_array().is_some_and(Vec::is_empty)
        });
    }

    pub fn resume_connector(&self, connector: &str) {
        rest("PUT", &format!("/connectors/{connector}/resume"), None);
        wait_for("the connector's task to run", || task_state(connector) == "RUNNING");
    }

    /// Starts connector and tasks again, whether they run or not, and does not wait for them.
    pub fn restart_connector(&self, connector: &str) {
        rest("POST", &format!("/connectors/{connector}/restart?includeTasks=true"), None);
    }

    /// Where Connect goes on with a stopped connector.
    pub fn connector_offsets(&self, connector: &str) -> Value {
        rest("GET", &format!("/connectors/{connector}/offsets"), None).1
    }

    /// Sets a stopped connector back to offsets that it once had.
    pub fn set_connector_offsets(&self, connector: &str, offsets: &Value) {
        let (status, answer) = rest("PATCH", &format!("/connectors/{connector}/offsets"), Some(offsets));
        assert_eq!(status, 200, "{answer}");
    }

    /// Deletes the connector, its slot and its offsets: as if it had never been.
    pub fn forget_connector(&self, connector: &str) {
        self.stop_connector(connector);
        let (status, answer) = rest("DELETE", &format!("/connectors/{connector}/offsets"), None);
        assert_eq!(status, 200, "{answer}");
        self.delete_connector(connector);
    }

    /// Deletes the connector and its slot, which has its name.
    pub fn delete_connector(&self, connector: &str) {
        self.delete_connector_and_slot(connector, connector);
    }

    pub fn delete_connector_and_slot(&self, connector: &str, slot: &str) {
        rest("DELETE", &format!("/connectors/{connector}"), None);
        let mut admin = connect_postgres("postgres");
        wait_for("the slot to be free", || {
            let drop = format!(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '{slot}'"
            );
            admin.batch_execute(&drop).is_ok()
        });
    }

    /// Waits until the topic has the change of the newest write so far: its LSN is confirmed by the slot.
    pub fn wait_for_capture(&self, connector: &str) {
        let mut client = self.postgres();
        let written: String =
            client.query_one("SELECT pg_current_wal_insert_lsn()::text", &[]).expect("the LSN").get(0);
        wait_for("the slot to pass the newest write", || {
            let sql = format!(
                "SELECT confirmed_flush_lsn >= '{written}'::pg_lsn FROM pg_replication_slots WHERE slot_name = '{connector}'"
            );
            client.query_one(&sql, &[]).expect("the slot").get::<_, bool>(0)
        });
    }
}

pub fn task_state(connector: &str) -> String {
    let (_, answer) = rest("GET", &format!("/connectors/{connector}/status"), None);
    answer["tasks"][0]["state"].as_str().unwrap_or_default().to_owned()
}
