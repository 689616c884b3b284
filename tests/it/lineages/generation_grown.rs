//! A topic that got more partitions is a lineage of its own. An offset keeps the number that it was first read under, whoever reads it
//! again: offsets of two partitions do not say which change came first.

use serde_json::json;

use crate::support::checks::Checked;
use crate::support::event::{KNOWN, UNAVAILABLE, customer, updates};
use crate::support::lineage::{generation, other, shown, taken, update};
use crate::support::{Message, Outcome, World, go_on};

fn at(partition: i32, id: &str, name: &str) -> Message {
    customer("u", id, name, 90_000).at(partition).message()
}

/// Offsets that stand under more than one number.
fn ambiguous(world: &World) -> i64 {
    world.number(
        "SELECT count() FROM (SELECT _offset FROM northwind_dw.dim_customers GROUP BY _partition, _offset
                              HAVING uniqExact(bitShiftRight(_version, 52)) > 1)",
    )
}

/// As the second of these groups does: it is behind, and finds its topic grown.
fn read_by_two_groups(test: &str) -> World {
    let world = World::with_topic(test, 1);
    world.produce(&updates(&KNOWN, "old ", 0..6));
    world.ingest_from(&world.topic, &behind(&world), &["--max-records", "2"]).expect_exit(0);
    world.ingest(&[]).expect_exit(0);
    world.add_partitions(3);
    world.produce(&[at(1, "ALFKI", "newer"), at(0, "ANATR", "newer, too")]);
    world.ingest(&[]).expect_exit(78);
    assert_eq!(world.ingest(&["--resume-from", "ledger"]).expect_exit(0).count("written"), 2);
    world
}

fn behind(world: &World) -> String {
    format!("{}.behind", world.group)
}

fn show_the_newest(world: &World) {
    assert_eq!((shown(world, "ALFKI"), shown(world, "ANATR")), ("newer\n".to_owned(), "newer, too\n".to_owned()));
}

#[test]
fn what_was_read_before_partitions_were_added_does_not_win_again() {
    let world = read_by_two_groups("grown_again");
    let new = format!("{}.new", world.group);
    for (group, args) in
        [(world.group.as_str(), &["--offsets", "0:0..6"][..]), (&world.group, &["--from-beginning"]), (&new, &[])]
    {
        world.ingest_from(&world.topic, group, args).expect_exit(0);
        show_the_newest(&world);
        assert_eq!(ambiguous(&world), 0);
    }
    assert_eq!(taken(&world), "1\tA\t1\n2\tA\t3\n");
}

/// However the group that is behind answers, the newest rows show; with `ledger` it reads exactly what it has not read.
#[test]
fn a_group_that_is_behind_may_give_every_answer() {
    for (answer, written) in [("ledger", 6), ("committed", 6), ("log-start", 8), ("log-end", 1)] {
        let world = read_by_two_groups(&format!("grown_behind_{}", answer.replace('-', "_")));
        world.ingest_from(&world.topic, &behind(&world), &[]).expect_exit(78);
        let done = world.ingest_from(&world.topic, &behind(&world), &["--resume-from", answer]);
        assert_eq!((generation(&done), done.expect_exit(0).count("written")), (2, written), "{answer}");
        show_the_newest(&world);
    }
}

/// With three times as many partitions no key moves into one that was there: what is unread there is older than what stands in the added ones.
#[test]
fn what_was_unread_when_partitions_were_added_does_not_win() {
    for answer in ["ledger", "log-start"] {
        let world = World::with_topic(&format!("grown_unread_{}", answer.replace('-', "_")), 1);
        world.produce(&updates(&KNOWN, "old ", 0..2));
        world.ingest(&[]).expect_exit(0);
        world.produce(&[update("AROUT", "unread"), update("ALFKI", "older, unread")]);
        world.add_partitions(3);
        world.produce(&[at(1, "ALFKI", "newest")]);
        let dry = world.ingest(&["--resume-from", answer, "--dry-run"]).expect_exit(0);
        let done = world.ingest(&["--resume-from", answer]).expect_exit(0);
        assert_eq!((generation(&dry), generation(&done)), (2, 2));
        assert_eq!((shown(&world, "ALFKI"), shown(&world, "AROUT")), ("newest\n".to_owned(), "unread\n".to_owned()));
        world.produce(&[update("AROUT", "of today")]);
        world.ingest(&[]).expect_exit(0);
        assert_eq!(shown(&world, "AROUT"), "of today\n");
    }
}

/// The longer partition is not read first: the value that the placeholder stands for has to be there.
#[test]
fn an_unchanged_value_is_that_of_the_unread_change_before_partitions_were_added() {
    let world = World::with_topic("grown_unchanged", 1);
    let moves_to = |address: &str, name: &str| customer("u", "ALFKI", name, 10).set("address", json!(address));
    world.produce(&[moves_to("old", "v1").message()]);
    world.ingest(&[]).expect_exit(0);
    world.produce(&[moves_to("new", "v2").message()]);
    world.add_partitions(2);
    world.produce(&[moves_to(UNAVAILABLE, "v3").at(1).message(), at(1, "ANATR", "v1")]);
    world.ingest(&["--resume-from", "ledger"]).expect_exit(0);
    let address = "SELECT company_name, address FROM northwind_dw.dim_customers FINAL WHERE customer_id = 'ALFKI'";
    assert_eq!(world.clickhouse(address), "v3\tnew\n");
}

/// From two partitions to three, keys also move between the old two: of what is unread there nobody knows the order.
#[test]
fn unread_offsets_whose_order_nobody_knows_are_skipped_and_sent_again() {
    let world = World::with_topic("grown_unordered", 2);
    world.produce(&[at(0, "ALFKI", "v1"), at(1, "ANATR", "v1")]);
    world.ingest(&[]).expect_exit(0);
    world.produce(&[at(0, "ALFKI", "v2"), at(0, "ALFKI", "v3")]);
    world.add_partitions(3);
    world.produce(&[at(1, "ALFKI", "v4"), at(2, "ANTON", "new")]);
    let before = world.end_state(3);
    for args in [&[][..], &["--resume-from", "ledger"], &["--resume-from", "log-start"], &["--dry-run"]] {
        for group in [world.group.clone(), format!("{}.new", world.group)] {
            let stop = world.ingest_from(&world.topic, &group, args).expect_exit(78);
            for part in
                ["partition 0: 1..3", "partition 1: 1..2", "--resume-from log-end", "send_again('public.customers')"]
            {
                assert!(stop.error().contains(part), "{part}: {stop:?}");
            }
        }
    }
    assert_eq!((world.end_state(3), taken(&world)), (before, "1\tA\t2\n".to_owned()), "a stop takes no number");
    let done = world.ingest(&["--resume-from", "log-end"]).expect_exit(0);
    assert_eq!((done.count("written"), shown(&world, "ANTON")), (1, "new\n".to_owned()), "the added one is read");
    world.produce(&[at(1, "ALFKI", "v4, sent again")]);
    world.ingest(&[]).expect_exit(0);
    world.ingest_from(&world.topic, &format!("{}.new", world.group), &[]).expect_exit(0);
    assert_eq!(shown(&world, "ALFKI"), "v4, sent again\n", "what was skipped has the lower number for everybody");
}

/// Something is written to an old partition while the run waits for its number.
fn busy_while_the_number_is_taken(test: &str, answer: &str) -> (World, Outcome) {
    let world = World::with_topic(test, 2);
    world.produce(&[at(0, "ANATR", "v1"), at(1, "ALFKI", "v1"), at(1, "ALFKI", "v2")]);
    world.ingest(&[]).expect_exit(0);
    world.add_partitions(3);
    let run = world.ingest_frozen_at("number-wanted", &["--resume-from", answer]);
    world.produce(&[at(0, "ALFKI", "moved")]);
    (world, go_on(run))
}

/// What it skips ends where the number begins, not where the log ended before.
#[test]
fn log_end_skips_all_that_has_the_lower_number() {
    let (world, done) = busy_while_the_number_is_taken("grown_busy_log_end", "log-end");
    done.expect_exit(0);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("windows"), 0, "it was skipped");
    world.produce(&[at(0, "ALFKI", "sent again")]);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("written"), 1);
    assert_eq!((shown(&world, "ALFKI"), ambiguous(&world)), ("sent again\n".to_owned(), 0));
}

/// Nothing was unread when the run began; the question counts that is asked when the number is taken.
#[test]
fn what_comes_while_the_number_is_taken_is_unread() {
    let (world, stop) = busy_while_the_number_is_taken("grown_busy_unread", "ledger");
    let stop = stop.expect_exit(78);
    assert!(stop.error().contains("partition 0: 1..2"), "{stop:?}");
    assert_eq!(taken(&world), "1\tA\t2\n");
}

/// A group that has read nothing would skip nothing.
#[test]
fn a_new_group_does_not_answer_for_the_one_that_reads() {
    let world = World::with_topic("grown_new_answers", 2);
    world.produce(&[at(0, "ANATR", "v1"), at(1, "ALFKI", "v1"), at(1, "ALFKI", "v2")]);
    world.ingest(&[]).expect_exit(0);
    world.produce(&[at(1, "ANTON", "unread")]);
    world.add_partitions(3);
    world.produce(&[at(0, "ALFKI", "moved")]);
    let new = |args: &[&str]| world.ingest_from(&world.topic, &format!("{}.new", world.group), args);
    let stop = new(&["--resume-from", "log-end"]).expect_exit(78);
    assert!(stop.error().contains("let the group that reads it answer first"), "{stop:?}");
    assert_eq!(taken(&world), "1\tA\t2\n");
    world.ingest(&["--resume-from", "log-end"]).expect_exit(0);
    world.produce(&[at(0, "ALFKI", "sent again")]);
    new(&[]).expect_exit(0);
    assert_eq!(shown(&world, "ALFKI"), "sent again\n");
}

/// Everything was read: nothing is out of order, however many partitions there are.
#[test]
fn with_nothing_unread_any_number_of_partitions_may_be_added() {
    let world = World::with_topic("grown_all_read", 2);
    world.produce(&[at(0, "ALFKI", "v1"), at(1, "ANATR", "v1")]);
    world.ingest(&[]).expect_exit(0);
    world.add_partitions(3);
    world.ingest(&["--resume-from", "ledger"]).expect_exit(0);
    world.produce(&[at(1, "ALFKI", "v2"), at(2, "ANATR", "v2")]);
    world.ingest(&[]).expect_exit(0);
    assert_eq!(world.customers(), "ALFKI\tv2\nANATR\tv2\n");
}

/// What another group has skipped was read by nobody: whoever reads it writes it.
#[test]
fn what_another_group_skipped_is_not_lost() {
    let world = World::with_topic("grown_skipped", 1);
    let reading = format!("{}.reading", world.group);
    let read = |args: &[&str]| world.ingest_from(&world.topic, &reading, args).expect_exit(0);
    world.produce(&updates(&KNOWN, "old ", 0..3));
    read(&[]);
    world.ingest(&[]).expect_exit(0);
    world.produce(&[update("BERGS", "unread")]);
    world.commit_of("customers", 0, 1, "");
    world.ingest(&["--resume-from", "log-end"]).expect_exit(0);
    world.add_partitions(3);
    assert_eq!(read(&["--resume-from", "ledger"]).count("written"), 1);
    assert_eq!(shown(&world, "BERGS"), "unread\n");
}

/// It was replaced by another topic; more partitions do not make it the newer one.
#[test]
fn an_older_topic_that_grows_stays_the_older_one() {
    let world = World::with_topic("generation_older_grows", 1);
    let b = other(&world, "b", 1);
    world.produce(&updates(&KNOWN, "a ", 0..5));
    world.ingest(&[]).expect_exit(0);
    world.produce_to(&b.table, &[update("ALFKI", "newer")]);
    b.ingest(&world, &[]).expect_exit(0);
    world.add_partitions(3);
    let refused = world.ingest_from(&world.topic, "another", &[]).expect_exit(78);
    assert!(refused.error().contains("has since been read from"), "{refused:?}");
    assert_eq!(shown(&world, "ALFKI"), "newer\n");
    b.ingest(&world, &[]).expect_exit(0);
}

/// The books know no number of it, the ledger knows how it grew: each of its lineages takes one, killed in between or not.
#[test]
fn a_grown_topic_in_a_table_that_is_made_anew_is_read_in_its_order() {
    let world = read_by_two_groups("grown_anew");
    world.clickhouse("RENAME TABLE northwind_dw.dim_customers TO northwind_dw.before");
    world.clickhouse("ALTER TABLE northwind_ops.generations DELETE WHERE 1 SETTINGS mutations_sync = 1");
    world.run("migrate", &[]).expect_exit(0);
    world.kill_at("generation-taken", &["--from-beginning"]);
    assert_eq!(taken(&world), "1\tA\t1\n");
    let done = world.ingest(&["--from-beginning"]).expect_exit(0);
    assert_eq!((generation(&done), done.count("written")), (2, 8));
    assert_eq!(taken(&world), "1\tA\t1\n2\tA\t3\n");
    show_the_newest(&world);
}

/// The plan's command mends what was read before partitions were added.
#[test]
fn the_plan_of_a_grown_topic_mends() {
    let shop = Checked::new("grown_plan", &["customers"]);
    shop.world.add_partitions(3);
    shop.world.ingest(&["--resume-from", "ledger"]).expect_exit(0);
    shop.tamper("ALTER TABLE northwind_dw.dim_customers DELETE WHERE customer_id IN ('ALFKI', 'ANATR')");
    let table = ["--table", "customers"];
    let plan = shop.reconcile(&[&table[..], &["--plan"]].concat()).expect_exit(0);
    assert_eq!((plan.count("in_log"), plan.count("to_repair")), (2, 0));
    let command = plan.stdout.lines().find(|line| line.starts_with("  ingest-customers")).unwrap().trim().to_owned();
    let flags: Vec<&str> = command.split(' ').skip(1).collect();
    shop.world.ingest(&flags).expect_exit(0);
    shop.reconcile(&table).expect_exit(0);
}
