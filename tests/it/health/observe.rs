//! `observe`: whatever is wrong is seen and written down, a dead task is started again, and no living run is called lost.

use crate::support::connector::task_state;
use crate::support::event::customer;
use crate::support::observe::{alarms, observe, observe_with, problems, says, settings};
use crate::support::{Outcome, World, go_on, kill, wait_for};
use serde_json::{Value, json};

/// As `observe_with`; that handmade events are old is no alarm.
fn observe_anew(world: &World, environment: &[(&str, &str)], args: &[&str]) -> Outcome {
    let config = settings(world, "[observe.severity]\nlate = \"off\"\n");
    observe_with(world, environment, &[&["--config", &config], args].concat())
}

/// A row of this look, as `column<TAB>column`.
fn row(world: &World, look: &Outcome, columns: &str, table: &str) -> String {
    let run = look.run();
    world.clickhouse(&format!("SELECT {columns} FROM northwind_ops.{table} WHERE run_id = '{run}' ORDER BY ALL"))
}

fn updates(world: &World, partitions: i32) {
    let of = |partition: i32| {
        let key = ["ALFKI", "ANATR"][partition as usize];
        customer("u", key, "Alfreds Futterkiste", 100).at(partition).message()
    };
    world.produce(&(0..partitions).flat_map(|partition| [of(partition), of(partition)]).collect::<Vec<_>>());
}

#[test]
fn a_healthy_look_is_written_down() {
    let mut world = World::new("observe_healthy");
    let connector = world.capture(&[]);
    world.ingest(&[]).expect_exit(0);
    let look = || {
        let airflow = [("AIRFLOW_CTX_DAG_RUN_ID", "scheduled__1")];
        observe_with(&world, &airflow, &["--connector", &connector]).expect_exit(0)
    };
    let mut seen = look();
    wait_for("a healthy look", || {
        seen = look();
        seen.summary["healthy"] == true
    });
    assert_eq!((problems(&seen), seen.error()), (vec![], ""));
    assert_eq!(
        row(&world, &seen, "dag_run_id, task, state, trace", "observed_connectors"),
        "scheduled__1\t-1\tRUNNING\t\nscheduled__1\t0\tRUNNING\t\n"
    );
    let slot = "dag_run_id, slot, active, wal_status, retained_bytes > 0, confirmed_lsn > 0, unconfirmed_bytes >= 0";
    assert_eq!(
        row(&world, &seen, slot, "observed_slots"),
        format!("scheduled__1\t{connector}\t1\treserved\t1\t1\t1\n")
    );
    let lag = "dag_run_id, topic, group_id, lag, lag_seconds, disagreements";
    let lag = row(&world, &seen, lag, "observed_lags");
    assert_eq!(lag, format!("scheduled__1\t{}\t{}\t0\t0\t\n", world.topic, world.group));
    assert_eq!(
        row(&world, &seen, "job, status, dag_run_id, JSONExtractBool(summary, 'healthy')", "runs"),
        "observe\tdone\tscheduled__1\t1\n"
    );
    let last = &seen.summary["runs"][0];
    assert_eq!((&last["job"], &last["status"]), (&json!("ingest-customers"), &json!("done")));
    for part in [
        &format!("{connector} task 0: RUNNING"),
        &format!("{connector}: active"),
        "ingest-customers done",
        &world.topic,
    ] {
        assert!(seen.stdout.contains(part), "{part}: {}", seen.stdout);
    }
}

#[test]
fn a_dead_task_is_seen_and_started_again_but_not_too_often() {
    let mut world = World::new("observe_dead_task");
    let connector = world.capture(&[]);
    let look = |args: &[&str]| observe(&world, &[&["--connector", &connector], args].concat());
    let restarting = ["--restart-failed", "--restarts-per-hour", "2"];
    let rename = |from: &str, to: &str| {
        world.change(&format!("ALTER PUBLICATION {from} RENAME TO {to}"));
    };
    let kill_the_task = || {
        rename("northwind_publication", "hidden");
        world.restart_connector(&connector);
        wait_for("the task to fail", || task_state(&connector) == "FAILED");
    };
    wait_for("a healthy look", || look(&restarting).summary["healthy"] == true);
    assert_eq!(look(&restarting).expect_exit(0).count("restarts"), 0, "nothing has failed");

    kill_the_task();
    let seen = look(&[]).expect_exit(78);
    assert_eq!(alarms(&seen), ["connector"], "the slot was read a moment ago");
    says(&seen, &[&connector, "task 0 has FAILED: ", "onlyFailed=true"]);
    says(&seen, &["slot", "nobody reads"]);
    let states = row(&world, &seen, "task, state, position(trace, 'Exception') > 0", "observed_connectors");
    assert_eq!(states, "-1\tRUNNING\t0\n0\tFAILED\t1\n", "the connector itself says that all is well");
    assert_eq!((seen.count("restarts"), task_state(&connector).as_str()), (0, "FAILED"), "it was not asked to");

    rename("hidden", "northwind_publication");
    let seen = look(&restarting).expect_exit(0);
    says(&seen, &[&connector, "task 0 has FAILED: "]);
    assert_eq!(seen.count("restarts"), 1);
    assert_eq!(row(&world, &seen, "connector, failed", "connector_restarts"), format!("{connector}\t['task 0']\n"));
    wait_for("the task to run again", || task_state(&connector) == "RUNNING");

    kill_the_task();
    assert_eq!(look(&restarting).expect_exit(0).count("restarts"), 1);
    let mut seen = look(&[]);
    wait_for("the task to fail again", || {
        seen = look(&restarting);
        problems(&seen).iter().any(|problem| problem.contains("have not helped"))
    });
    says(&seen.clone().expect_exit(78), &[&connector, "2 restart(s) in the last hour", "Exception"]);
    assert_eq!(alarms(&seen), ["connector"]);
    assert_eq!(seen.count("restarts"), 0);
    assert_eq!(world.number("SELECT count() FROM northwind_ops.connector_restarts"), 2);
}

#[test]
fn a_slot_that_nobody_reads_is_seen_with_the_wal_that_it_keeps() {
    let mut world = World::new("observe_slot");
    let connector = world.capture(&[]);
    world.stop_connector(&connector);
    let mut source = world.postgres();
    wait_for("the connector's session to end", || {
        let sql = "SELECT active FROM pg_replication_slots WHERE slot_name = $1";
        !source.query_one(sql, &[&connector]).unwrap().get::<_, bool>(0)
    });
    world.change("CREATE TABLE ballast AS SELECT generate_series(1, 100000) AS n");
    let seen = observe(&world, &["--connector", &connector]).expect_exit(78);
    assert_eq!(alarms(&seen), ["connector", "slot"]);
    says(&seen, &[&connector, "somebody has halted it (STOPPED)", "/resume"]);
    says(&seen, &["nobody reads", &connector, "MiB of WAL", "pg_drop_replication_slot"]);
    // The tests beside this one write WAL too: with more than max_wal_size of it the slot is no longer "reserved".
    let kept = "wal_status IN ('reserved', 'extended'), retained_bytes > 1000000";
    let slot = format!("slot, active, {kept}, unconfirmed_bytes BETWEEN 1000000 AND retained_bytes");
    assert_eq!(row(&world, &seen, &slot, "observed_slots"), format!("{connector}\t0\t1\t1\t1\n"));
    assert_eq!(row(&world, &seen, "task, state", "observed_connectors"), "-1\tSTOPPED\n");
}

#[test]
fn lag_is_told_in_offsets_and_in_seconds() {
    let world = World::with_topic("observe_lag", 1);
    world.produce_aged(&[5, 3, 1]);
    let lag = |look: &Outcome| row(&world, look, "topic, group_id, lag, intDiv(lag_seconds, 3600)", "observed_lags");
    let told = |lag: &str| format!("{}\t{}\t{lag}\n", world.topic, world.group);
    let seen = observe(&world, &[]).expect_exit(78);
    assert_eq!((lag(&seen), alarms(&seen)), (told("3\t5"), vec!["late"]));
    says(&seen, &[&world.topic, "dim_customers is 5 h late, 3 offsets are unread"]);
    assert_eq!((seen.count("lag"), seen.count("lag_seconds") / 3_600, seen.count("topics")), (3, 5, 1));
    world.run("ingest-customers", &["--max-records", "2"]).expect_exit(0);
    assert_eq!(lag(&observe(&world, &[]).expect_exit(78)), told("1\t1"));

    world.clickhouse("TRUNCATE TABLE northwind_ops.windows");
    let seen = observe(&world, &[]).expect_exit(78);
    assert!(alarms(&seen).contains(&"books-disagree"));
    says(&seen, &[&world.topic, "ledger and committed offset disagree"]);
    assert!(row(&world, &seen, "disagreements", "observed_lags").contains("the ledger has no row of it"));
    world.ingest(&[]).expect_exit(78);
    let seen = observe(&world, &[]).expect_exit(78);
    assert!(alarms(&seen).contains(&"run-failed"));
    says(&seen, &["the last run of ingest-customers", "needs-person", "the ledger has no row of it"]);
}

const STATUSES: &str = "SELECT job, status FROM northwind_ops.runs FINAL WHERE job != 'observe' ORDER BY ALL";

#[test]
fn a_killed_run_is_lost_and_one_that_lives_is_not() {
    let world = World::with_topic("observe_lost", 2);
    updates(&world, 2);
    let living = [
        world.frozen_at("plan-committed", "ingest-customers", &["--shard", "1/2"]),
        // No locks: not yet, or never. And a name that PostgreSQL cuts off.
        world.frozen_at("read", "ingest-customers", &["--offsets", "0:0..1"]),
        world.frozen_at("opened", "ingest-customer-customer-demo", &[]),
        world.frozen_at("opened", "build-order-wide", &[]),
        world.frozen_at("locked", "replay-rejected", &[]),
    ];
    kill(world.frozen_at("rows-inserted", "ingest-customers", &["--shard", "2/2"]));
    let columns = |status: &str| {
        let sql = "SELECT * EXCEPT (status, updated_at) FROM northwind_ops.runs FINAL";
        world.clickhouse(&format!("{sql} WHERE status IN ({status}) ORDER BY ALL"))
    };
    let before = columns("'running'");
    assert_eq!(before.lines().count(), 6);
    assert_eq!(observe_anew(&world, &[], &[]).expect_exit(0).count("lost"), 0, "too young to be judged");

    let mut seen = observe_anew(&world, &[], &["--lost-after", "0s"]).expect_exit(0);
    wait_for("PostgreSQL to notice that the run is gone", || {
        seen = if seen.count("lost") == 0 {
            observe_anew(&world, &[], &["--lost-after", "0s"]).expect_exit(0)
        } else {
            seen.clone()
        };
        seen.count("lost") == 1
    });
    says(&seen, &["ingest-customers run ", "has ended without a word"]);
    assert_eq!(columns("'lost', 'running'"), before, "all else is kept");
    let again = observe_anew(&world, &[], &["--lost-after", "0s"]).expect_exit(0);
    assert_eq!(again.count("lost"), 0, "once is enough");
    let expected = "build-order-wide\trunning\ningest-customer-customer-demo\trunning\ningest-customers\tlost\n\
                    ingest-customers\trunning\ningest-customers\trunning\nreplay-rejected\trunning\n";
    assert_eq!(world.clickhouse(STATUSES), expected);

    for run in living {
        go_on(run).expect_exit(0);
    }
    world.ingest(&[]).expect_exit(0);
    assert_eq!(observe_anew(&world, &[], &["--lost-after", "0s"]).expect_exit(0).count("lost"), 0);
    assert_eq!(world.clickhouse(STATUSES).matches("\tdone\n").count(), 6, "{}", world.clickhouse(STATUSES));
}

/// Its session is gone, and with it what shows that it lives. It does not write any more, but says how it has ended.
#[test]
fn the_final_row_of_a_run_wins_over_lost() {
    let world = World::with_topic("observe_final", 1);
    updates(&world, 1);
    let run = world.frozen_at("rows-inserted", "ingest-customers", &[]);
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE datname = current_database() AND application_name LIKE 'ingest-customers run %'";
    assert_eq!(world.postgres().query_one(end, &[]).unwrap().get::<_, i64>(0), 1);
    wait_for("the run to be called lost", || {
        observe_anew(&world, &[], &["--lost-after", "0s"]).expect_exit(0);
        world.clickhouse(STATUSES) == "ingest-customers\tlost\n"
    });
    says(&observe_anew(&world, &[], &[]), &["the last run of ingest-customers", "is lost", "run it again"]);
    go_on(run).expect_exit(75);
    world.clickhouse("OPTIMIZE TABLE northwind_ops.runs FINAL");
    assert_eq!(world.clickhouse(STATUSES), "ingest-customers\ttry-again\n");
}

#[test]
fn a_server_that_is_away_does_not_hide_the_others() {
    let world = World::with_topic("observe_away", 1);
    updates(&world, 1);
    let tables = ["observed_connectors", "observed_slots", "observed_lags"];
    let written = |look: &Outcome| tables.map(|table| !row(&world, look, "1", table).is_empty());
    world.kill_at("rows-inserted", &[]);
    // Takes connections, and never answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let frozen = format!("http://{}", listener.local_addr().unwrap());
    for (variable, value, expected) in [
        ("CONNECT_URL", "http://127.0.0.1:1", [false, true, true]),
        ("CONNECT_URL", &frozen, [false, true, true]),
        ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1", [true, true, false]),
        ("POSTGRES_PORT", "1", [true, false, true]),
    ] {
        let seen = observe_anew(&world, &[(variable, value)], &[]).expect_exit(75);
        assert_eq!(written(&seen), expected, "{variable}: {seen:?}");
        let address = format!("127.0.0.1:{}", value.rsplit(':').next().unwrap());
        assert!(seen.error().contains(&address), "{address}: {}", seen.error());
        says(&seen, &[&address]);
        assert_eq!(row(&world, &seen, "status, exit_code", "runs"), "try-again\t75\n");
    }
    let blind = observe_anew(&world, &[("POSTGRES_PORT", "1")], &["--lost-after", "0s"]).expect_exit(75);
    assert_eq!(blind.count("lost"), 0, "nobody knows who is alive");

    let mute = observe_anew(&world, &[("CLICKHOUSE_PORT", "1")], &["--restart-failed"]).expect_exit(75);
    assert!(mute.error().contains("127.0.0.1:1") && mute.stdout.contains("task 0: RUNNING"), "{mute:?}");
    assert_eq!((mute.count("lag"), mute.summary["slot"]["active"].clone()), (2, Value::from(true)));

    let unknown = observe_anew(&world, &[], &["--connector", "no-such-connector"]).expect_exit(78);
    assert!(unknown.error().contains("no-such-connector, only"), "{}", unknown.error());
    assert_eq!(written(&unknown), [false, true, true]);
    let unknown = observe_anew(&world, &[], &["--slot", "no_such_slot"]).expect_exit(78);
    assert!(unknown.error().contains("there is no slot no_such_slot"), "{}", unknown.error());
    assert_eq!(written(&unknown), [true, false, true]);
}
