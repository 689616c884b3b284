//! Older books: every job says so, and `migrate` brings them up to date, wherever it is killed and whatever runs beside it.

use std::process::Child;

use crate::support::{
    Outcome, World, clickhouse, event, freezes, go_on, kill, outcome, root, wait_for, wait_until_frozen,
};

/// Every table and view as ClickHouse has it, in the names that all worlds share.
pub fn schema(world: &World) -> Vec<String> {
    let sql = "SELECT create_table_query FROM system.tables WHERE database IN ('northwind_dw', 'northwind_ops') FORMAT TSVRaw";
    let text = world.clickhouse(sql).replace(&world.dw, "northwind_dw").replace(&world.ops, "northwind_ops");
    let mut tables: Vec<String> = text.lines().map(str::to_owned).collect();
    tables.sort();
    tables
}

/// Puts the first release's tables in the place of today's, without rows and without a version.
fn make_older(world: &World) {
    for database in [&world.dw, &world.ops] {
        clickhouse(&format!("DROP DATABASE IF EXISTS {database} SYNC"));
        clickhouse(&format!("CREATE DATABASE {database}"));
    }
    let baseline = std::fs::read_to_string(root().join("clickhouse/migrations/0001_baseline.sql")).unwrap();
    for statement in baseline.split(";\n").filter(|statement| statement.contains("CREATE")) {
        world.clickhouse(statement);
    }
}

/// The recorded version; 0 without a table of versions.
pub fn version(world: &World) -> i64 {
    let table = "SELECT count() FROM system.tables WHERE database = 'northwind_ops' AND name = 'schema_migrations'";
    match world.number(table) {
        0 => 0,
        _ => world.number("SELECT max(version) FROM northwind_ops.schema_migrations"),
    }
}

fn start(world: &World, job: &str, args: &[&str]) -> Child {
    world.command(job, args).spawn().unwrap()
}

pub fn migrate(world: &World, args: &[&str]) -> Outcome {
    world.run("migrate", args)
}

#[test]
fn upgraded_books_have_the_schema_of_new_ones() {
    let (new, old) = (World::new("upgrade_new"), World::new("upgrade_old"));
    make_older(&old);
    let outcome = migrate(&old, &[]).expect_exit(0);
    assert_eq!(outcome.summary["from_version"], 0);
    assert_eq!(outcome.summary["applied"][0], "baseline");
    assert_eq!(outcome.count("version"), version(&new));
    for (new, old) in schema(&new).iter().zip(&schema(&old)) {
        assert_eq!(new, old);
    }
    assert_eq!(schema(&new).len(), schema(&old).len());
    let again = migrate(&old, &[]).expect_exit(0);
    assert_eq!((again.summary["applied"].as_array().unwrap().len(), again.count("from_version")), (0, version(&new)));
}

/// Kills `migrate` after each of its statements, one after the other; returns how often.
pub fn kill_at_every_statement(world: &World) -> usize {
    let (mut kills, mut nth) = (0, 1);
    loop {
        let before = version(world);
        let mut child = start(world, "migrate", &["--stop-at", &format!("statement:{nth}")]);
        if !freezes(&mut child, "statement") {
            outcome(child).expect_exit(0);
            return kills;
        }
        kill(child);
        kills += 1;
        // A migration that is recorded is not done again: the next one begins, and its first statement is done.
        nth = if version(world) > before { 2 } else { nth + 1 };
    }
}

#[test]
fn a_migrate_that_is_killed_goes_on_where_it_was() {
    let world = World::new("upgrade_kill");
    let (expected, version_now) = (schema(&world), version(&world));
    make_older(&world);
    let kills = kill_at_every_statement(&world);
    assert!(kills > 25, "{kills}");
    assert_eq!((version(&world), schema(&world)), (version_now, expected.clone()));
    for point in ["versions-made", "recorded", "schema-statement:3"] {
        make_older(&world);
        kill(world.frozen_at(point, "migrate", &[]));
        migrate(&world, &[]).expect_exit(0);
        assert_eq!((version(&world), schema(&world)), (version_now, expected.clone()), "{point}");
    }
}

#[test]
fn an_installation_that_is_killed_is_no_older_book() {
    let world = World::new("upgrade_install");
    let (expected, version_now) = (schema(&world), version(&world));
    for point in ["versions-made", "installing", "schema-statement:5", "schema-statement:30", "recorded"] {
        for database in [&world.dw, &world.ops] {
            clickhouse(&format!("DROP DATABASE {database} SYNC"));
        }
        kill(world.frozen_at(point, "migrate", &[]));
        if point != "recorded" {
            let refused = world.run("rejected", &[]).expect_exit(78);
            assert!(refused.error().contains("run `migrate` first"), "{}", refused.error());
        }
        let outcome = migrate(&world, &[]).expect_exit(0);
        assert_eq!(outcome.summary["applied"].as_array().unwrap().len(), 0, "{point}: nothing was upgraded");
        assert_eq!((version(&world), schema(&world)), (version_now, expected.clone()), "{point}");
    }
}

/// Every job that opens the books, with flags by which it would have nothing to do.
const JOBS: [(&str, &[&str]); 12] = [
    ("ingest-customers", &[]),
    ("ingest-customers", &["--dry-run"]),
    ("build-order-wide", &[]),
    ("build-order-wide", &["--dry-run"]),
    ("replay-rejected", &[]),
    ("replay-rejected", &["--dry-run"]),
    ("rejected", &[]),
    ("rejected", &["--prune", "90d"]),
    ("check-integrity", &[]),
    ("sync-schema", &["--table", "customers"]),
    ("lag", &[]),
    ("observe", &[]),
];

#[test]
fn every_job_refuses_older_and_newer_books() {
    let world = World::with_topic("upgrade_refuse", 1);
    let refused = |words: &[&str]| {
        for (job, args) in JOBS {
            let outcome = world.run(job, args).expect_exit(78);
            for word in words {
                assert!(outcome.error().contains(word), "{job} {args:?}: {word}: {}", outcome.error());
            }
        }
    };
    let doctor = || {
        let outcome = world.run("doctor", &["--table", "customers"]);
        let findings = outcome.summary["findings"].as_array().unwrap();
        let version = findings.iter().find(|finding| finding["check"] == "version");
        version.map_or("ok".to_owned(), |finding| finding["fix"].as_str().unwrap().to_owned())
    };
    world.clickhouse("TRUNCATE TABLE northwind_ops.schema_migrations");
    refused(&["older than this executable", "run `migrate` first", &world.ops]);
    assert_eq!(doctor(), "lockstep migrate");
    migrate(&world, &[]).expect_exit(0);
    world.run("ingest-customers", &[]).expect_exit(0);
    assert_eq!(doctor(), "ok");

    world.clickhouse(
        "INSERT INTO northwind_ops.schema_migrations SELECT 9999, 'northwind_dw', 'from the future', '9.0.0 (abc)', now64(3)",
    );
    refused(&["newer than this executable: versions 9999 (by lockstep 9.0.0 (abc))"]);
    let outcome = migrate(&world, &[]).expect_exit(78);
    assert!(outcome.error().contains("newer than this executable"), "{}", outcome.error());
    assert_eq!(doctor(), "install the executable that migrated it, or a newer one");
}

#[test]
fn jobs_and_migrations_keep_apart() {
    let world = World::with_topic("upgrade_lock", 1);
    world.produce(&[event::customer("c", "ALFKI", "Alfreds Futterkiste", 100).message()]);
    let job = world.frozen_at("validated", "ingest-customers", &[]);
    // With nothing to apply, it does no harm beside a job.
    migrate(&world, &[]).expect_exit(0);

    world.clickhouse("TRUNCATE TABLE northwind_ops.schema_migrations");
    let busy = migrate(&world, &["--wait", "0s"]).expect_exit(75);
    assert!(busy.error().contains("jobs are at work: ingest-customers run "), "{}", busy.error());
    assert!(busy.error().contains("nothing was changed"), "{}", busy.error());

    // It waits; from then on no other job begins.
    let mut waiting = start(&world, "migrate", &["--wait", "50s", "--stop-at", "versions-made"]);
    wait_for("migrate to wait", || {
        let sql = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        world.postgres().query_one(sql, &[]).unwrap().get::<_, i64>(0) == 1
    });
    let refused = world.run("replay-rejected", &[]).expect_exit(75);
    assert!(refused.error().contains("is being migrated, or is about to be"), "{}", refused.error());
    kill(job);
    wait_until_frozen(&mut waiting, "versions-made");
    let refused = world.run("ingest-customers", &[]).expect_exit(75);
    assert!(refused.error().contains("migrate (pid "), "{}", refused.error());
    go_on(waiting).expect_exit(0);
    world.ingest(&[]).expect_exit(0);
    assert_eq!(world.customers(), "ALFKI\tAlfreds Futterkiste\n");
}
