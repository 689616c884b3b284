//! Who takes a number when several want one: shards of one topic share it, two topics take two, and nobody takes one beside a writer.

use std::process::Child;

use crate::support::event::{KNOWN, customer, updates};
use crate::support::lineage::{generation, other, shown, taken, update};
use crate::support::{Outcome, World, go_on, outcome, wait_for};

/// Runs that were told to try again do so, as Airflow's retries do.
fn finish(mut start: impl FnMut() -> Child) -> Outcome {
    let mut last = None;
    wait_for("a run that is not told to try again", || {
        let ended = outcome(start());
        let again = ended.exit == 75;
        last = Some(ended);
        !again
    });
    last.unwrap().expect_exit(0)
}

#[test]
fn two_shards_of_a_new_topic_at_once_take_one_number() {
    for round in 0..3 {
        let world = World::with_topic(&format!("generation_shards_{round}"), 2);
        let at = |partition| customer("u", KNOWN[partition as usize], "v", 10).at(partition).message();
        world.produce(&[at(0), at(1)]);
        let runs = ["1/2", "2/2"].map(|shard| world.start_ingest(&["--shard", shard]));
        for run in runs {
            let outcome = outcome(run).expect_exit(0);
            assert_eq!((generation(&outcome), outcome.count("written")), (1, 1));
        }
        assert_eq!(taken(&world), "1\tA\t2\n");
    }
}

#[test]
fn two_new_topics_at_once_take_two_numbers() {
    let mut world = World::new("generation_race");
    let topics = ["x", "y"].map(|name| other(&world, name, 1));
    world.environment.push(("SIDE_BY_SIDE".to_owned(), format!("{},{}", topics[0].topic, topics[1].topic)));
    for (topic, id) in topics.iter().zip(KNOWN) {
        world.produce_to(&topic.table, &[update(id, "v")]);
    }
    let world = &world;
    let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        let run = |topic: &'static str, group: &'static str| {
            scope.spawn(move || finish(|| world.start_from(topic, group, &[])))
        };
        let leak = |text: &String| &*text.clone().leak();
        let runs: Vec<_> = topics.iter().map(|t| run(leak(&t.topic), leak(&t.group))).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    let mut numbers: Vec<i64> = outcomes.iter().map(generation).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2]);
    assert_eq!(world.customers(), "ALFKI\tv\nANATR\tv\n");
}

/// Whoever writes holds the table; a number is taken when nobody does.
#[test]
fn a_number_is_not_taken_while_somebody_writes() {
    let world = World::with_topic("generation_lock", 1);
    world.produce(&updates(&KNOWN, "a ", 0..10));
    let writer = world.ingest_frozen_at("read", &[]);
    let b = other(&world, "b", 1);
    world.produce_to(&b.table, &updates(&KNOWN, "b ", 0..3));
    let refused = b.ingest(&world, &[]).expect_exit(75);
    refused.error_says(&["dim_customers", "ingest-customers run", "nothing was done"]);
    assert_eq!(world.number("SELECT count() FROM northwind_ops.generations"), 1);
    // Another group of the same topic needs no number.
    let group = format!("{}.second", world.group);
    world.ingest_from(&world.topic, &group, &[]).expect_exit(0);
    go_on(writer).expect_exit(0);
    assert_eq!(generation(&b.ingest(&world, &[]).expect_exit(0)), 2);
}

/// Both wait for a number, and the one that replaces the other gets it first.
#[test]
fn a_topic_that_grew_gets_no_number_above_the_one_that_replaced_it_meanwhile() {
    let world = World::with_topic("generation_replaced", 1);
    let b = other(&world, "b", 1);
    world.produce(&updates(&KNOWN, "a ", 0..5));
    world.ingest(&[]).expect_exit(0);
    world.add_partitions(3);
    world.produce(&[customer("u", "ALFKI", "late of a", 90_000).at(1).message()]);
    let grown = world.ingest_frozen_at("number-wanted", &["--resume-from", "ledger"]);
    world.produce_to(&b.table, &[update("ALFKI", "b, which replaced a")]);
    b.ingest(&world, &[]).expect_exit(0);
    let refused = go_on(grown).expect_exit(78);
    assert!(refused.error().contains("has since been read from"), "{refused:?}");
    assert_eq!(shown(&world, "ALFKI"), "b, which replaced a\n");
    assert_eq!(world.number("SELECT count() FROM northwind_ops.generations"), 2);
}
