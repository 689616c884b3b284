//! Books from before the ledger's numbers: migration 2, also when it is killed anywhere and run again.

use crate::support::World;
use crate::support::checks::Checked;
use crate::support::event::updates;

const MIGRATION: &str = include_str!("../../../clickhouse/migrations/0002_ledger.sql");

/// The tables as they were, filled from those of today.
const BEFORE: [&str; 3] = [
    "CREATE TABLE northwind_ops.before_windows
     (
         group_id String, topic String, topic_id String, partition Int32, generation UInt16, mode LowCardinality(String), seq UInt64,
         start_offset Int64, end_offset Int64, written UInt64, rejected UInt64, tombstones UInt64, truncates UInt64, gaps UInt64,
         partitions UInt32, token String, job LowCardinality(String), run_id String, reason String DEFAULT '', closed_at DateTime64(3, 'UTC')
     )
     ENGINE = MergeTree ORDER BY (group_id, topic, topic_id, partition, seq, start_offset)
     SETTINGS non_replicated_deduplication_window = 10000
     AS SELECT group_id, topic, topic_id, partition, generation, mode, if(stream < 0, 0, seq) AS seq, start_offset, end_offset, written,
               rejected, tombstones, truncates, gaps, partitions, token, job, run_id, reason, closed_at
     FROM northwind_ops.windows",
    "CREATE TABLE northwind_ops.before_consumed
     (consumer LowCardinality(String), token String, run_id String, consumed_at DateTime64(3, 'UTC'))
     ENGINE = ReplacingMergeTree(consumed_at) ORDER BY (consumer, token)
     AS SELECT consumer, token, 'a run' AS run_id, now64(3) AS consumed_at
     FROM northwind_ops.positions AS taken
     INNER JOIN northwind_ops.windows AS ledger USING (source, group_id, topic, stream)
     WHERE ledger.seq <= taken.seq AND ledger.mode != 'origin' AND NOT (ledger.seq = 3 AND consumer = 'check-integrity')",
    "CREATE TABLE northwind_ops.before_runs
     (
         run_id String, job LowCardinality(String), topic String DEFAULT '', group_id String DEFAULT '', status LowCardinality(String),
         exit_code Int16 DEFAULT 0, written UInt64 DEFAULT 0, rejected UInt64 DEFAULT 0, tombstones UInt64 DEFAULT 0,
         truncates UInt64 DEFAULT 0, gaps UInt64 DEFAULT 0, summary String DEFAULT '', host String DEFAULT '',
         version LowCardinality(String) DEFAULT '', dag_run_id String DEFAULT '', started_at DateTime64(3, 'UTC'), updated_at DateTime64(3, 'UTC')
     )
     ENGINE = ReplacingMergeTree(updated_at) ORDER BY (job, started_at, run_id) TTL toDateTime(started_at) + INTERVAL 180 DAY
     AS SELECT * EXCEPT (error) FROM northwind_ops.runs",
];

fn statements() -> Vec<&'static str> {
    let says = |statement: &&str| statement.lines().any(|line| !line.is_empty() && !line.starts_with("--"));
    MIGRATION.split(";\n").map(str::trim).filter(says).collect()
}

/// The books are again as they were.
fn go_back(world: &World) {
    let tables =
        world.clickhouse("SELECT name FROM system.tables WHERE database = 'northwind_ops' AND name LIKE '%_0002'");
    let gone = ["windows", "runs", "consumed", "positions", "postponed"];
    for table in tables.lines().chain(gone) {
        world.clickhouse(&format!("DROP TABLE IF EXISTS northwind_ops.{table} SYNC"));
    }
    for table in ["windows", "consumed", "runs"] {
        world.clickhouse(&format!("CREATE TABLE northwind_ops.{table} CLONE AS northwind_ops.before_{table}"));
    }
}

fn books(world: &World) -> String {
    [
        "SELECT * EXCEPT (source_id) FROM northwind_ops.windows ORDER BY stream, seq",
        "SELECT * EXCEPT (run_id) FROM northwind_ops.positions FINAL ORDER BY ALL",
        "SELECT * FROM northwind_ops.runs FINAL ORDER BY job, started_at",
        "SELECT name FROM system.tables WHERE database = 'northwind_ops' AND name NOT LIKE 'before_%' ORDER BY name",
    ]
    .map(|sql| world.clickhouse(sql))
    .concat()
}

#[test]
fn a_migration_that_is_killed_anywhere_makes_of_older_books_what_today_would_have_been_written() {
    let world = World::with_topic("ledger_upgrade", 1);
    world.produce(&updates(&["ALFKI"], "v", 0..6));
    world.ingest(&["--window-records", "1", "--max-records", "4"]).expect_exit(0);
    world.ingest(&["--offsets", "0:1..3", "--window-records", "1"]).expect_exit(0);
    world.build(&[]).expect_exit(0);
    let shop = Checked { world, connector: String::new() };
    let new = ["--table", "customers", "--scope", "new", "--wait", "0s"];
    let check = || shop.run("check-integrity", &new);
    assert_eq!(check().count("nothing_new"), 0);
    let world = &shop.world;
    // Nobody has taken these up yet; and a run says why it failed.
    world.ingest(&["--offsets", "0:0..1"]).expect_exit(0);
    world.ingest(&["--offsets", "0:0..99"]).expect_exit(78);
    assert_eq!(world.ingest(&["--window-records", "1"]).expect_exit(0).count("windows"), 2);
    let today = books(world);
    for table in BEFORE {
        world.clickhouse(table);
    }
    let statements = statements();
    let does_much = |count: &usize| *count == 0 || !statements[count - 1].contains("CREATE TABLE");
    for killed_after in (0..=statements.len()).filter(does_much) {
        go_back(world);
        for statement in statements[..killed_after].iter().chain(&statements) {
            world.clickhouse(statement);
        }
        assert_eq!(books(world), today, "killed after {killed_after} statements");
        let left_out = "SELECT consumer, stream, seq FROM northwind_ops.postponed FINAL WHERE done = 0 ORDER BY ALL";
        assert_eq!(world.clickhouse(left_out), "check-integrity\t0\t3\n", "killed after {killed_after} statements");
    }
    // Everything goes on where it was: what was left out and what is new, once.
    assert_eq!(world.build(&[]).expect_exit(0).count("windows"), 3);
    assert_eq!(check().count("nothing_new"), 0);
    assert_eq!(check().count("nothing_new"), 1);
    assert_eq!(world.number("SELECT count() FROM northwind_ops.postponed FINAL WHERE done = 0"), 0);
    world.produce(&updates(&["ALFKI"], "v", 0..1));
    world.ingest(&[]).expect_exit(0);
    let last = "SELECT max(seq), uniqExact(seq), count() FROM northwind_ops.windows WHERE stream = 0";
    assert_eq!(world.clickhouse(last), "8\t8\t8\n");
}

/// A replay's row does not say its table. The jobs that have read its topic do, whatever the topic's name.
#[test]
fn rows_of_a_replay_stand_with_the_table_that_was_read_from_their_topic() {
    let world = World::new("ledger_replays");
    for table in BEFORE {
        world.clickhouse(table);
    }
    for (topic, mode, job) in [
        ("shop.public.kunden", "plan", "ingest-customers"),
        ("shop.public.kunden", "replay", "replay-rejected"),
        ("shop.public.zeilen", "range", "ingest-order-details"),
        ("shop.public.zeilen", "repair", "check-reconcile"),
        ("shop.public.orders", "replay", "replay-rejected"),
    ] {
        world.clickhouse(&format!(
            "INSERT INTO northwind_ops.before_windows (topic, mode, job, token) VALUES ('{topic}', '{mode}', '{job}', '{topic} {mode}')"
        ));
    }
    go_back(&world);
    for statement in statements() {
        world.clickhouse(statement);
    }
    let sources = "SELECT mode, source, stream, seq FROM northwind_ops.windows ORDER BY source, stream, seq, mode";
    let expected = "replay\tcustomers\t-1\t1\nplan\tcustomers\t0\t1\n\
                    range\torder_details\t-1\t1\nrepair\torder_details\t-1\t2\nreplay\torders\t-1\t1\n";
    assert_eq!(world.clickhouse(sources), expected);
}
