//! Passwords, databases, tables and settings that are wrong: exit 78 (a person is needed) or 2 (the command line is), with
//! a word on what to do; and secrets, which never show.

use std::path::PathBuf;

use crate::support::event::customer;
use crate::support::{Outcome, World, go_on, outcome, root, wait_until_frozen};

const CANARY: &str = "canary-5e3c1a";

fn world(test: &str) -> World {
    let world = World::with_topic(test, 1);
    world.produce(&[customer("u", "ALFKI", "Alfreds", 100).message()]);
    world
}

/// A run with other variables; without the passwords that the caller's own environment may have.
fn ingest(world: &World, variables: &[(&str, &str)], args: &[&str]) -> Outcome {
    let mut command = world.command("ingest-customers", args);
    command.env_remove("POSTGRES_PASSWORD").env_remove("CLICKHOUSE_PASSWORD").envs(variables.iter().copied());
    outcome(command.spawn().unwrap())
}

fn shown(outcome: &Outcome) -> String {
    format!("{}{}", outcome.stdout, outcome.log)
}

/// A file with a secret in it.
struct SecretFile(PathBuf);

impl SecretFile {
    fn new(test: &str, secret: &str) -> SecretFile {
        let path = root().join(format!("target/{test}-{}.secret", std::process::id()));
        std::fs::write(&path, format!("{secret}\n")).unwrap();
        SecretFile(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Variables, flags, the exit code, and parts of the error.
type Wrong<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str], i32, &'a [&'a str]);

#[test]
fn what_is_wrong_is_said_and_a_retry_is_not_advised() {
    let world = world("wrong");
    let cases: [Wrong; 9] = [
        (&[("POSTGRES_PASSWORD", CANARY)], &[], 78, &["connecting to PostgreSQL", "app_user", "password"]),
        (&[("POSTGRES_USER", "nobody_here")], &[], 78, &["nobody_here"]),
        (&[("POSTGRES_DB", "no_such_database")], &[], 78, &["no_such_database", "does not exist"]),
        (&[("CLICKHOUSE_USER", "etl"), ("CLICKHOUSE_PASSWORD", CANARY)], &[], 78, &["ClickHouse at 127.0.0.1", "etl"]),
        (&[("CLICKHOUSE_OPS_DB", "no_such_books")], &[], 78, &["no_such_books", "run `migrate`"]),
        (&[("CLICKHOUSE_DB", "no_such_warehouse")], &[], 78, &["not of no_such_warehouse", "CLICKHOUSE_DB="]),
        (&[], &["-X", "nonsense=1"], 78, &["nonsense"]),
        (&[], &["-X", "security.protocol=carrier-pigeon"], 78, &["security.protocol"]),
        (&[("POSTGRES_PASSWORD_FILE", "/no/such/file")], &[], 2, &["/no/such/file", "POSTGRES_PASSWORD_FILE"]),
    ];
    for (variables, args, exit, parts) in cases {
        let failed = ingest(&world, variables, args);
        assert_eq!(failed.exit, exit, "{variables:?} {args:?}: {failed:#?}");
        for part in parts {
            assert!(failed.error().contains(part), "{variables:?} {args:?}: {part}: {}", failed.error());
        }
        assert!(!shown(&failed).contains(CANARY), "{failed:?}");
    }
    assert_eq!(world.number("SELECT count() FROM northwind_ops.windows WHERE mode = 'plan'"), 0);
    world.ingest(&[]).expect_exit(0);
}

#[test]
fn settings_that_carry_the_guarantee_are_refused_on_the_command_line() {
    let world = world("fixed");
    for setting in ["isolation.level=read_uncommitted", "enable.auto.commit=true", "group.id=other"] {
        let refused = ingest(&world, &[], &["-X", setting]).expect_exit(2);
        assert!(refused.log.contains("cannot be changed"), "{refused:?}");
    }
    ingest(&world, &[("KAFKA_OPTIONS", "auto.offset.reset=earliest")], &[]).expect_exit(2);
}

#[test]
fn a_password_may_come_from_a_file_but_not_from_two_places() {
    let world = world("secret_file");
    let file = SecretFile::new("secret_file", "app_password");
    let both = [("POSTGRES_PASSWORD_FILE", file.path()), ("POSTGRES_PASSWORD", "app_password")];
    let refused = ingest(&world, &both, &[]).expect_exit(2);
    assert!(refused.error().contains("both POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE"), "{refused:?}");
    assert_eq!(ingest(&world, &[("POSTGRES_PASSWORD_FILE", file.path())], &[]).expect_exit(0).count("written"), 1);
}

/// Right passwords and one that is not asked for, with the most talkative log, in text and in JSON.
#[test]
fn secrets_are_not_shown_anywhere() {
    let world = world("secrets");
    let file = SecretFile::new("secrets", "etl_password");
    let secrets = ["app_password", "etl_password", CANARY];
    let variables = [
        ("POSTGRES_PASSWORD", "app_password"),
        ("CLICKHOUSE_USER", "etl"),
        ("CLICKHOUSE_PASSWORD_FILE", file.path()),
        ("KAFKA_SASL_PASSWORD", CANARY),
        ("RUST_LOG", "trace"),
    ];
    let mut command = world.command("ingest-customers", &["--stop-at", "read", "--log-format", "json"]);
    // The log is longer than a pipe, and nobody reads one while the job is frozen.
    let log = tempfile::NamedTempFile::new().unwrap();
    command.env_remove("CLICKHOUSE_PASSWORD").envs(variables).stderr(log.reopen().unwrap());
    let mut run = command.spawn().unwrap();
    wait_until_frozen(&mut run, "read");
    let arguments = std::fs::read_to_string(format!("/proc/{}/cmdline", run.id())).unwrap();
    let mut done = go_on(run).expect_exit(0);
    done.log = std::fs::read_to_string(log.path()).unwrap();
    assert!(done.log.contains("\"level\":\"TRACE\"") || done.log.contains("\"level\":\"DEBUG\""), "{}", done.log);
    let sasl = ["-X", "security.protocol=SASL_PLAINTEXT", "-X", "sasl.mechanism=PLAIN", "-X", "sasl.username=someone"];
    let refused = ingest(&world, &variables[1..], &sasl);
    assert!([75, 78].contains(&refused.exit), "{refused:?}");
    for secret in secrets {
        for text in [&shown(&done), &arguments, &shown(&refused)] {
            assert!(!text.contains(secret), "{secret} is shown: {text}");
        }
    }
    let books = world.clickhouse("SELECT * FROM northwind_ops.runs");
    assert!(secrets.iter().all(|secret| !books.contains(secret)), "{books}");
}
