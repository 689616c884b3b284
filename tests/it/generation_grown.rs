//! A topic that got more partitions: a lineage of its own, of which only the part is read that was not read before.

use crate::generation::{other, shown, update, updates};
use crate::support::World;
use crate::support::event::customer;

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
    let dry = world.ingest(&["--resume-from", "log-start", "--dry-run"]).expect_exit(78);
    let stopped = world.ingest(&["--resume-from", "log-start"]).expect_exit(78);
    assert_eq!(dry.error(), stopped.error(), "a dry run says what the run would say");
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
