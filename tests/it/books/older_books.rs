//! Books and warehouse that an older release left: `migrate` keeps what they say, and every job goes on from there.

mod fixture;

use crate::books::upgrade::{kill_at_every_statement, migrate, schema, version};
use crate::support::{Outcome, World};
use fixture::Older;

/// What the books say of the past, in columns that every release has.
const PAST: [&str; 5] = [
    "SELECT topic, topic_id, partition, mode, generation, start_offset, end_offset, written, rejected, tombstones, truncates, gaps, partitions, token, run_id
     FROM northwind_ops.windows ORDER BY ALL",
    "SELECT * EXCEPT (rejected_at) FROM northwind_ops.rejected FINAL ORDER BY topic_id, partition, offset",
    "SELECT table, topic_id, partition, offset, lsn FROM northwind_ops.truncates FINAL ORDER BY ALL",
    "SELECT run_id, job, status, exit_code, summary, started_at FROM northwind_ops.runs FINAL ORDER BY ALL",
    "SELECT customer_id, company_name, op, _version, _deleted, _partition, _offset FROM northwind_dw.dim_customers ORDER BY ALL",
];

fn past(world: &World) -> Vec<String> {
    PAST.iter().map(|sql| world.clickhouse(sql)).collect()
}

/// A job with the flags that tell it this world's names.
fn run(world: &World, connector: &str, job: &str, args: &[&str]) -> Outcome {
    world.run(job, &[&["--prefix", &world.name, "--slot", connector], args].concat())
}

#[test]
fn every_job_goes_on_in_books_that_were_upgraded() {
    let mut older = Older::new("older");
    let fresh = World::new("older_fresh");
    let (before, shown) = (past(&older.world), older.world.order_wide());
    let refused = older.world.ingest(&[]).expect_exit(78);
    assert!(refused.error().contains("run `migrate` first"), "{}", refused.error());

    let migrated = migrate(&older.world, &[]).expect_exit(0);
    assert_eq!((migrated.count("from_version"), migrated.count("version")), (0, version(&fresh)));
    assert_eq!(schema(&older.world), schema(&fresh));
    assert_eq!(past(&older.world), before);
    assert_eq!(older.world.order_wide(), shown);
    let (world, place) = (&older.world, "SELECT warehouse, lock_database FROM northwind_ops.installation");
    assert_eq!(world.clickhouse(place), format!("{}\t{}\n", world.dw, world.pg_db), "noted by the first migrate");
    let rows = older.rows();
    assert!(migrate(&older.world, &[]).expect_exit(0).summary["applied"].as_array().unwrap().is_empty());
    assert_eq!(older.rows(), rows);

    // Ingest: the plan that was killed behind the ledger row of partition 1 is finished, and nothing is read again.
    let world = &mut older.world;
    let finished = world.ingest(&[]).expect_exit(0);
    assert_eq!((finished.count("written"), finished.summary["plan"]["generation"].as_i64()), (1, Some(2)));
    let offsets = |world: &World| [0, 1].map(|partition| world.committed(partition).unwrap());
    assert_eq!(offsets(world), [(9, String::new()), (6, String::new())]);
    for (table, _) in &fixture::TABLES[1..] {
        assert_eq!(world.ingest_table(table, &[]).expect_exit(0).count("written"), 0, "{table}");
    }

    // Replay: what the source has by now comes out of the quarantine.
    world.change("INSERT INTO customers (customer_id, company_name) VALUES ('GHOST', 'There after all')");
    let replayed = world.replay(&[]).expect_exit(0);
    assert_eq!((replayed.count("resolved"), replayed.count("superseded")), (1, 1), "{replayed:?}");

    // Build: what nobody had taken up, the finished window and the replay, and no more.
    let built = world.build(&[]).expect_exit(0);
    let open = fixture::noted()["open_for_order_wide"].as_i64().unwrap();
    assert_eq!(built.count("windows"), open + 2, "{built:?}");
    let touched = world.order_wide();
    world.build(&["--full"]).expect_exit(0);
    assert_eq!(world.order_wide(), touched);

    // Changes by a connector of today, checks and the look at everything.
    let connector = world.capture(&[("snapshot.mode", "no_data")]);
    world.change("UPDATE customers SET company_name = 'Of today' WHERE customer_id = 'ALFKI'");
    world.wait_for_capture(&connector);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("written"), 1);
    assert!(world.customers().contains("ALFKI\tOf today\n"), "{}", world.customers());
    run(world, &connector, "check-integrity", &["--scope", "new", "--wait", "0s"]).expect_exit(0);
    run(
        world,
        &connector,
        "check-rules",
        &["--scope", "new", "--wait", "0s", "--table", "customers", "--table", "products"],
    )
    .expect_exit(0);
    // The old executable has repaired a row of it.
    run(world, &connector, "check-reconcile", &["--table", "shippers"]).expect_exit(0);
    let look = world.run("observe", &["--connector", &connector, "--table", "customers"]);
    assert_eq!(look.count("lost"), 1, "the run that was killed: {look:?}");
    assert_eq!(world.run("lag", &["--topic", &world.topic, "--group", &world.group]).expect_exit(0).count("lag"), 0);
}

#[test]
fn an_upgrade_that_is_killed_everywhere_leaves_the_same_books() {
    let (straight, killed) = (Older::new("older_straight"), Older::new("older_killed"));
    migrate(&straight.world, &[]).expect_exit(0);
    let kills = kill_at_every_statement(&killed.world);
    assert!(kills > 25, "{kills}");
    assert_eq!(schema(&killed.world), schema(&straight.world));
    let (killed, straight) = (killed.rows(), straight.rows());
    for (killed, straight) in killed.iter().zip(&straight) {
        assert_eq!(killed, straight);
    }
    assert_eq!(killed.len(), straight.len());
}
