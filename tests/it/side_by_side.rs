//! Topics of one table without a key in common, declared side by side: none replaces the other.

use crate::generation::{generation, other, update};
use crate::support::event::truncate;
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
    world
        .postgres()
        .batch_execute("INSERT INTO customers (customer_id, company_name) VALUES ('NEWCO', 'New')")
        .unwrap();
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
