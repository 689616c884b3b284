//! Checks and maintenance are in the books, too: when they never end well, are killed or run no more, `observe` says so.

use crate::support::checks::Checked;
use crate::support::observe::{alarms, look_by, says, settings};
use crate::support::{Outcome, World, kill, outcome, wait_for};

const RUNS: &str =
    "SELECT job, status, exit_code FROM northwind_ops.runs FINAL WHERE job != 'observe' ORDER BY started_at";

fn without(world: &World, server: &str, job: &str, args: &[&str]) -> Outcome {
    outcome(world.command(job, args).env(server, "1").spawn().unwrap())
}

/// Rows of `runs`: job, status, hours since it was started, Airflow's run.
fn runs(world: &World, rows: &[(&str, &str, i64, &str)]) {
    for (job, status, hours, dag_run) in rows {
        let time = format!("now64(3) - INTERVAL {hours} HOUR");
        world.clickhouse(&format!(
            "INSERT INTO northwind_ops.runs (run_id, job, status, dag_run_id, started_at, updated_at)
             VALUES ('{job} {hours}', '{job}', '{status}', '{dag_run}', {time}, {time})"
        ));
    }
}

/// One of everything fails each hour; those of what is new end well meanwhile, and hide nothing.
#[test]
fn a_check_that_never_ends_well_is_an_alarm() {
    let world = World::with_topic("runs_tries", 1);
    let limit = "[observe]\ntries_in_a_row = 3";
    let new = ["--table", "customers", "--scope", "new", "--wait", "0s"];
    for _ in 0..2 {
        without(&world, "POSTGRES_PORT", "check-integrity", &["--table", "customers"]).expect_exit(75);
        world.run("check-integrity", &new).expect_exit(0);
    }
    look_by(&world, limit, &[]).expect_exit(0);
    without(&world, "POSTGRES_PORT", "check-integrity", &["--table", "customers"]).expect_exit(75);
    let seen = look_by(&world, limit, &[]).expect_exit(78);
    assert_eq!(alarms(&seen), ["tries-in-a-row"]);
    says(
        &seen,
        &[
            "check-integrity --table customers has not ended well for 3 times in a row; the last run is try-again",
            "127.0.0.1:1",
        ],
    );
    let new = "check-integrity --scope new --table customers\tdone\t0\n";
    let full = "check-integrity --table customers\ttry-again\t75\n";
    assert_eq!(world.clickhouse(RUNS), format!("{full}{new}{full}{new}{full}"));
    world.run("check-integrity", &["--table", "customers"]).expect_exit(0);
    look_by(&world, limit, &[]).expect_exit(0);
}

/// Runs of which the last one is unusual, and settings by which it must not be.
fn an_unusual_run(shop: &Checked) -> String {
    let rows: Vec<String> = [10, 12, 9, 11, 10, 300]
        .iter()
        .zip(0..)
        .map(|(records, i)| {
            let time = format!("now64(3) - INTERVAL {} MINUTE", 6 - i);
            format!(
                "('ingest-customers', '{i}', 'done', {records}, '{{\"plan\":{{\"mode\":\"plan\"}}}}', {time}, {time})"
            )
        })
        .collect();
    let columns = "job, run_id, status, written, summary, started_at, updated_at";
    shop.world.clickhouse(&format!("INSERT INTO northwind_ops.runs ({columns}) VALUES {}", rows.join(", ")));
    shop.config("[volume]\nfewest_runs = 5\ntolerance = 100\n[severity]\nvolume = \"fail\"\n")
}

#[test]
fn a_check_that_says_no_is_in_the_books() {
    let shop = Checked { world: World::with_topic("runs_no", 1), connector: String::new() };
    let config = an_unusual_run(&shop);
    // With rows of its own in the table that it looks at.
    for _ in 0..2 {
        let ended = shop.run("check-volume", &["--table", "customers", "--config", &config]).expect_exit(10);
        assert_eq!(shop.failures(&ended, "row_key"), "5\n");
        let run = ended.run();
        let row = format!(
            "SELECT error, JSONExtractString(summary, 'result') FROM northwind_ops.runs FINAL WHERE run_id = '{run}'"
        );
        assert_eq!(shop.world.clickhouse(&format!("{row} FORMAT TSVRaw")), format!("{}\tfail\n", ended.error()));
    }
    let seen = look_by(&shop.world, "", &[]).expect_exit(78);
    assert_eq!(alarms(&seen), ["run-failed"]);
    says(
        &seen,
        &[
            "the last run of check-volume --table customers",
            "is check-failed: volume of customers: fail: 1 unusual runs",
        ],
    );
    // That all is well with another table mends nothing.
    shop.run("check-volume", &["--table", "region", "--config", &config]).expect_exit(0);
    assert_eq!(alarms(&look_by(&shop.world, "", &[]).expect_exit(78)), ["run-failed"]);
    // What only asks is no run.
    let before = shop.world.clickhouse(RUNS);
    shop.run("check-integrity", &["--list"]).expect_exit(0);
    shop.run("check-integrity", &["--explain"]).expect_exit(0);
    assert_eq!(shop.world.clickhouse(RUNS), before);
}

/// A check's answer does not depend on its row, but whoever looks at the books must not miss it.
#[test]
fn a_check_whose_run_cannot_be_written_down_says_its_result_and_is_75() {
    let shop = Checked { world: World::with_topic("runs_unwritten", 1), connector: String::new() };
    let check = |config: &str| shop.run("check-volume", &["--table", "customers", "--config", config]);
    without(&shop.world, "CLICKHOUSE_PORT", "check-volume", &["--table", "customers"]).expect_exit(75);
    let strict = an_unusual_run(&shop);
    // As when merges do not keep up: every insert is refused.
    let refuse = "MODIFY SETTING parts_to_throw_insert = 1, parts_to_delay_insert = 1";
    shop.world.clickhouse(&format!("ALTER TABLE northwind_ops.runs {refuse}"));
    let ended = check(&shop.config("")).expect_exit(75);
    assert_eq!((ended.summary["result"].as_str(), ended.count("pass")), (Some("pass"), 1), "{ended:#?}");
    assert!(ended.error().contains("Too many parts"), "{}", ended.error());
    check(&strict).expect_exit(10);
}

#[test]
fn a_killed_check_is_lost_and_one_that_lives_is_not() {
    let shop = Checked::new("runs_lost", &["customers"]);
    let world = &shop.world;
    shop.change("UPDATE customers SET city = 'Köln' WHERE customer_id = 'ALFKI'");
    let waiting = shop.start("check-reconcile", &["--table", "customers", "--wait", "10m"]);
    let alive =
        "SELECT count() FROM northwind_ops.runs WHERE job = 'check-reconcile --table customers' AND status = 'running'";
    wait_for("its first row", || world.number(alive) == 1);
    assert_eq!(look_by(world, "", &["--lost-after", "0s"]).count("lost"), 0);
    kill(waiting);
    wait_for("it to be called lost", || look_by(world, "", &["--lost-after", "0s"]).count("lost") == 1);
    assert_eq!(world.number("SELECT count() FROM northwind_ops.runs FINAL WHERE status = 'lost'"), 1);
}

#[test]
fn maintenance_is_in_the_books_and_what_only_asks_is_not() {
    let world = World::with_topic("runs_maintenance", 1);
    world.run("rejected", &[]).expect_exit(0);
    world.run("sync-schema", &["--check"]).expect_exit(0);
    assert_eq!(world.clickhouse(RUNS), "");
    world.run("sync-schema", &[]).expect_exit(0);
    world.run("rejected", &["--prune", "90d"]).expect_exit(0);
    let pruned = world.run("rejected", &["--prune-ledger", "400d"]).expect_exit(0);
    assert!(pruned.summary["run"].is_string(), "{pruned:#?}");
    without(&world, "POSTGRES_PORT", "rejected", &["--prune", "90d", "--prune-ledger", "400d"]).expect_exit(75);
    let told = "sync-schema\tdone\t0\nrejected --prune\tdone\t0\nrejected --prune-ledger\tdone\t0\n\
                rejected --prune --prune-ledger\ttry-again\t75\n";
    assert_eq!(world.clickhouse(RUNS), told);
    world.change("ALTER TABLE shippers DROP COLUMN phone, ADD COLUMN phone integer");
    world.run("sync-schema", &[]).expect_exit(78);
    let seen = look_by(&world, "", &[]).expect_exit(78);
    says(&seen, &["the last run of sync-schema", "is needs-person: shippers: "]);
}

/// A check made by hand once is none that has to be made; what Airflow's schedule has started is.
#[test]
fn checks_and_maintenance_that_run_no_more_are_an_alarm() {
    let world = World::with_topic("runs_silent", 1);
    runs(&world, &[("check-reconcile", "done", 30, ""), ("check-rules", "done", 30, "manual__2026-01-01")]);
    runs(&world, &[("check-all --table region", "done", 30, "")]);
    runs(
        &world,
        &[("sync-schema", "done", 30, ""), ("check-all", "done", 2, ""), ("rejected --prune", "done", 40, "")],
    );
    look_by(&world, "", &[]).expect_exit(0);
    runs(&world, &[("check-all --scope new", "done", 4, ""), ("rejected --prune-ledger", "done", 50, "")]);
    runs(&world, &[("check-volume", "done", 5, "scheduled__2026-01-01"), ("check-integrity", "running", 4, "")]);
    // Somebody has made it by hand since: the schedule is still silent.
    runs(&world, &[("check-volume", "done", 4, "manual__2026-01-01")]);
    let seen = look_by(&world, "", &["--lost-after", "10d"]).expect_exit(78);
    assert_eq!(alarms(&seen), ["silent-job", "silent-job", "silent-job"]);
    for job in ["check-all --scope new", "check-volume", "rejected --prune-ledger"] {
        says(&seen, &[&format!("{job} has not been started for")]);
    }
    let own = "[observe.silent_after]\ncheck = \"5h\"\nrejected = \"3d\"\nsync-schema = \"1d\"\n\"check-all\" = \"1h\"";
    let seen = look_by(&world, own, &["--lost-after", "10d"]).expect_exit(78);
    assert_eq!(alarms(&seen), ["silent-job", "silent-job", "silent-job"]);
    for job in ["check-all", "check-all --scope new", "sync-schema"] {
        says(&seen, &[&format!("{job} has not been started for")]);
    }
    let refused = |text: &str| look_by(&world, text, &[]).expect_exit(78).error().to_owned();
    assert!(
        refused("[observe.silent_after]\ncheck-rule = \"1h\"").contains("line 2: \"check-rule\" is none of the jobs")
    );
}

/// It has a session, and so is not lost.
#[test]
fn a_run_that_hangs_is_an_alarm() {
    let world = World::with_topic("runs_hangs", 1);
    let look = || look_by(&world, "[observe.silent_after]\nrejected = \"1h\"", &["--lost-after", "10d"]);
    runs(&world, &[("rejected --prune", "running", 11, ""), ("ingest-customers", "running", 11, "")]);
    look().expect_exit(0);
    runs(&world, &[("build-order-wide", "running", 13, ""), ("rejected --prune-ledger", "running", 14, "")]);
    let seen = look().expect_exit(78);
    assert_eq!(alarms(&seen), ["silent-job", "silent-job"]);
    says(&seen, &["build-order-wide has been running for 13 h (run build-order-wide 13): does it hang?"]);
    says(&seen, &["rejected --prune-ledger has been running for 14 h"]);
}

/// Off is off: what is wrong with the ledger is not its matter, and nothing is taken up in its name.
#[test]
fn a_check_that_is_off_reads_no_ledger() {
    let world = World::with_topic("runs_off", 1);
    world.clickhouse(
        "INSERT INTO northwind_ops.windows (source, topic, stream, seq, mode, start_offset, end_offset, closed_at)
         SELECT 'customers', 'a.public.customers', 0, number + 1, 'plan', number, number + 1, now() - INTERVAL 2 HOUR
         FROM numbers(4) WHERE number != 2",
    );
    let check = |text: &str| {
        let args = ["--table", "customers", "--scope", "new", "--config", &settings(&world, text)];
        world.run("check-volume", &args)
    };
    let off = check("[severity]\nvolume = \"off\"\n").expect_exit(0);
    assert_eq!((off.count("pass"), off.count("errors"), off.count("nothing_new")), (0, 0, 0));
    check("[severity]\n\"customers.volume\" = \"off\"\n").expect_exit(0);
    assert_eq!(world.number("SELECT count() FROM northwind_ops.positions"), 0);
    assert!(check("").expect_exit(78).error().contains("has no row 3"), "it is there to be seen");
    assert_eq!(world.number("SELECT max(seq) FROM northwind_ops.positions"), 2);
}
