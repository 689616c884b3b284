//! Who is let in: Kafka with a login, and a pooler in PostgreSQL's place. What a person has to correct is 78, and at once.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::support::event::customer;
use crate::support::private_stack::{PrivateStack, free_port};
use crate::support::standby::as_postgres;
use crate::support::{World, connect_postgres, env, root, wait_for};

const CANARY: &str = "canary-77af02";

#[test]
fn a_wrong_kafka_password_needs_a_person() {
    let kafka = PrivateStack::kafka_with_login();
    let mut world = World::new("kafka_login");
    kafka.produce(&world, 1, &[customer("u", "ALFKI", "Alfreds", 100).message()]);
    let mut login = |password: &str, mechanism: &str| {
        let options = format!("security.protocol=SASL_PLAINTEXT sasl.mechanism={mechanism} sasl.username=northwind");
        let settings = [
            ("KAFKA_BOOTSTRAP_SERVERS", kafka.login_address()),
            ("KAFKA_OPTIONS", options),
            ("KAFKA_SASL_PASSWORD", password.to_owned()),
        ];
        world.environment = settings.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let begun = Instant::now();
        (
            world.run("ingest-customers", &[]),
            world.run("lag", &["--topic", &world.topic, "--group", "g"]),
            begun.elapsed(),
        )
    };
    for (password, mechanism, why) in
        [(CANARY, "PLAIN", "Authentication failed"), ("northwind_password", "SCRAM-SHA-256", "mechanism")]
    {
        let (ingest, lag, took) = login(password, mechanism);
        for refused in [ingest.expect_exit(78), lag.expect_exit(78)] {
            refused.error_says(&[why, "KAFKA_SASL_PASSWORD", &kafka.login_address()]);
            assert!(!format!("{refused:?}").contains(CANARY), "{refused:?}");
        }
        assert!(took < Duration::from_secs(8), "{took:?} for what is known at once");
    }
    let (ingest, lag, _) = login("northwind_password", "PLAIN");
    assert_eq!((ingest.expect_exit(0).count("written"), lag.expect_exit(0).exit), (1, 0));

    // A broker that is away is no refusal.
    kafka.kill();
    let (ingest, ..) = login("northwind_password", "PLAIN");
    ingest.expect_exit(75);
}

/// pgbouncer between the test's jobs and PostgreSQL.
struct PgBouncer {
    port: u16,
    server: Child,
    settings: PathBuf,
}

impl PgBouncer {
    fn start() -> PgBouncer {
        let port = free_port();
        let settings = root().join(format!("target/pgbouncer-{port}.ini"));
        let (host, primary) = (env("POSTGRES_HOST", "127.0.0.1"), env("POSTGRES_PORT", "5432"));
        let text = format!(
            "[databases]\n* = host={host} port={primary} user=app_user password=app_password\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n"
        );
        std::fs::write(&settings, text).unwrap();
        let mut command = as_postgres(Path::new("/usr/sbin/pgbouncer"));
        let server = command.arg(&settings).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let server = server.expect("pgbouncer: local-stack/stack install-test-deps");
        wait_for("pgbouncer to listen", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        PgBouncer { port, server, settings }
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = std::fs::remove_file(&self.settings);
    }
}

#[test]
fn a_pooler_in_postgresqls_place_is_named() {
    let world = World::with_topic("pooler", 1);
    let pooler = PgBouncer::start();
    let port = pooler.port.to_string();
    for job in ["ingest-customers", "check-reconcile"] {
        let refused = world.run(job, &["--postgres-port", &port]).expect_exit(78);
        refused.error_says(&["pgbouncer", "options", "startup parameter", &port, "POSTGRES_HOST"]);
    }
    assert_eq!(
        connect_postgres(&world.pg_db).query("SELECT 1", &[]).unwrap().len(),
        1,
        "PostgreSQL itself lets everybody in"
    );
}
