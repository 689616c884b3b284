//! A generation belongs to a table and a lineage of topics, never to a group: a newer topic wins, another group of the same topic
//! does not, topics side by side leave each other alone.

use std::process::Child;

use crate::support::event::{customer, truncate};
use crate::support::{Message, Outcome, World, outcome, wait_for, wait_until_frozen};

const KNOWN: [&str; 5] = ["ALFKI", "ANATR", "ANTON", "AROUT", "BERGS"];

/// Updates of the five known customers in turns, named after the topic.
fn updates(name: &str, count: usize) -> Vec<Message> {
    (0..count).map(|i| customer("u", KNOWN[i % 5], &format!("{name} {i}"), 1000 + i as u64).message()).collect()
}

fn update(id: &str, name: &str) -> Message {
    customer("u", id, name, 90_000).message()
}

/// Another topic of customers in this world, and a group to read it.
pub struct Other {
    pub table: String,
    pub topic: String,
    pub group: String,
}

pub fn other(world: &World, name: &str, partitions: i32) -> Other {
    let table = format!("customers_{name}");
    world.create_topic_of(&table, partitions, &[]);
    Other { topic: world.topic_of(&table), group: format!("{}.{name}", world.group), table }
}

impl Other {
    pub fn ingest(&self, world: &World, args: &[&str]) -> Outcome {
        world.ingest_from(&self.topic, &self.group, args)
    }
}

fn generation(outcome: &Outcome) -> i64 {
    outcome.summary["plan"]["generation"].as_i64().unwrap_or_else(|| panic!("no generation in {outcome:?}"))
}

fn why(outcome: &Outcome) -> &str {
    outcome.summary["plan"]["generation_rose"].as_str().unwrap_or_default()
}

/// Number and topic, as the books have them.
fn taken(world: &World) -> String {
    world
        .clickhouse("SELECT generation, topic, partitions FROM northwind_ops.generations ORDER BY target, generation")
        .replace(&world.topic, "A")
}

fn shown(world: &World, id: &str) -> String {
    world.clickhouse(&format!("SELECT company_name FROM northwind_dw.dim_customers FINAL WHERE customer_id = '{id}'"))
}

/// As `doctor` itself advises: a new `topic.prefix`.
#[test]
fn a_new_topic_wins_over_the_one_before() {
    let world = World::with_topic("generation_topic", 1);
    world.produce(&updates("a", 100));
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
    world.produce(&updates("old", 100));
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
    world.produce(&updates("a", 100));
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
    world.produce(&updates("a", 100));
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
    world.produce(&updates("a", 1000));
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
    world.produce(&updates("a", 10));
    let dry = world.ingest(&["--dry-run"]).expect_exit(0);
    assert_eq!((generation(&dry), taken(&world)), (1, String::new()), "a dry run only computes");
    assert_eq!(generation(&world.ingest(&["--offsets", "0:0..5"]).expect_exit(0)), 1);
    assert_eq!(generation(&world.ingest(&[]).expect_exit(0)), 1);
    let b = other(&world, "b", 1);
    world.produce_to(&b.table, &updates("b", 10));
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
    world.produce(&updates("a", 10));
    world.ingest(&[]).expect_exit(0);
    let b = other(&world, "b", 1);
    world.produce_to(&b.table, &updates("b", 5));
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
    assert_eq!(world.ingest(&["--side-by-side", &b.topic]).expect_exit(0).count("written"), 1);
}

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

/// Offsets of two partitions do not say which change came first: what was read before is not read again under the higher number.
#[test]
fn what_was_read_before_partitions_were_added_does_not_win_again() {
    let world = World::with_topic("generation_grown", 1);
    world.produce(&updates("old", 6));
    world.ingest(&[]).expect_exit(0);
    world.add_partitions(3);
    let moved = customer("u", "ALFKI", "newer", 90_000).at(1).message();
    world.produce(&[moved]);
    world.ingest(&[]).expect_exit(78);
    let stopped = world.ingest(&["--resume-from", "log-start"]).expect_exit(78);
    assert!(stopped.error().contains("partition 0: offsets below 6"), "{stopped:?}");
    assert_eq!(world.ingest(&["--resume-from", "ledger"]).expect_exit(0).count("written"), 1);
    assert_eq!(shown(&world, "ALFKI"), "newer\n");
    for refused in [world.ingest_from(&world.topic, "another", &[]), world.ingest(&["--offsets", "0:0..6"])] {
        let refused = refused.expect_exit(78);
        for part in ["partition 0: offsets below 6", "fewer partitions", "send_again"] {
            assert!(refused.error().contains(part), "{part}: {refused:?}");
        }
    }
    assert_eq!(shown(&world, "ALFKI"), "newer\n");
    world.produce(&[customer("u", "ANATR", "of today", 91_000).at(0).message()]);
    assert_eq!(world.ingest(&["--offsets", "0:6..7"]).expect_exit(0).count("written"), 1);
}

/// It was replaced by another topic; more partitions do not make it the newer one.
#[test]
fn an_older_topic_that_grows_stays_the_older_one() {
    let world = World::with_topic("generation_older_grows", 1);
    let b = other(&world, "b", 1);
    world.produce(&updates("a", 5));
    world.ingest(&[]).expect_exit(0);
    world.produce_to(&b.table, &[update("ALFKI", "newer")]);
    b.ingest(&world, &[]).expect_exit(0);
    world.add_partitions(3);
    let refused = world.ingest_from(&world.topic, "another", &[]).expect_exit(78);
    assert!(refused.error().contains("has since been read from"), "{refused:?}");
    assert_eq!(shown(&world, "ALFKI"), "newer\n");
    b.ingest(&world, &[]).expect_exit(0);
}

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
    world.produce(&updates("a", 10));
    let mut writer = world.start_ingest(&["--stop-at", "read"]);
    wait_until_frozen(&mut writer, "read");
    let b = other(&world, "b", 1);
    world.produce_to(&b.table, &updates("b", 3));
    let refused = b.ingest(&world, &[]).expect_exit(75);
    for part in ["dim_customers", "ingest-customers run", "nothing was done"] {
        assert!(refused.error().contains(part), "{part}: {}", refused.error());
    }
    assert_eq!(world.number("SELECT count() FROM northwind_ops.generations"), 1);
    // Another group of the same topic needs no number.
    let group = format!("{}.second", world.group);
    world.ingest_from(&world.topic, &group, &[]).expect_exit(0);
    crate::support::signal(&writer, "CONT");
    outcome(writer).expect_exit(0);
    assert_eq!(generation(&b.ingest(&world, &[]).expect_exit(0)), 2);
}
