//! `doctor`: whatever is broken, it names that and nothing else, and its fix works.

use std::process::Command;

use crate::support::connector::task_state;
use crate::support::{Outcome, World, kafka_servers, outcome, wait_for};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use serde_json::Value;

/// Runs `doctor` for the world's customers, with more environment and flags.
fn doctor_with(world: &World, environment: &[(&str, &str)], args: &[&str]) -> Outcome {
    let own = ["--table", "customers", "--prefix", &world.name];
    let mut command = world.command("doctor", &[&own, args].concat());
    outcome(command.envs(environment.iter().copied()).spawn().unwrap())
}

fn doctor(world: &World) -> Outcome {
    doctor_with(world, &[], &[])
}

/// The findings of a verdict, as `server check`.
fn found(outcome: &Outcome, verdict: &str) -> Vec<String> {
    let findings = outcome.summary["findings"].as_array().unwrap();
    let text = |finding: &Value, field: &str| finding[field].as_str().unwrap().to_owned();
    let of_verdict = findings.iter().filter(|finding| finding["verdict"] == verdict);
    of_verdict.map(|finding| format!("{} {}", text(finding, "server"), text(finding, "check"))).collect()
}

/// The fix of a check that is not ok.
fn fix_of(outcome: &Outcome, check: &str) -> String {
    let findings = outcome.summary["findings"].as_array().unwrap();
    let finding = findings.iter().find(|f| format!("{} {}", f["server"], f["check"]).replace('"', "") == check);
    finding.unwrap_or_else(|| panic!("no finding {check}: {outcome:#?}"))["fix"].as_str().unwrap().to_owned()
}

fn shell(command: &str) {
    let done = Command::new("sh").args(["-c", command]).output().unwrap();
    let answer = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success() && !answer.contains("error_code"), "{command}\n{done:?}");
}

/// Exactly one thing is broken, and this is it; returns its fix.
#[track_caller]
fn expect_failure(outcome: Outcome, exit: i32, check: &str) -> String {
    let outcome = outcome.expect_exit(exit);
    assert_eq!(found(&outcome, "fail"), [check], "{}", outcome.stdout);
    let fix = fix_of(&outcome, check);
    let first_word = check.split(' ').next().unwrap();
    assert!(outcome.error().starts_with(first_word) && outcome.error().ends_with(&fix), "{}", outcome.error());
    assert!(outcome.stdout.contains(&format!("FAIL {first_word}")), "{}", outcome.stdout);
    assert!(outcome.stdout.contains(&format!("  fix: {fix}\n")), "{}", outcome.stdout);
    fix
}

#[test]
fn each_broken_dependency_is_named() {
    let world = World::with_topic("doctor_broken", 1);
    let everything = ["CONNECT_URL", "KAFKA_BOOTSTRAP_SERVERS"];
    let connect = crate::support::env("CONNECT_URL", "http://127.0.0.1:8083");
    let connect_port = connect.rsplit(':').next().unwrap();
    let (as_kafka, over_tls) = (format!("127.0.0.1:{connect_port}"), format!("https://127.0.0.1:{connect_port}"));
    let clickhouse = crate::support::clickhouse_url();
    let cases = [
        (("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"), 75, "kafka reachable", "KAFKA_BOOTSTRAP_SERVERS"),
        (("KAFKA_BOOTSTRAP_SERVERS", as_kafka.as_str()), 75, "kafka reachable", "Kafka's port"),
        (("KAFKA_BOOTSTRAP_SERVERS", "no-such-host.invalid:9092"), 75, "kafka reachable", "KAFKA_BOOTSTRAP_SERVERS"),
        (("KAFKA_OPTIONS", "no.such.setting=1"), 78, "kafka settings", "KAFKA_OPTIONS"),
        (("POSTGRES_PORT", "1"), 75, "postgres reachable", "POSTGRES_PORT"),
        (("POSTGRES_PASSWORD", "wrong"), 78, "postgres login", "POSTGRES_PASSWORD"),
        (("POSTGRES_DB", "no_such_database"), 78, "postgres login", "POSTGRES_DB"),
        (("CLICKHOUSE_PORT", "1"), 75, "clickhouse reachable", "CLICKHOUSE_PORT"),
        (("CLICKHOUSE_PORT", connect_port), 78, "clickhouse reachable", "HTTP port"),
        (("CLICKHOUSE_USER", "nobody"), 78, "clickhouse login", "CLICKHOUSE_PASSWORD"),
        (("CLICKHOUSE_DB", "no_such_database"), 78, "clickhouse databases", "lockstep migrate"),
        (("CONNECT_URL", "http://127.0.0.1:1"), 75, "connect reachable", "CONNECT_URL"),
        (("CONNECT_URL", clickhouse.as_str()), 78, "connect reachable", "CONNECT_URL"),
        (("CONNECT_URL", over_tls.as_str()), 78, "connect reachable", "--connect-url"),
    ];
    for ((variable, value), exit, check, word) in cases {
        let fix = expect_failure(doctor_with(&world, &[(variable, value)], &[]), exit, check);
        assert!(fix.contains(word), "{variable}={value}: {fix}");
    }
    let unknown = doctor_with(&world, &[], &["--connector", "no-such-connector"]);
    assert!(unknown.error().contains("northwind-cdc-connector"), "the others are listed: {}", unknown.error());
    let fix = expect_failure(unknown, 78, "connect connector");
    assert!(fix.contains("curl -X PUT"), "{fix}");
    let nothing_there =
        everything.map(|name| (name, if name == "CONNECT_URL" { "http://127.0.0.1:1" } else { "127.0.0.1:1" }));
    let outcome = doctor_with(&world, &nothing_there, &[]).expect_exit(75);
    assert_eq!(found(&outcome, "fail"), ["connect reachable", "kafka reachable"]);
    let mixed = doctor_with(&world, &[nothing_there[0], ("POSTGRES_PASSWORD", "wrong")], &[]).expect_exit(78);
    assert_eq!(found(&mixed, "fail"), ["postgres login", "connect reachable"]);
}

#[test]
fn a_server_that_never_answers_does_not_hang_the_doctor() {
    let world = World::with_topic("doctor_frozen", 1);
    let frozen = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = frozen.local_addr().unwrap().port().to_string();
    let fix = expect_failure(doctor_with(&world, &[("POSTGRES_PORT", &port)], &[]), 75, "postgres answers");
    assert!(fix.contains("frozen"), "{fix}");
}

#[test]
fn a_table_that_does_not_fit_is_named_and_its_fix_works() {
    let world = World::with_topic("doctor_tables", 1);
    let mends = |broken: &str, check: &str, words: &str| {
        world.clickhouse(broken);
        let fix = expect_failure(doctor(&world), 78, check);
        assert!(fix.contains(words), "{fix}");
        world.clickhouse(&fix);
        doctor(&world).expect_exit(0);
    };
    mends(
        "ALTER TABLE northwind_dw.dim_customers MODIFY SETTING non_replicated_deduplication_window = 0",
        "clickhouse deduplication",
        "non_replicated_deduplication_window = 10000",
    );
    mends(
        "ALTER TABLE northwind_ops.rejected MODIFY SETTING non_replicated_deduplication_window = 0",
        "clickhouse deduplication",
        ".rejected",
    );
    mends(
        "ALTER TABLE northwind_dw.dim_customers DROP COLUMN region",
        "clickhouse columns",
        "ADD COLUMN `region` Nullable(String)",
    );
    mends(
        "ALTER TABLE northwind_dw.dim_customers MODIFY COLUMN region LowCardinality(Nullable(String))",
        "clickhouse columns",
        "MODIFY COLUMN `region` Nullable(String)",
    );
    world.clickhouse("DROP TABLE northwind_dw.dim_customers SYNC");
    let fix = expect_failure(doctor(&world), 78, "clickhouse tables");
    assert_eq!(fix, "lockstep migrate");
    world.run("migrate", &[]).expect_exit(0);
    let outcome = doctor(&world).expect_exit(0);
    assert_eq!(outcome.count("failed"), 0);

    let ddl = world.clickhouse("SHOW CREATE TABLE northwind_dw.dim_customers FORMAT TSVRaw");
    world.clickhouse("DROP TABLE northwind_dw.dim_customers SYNC");
    world.clickhouse(&ddl.replace("ReplacingMergeTree(_version, _deleted)", "ReplacingMergeTree(_updated_at)"));
    let fix = expect_failure(doctor(&world), 78, "clickhouse engine");
    assert!(fix.starts_with("RENAME TABLE"), "{fix}");
}

#[test]
fn what_the_source_lacks_is_named() {
    let world = World::with_topic("doctor_source", 1);
    let mut source = world.postgres();
    source.batch_execute("ALTER PUBLICATION northwind_publication DROP TABLE public.customers").unwrap();
    let fix = expect_failure(doctor(&world), 78, "postgres publication");
    let sql = fix.split('\'').nth(1).unwrap();
    source.batch_execute(sql).unwrap();
    doctor(&world).expect_exit(0);

    source.batch_execute("ALTER PUBLICATION northwind_publication SET (publish = 'insert, update, delete')").unwrap();
    let fix = expect_failure(doctor(&world), 78, "postgres publication");
    source.batch_execute(&fix).unwrap();
    doctor(&world).expect_exit(0);

    source.batch_execute("ALTER TABLE customers ADD COLUMN remarks text").unwrap();
    let outcome = doctor(&world).expect_exit(0);
    assert!(found(&outcome, "warn").contains(&"postgres identity".to_owned()), "{}", outcome.stdout);
    let fix = fix_of(&outcome, "postgres identity");
    source.batch_execute(fix.split('\'').nth(1).unwrap()).unwrap();
    assert!(!found(&doctor(&world), "warn").contains(&"postgres identity".to_owned()));

    source.batch_execute("DROP PUBLICATION northwind_publication").unwrap();
    let fix = expect_failure(doctor(&world), 78, "postgres publication");
    assert!(fix.contains("02_replication_user.sql"), "{fix}");
}

/// The doctor and the job say the same thing of a source that has changed since the pipeline's file was written.
#[test]
fn a_type_that_has_changed_in_the_source_is_named() {
    let world = World::with_topic("doctor_types", 1);
    let mut source = world.postgres();
    source.batch_execute("ALTER TABLE customers ALTER region TYPE date USING NULL").unwrap();
    let outcome = doctor(&world);
    let fix = expect_failure(outcome.clone(), 78, "postgres types");
    let sync = world.run("sync-schema", &["--table", "customers"]).expect_exit(78);
    let said = sync.error();
    assert!(
        said.starts_with("customers: region is date in PostgreSQL, and Nullable(String) in ") && said.ends_with(&fix),
        "{said}"
    );
    assert!(outcome.stdout.contains(said.strip_suffix(&format!(": {fix}")).unwrap()), "{}", outcome.stdout);

    source.batch_execute("ALTER TABLE customers ALTER region TYPE text, ALTER company_name DROP NOT NULL").unwrap();
    let outcome = doctor(&world).expect_exit(0);
    assert!(found(&outcome, "warn").contains(&"postgres types".to_owned()), "{}", outcome.stdout);
}

#[test]
fn a_user_who_may_not_read_the_tables_gets_the_grant_to_type() {
    let world = World::with_topic("doctor_grant", 1);
    let (mut source, role) = (world.postgres(), world.name.clone());
    source.batch_execute(&format!("CREATE ROLE {role} LOGIN PASSWORD 'secret'")).unwrap();
    let environment = [("POSTGRES_USER", role.as_str()), ("POSTGRES_PASSWORD", "secret")];
    let fix = expect_failure(doctor_with(&world, &environment, &[]), 78, "postgres tables");
    source.batch_execute(fix.split('\'').nth(1).unwrap()).unwrap();
    doctor_with(&world, &environment, &[]).expect_exit(0);
    source.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).unwrap();
}

#[test]
fn a_missing_topic_matters_when_the_table_has_rows() {
    let world = World::new("doctor_topic");
    expect_failure(doctor(&world), 78, "kafka topics");
    world.change("TRUNCATE customers CASCADE");
    let outcome = doctor(&world).expect_exit(0);
    assert!(found(&outcome, "warn").contains(&"kafka topics".to_owned()), "{}", outcome.stdout);
}

#[test]
fn a_program_that_subscribed_to_the_group_is_named() {
    let world = World::with_topic("doctor_group", 1);
    let intruder: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", kafka_servers())
        .set("group.id", &world.group)
        .set("client.id", "intruder")
        .create()
        .unwrap();
    intruder.subscribe(&[&world.topic]).unwrap();
    let mut outcome = doctor(&world);
    wait_for("the intruder to be a member", || {
        intruder.poll(std::time::Duration::from_millis(100));
        outcome = doctor(&world);
        outcome.exit != 0
    });
    assert!(outcome.error().contains("intruder"), "{}", outcome.error());
    expect_failure(outcome, 78, "kafka groups");
}

/// From a healthy world through wrong settings, a halted connector and a dead task, by the doctor's own fixes back again.
#[test]
fn the_connectors_health_is_told_and_its_fixes_work() {
    let mut world = World::new("doctor_connector");
    let connector = world.capture(&[]);
    let examine = |world: &World| doctor_with(world, &[], &["--connector", &connector]);
    let healthy = |world: &World| {
        let mut outcome = examine(world);
        wait_for("the connector to be healthy", || {
            outcome = examine(world);
            outcome.exit == 0 && outcome.count("warnings") == 0
        });
        outcome
    };
    let outcome = healthy(&world);
    assert_eq!((outcome.count("failed"), outcome.count("skipped")), (0, 0));
    assert!(outcome.count("checks") > 25 && outcome.summary.get("error").is_none(), "{}", outcome.stdout);

    let url = format!("{}/connectors/{connector}", crate::support::env("CONNECT_URL", "http://127.0.0.1:8083"));
    let patch = |settings: &str| {
        shell(&format!("curl -s -X PATCH -H 'Content-Type: application/json' -d '{settings}' {url}/config"));
    };
    patch(
        r#"{"skipped.operations": "t", "decimal.handling.mode": null, "time.precision.mode": "isostring", "heartbeat.action.query": "", "signal.data.collection": null}"#,
    );
    // A task that starts again with its new settings may not be well for a moment.
    let failing = |world: &World, checks: &[&str]| {
        let mut outcome = examine(world);
        wait_for(&format!("{checks:?} to be what fails"), || {
            outcome = examine(world);
            outcome.exit == 78 && found(&outcome, "fail") == checks
        });
        outcome
    };
    let outcome = failing(&world, &["connect settings", "connect settings", "connect settings"]);
    assert!(found(&outcome, "warn").contains(&"connect settings".to_owned()), "{}", outcome.stdout);
    let findings = outcome.summary["findings"].as_array().unwrap();
    for finding in findings.iter().filter(|finding| finding["check"] == "settings") {
        shell(finding["fix"].as_str().unwrap());
    }
    healthy(&world);

    world.stop_connector(&connector);
    let outcome = failing(&world, &["connect state"]);
    assert!(found(&outcome, "warn").contains(&"postgres slot".to_owned()), "{}", outcome.stdout);
    shell(&expect_failure(outcome, 78, "connect state"));
    healthy(&world);

    patch(r#"{"publication.name": "no_such_publication"}"#);
    wait_for("the task to fail", || task_state(&connector) == "FAILED");
    let outcome = failing(&world, &["postgres publication", "connect state"]);
    assert!(
        outcome.stdout.contains("task 0 has FAILED: ") && outcome.stdout.contains("no_such_publication"),
        "{}",
        outcome.stdout
    );
    patch(r#"{"publication.name": "northwind_publication"}"#);
    healthy(&world);
}
