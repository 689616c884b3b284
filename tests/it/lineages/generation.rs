//! A generation belongs to a table and a lineage of topics, never to a group: a newer topic wins, another group of the same topic
//! does not.

use crate::support::event::{KNOWN, updates};
use crate::support::lineage::{generation, other, shown, taken, update, why};
use crate::support::{World, wait_for};

/// As `doctor` itself advises: a new `topic.prefix`.
#[test]
fn a_new_topic_wins_over_the_one_before() {
    let world = World::with_topic("generation_topic", 1);
    world.produce(&updates(&KNOWN, "a ", 0..100));
    let first = world.ingest(&[]).expect_exit(0);
    assert_eq!((generation(&first), first.count("written")), (1, 100));

    let b = other(&world, "b", 1);
    world.produce_to(&b.table, &[update("ALFKI", "newer")]);
    let outcome = b.ingest(&world, &[]).expect_exit(0);
    assert_eq!((outcome.count("written"), shown(&world, "ALFKI")), (1, "newer\n".to_owned()), "{outcome:?}");
    assert_eq!(generation(&outcome), 2);
    for part in ["dim_customers", &b.topic, &world.topic, "generation 1"] {
        assert!(why(&outcome).contains(part), "{part}: {}", why(&outcome));
    }
    assert!(outcome.log.contains(why(&outcome)), "{}", outcome.log);
    assert_eq!(taken(&world), format!("1\tA\t1\n2\t{}\t1\n", b.topic.replace(&world.topic, "A")));

    // It is known from now on: no number more, and nothing to say.
    world.produce_to(&b.table, &[update("ANATR", "newer, too")]);
    let outcome = b.ingest(&world, &[]).expect_exit(0);
    assert_eq!((generation(&outcome), why(&outcome)), (2, ""));
    assert_eq!(shown(&world, "ANATR"), "newer, too\n");
}

/// One group has read the topic that was there before, another one reads the one that was made anew.
#[test]
fn a_new_group_is_not_below_the_topic_that_was_there_before() {
    let world = World::with_topic("generation_group", 1);
    world.produce(&updates(&KNOWN, "old ", 0..100));
    world.ingest(&[]).expect_exit(0);
    world.delete_topic();
    world.create_topic(1, &[]);
    wait_for("the group's offsets to go with the topic", || world.committed(0).is_none());
    world.produce(&[update("ALFKI", "new")]);
    let group = format!("{}.second", world.group);
    let outcome = world.ingest_from(&world.topic, &group, &[]).expect_exit(0);
    assert_eq!((outcome.count("written"), shown(&world, "ALFKI")), (1, "new\n".to_owned()), "{outcome:?}");
    assert_eq!(generation(&outcome), 2);
    // The first group, told where to go on, shares the number.
    let outcome = world.ingest(&["--resume-from", "log-start"]).expect_exit(0);
    assert_eq!((generation(&outcome), why(&outcome)), (2, ""));
    assert_eq!(taken(&world), "1\tA\t1\n2\tA\t1\n");
}

#[test]
fn lost_books_do_not_put_new_rows_below_old_ones() {
    let world = World::with_topic("generation_lost", 1);
    world.produce(&updates(&KNOWN, "a ", 0..100));
    world.ingest(&[]).expect_exit(0);
    crate::support::clickhouse(&format!("DROP DATABASE {} SYNC", world.ops));
    world.run("migrate", &[]).expect_exit(0);
    let b = other(&world, "b", 1);
    world.produce_to(&b.table, &[update("ALFKI", "newer")]);
    let outcome = b.ingest(&world, &[]).expect_exit(0);
    assert_eq!((generation(&outcome), shown(&world, "ALFKI")), (2, "newer\n".to_owned()), "{outcome:?}");
    assert!(why(&outcome).contains("the table has rows of generation 1"), "{}", why(&outcome));
}

/// The log is read once more, above the rows that are there: what is older shows until the end is reached, and that is said.
#[test]
fn a_log_that_is_read_again_after_its_books_were_lost_says_what_shows_meanwhile() {
    let world = World::with_topic("generation_again", 1);
    world.produce(&updates(&KNOWN, "a ", 0..100));
    world.ingest(&[]).expect_exit(0);
    let full = world.customers();
    crate::support::clickhouse(&format!("DROP DATABASE {} SYNC", world.ops));
    world.run("migrate", &[]).expect_exit(0);
    let half = world.ingest(&["--resume-from", "log-start", "--max-records", "50"]).expect_exit(0);
    assert_eq!(generation(&half), 2);
    assert!(why(&half).contains("older values may show until it is read to its end"), "{}", why(&half));
    assert_eq!(shown(&world, "ALFKI"), "a 45\n");
    world.ingest(&[]).expect_exit(0);
    assert_eq!(world.customers(), full);
}

/// A second group that reads everything from the start: its offset 5 must not beat offset 1,000 of the first.
#[test]
fn a_backfill_group_shares_the_number() {
    let world = World::with_topic("generation_backfill", 1);
    world.produce(&updates(&KNOWN, "a ", 0..1000));
    world.ingest(&[]).expect_exit(0);
    let full = world.customers();
    let group = format!("{}.backfill", world.group);
    let outcome = world.ingest_from(&world.topic, &group, &["--max-records", "6"]).expect_exit(0);
    assert_eq!((generation(&outcome), why(&outcome), world.customers()), (1, "", full.clone()));
    world.ingest_from(&world.topic, &group, &[]).expect_exit(0);
    assert_eq!((world.customers(), taken(&world)), (full, "1\tA\t1\n".to_owned()));
}

#[test]
fn a_range_or_a_dry_run_first_raises_nothing() {
    let world = World::with_topic("generation_first", 1);
    world.produce(&updates(&KNOWN, "a ", 0..10));
    let dry = world.ingest(&["--dry-run"]).expect_exit(0);
    assert_eq!((generation(&dry), taken(&world)), (1, String::new()), "a dry run only computes");
    assert_eq!(generation(&world.ingest(&["--offsets", "0:0..5"]).expect_exit(0)), 1);
    assert_eq!(generation(&world.ingest(&[]).expect_exit(0)), 1);
    let b = other(&world, "b", 1);
    world.produce_to(&b.table, &updates(&KNOWN, "b ", 0..10));
    let dry = b.ingest(&world, &["--dry-run"]).expect_exit(0);
    assert_eq!((generation(&dry), taken(&world)), (2, "1\tA\t1\n".to_owned()));
    assert_ne!(why(&dry), "");
    assert_eq!(generation(&b.ingest(&world, &["--offsets", "0:8..10"]).expect_exit(0)), 2);
    assert_eq!(generation(&b.ingest(&world, &[]).expect_exit(0)), 2);
    assert_eq!(shown(&world, "ALFKI"), "b 5\n");
}

#[test]
fn an_older_topic_with_something_to_read_is_a_stop() {
    let world = World::with_topic("generation_older", 1);
    world.produce(&updates(&KNOWN, "a ", 0..10));
    world.ingest(&[]).expect_exit(0);
    let b = other(&world, "b", 1);
    world.produce_to(&b.table, &updates(&KNOWN, "b ", 0..5));
    b.ingest(&world, &[]).expect_exit(0);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("windows"), 0, "nothing to read is nothing to stop for");

    world.produce(&[update("ALFKI", "late")]);
    let before = world.end_state(1);
    for args in [&[][..], &["--dry-run"], &["--offsets", "0:0..3"]] {
        let outcome = world.ingest(args).expect_exit(78);
        for part in [&world.topic, "generation 1", &b.topic, "generation 2", "--side-by-side"] {
            assert!(outcome.error().contains(part), "{args:?}, {part}: {}", outcome.error());
        }
    }
    assert_eq!(world.end_state(1), before, "nothing moved");
    let both = format!("{},{}", world.topic, b.topic);
    assert_eq!(world.ingest(&["--side-by-side", &both]).expect_exit(0).count("written"), 1);
}
