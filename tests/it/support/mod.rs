//! What every test stands on: the real servers of `make up`, and a world of its own on them: a PostgreSQL database (a copy
//! of Northwind), a topic, a consumer group, a pair of ClickHouse databases. Worlds do not see each other, so tests run side
//! by side. A world of a failed test is kept, and its names are printed.
//!
//! Tests run the shipped executable, never its insides, and wait for conditions, never for time to pass.

pub mod checks;
pub mod compare;
pub mod connector;
pub mod derived;
pub mod event;
pub mod kafka;
pub mod lineage;
pub mod mock_kafka;
pub mod observe;
pub mod own_database;
pub mod pipeline;
pub mod private_stack;
pub mod process;
pub mod random;
pub mod registry;
pub mod shop;
pub mod source;
pub mod standby;
pub mod tls;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub use kafka::{Message, block_on, producer, send};
use postgres::NoTls;
pub use process::{Outcome, freezes, go_on, kill, outcome, signal, wait_until_frozen};

/// Longest wait for a condition: four tests and their servers share two cores, so what takes a second alone may take a hundred.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Waits until `condition` holds.
pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited {} s for: {what}", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn env(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

pub fn kafka_servers() -> String {
    env("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:29092")
}

pub fn clickhouse_url() -> String {
    format!("http://{}:{}/", env("CLICKHOUSE_HOST", "127.0.0.1"), env("CLICKHOUSE_PORT", "8123"))
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A test's own part of the servers.
pub struct World {
    pub name: String,
    pub topic: String,
    pub group: String,
    pub pg_db: String,
    pub dw: String,
    pub ops: String,
    /// More environment for the jobs.
    pub environment: Vec<(String, String)>,
    connectors: Vec<String>,
}

static WORLDS: AtomicU32 = AtomicU32::new(0);

impl World {
    /// A copy of Northwind, empty warehouse tables, names for a topic and a group. The topic is not created yet.
    pub fn new(test: &str) -> World {
        let world = World::named(test);
        // CREATE DATABASE waits for nobody: two copies of one template at a time are refused.
        let mut admin = connect_postgres("postgres");
        wait_for("a copy of northwind_template", || {
            match admin.batch_execute(&format!("CREATE DATABASE {} TEMPLATE northwind_template", world.pg_db)) {
                Ok(()) => true,
                Err(error) if error.code().is_some_and(|code| code.code() == "55006") => false,
                Err(error) => panic!("{error:?}"),
            }
        });
        world.run("migrate", &[]).expect_exit(0);
        world
    }

    /// Names alone: nothing is made yet.
    pub fn named(test: &str) -> World {
        let number = WORLDS.fetch_add(1, Ordering::SeqCst);
        let name = format!("t_{test}_{}_{number}", std::process::id());
        World {
            topic: format!("{name}.public.customers"),
            group: format!("{name}.ingest-customers"),
            pg_db: name.clone(),
            dw: format!("{name}_dw"),
            ops: format!("{name}_ops"),
            environment: Vec::new(),
            connectors: Vec::new(),
            name,
        }
    }

    /// A world with its topic.
    pub fn with_topic(test: &str, partitions: i32) -> World {
        let world = World::new(test);
        world.create_topic(partitions, &[]);
        world
    }

    /// The command of a job in this world, not started yet.
    pub fn command(&self, job: &str, args: &[&str]) -> Command {
        let mut command = self.bare_command(job, args);
        if let Some(table) = job.strip_prefix("ingest-") {
            let table = table.replace('-', "_");
            command.args(["--topic", &self.topic_of(&table), "--group", &self.group_of(&table)]);
        }
        command
    }

    /// As `command`, with no word on topic and group.
    fn bare_command(&self, job: &str, args: &[&str]) -> Command {
        // Another executable: the one of an older release, when it makes a fixture.
        let mut command = Command::new(env("LOCKSTEP_UNDER_TEST", env!("CARGO_BIN_EXE_lockstep")));
        command
            .arg(job)
            .args(args)
            .env("POSTGRES_DB", &self.pg_db)
            .env("CLICKHOUSE_DB", &self.dw)
            .env("CLICKHOUSE_OPS_DB", &self.ops)
            .env_remove("RUST_LOG")
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn run(&self, job: &str, args: &[&str]) -> Outcome {
        outcome(self.command(job, args).spawn().expect("starting the job"))
    }

    /// Runs a job on the topic and group that its flags say.
    pub fn run_bare(&self, job: &str, args: &[&str]) -> Outcome {
        outcome(self.bare_command(job, args).spawn().expect("starting the job"))
    }

    /// Starts `ingest-customers` on another topic, by another group.
    pub fn start_from(&self, topic: &str, group: &str, args: &[&str]) -> Child {
        let of = ["--verify", "--topic", topic, "--group", group];
        self.bare_command("ingest-customers", &[&of, args].concat()).spawn().expect("starting the job")
    }

    /// Runs `ingest-customers` on another topic, by another group.
    pub fn ingest_from(&self, topic: &str, group: &str, args: &[&str]) -> Outcome {
        outcome(self.start_from(topic, group, args))
    }

    /// The topic of a table; `topic` is that of customers.
    pub fn topic_of(&self, table: &str) -> String {
        if table == "customers" { self.topic.clone() } else { format!("{}.public.{table}", self.name) }
    }

    /// The group of a table's ingest job; `group` is that of customers.
    pub fn group_of(&self, table: &str) -> String {
        if table == "customers" {
            self.group.clone()
        } else {
            format!("{}.ingest-{}", self.name, table.replace('_', "-"))
        }
    }

    /// The ingest job of a table, verifying what it writes.
    pub fn ingest_table(&self, table: &str, args: &[&str]) -> Outcome {
        self.run(&format!("ingest-{}", table.replace('_', "-")), &[&["--verify"], args].concat())
    }

    /// `ingest-customers`, verifying what it writes.
    pub fn ingest(&self, args: &[&str]) -> Outcome {
        self.run("ingest-customers", &[&["--verify"], args].concat())
    }

    pub fn postgres(&self) -> postgres::Client {
        connect_postgres(&self.pg_db)
    }

    /// The result of a query as TSV; `northwind_dw` and `northwind_ops` stand for this world's databases, as `{db}` and `{ops}` do in the project's files.
    pub fn clickhouse(&self, sql: &str) -> String {
        let sql = sql.replace("northwind_dw", &self.dw).replace("northwind_ops", &self.ops);
        let sql = sql.replace("{db}", &self.dw).replace("{ops}", &self.ops);
        clickhouse(&sql)
    }

    /// A query with one number as its result.
    pub fn number(&self, sql: &str) -> i64 {
        let text = self.clickhouse(sql);
        text.trim().parse().unwrap_or_else(|_| panic!("{sql}: {text:?} is not a number"))
    }

    /// The live rows of dim_customers, `customer_id<TAB>company_name`, by id.
    pub fn customers(&self) -> String {
        self.clickhouse("SELECT customer_id, company_name FROM northwind_dw.dim_customers FINAL ORDER BY customer_id")
    }

    /// Everything that must be the same however often a run was killed: offsets, ledger, quarantine, rows.
    pub fn end_state(&self, partitions: i32) -> String {
        let committed: Vec<_> = (0..partitions).map(|p| self.committed(p)).collect();
        let rows =
            self.clickhouse("SELECT * EXCEPT (_updated_at) FROM northwind_dw.dim_customers FINAL ORDER BY customer_id");
        let deleted = self.clickhouse(
            "SELECT customer_id, max(_version) FROM northwind_dw.dim_customers GROUP BY customer_id ORDER BY customer_id",
        );
        let quarantine = self.clickhouse(
            "SELECT partition, offset, row_key, payload, rule, status FROM northwind_ops.rejected FINAL ORDER BY partition, offset",
        );
        let ledger = self.clickhouse(
            "SELECT partition, mode, seq, start_offset, end_offset, written, rejected, tombstones, truncates, gaps
             FROM northwind_ops.windows ORDER BY partition, stream, seq, generation, mode, start_offset, end_offset",
        );
        let truncates = self
            .clickhouse("SELECT partition, offset, lsn FROM northwind_ops.truncates FINAL ORDER BY partition, offset");
        format!("committed {committed:?}\nledger\n{ledger}\nquarantine\n{quarantine}\ntruncates\n{truncates}\nversions\n{deleted}\nrows\n{rows}")
            .replace(&self.topic, "TOPIC")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "kept for a look: topic {}, group {}, PostgreSQL {}, ClickHouse {} and {}",
                self.topic, self.group, self.pg_db, self.dw, self.ops
            );
            return;
        }
        for connector in self.connectors.clone() {
            self.delete_connector(&connector);
        }
        self.delete_topics();
        clickhouse(&format!("DROP DATABASE IF EXISTS {}", self.dw));
        clickhouse(&format!("DROP DATABASE IF EXISTS {}", self.ops));
        let _ =
            connect_postgres("postgres").batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.pg_db));
    }
}

pub fn connect_postgres(database: &str) -> postgres::Client {
    postgres::Config::new()
        .host(&env("POSTGRES_HOST", "127.0.0.1"))
        .port(env("POSTGRES_PORT", "5432").parse().expect("a port"))
        .user("app_user")
        .password("app_password")
        .dbname(database)
        .connect(NoTls)
        .expect("connecting to PostgreSQL: is the stack up? make up")
}

/// Runs a statement in ClickHouse.
#[track_caller]
pub fn clickhouse(sql: &str) -> String {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut response = agent.post(clickhouse_url()).send(sql).expect("ClickHouse: is the stack up? make up");
    let body = response.body_mut().with_config().limit(1 << 30).read_to_string().expect("ClickHouse's answer");
    assert!(response.status().is_success(), "{sql}\n{body}");
    body
}
