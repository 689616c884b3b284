//! The books of generations: older than the table, used up, filled from the ledger of before.

use crate::support::event::{KNOWN, customer, updates};
use crate::support::lineage::{other, shown};
use crate::support::{World, root};

fn one_run(test: &str) -> World {
    let world = World::with_topic(test, 1);
    world.produce(&[customer("u", "ALFKI", "v1", 10).message()]);
    world.ingest(&[]).expect_exit(0);
    world
}

/// The warehouse has rows of a later topic, and the books that were restored do not know it.
#[test]
fn books_that_are_older_than_the_table_are_a_stop() {
    let world = one_run("books_older");
    let b = other(&world, "b", 1);
    world.produce_to(&b.table, &[customer("u", "ALFKI", "b", 20).message()]);
    b.ingest(&world, &[]).expect_exit(0);
    // As if yesterday's copy of northwind_ops had been restored.
    world.clickhouse("ALTER TABLE northwind_ops.generations DELETE WHERE generation = 2 SETTINGS mutations_sync = 1");
    world.produce(&[customer("u", "ALFKI", "v2", 11).message()]);
    for args in [&[][..], &["--dry-run"], &["--offsets", "0:0..1"]] {
        let outcome = world.ingest(args).expect_exit(78);
        for part in ["dim_customers", "generation 1", "_version >= 9007199254740992", "older than the table"] {
            assert!(outcome.error().contains(part), "{args:?}, {part}: {}", outcome.error());
        }
    }
    assert_eq!(world.customers(), "ALFKI\tb\n");
    // The later topic takes a number above everything, and all is as it was.
    world.produce_to(&b.table, &[customer("u", "ALFKI", "b2", 21).message()]);
    let outcome = b.ingest(&world, &[]).expect_exit(0);
    assert_eq!(outcome.summary["plan"]["generation"], 3);
    assert_eq!(world.customers(), "ALFKI\tb2\n");
}

/// A row that somebody wrote by hand, of the last generation there is.
#[test]
fn number_4096_is_a_stop_and_doctor_warns_before() {
    let world = one_run("books_full");
    let doctor = || {
        let outcome = world.run("doctor", &["--table", "customers"]);
        outcome.stdout.lines().find(|line| line.contains("generations")).unwrap_or_default().to_owned()
    };
    assert!(doctor().starts_with("ok "), "{}", doctor());
    let take = |number: u32| {
        world.clickhouse(&format!(
            "INSERT INTO northwind_ops.generations (target, generation, topic, topic_id, partitions, run_id, taken_at)
             VALUES ('dim_customers', {number}, 'gone', 'gone', 1, 'by hand', now64(3))"
        ));
    };
    take(2999);
    assert!(doctor().starts_with("ok "), "{}", doctor());
    take(3000);
    assert!(doctor().starts_with("warn") && doctor().contains("3000 of 4095"), "{}", doctor());

    world.clickhouse(&format!(
        "INSERT INTO northwind_dw.dim_customers (customer_id, company_name, _version) VALUES ('ANTON', 'by hand', {})",
        4095_u64 << 52
    ));
    let b = other(&world, "b", 1);
    world.produce_to(&b.table, &[customer("u", "ALFKI", "b", 20).message()]);
    for args in [&[][..], &["--dry-run"]] {
        let outcome = b.ingest(&world, args).expect_exit(78);
        assert!(outcome.error().contains("generation 4096"), "{}", outcome.error());
        assert!(outcome.error().contains("dim_customers has rows of generation 4095"), "{}", outcome.error());
    }
    assert_eq!(world.number("SELECT count() FROM northwind_ops.generations WHERE generation > 3000"), 0);
}

/// ClickHouse remembers the token of a number whose row somebody deleted. It is taken all the same: numbers are few.
#[test]
fn a_number_whose_row_was_deleted_is_given_again() {
    let world = one_run("books_deleted");
    let b = other(&world, "b", 1);
    world.produce_to(&b.table, &[customer("u", "ALFKI", "b", 20).message()]);
    assert_eq!(b.ingest(&world, &[]).expect_exit(0).summary["plan"]["generation"], 2);
    for table in [
        "northwind_ops.generations DELETE WHERE generation = 2",
        "northwind_dw.dim_customers DELETE WHERE _version >= 9007199254740992",
    ] {
        world.clickhouse(&format!("ALTER TABLE {table} SETTINGS mutations_sync = 1"));
    }
    let c = other(&world, "c", 1);
    world.produce_to(&c.table, &[customer("u", "ALFKI", "c", 30).message()]);
    assert_eq!(c.ingest(&world, &[]).expect_exit(0).summary["plan"]["generation"], 2);
    assert_eq!(world.number("SELECT count() FROM northwind_ops.generations WHERE generation = 2"), 1);
    assert_eq!(world.customers(), "ALFKI\tc\n");
}

/// What the stop at number 4,096 advises, again and again: the table made anew begins with number 1.
#[test]
fn a_table_that_is_made_anew_begins_with_number_one() {
    let world = one_run("books_anew");
    for round in 0..2 {
        world.clickhouse(&format!("RENAME TABLE northwind_dw.dim_customers TO northwind_dw.dim_customers_{round}"));
        world.clickhouse(
            "ALTER TABLE northwind_ops.generations DELETE WHERE target = 'dim_customers' SETTINGS mutations_sync = 1",
        );
        world.run("migrate", &[]).expect_exit(0);
        let outcome = world.ingest(&["--from-beginning"]).expect_exit(0);
        assert_eq!((outcome.summary["plan"]["generation"].as_i64(), outcome.count("written")), (Some(1), 1), "{round}");
        assert_eq!(world.customers(), "ALFKI\tv1\n");
    }
}

/// Each run asks whether the table has rows above the books; that must cost nothing.
#[test]
fn every_table_has_the_index_that_a_run_asks() {
    let world = World::new("books_index");
    let tables = world.number(
        "SELECT count() FROM system.data_skipping_indices WHERE database = 'northwind_dw' AND name = 'newest' AND expr = '_version' AND type = 'minmax' AND granularity = 1",
    );
    assert_eq!(tables, 14);
    world.clickhouse(
        "INSERT INTO northwind_dw.dim_customers (customer_id, company_name, _version)
         SELECT toString(number), 'x', bitShiftLeft(1::UInt64, 52) + number * 256 FROM numbers(200000)",
    );
    world.create_topic(1, &[]);
    world.produce(&[customer("u", "ALFKI", "v1", 10).message()]);
    world.ingest(&[]).expect_exit(0);
    world.produce(&[customer("u", "ALFKI", "v2", 11).message()]);
    world.ingest(&[]).expect_exit(0);
    crate::support::clickhouse("SYSTEM FLUSH LOGS query_log");
    let read = world.clickhouse(
        "SELECT count(), max(read_rows) < 20000 FROM system.query_log
         WHERE type = 'QueryFinish' AND query LIKE '%northwind_dw.dim_customers WHERE _version >= %' AND query NOT LIKE '%system.query_log%'",
    );
    assert_eq!(
        read, "1\t1\n",
        "asked once (the first run's number was asked for otherwise), and read by the index alone"
    );
}

/// What `windows` says of older books: each lineage its number; of two topics with one number the later one is left to take a new one.
#[test]
fn migration_3_fills_the_books_from_the_ledger() {
    let world = World::new("books_migration");
    let window = |group: &str, topic: &str, id: &str, partitions: u32, generation: u16, mode: &str, minute: u32| {
        world.clickhouse(&format!(
            "INSERT INTO northwind_ops.windows (source, group_id, topic, topic_id, partitions, generation, mode, seq, closed_at)
             VALUES ('customers', '{group}', '{topic}', '{id}', {partitions}, {generation}, '{mode}', 1, '2026-01-01 10:{minute:02}:00')"
        ));
    };
    window("g", "a", "id-1", 1, 1, "origin", 1);
    window("g", "a", "id-1", 1, 1, "plan", 2);
    window("g", "a", "id-1", 3, 2, "reset", 3);
    window("g", "a", "id-2", 3, 3, "reset", 4);
    window("other", "a", "id-2", 3, 1, "plan", 5);
    window("new", "b", "id-3", 1, 1, "plan", 6);
    window("", "a", "id-2", 0, 3, "replay", 7);
    let books = || {
        world.clickhouse(
            "SELECT target, generation, topic, topic_id, partitions FROM northwind_ops.generations ORDER BY generation, topic_id",
        )
    };
    for _ in 0..2 {
        migration(&world, "0003_generation");
        let expected = "dim_customers\t1\ta\tid-1\t1\ndim_customers\t2\ta\tid-1\t3\ndim_customers\t3\ta\tid-2\t3\n";
        assert_eq!(books(), expected);
    }
}

fn migration(world: &World, name: &str) {
    let file = std::fs::read_to_string(root().join(format!("clickhouse/migrations/{name}.sql"))).unwrap();
    file.split(";\n").filter(|text| !text.trim().is_empty()).for_each(|statement| _ = world.clickhouse(statement));
}

/// The ledger knows how far a topic was read before it grew: migrations take that into the books, wherever the books were filled without it.
#[test]
fn older_books_learn_where_a_grown_topic_began_anew() {
    let world = World::with_topic("books_grown", 1);
    world.produce(&updates(&KNOWN, "old ", 0..6));
    world.ingest(&[]).expect_exit(0);
    world.add_partitions(3);
    world.produce(&[customer("u", "ALFKI", "newer", 90_000).at(1).message()]);
    world.ingest(&["--resume-from", "ledger"]).expect_exit(0);
    world.clickhouse("TRUNCATE TABLE northwind_ops.generations");
    migration(&world, "0003_generation");
    let starts = "SELECT generation, starts FROM northwind_ops.generations ORDER BY generation";
    for _ in 0..2 {
        migration(&world, "0006_starts");
        assert_eq!(world.clickhouse(starts), "1\t[]\n2\t[(0,6)]\n");
    }
    world.ingest(&["--offsets", "0:0..6"]).expect_exit(0);
    world.ingest_from(&world.topic, "another", &[]).expect_exit(0);
    assert_eq!(shown(&world, "ALFKI"), "newer\n");
}

/// Two topics of older books had one number, and migration 3 left the later one out. It did not grow: read once from the
/// beginning, it wins, as ADR 15 says.
#[test]
fn a_topic_that_did_not_grow_is_read_from_its_beginning() {
    let world = World::with_topic("books_tie", 1);
    world.produce(&updates(&KNOWN, "a ", 0..10));
    world.ingest(&[]).expect_exit(0);
    let b = other(&world, "b", 1);
    world.produce_to(&b.table, &[customer("u", "ALFKI", "of b", 90_000).message()]);
    b.ingest(&world, &[]).expect_exit(0);
    // As the older engine wrote it: b's row has number 1, and loses.
    let of_b = "_version >= bitShiftLeft(2::UInt64, 52)";
    world.clickhouse(&format!(
        "INSERT INTO northwind_dw.dim_customers SELECT * REPLACE (_version - bitShiftLeft(1::UInt64, 52) AS _version)
         FROM northwind_dw.dim_customers WHERE {of_b}"
    ));
    for change in [
        format!("northwind_dw.dim_customers DELETE WHERE {of_b}"),
        "northwind_ops.windows UPDATE generation = 1 WHERE 1".to_owned(),
        "northwind_ops.generations DELETE WHERE 1".to_owned(),
    ] {
        world.clickhouse(&format!("ALTER TABLE {change} SETTINGS mutations_sync = 1"));
    }
    migration(&world, "0003_generation");
    migration(&world, "0006_starts");
    assert_eq!(shown(&world, "ALFKI"), "a 5\n");
    let done = b.ingest(&world, &["--from-beginning"]).expect_exit(0);
    assert_eq!((done.count("written"), shown(&world, "ALFKI")), (1, "of b\n".to_owned()));
}
