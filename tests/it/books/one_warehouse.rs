//! Books are of one warehouse, whose jobs lock in one PostgreSQL database. Who comes with another one is refused, until a person says that
//! they have moved.

use serde_json::json;

use crate::books::upgrade::{migrate, schema};
use crate::support::observe::doctor_line;
use crate::support::{Outcome, World, clickhouse, connect_postgres, event};

/// Jobs that read the books, and jobs that write.
const JOBS: [(&str, &[&str]); 8] = [
    ("ingest-customers", &[]),
    ("ingest-customers", &["--dry-run"]),
    ("build-order-wide", &[]),
    ("replay-rejected", &[]),
    ("rejected", &[]),
    ("check-integrity", &["--table", "customers"]),
    ("sync-schema", &["--table", "customers"]),
    ("observe", &["--table", "customers"]),
];

fn set(world: &mut World, name: &str, value: &str) {
    world.environment.retain(|(set, _)| set != name);
    world.environment.push((name.to_owned(), value.to_owned()));
}

#[test]
fn a_second_warehouse_of_the_same_books_is_refused() {
    let mut world = World::with_topic("one_warehouse", 1);
    world.produce(&[event::customer("c", "ALFKI", "Alfreds Futterkiste", 100).message()]);
    world.ingest(&[]).expect_exit(0);
    let (first, second) = (world.dw.clone(), format!("{}_second_dw", world.name));
    let expected = schema(&world);
    set(&mut world, "CLICKHOUSE_DB", &second);
    for (job, args) in JOBS {
        world.run(job, args).expect_exit(78).error_says(&[
            &world.ops,
            &first,
            &second,
            &format!("CLICKHOUSE_DB={first}"),
            "CLICKHOUSE_OPS_DB",
            "`migrate --moved`",
        ]);
    }
    migrate(&world, &[]).expect_exit(78).error_says(&[&first, &second, "`migrate --moved`"]);
    assert_eq!(world.clickhouse(&format!("SELECT count() FROM system.databases WHERE name = '{second}'")), "0\n");
    set(&mut world, "CLICKHOUSE_DB", &first);
    world.run("ingest-customers", &[]).expect_exit(0);

    // Renamed, and said so: the tables are as they were, and the old name is the one that is refused.
    clickhouse(&format!("RENAME DATABASE {first} TO {second}"));
    set(&mut world, "CLICKHOUSE_DB", &second);
    // What the books say was noted by a clock that is ahead.
    world.clickhouse("INSERT INTO northwind_ops.installation SELECT * REPLACE (noted_at + INTERVAL 1 HOUR AS noted_at) FROM northwind_ops.installation");
    let moved = migrate(&world, &["--moved"]).expect_exit(0);
    assert_eq!(
        (moved.count("from_version"), &moved.summary["applied"]),
        (moved.count("version"), &json!([])),
        "{moved:?}"
    );
    assert_eq!(moved.summary["repeated"].as_array().unwrap().len() as i64, moved.count("version"), "{moved:?}");
    assert_eq!(moved.summary["moved_from"]["warehouse"], first);
    world.dw = second.clone();
    assert_eq!(schema(&world), expected);
    assert_eq!(world.customers(), "ALFKI\tAlfreds Futterkiste\n");
    world.run("ingest-customers", &[]).expect_exit(0);
    assert!(doctor_line(&world, "version").starts_with("ok"), "{}", doctor_line(&world, "version"));
    set(&mut world, "CLICKHOUSE_DB", &first);
    migrate(&world, &[]).expect_exit(78).error_says(&[&first, &second]);
    world.environment.clear();
}

/// Before the books said whose they are, they could have several warehouses.
#[test]
fn older_books_are_those_of_the_warehouse_that_was_first() {
    let world = World::new("one_first");
    world.clickhouse("TRUNCATE TABLE northwind_ops.installation");
    world.clickhouse(
        "INSERT INTO northwind_ops.schema_migrations SELECT version, 'elder_dw', name, applied_by, applied_at - INTERVAL 1 DAY
         FROM northwind_ops.schema_migrations FINAL",
    );
    migrate(&world, &[]).expect_exit(78).error_says(&["elder_dw", &world.dw, "`migrate --moved`"]);
    migrate(&world, &["--moved"]).expect_exit(0);
    world.run("rejected", &[]).expect_exit(0);
}

#[test]
fn jobs_that_lock_in_another_database_are_refused() {
    let mut world = World::with_topic("one_lock", 1);
    world.produce(&[event::customer("c", "ALFKI", "Alfreds Futterkiste", 100).message()]);
    let (here, elsewhere) = (world.pg_db.clone(), format!("{}_elsewhere", world.pg_db));
    let mut admin = connect_postgres("postgres");
    crate::support::wait_for("a copy of northwind_template", || {
        admin.batch_execute(&format!("CREATE DATABASE {elsewhere} TEMPLATE northwind_template")).is_ok()
    });
    set(&mut world, "POSTGRES_DB", &elsewhere);
    let says_both = |outcome: Outcome| outcome.error_says(&[&world.ops, &here, &elsewhere, "`migrate --moved`"]);
    for (job, args) in JOBS.into_iter().filter(|(job, args)| *job != "rejected" && !args.contains(&"--dry-run")) {
        says_both(world.run(job, args).expect_exit(78));
    }
    says_both(migrate(&world, &[]).expect_exit(78));
    assert!(doctor_line(&world, "locks").starts_with("FAIL"), "{}", doctor_line(&world, "locks"));
    assert_eq!(world.number("SELECT count() FROM northwind_ops.runs"), 0, "nothing was begun");

    let moved = migrate(&world, &["--moved"]).expect_exit(0);
    assert_eq!((&moved.summary["applied"], &moved.summary["repeated"]), (&json!([]), &json!([])), "{moved:?}");
    let locks = moved.summary["moved_from"]["locks"].as_str();
    assert!(locks.is_some_and(|locks| locks.contains(&here)), "{moved:?}");
    assert!(migrate(&world, &["--moved"]).expect_exit(0).summary["moved_from"].is_null(), "it was here already");
    world.ingest(&[]).expect_exit(0);
    assert!(doctor_line(&world, "locks").starts_with("ok"), "{}", doctor_line(&world, "locks"));
    set(&mut world, "POSTGRES_DB", &here);
    let refused = world.ingest(&[]).expect_exit(78);
    refused.error_says(&[&here, &elsewhere]);
    admin.batch_execute(&format!("DROP DATABASE {elsewhere} WITH (FORCE)")).unwrap();
}
