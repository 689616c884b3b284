//! PostgreSQL over TLS: who is let in, who is refused, and in which words.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::time::{Duration, Instant};

use crate::support::private_stack::PrivateStack;
use crate::support::tls::{Authority, two_authorities};
use crate::support::{Outcome, World, outcome, wait_for};

/// A PostgreSQL whose certificate and whose rules about who comes in may change.
struct Server {
    stack: PrivateStack,
    authority: Authority,
    other: Authority,
}

impl Server {
    fn new() -> Server {
        let stack = PrivateStack::up("postgres");
        let (authority, other) = two_authorities("app_user");
        Server { stack, authority, other }
    }

    /// Puts a certificate in its place, and a line for who may come in.
    fn set(&self, ssl: &str, certificate: &str, hba: &str) {
        let folder = self.stack.data();
        let owner = folder.metadata().unwrap();
        let put = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            std::fs::write(&path, bytes).unwrap();
            chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        };
        let read = |file: &str| std::fs::read(self.authority.path(file)).unwrap();
        put("server.crt", &read(&format!("{certificate}.pem")));
        put("server.key", &read(&format!("{certificate}.key")));
        put("root.crt", &read("ca.pem"));
        put("pg_hba.conf", format!("local all all trust\n{hba}\n").as_bytes());
        put("postgresql.auto.conf", format!("ssl = {ssl}\nssl_ca_file = 'root.crt'\n").as_bytes());
        let pid = std::fs::read_to_string(folder.join("postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap();
        assert!(std::process::Command::new("kill").args(["-HUP", pid]).status().unwrap().success());
    }

    fn ask(&self, world: &World, host: &str, environment: &[(&str, &str)]) -> Outcome {
        let port = self.stack.port().to_string();
        let args = ["--postgres-host", host, "--postgres-port", &port, "--postgres-db", "northwind"];
        let mut command = world.command("ingest-customers", &args);
        outcome(command.envs(environment.iter().copied()).spawn().unwrap())
    }
}

#[test]
fn postgresql_is_believed_as_far_as_the_mode_says() {
    let world = World::with_topic("tls_postgres", 1);
    let server = Server::new();
    let port = server.stack.port().to_string();
    world.run("migrate", &["--moved", "--postgres-port", &port, "--postgres-db", "northwind"]).expect_exit(0);
    let (ours, theirs) = (server.authority.path("ca.pem"), server.other.path("ca.pem"));
    let full = [("POSTGRES_TLS", "verify-full"), ("POSTGRES_TLS_CA_FILE", ours.as_str())];
    let refused = |host: &str, environment: &[(&str, &str)], words: &[&str]| {
        // A server takes up its settings a moment after it was told to.
        let mut last = String::new();
        wait_for(&format!("{words:?}"), || {
            let outcome = server.ask(&world, host, environment);
            outcome.error().clone_into(&mut last);
            outcome.exit == 78 && words.iter().all(|word| last.contains(word))
        });
    };
    let let_in = |host: &str, environment: &[(&str, &str)]| {
        let until = Instant::now() + Duration::from_secs(10);
        let ask = || server.ask(&world, host, environment);
        let mut outcome = ask();
        while outcome.exit != 0 && Instant::now() < until {
            outcome = ask();
        }
        outcome.expect_exit(0);
    };
    const ANYBODY: &str = "host all all 127.0.0.1/32 scram-sha-256";

    refused(
        "localhost",
        &full,
        &["TLS: POSTGRES_TLS is verify-full, and there is no TLS there; switch it on (ssl = on)"],
    );

    server.set("on", "good", "hostssl all all 127.0.0.1/32 scram-sha-256");
    let_in("localhost", &full);
    let_in(
        "127.0.0.1",
        &[("TLS", "verify-ca"), ("CLICKHOUSE_TLS", "disable"), ("KAFKA_TLS", "disable"), ("TLS_CA_FILE", &ours)],
    );
    let_in("127.0.0.1", &[("POSTGRES_TLS", "require")]);
    refused("localhost", &[], &["no encryption", "set POSTGRES_TLS=verify-full"]);
    refused("127.0.0.1", &full, &["not for the name that was asked for, but for localhost", "POSTGRES_TLS=verify-ca"]);
    let wrong = [("POSTGRES_TLS", "verify-full"), ("POSTGRES_TLS_CA_FILE", theirs.as_str())];
    refused("localhost", &wrong, &["signed by Test Authority, which is not known here", &theirs]);
    refused("localhost", &[("POSTGRES_TLS", "verify-full")], &["set POSTGRES_TLS_CA_FILE"]);

    server.set("on", "expired", ANYBODY);
    refused("localhost", &full, &["has expired on", "(localhost)", "renewed"]);

    server.set("on", "good", "hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-full");
    wait_for("the client certificate to be asked for", || {
        let asked = "wants a client certificate; set POSTGRES_TLS_CERT_FILE and POSTGRES_TLS_KEY_FILE";
        server.ask(&world, "localhost", &full).error().contains(asked)
    });
    let own = |of: &Authority| [of.path("us.pem"), of.path("us.key")];
    let with = |own: &[String; 2], host: &str| {
        let shown = [("POSTGRES_TLS_CERT_FILE", own[0].as_str()), ("POSTGRES_TLS_KEY_FILE", own[1].as_str())];
        server.ask(&world, host, &[&full[..], &shown].concat())
    };
    assert_eq!(with(&own(&server.authority), "localhost").exit, 0);
    // What the server says of our certificate may come too late to be read.
    let stranger = with(&own(&server.other), "localhost");
    assert!([75, 78].contains(&stranger.exit), "{stranger:?}");
    assert!(stranger.error().contains("does not accept the client certificate"), "{}", stranger.error());
}
