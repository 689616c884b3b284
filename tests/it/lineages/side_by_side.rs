//! Topics of one table without a key in common, declared side by side: none replaces the other.

use crate::support::event::{customer, truncate};
use crate::support::lineage::{generation, other, update};
use crate::support::{World, clickhouse};

/// Disjoint keys, declared: neither raises the other, however often they run in turns. CI does 10 rounds (seconds);
/// `SIDE_BY_SIDE_RUNS=1000` does as many runs as somebody has time for.
#[test]
fn topics_side_by_side_raise_nothing_however_often_they_run() {
    let runs: usize = crate::support::env("SIDE_BY_SIDE_RUNS", "20").parse().unwrap();
    let mut world = World::with_topic("generation_side", 1);
    let b = other(&world, "b", 1);
    let both = format!("{},{}", world.topic, b.topic);
    world.environment.push(("SIDE_BY_SIDE".to_owned(), both));
    for round in 0..runs / 2 {
        world.produce(&[update("ALFKI", &format!("a {round}"))]);
        world.produce_to(&b.table, &[update("ANATR", &format!("b {round}"))]);
        assert_eq!(generation(&world.ingest(&[]).expect_exit(0)), 1);
        assert_eq!(generation(&b.ingest(&world, &[]).expect_exit(0)), 2);
    }
    let last = runs / 2 - 1;
    assert_eq!(world.customers(), format!("ALFKI\ta {last}\nANATR\tb {last}\n"));
    assert_eq!(world.number("SELECT count() FROM northwind_ops.generations"), 2);
}

/// Whoever is not told on its command line, a replay say, knows it from the books.
#[test]
fn what_stands_side_by_side_is_known_to_every_job() {
    let world = World::with_topic("generation_told", 1);
    let b = other(&world, "b", 1);
    let both = format!("{},{}", world.topic, b.topic);
    let told = ["--side-by-side", &both];
    world.produce(&[update("ALFKI", "of a"), update("NEWCO", "not there yet")]);
    world.produce_to(&b.table, &[update("ANATR", "of b"), truncate(0, 99_000)]);
    world.ingest(&told).expect_exit(0);
    b.ingest(&world, &told).expect_exit(0);
    world.change("INSERT INTO customers (customer_id, company_name) VALUES ('NEWCO', 'New')");
    let replayed = world.replay(&[]).expect_exit(0);
    assert_eq!((replayed.count("resolved"), replayed.count("truncated_rows")), (1, 0), "{replayed:?}");
    world.produce_to(&b.table, &[truncate(0, 99_500)]);
    assert_eq!(b.ingest(&world, &[]).expect_exit(0).count("truncated_rows"), 0);
    assert_eq!(world.customers(), "ALFKI\tof a\nNEWCO\tnot there yet\n");
}

/// A number that the books do not know may be that of the other topic: a truncate removes what is known to be its own topic's.
#[test]
fn a_truncate_after_the_books_were_lost_leaves_the_other_topic_alone() {
    let mut world = World::with_topic("side_lost", 1);
    let b = other(&world, "b", 1);
    world.environment.push(("SIDE_BY_SIDE".to_owned(), format!("{},{}", world.topic, b.topic)));
    world.produce(&[update("ALFKI", "of a")]);
    world.produce_to(&b.table, &[update("ANATR", "of b")]);
    world.ingest(&[]).expect_exit(0);
    b.ingest(&world, &[]).expect_exit(0);
    clickhouse(&format!("DROP DATABASE {} SYNC", world.ops));
    world.run("migrate", &[]).expect_exit(0);

    world.produce_to(&b.table, &[truncate(0, 99_000)]);
    let outcome = b.ingest(&world, &["--resume-from", "log-start"]).expect_exit(0);
    assert_eq!((generation(&outcome), outcome.count("truncated_rows")), (3, 1), "{outcome:?}");
    assert_eq!(world.customers(), "ALFKI\tof a\n");
}

/// "Side by side" goes both ways: a topic that nobody declared replaces those that are declared.
#[test]
fn a_topic_that_nobody_declared_replaces_those_that_are() {
    let world = World::with_topic("side_replaced", 1);
    let (b, c) = (other(&world, "b", 1), other(&world, "c", 1));
    let both = format!("{},{}", world.topic, b.topic);
    world.produce(&[update("ALFKI", "of a"), update("AROUT", "of a")]);
    world.produce_to(&b.table, &[update("ANATR", "of b")]);
    world.ingest(&["--side-by-side", &both]).expect_exit(0);
    b.ingest(&world, &["--side-by-side", &both]).expect_exit(0);

    world.produce_to(&c.table, &[truncate(0, 99_000), customer("u", "ALFKI", "of c", 99_100).message()]);
    assert_eq!(c.ingest(&world, &[]).expect_exit(0).count("truncated_rows"), 2);
    assert_eq!(world.customers(), "ALFKI\tof c\n");
    world.produce(&[update("ALFKI", "late of a")]);
    world.ingest(&[]).expect_exit(78);
}

/// eu and us stand side by side; eu2 comes in eu's place. From then on eu is an earlier topic, whatever its forgotten job is told.
#[test]
fn a_topic_that_was_replaced_stands_beside_nobody() {
    let eu = World::with_topic("side_taken_back", 1);
    let (us, eu2) = (other(&eu, "us", 1), other(&eu, "eu2", 1));
    let before = format!("{},{}", eu.topic, us.topic);
    eu.produce(&[update("ALFKI", "of eu"), update("AROUT", "of eu")]);
    eu.produce_to(&us.table, &[update("ANATR", "of us")]);
    eu.ingest(&["--side-by-side", &before]).expect_exit(0);
    us.ingest(&eu, &["--side-by-side", &before]).expect_exit(0);

    eu.produce_to(&eu2.table, &[truncate(0, 99_000), customer("u", "ALFKI", "of eu2", 99_100).message()]);
    let after = format!("{},{}", eu2.topic, us.topic);
    let told = ["--side-by-side", &after, "--replaced", &eu.topic];
    assert_eq!(eu2.ingest(&eu, &told).expect_exit(0).count("truncated_rows"), 1);
    assert_eq!(eu.customers(), "ALFKI\tof eu2\nANATR\tof us\n");

    eu.produce(&[update("ALFKI", "late of eu")]);
    assert!(eu.ingest(&[]).expect_exit(78).log.contains("has since been read from"));
    assert!(eu.ingest(&["--side-by-side", &before]).expect_exit(78).log.contains("which has been replaced"));
    eu.produce_to(&us.table, &[update("ANATR", "of us, later")]);
    us.ingest(&eu, &[]).expect_exit(0);
    assert_eq!(eu.customers(), "ALFKI\tof eu2\nANATR\tof us, later\n");
    let doctor = eu.run("doctor", &["--table", "customers"]).stdout;
    let said = doctor.lines().find(|line| line.contains("side by side")).unwrap_or_default();
    assert!(said.contains(&eu2.topic) && said.contains(&format!("replaced: {}", eu.topic)), "{doctor}");
}

/// What a run says that is then refused has not been said.
#[test]
fn a_run_that_is_refused_declares_nothing() {
    let world = World::with_topic("side_refused", 1);
    let b = other(&world, "b", 1);
    world.produce(&[update("ALFKI", "of a")]);
    world.produce_to(&b.table, &[update("ALFKI", "of b")]);
    world.ingest(&[]).expect_exit(0);
    b.ingest(&world, &[]).expect_exit(0);
    world.produce(&[update("ALFKI", "late of a")]);
    let both = format!("{},{}", world.topic, b.topic);
    assert_ne!(world.ingest(&["--side-by-side", &both, "--offsets", "7:0..1"]).exit, 0);
    world.ingest(&[]).expect_exit(78);
    assert_eq!(world.customers(), "ALFKI\tof b\n");
}

/// Topics of another table say nothing of this one's, nor does a setting that is there and empty.
#[test]
fn what_is_said_of_another_table_changes_nothing() {
    let mut world = World::with_topic("side_elsewhere", 1);
    world.environment.push(("SIDE_BY_SIDE".to_owned(), String::new()));
    world.produce(&[update("ALFKI", "of a"), update("AROUT", "of a")]);
    world.ingest(&[]).expect_exit(0);
    world.environment.clear();
    clickhouse(&format!("DROP DATABASE {} SYNC", world.ops));
    world.run("migrate", &[]).expect_exit(0);

    let b = other(&world, "b", 1);
    world.produce_to(&b.table, &[truncate(0, 99_000), customer("u", "ANTON", "of b", 99_100).message()]);
    let orders = ["--side-by-side", "eu.public.orders, us.public.orders"];
    assert_eq!(b.ingest(&world, &orders).expect_exit(0).count("truncated_rows"), 2);
    assert_eq!(world.customers(), "ANTON\tof b\n");
    let known = world.clickhouse("SELECT topic FROM northwind_ops.side_by_side ORDER BY topic");
    assert_eq!(known, "eu.public.orders\nus.public.orders\n");
}
