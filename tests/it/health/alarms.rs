//! What needs a person is an alarm: `observe` ends with 78 for as long as it is there, and says it when it is news.

use crate::support::event::customer;
use crate::support::observe::{LATE_IS_NO_ALARM, alarms, look_by, observe, observe_with, problems, says, settings};
use crate::support::private_stack::PrivateStack;
use crate::support::{Outcome, World, outcome, wait_for};

/// A look by these settings, in which it is of no interest which handmade runs are alive.
fn look(world: &World, text: &str) -> Outcome {
    look_by(world, text, &["--lost-after", "1d"])
}

/// How many of a look's alarms are news.
fn news(outcome: &Outcome) -> i64 {
    outcome.count("news")
}

/// Events of customers that PostgreSQL does not have: they are refused.
fn refused(world: &World, from: u32, number: u32) {
    let unknown = |i: u32| customer("c", &format!("X{i:04}"), "nobody", 100 + u64::from(i)).message();
    world.produce(&(from..from + number).map(unknown).collect::<Vec<_>>());
    world.run("ingest-customers", &[]).expect_exit(0);
}

/// Rows of `runs`: job, status, minutes since it was started, error.
fn runs(world: &World, rows: &[(&str, &str, i64, &str)]) {
    for (i, (job, status, minutes, error)) in rows.iter().enumerate() {
        let time = format!("now64(3) - INTERVAL {minutes} MINUTE");
        world.clickhouse(&format!(
            "INSERT INTO northwind_ops.runs (run_id, job, status, error, started_at, updated_at)
             VALUES ('{job} {status} {minutes} {i}', '{job}', '{status}', '{error}', {time}, {time})"
        ));
    }
}

#[test]
fn a_job_that_never_ends_well_is_an_alarm() {
    let world = World::with_topic("alarm_tries", 1);
    let tries = |number: i64, first: i64| -> Vec<(&str, &str, i64, &str)> {
        (first..first + number).map(|minutes| ("ingest-customers", "try-again", minutes, "no answer")).collect()
    };
    runs(&world, &[("ingest-customers", "done", 30, "")]);
    runs(&world, &tries(9, 2));
    let seen = look(&world, "").expect_exit(0);
    assert_eq!(problems(&seen), Vec::<&str>::new(), "to try again is right");
    runs(&world, &[("ingest-customers", "try-again", 1, "still no answer"), ("ingest-customers", "running", 0, "")]);
    let seen = look(&world, "").expect_exit(78);
    assert_eq!(alarms(&seen), ["tries-in-a-row"]);
    says(&seen, &["ingest-customers has not ended well for 10 times in a row", "still no answer"]);
    assert!(seen.error().contains("10 times in a row"), "{seen:#?}");
    look(&world, "[observe]\ntries_in_a_row = 11").expect_exit(0);
    runs(&world, &[("ingest-customers", "done", 0, "")]);
    look(&world, "").expect_exit(0);
}

#[test]
fn severities_and_limits_are_those_of_the_file() {
    let world = World::with_topic("alarm_severity", 1);
    runs(&world, &[("build-order-wide", "needs-person", 1, "order 7 does not fit")]);
    let told = |severity: &str| look(&world, &format!("[observe.severity]\nrun-failed = \"{severity}\""));
    says(&told("fail").expect_exit(78), &["the last run of build-order-wide", "needs-person: order 7 does not fit"]);
    let warned = told("warn").expect_exit(0);
    says(&warned, &["the last run of build-order-wide"]);
    assert_eq!(alarms(&warned), Vec::<&str>::new());
    assert_eq!(told("off").expect_exit(0).summary["healthy"], true);
    let refused = |text: &str| look(&world, text).expect_exit(78).error().to_owned();
    assert!(refused("[observe]\n\nrepeat = \"1h\"").contains("line 3"));
    assert!(refused("[observe.severity]\nrun-fail = \"warn\"").contains("line 2"));
    assert!(refused("[observe.silent_after]\nbuild-it = \"1h\"").contains("line 2: \"build-it\" is none of the jobs"));
}

/// A run that ends before its first row leaves nothing behind; nor does one that was never started.
#[test]
fn a_job_that_runs_no_more_is_an_alarm() {
    let world = World::with_topic("alarm_silent", 1);
    runs(&world, &[("ingest-customers", "done", 50, ""), ("replay-rejected", "done", 70, "")]);
    // At work for two hours; and a job that nobody listens for.
    runs(&world, &[("ingest-orders", "running", 120, ""), ("observe", "done", 120, "")]);
    let seen = look(&world, "").expect_exit(78);
    assert_eq!(alarms(&seen), ["silent-job"]);
    says(&seen, &["replay-rejected has not been started for 70 min"]);
    let own = "[observe.silent_after]\nreplay-rejected = \"2h\"\ningest-customers = \"10m\"";
    says(&look(&world, own).expect_exit(78), &["ingest-customers has not been started for 50 min"]);
    // A job that ends before its first row: its password is wrong.
    let mut wrong = world.command("ingest-customers", &[]);
    outcome(wrong.env("CLICKHOUSE_PASSWORD", "wrong").spawn().unwrap()).expect_exit(78);
    look(&world, own).expect_exit(78);
    world.run("ingest-customers", &[]).expect_exit(0);
    look(&world, own).expect_exit(0);
}

/// Twelve attempts, and nobody tries it again: that is said once a day.
#[test]
fn a_record_that_has_used_up_its_attempts_is_said_once_a_day() {
    let world = World::with_topic("alarm_exhausted", 1);
    refused(&world, 0, 1);
    let seen = look(&world, "").expect_exit(0);
    assert_eq!(seen.summary["quarantine"][0]["open"], 1);
    for _ in 0..11 {
        world.run("replay-rejected", &["--attempts-below", "12"]).expect_exit(0);
    }
    let seen = look(&world, "").expect_exit(78);
    assert_eq!((alarms(&seen), news(&seen)), (vec!["quarantine-exhausted"], 1));
    says(
        &seen,
        &["1 records of customers that break not-in-postgres were tried 12 times", "--only-rule not-in-postgres"],
    );
    let again = look(&world, "").expect_exit(0);
    assert_eq!(alarms(&again), Vec::<&str>::new(), "once is enough");
    says(&again, &["were tried 12 times"]);
    // A day later, or when there is twice as much of it.
    wait_for("a second to pass", || look(&world, "[observe]\nremind_after = \"1s\"\nrepeat_after = \"1s\"").exit == 78);
    assert_eq!(world.number("SELECT count() FROM northwind_ops.observed_alarms WHERE said"), 2);
    look(&world, "").expect_exit(0);
    // Closed, it is forgotten.
    world.change("INSERT INTO customers (customer_id, company_name) VALUES ('X0000', 'found')");
    world.run("replay-rejected", &[]).expect_exit(0);
    assert_eq!(look(&world, "").expect_exit(0).summary["healthy"], true);
}

#[test]
fn too_many_open_records_are_an_alarm_that_is_said_once_an_hour() {
    let world = World::with_topic("alarm_size", 1);
    let limit = "[observe.quarantine]\nmost_open = 2";
    refused(&world, 0, 2);
    look(&world, limit).expect_exit(0);
    refused(&world, 2, 1);
    let seen = look(&world, limit).expect_exit(78);
    assert_eq!((alarms(&seen), news(&seen)), (vec!["quarantine-size"], 1));
    says(&seen, &["3 open records of customers break not-in-postgres"]);
    let again = look(&world, limit).expect_exit(78);
    assert_eq!((alarms(&again), news(&again)), (vec!["quarantine-size"], 0), "the exit code stays, it is no news");
    refused(&world, 3, 3);
    assert_eq!(news(&look(&world, limit).expect_exit(78)), 1, "twice as many are");
    assert_eq!(news(&look(&world, limit).expect_exit(78)), 0);
    let old = "[observe.quarantine]\nmost_open = 100\noldest = \"1s\"";
    wait_for("the records to be old", || look(&world, old).exit == 78);
    says(&look(&world, old).expect_exit(0), &["nobody has tried the oldest for"]);
}

#[test]
fn a_quarantine_that_only_grows_is_an_alarm() {
    let world = World::with_topic("alarm_grows", 1);
    let grows = "[observe.quarantine]\ngrows_for = \"15s\"";
    refused(&world, 0, 1);
    look(&world, grows).expect_exit(0);
    let mut next = 1;
    wait_for("it to have grown for long enough", || {
        refused(&world, next, 1);
        next += 1;
        look(&world, grows).exit == 78
    });
    let seen = look(&world, grows).expect_exit(78);
    assert_eq!(alarms(&seen), ["quarantine-grows"]);
    says(&seen, &["customers that break not-in-postgres have only grown for 15 s, from "]);
    // One that is closed meanwhile, and it does not only grow.
    world.change("INSERT INTO customers (customer_id, company_name) VALUES ('X0000', 'found')");
    world.run("replay-rejected", &[]).expect_exit(0);
    look(&world, grows).expect_exit(0);
    refused(&world, next, 1);
    look(&world, grows).expect_exit(0);
}

#[test]
fn a_server_that_is_away_for_long_is_an_alarm() {
    let world = World::with_topic("alarm_blind", 1);
    let config = settings(&world, &format!("[observe]\ntries_in_a_row = 3\n{LATE_IS_NO_ALARM}"));
    let blind = || observe_with(&world, &[("CONNECT_URL", "http://127.0.0.1:1")], &["--config", &config]);
    blind().expect_exit(75);
    blind().expect_exit(75);
    let seen = blind().expect_exit(78);
    assert!(alarms(&seen).contains(&"tries-in-a-row"), "{seen:#?}");
    says(&seen, &["for 3 looks in a row", "127.0.0.1:1"]);
    let seen = blind().expect_exit(78);
    assert_eq!(news(&seen), 0, "as long as it lasts");
    observe(&world, &["--config", &config]).expect_exit(0);
    blind().expect_exit(75);
}

#[test]
fn a_slot_that_is_lost_is_an_alarm() {
    let world = World::with_topic("alarm_slot_lost", 1);
    let stack = PrivateStack::up("postgres");
    let mut postgres = postgres::Config::new()
        .host("127.0.0.1")
        .port(stack.port())
        .user("app_user")
        .password("app_password")
        .dbname("northwind")
        .connect(postgres::NoTls)
        .unwrap();
    postgres.batch_execute("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'").unwrap();
    postgres.batch_execute("SELECT pg_reload_conf()").unwrap();
    postgres.batch_execute("SELECT pg_create_logical_replication_slot('lost_slot', 'pgoutput')").unwrap();
    wait_for("PostgreSQL to give the slot up", || {
        postgres
            .batch_execute(
                "CREATE TABLE IF NOT EXISTS ballast (n int); INSERT INTO ballast SELECT generate_series(1, 200000)",
            )
            .unwrap();
        postgres.batch_execute("SELECT pg_switch_wal()").unwrap();
        postgres.batch_execute("CHECKPOINT").unwrap();
        let sql = "SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'lost_slot'";
        postgres.query_one(sql, &[]).unwrap().get::<_, Option<String>>(0).as_deref() == Some("lost")
    });
    let port = stack.port().to_string();
    let environment = [("POSTGRES_PORT", port.as_str()), ("POSTGRES_DB", "northwind")];
    let refused = observe_with(&world, &environment, &["--slot", "lost_slot"]).expect_exit(78);
    assert!(refused.error().contains("`migrate --moved`"), "runs of another server would pass for lost: {refused:?}");
    outcome(world.command("migrate", &["--moved"]).envs(environment).spawn().unwrap()).expect_exit(0);
    let seen = observe_with(&world, &environment, &["--slot", "lost_slot"]).expect_exit(78);
    assert!(alarms(&seen).contains(&"slot"), "{seen:#?}");
    says(&seen, &["lost_slot is lost", "let the connector snapshot again"]);
}
