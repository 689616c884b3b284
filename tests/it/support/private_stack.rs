//! A server of a test's own, which it may kill. It has its own folder under `target/` and its own ports, and is wiped
//! when the test ends, however it ends.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::Producer;

use super::{Message, PATIENCE, World, block_on, producer, root, send};

/// One of the servers of `local-stack/stack`.
pub struct PrivateStack {
    server: &'static str,
    state: PathBuf,
    ports: Vec<(&'static str, u16)>,
    /// What `TLS=` is for it.
    tls: &'static str,
}

impl PrivateStack {
    /// Starts `postgres` (with Northwind), `kafka` or `clickhouse`.
    pub fn up(server: &'static str) -> PrivateStack {
        let variables: &[&str] = match server {
            "postgres" => &["POSTGRES_PORT"],
            "kafka" => &["KAFKA_PORT", "KAFKA_CONTROLLER_PORT"],
            _ => &["CLICKHOUSE_HTTP_PORT", "CLICKHOUSE_TCP_PORT"],
        };
        PrivateStack::with_ports(server, variables)
    }

    /// Starts a Kafka that has a second port, where it wants a login: SASL/PLAIN, northwind, northwind_password.
    pub fn kafka_with_login() -> PrivateStack {
        PrivateStack::with_ports("kafka", &["KAFKA_PORT", "KAFKA_CONTROLLER_PORT", "KAFKA_SASL_PORT"])
    }

    /// Starts a Kafka that speaks TLS alone; its authority is `ca_file`.
    pub fn kafka_encrypted() -> PrivateStack {
        PrivateStack::with("kafka", &["KAFKA_PORT", "KAFKA_CONTROLLER_PORT"], "1")
    }

    /// The authority of an encrypted stack.
    pub fn ca_file(&self) -> String {
        self.state.join("tls/ca.pem").to_str().unwrap().to_owned()
    }

    fn with_ports(server: &'static str, variables: &[&'static str]) -> PrivateStack {
        PrivateStack::with(server, variables, "")
    }

    fn with(server: &'static str, variables: &[&'static str], tls: &'static str) -> PrivateStack {
        let ports: Vec<(&str, u16)> = variables.iter().map(|variable| (*variable, free_port())).collect();
        let state = root().join(format!("target/private-stacks/{server}-{}-{}", std::process::id(), ports[0].1));
        let stack = PrivateStack { server, state, ports, tls };
        stack.start();
        stack
    }

    /// Starts the server again, with its data.
    pub fn start(&self) {
        self.stack(&["up", self.server]);
    }

    /// Kills the server with SIGKILL.
    pub fn kill(&self) {
        self.stack(&["kill", self.server]);
    }

    pub fn port(&self) -> u16 {
        self.ports[0].1
    }

    /// The address that wants a login.
    pub fn login_address(&self) -> String {
        format!("127.0.0.1:{}", self.ports[2].1)
    }

    /// Where the server's data lies.
    pub fn data(&self) -> PathBuf {
        self.state.join("data").join(self.server)
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port())
    }

    fn stack(&self, arguments: &[&str]) {
        let mut command = Command::new(root().join("local-stack/stack"));
        command.args(arguments).env("STACK_STATE", &self.state).env("TLS", self.tls);
        command.envs(self.ports.iter().map(|(variable, port)| (variable, port.to_string())));
        let output = command.output().expect("local-stack/stack");
        if !std::thread::panicking() {
            assert!(output.status.success(), "stack {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }

    /// Creates the world's topic in this Kafka, and fills it.
    pub fn produce(&self, world: &World, partitions: i32, messages: &[Message]) {
        let servers = self.address();
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &servers).extend(self.client_settings());
        let admin: AdminClient<DefaultClientContext> = config.create().expect("an admin client");
        let topic = NewTopic::new(&world.topic, partitions, TopicReplication::Fixed(1));
        let created = block_on(admin.create_topics([&topic], &AdminOptions::new())).expect("creating the topic");
        created.into_iter().for_each(|result| {
            result.expect("creating the topic");
        });
        self.add(world, messages);
    }

    fn client_settings(&self) -> Vec<(String, String)> {
        if self.tls.is_empty() {
            return Vec::new();
        }
        vec![("security.protocol".to_owned(), "SSL".to_owned()), ("ssl.ca.location".to_owned(), self.ca_file())]
    }

    /// Adds messages to the world's topic in this Kafka.
    pub fn add(&self, world: &World, messages: &[Message]) {
        let mut settings = self.client_settings();
        settings.push(("bootstrap.servers".to_owned(), self.address()));
        let settings: Vec<(&str, &str)> =
            settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let producer = producer(&settings);
        for message in messages {
            send(&producer, &world.topic, message);
        }
        producer.flush(PATIENCE).expect("flushing the producer");
    }

    /// The result of a query to this ClickHouse, as [`World::clickhouse`].
    pub fn clickhouse(&self, world: &World, sql: &str) -> String {
        let sql = sql.replace("northwind_dw", &world.dw).replace("northwind_ops", &world.ops);
        let mut response =
            ureq::post(&format!("http://{}/", self.address())).send(&sql).expect("the private ClickHouse");
        response.body_mut().read_to_string().expect("ClickHouse's answer")
    }
}

impl Drop for PrivateStack {
    fn drop(&mut self) {
        self.stack(&["wipe"]);
        let _ = std::fs::remove_dir_all(&self.state);
    }
}

/// A port on which nothing listens, from below those that the system gives to clients: it stays free while a server is
/// down.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 15_000 + (std::process::id() % 1_000) as u16 * 15;
    (0..1_000)
        .map(|_| first + NEXT.fetch_add(1, Ordering::SeqCst))
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}
