//! Which rows a TRUNCATE removes when the log is not one straight line: another timeline of the source, repaired rows, partitions
//! that were added, topics that came later or stand side by side.

use serde_json::json;

use crate::support::event::{Event, customer, edited, truncate, version};
use crate::support::lineage::other;
use crate::support::{Message, World, kill, outcome, wait_for};

const T0: i64 = 1_795_375_659_250;
const HOUR: i64 = 3_600_000;

/// A customer's insert, committed so many milliseconds after the first.
fn at(id: &str, lsn: u64, after_ms: i64, partition: i32) -> Message {
    let event: Event = customer("c", id, &format!("at {lsn}"), lsn).at(partition);
    edited(&event, |value| value["source"]["ts_ms"] = json!(T0 + after_ms))
}

fn truncate_at(partition: i32, lsn: u64, after_ms: i64) -> Message {
    let message = truncate(partition, lsn);
    let mut value: serde_json::Value = serde_json::from_slice(message.value.as_deref().unwrap()).unwrap();
    value["source"]["ts_ms"] = json!(T0 + after_ms);
    Message { value: Some(value.to_string().into_bytes()), ..message }
}

/// The source was restored and has lower LSNs; the topic stayed. The truncate of before concerns nothing of after.
#[test]
fn a_truncate_of_another_timeline_removes_no_newer_row() {
    let world = World::with_topic("timeline", 2);
    world.produce(&[at("ALFKI", 1000, 0, 0), truncate_at(0, 1100, 0)]);
    world.ingest(&[]).expect_exit(0);
    assert_eq!(world.customers(), "");
    world.produce(&[at("ANATR", 500, HOUR, 0), at("ANTON", 510, HOUR, 1)]);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("truncated_rows")), (2, 0));
    assert_eq!(world.customers(), "ANATR\tat 500\nANTON\tat 510\n");
    // A row that was repaired stays, too, however often something is inserted.
    let repaired = format!(
        "INSERT INTO northwind_dw.dim_customers (customer_id, company_name, op, _version, _lsn, _source_ts_ms, _partition, _offset)
         VALUES ('AROUT', 'repaired', 'r', {}, 520, {}, -1, 0)",
        (1_u64 << 52) + 1,
        T0 + HOUR
    );
    world.clickhouse(&repaired);
    world.produce(&[at("ALFKI", 530, HOUR, 0)]);
    world.ingest(&[]).expect_exit(0);
    assert_eq!(world.customers(), "ALFKI\tat 530\nANATR\tat 500\nANTON\tat 510\nAROUT\trepaired\n");
}

/// Both sides of the restore are unread: one run reads them all, whichever partition comes first.
#[test]
fn both_sides_of_a_restore_are_read_at_once() {
    for sizes in [[1, 3], [3, 1]] {
        let world = World::with_topic("timeline_both", 2);
        let filler = |partition, count: usize| {
            (0..count).map(move |i| at(["BERGS", "BLAUS", "BOLID"][i], 600 + i as u64, HOUR, partition))
        };
        let mut messages = vec![at("ALFKI", 1000, 0, 0), at("ANATR", 1010, 0, 1), truncate_at(0, 1100, 1)];
        messages.extend([at("ALFKI", 500, HOUR, 0), at("ANTON", 510, HOUR, 1)]);
        messages.extend(filler(0, sizes[0]).chain(filler(1, sizes[1])).take(4));
        world.produce(&messages);
        world.ingest(&["--window-records", "2"]).expect_exit(0);
        let rows = world.customers();
        assert!(rows.starts_with("ALFKI\tat 500\nANTON\tat 510\nBERGS"), "{sizes:?}: {rows}");
    }
}

#[test]
fn an_older_row_of_another_partition_is_gone_also_a_day_later_and_with_a_clock_that_was_set_back() {
    let world = World::with_topic("timeline_clock", 3);
    world.produce(&[truncate_at(0, 1000, 0)]);
    world.ingest(&[]).expect_exit(0);
    // Read later; committed before, by the log; the clock was set back by half a minute in between.
    world.produce(&[at("ALFKI", 900, -HOUR, 1), at("ANATR", 950, 30_000, 1), at("ANTON", 1001, 31_000, 2)]);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("truncated_rows")), (3, 2));
    assert_eq!(world.customers(), "ANTON\tat 1001\n");
}

/// In its own partition the offset says it: an event behind the truncate stays, whatever its LSN.
#[test]
fn in_the_truncates_own_partition_the_offset_counts() {
    let world = World::with_topic("timeline_offset", 1);
    world.produce(&[at("ALFKI", 10, 0, 0), truncate_at(0, 20, 0), at("ANATR", 15, 0, 0)]);
    let outcome = world.ingest(&["--window-records", "1"]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("truncated_rows")), (2, 1));
    assert_eq!(world.customers(), "ANATR\tat 15\n");
    world.ingest(&["--offsets", "0:1..2"]).expect_exit(0);
    assert_eq!(world.customers(), "ANATR\tat 15\n");
}

/// The offset of a repaired row is that of an event before the truncate; its LSN and time say that it is newer.
#[test]
fn a_repair_of_an_old_offset_survives_the_truncates_window() {
    let world = World::with_topic("timeline_repair", 1);
    world.produce(&[at("ALFKI", 10, 0, 0), truncate_at(0, 20, 0)]);
    world.ingest(&[]).expect_exit(0);
    let repair = format!(
        "INSERT INTO northwind_dw.dim_customers (customer_id, company_name, op, _version, _lsn, _source_ts_ms, _partition, _offset)
         VALUES ('ALFKI', 'repaired', 'r', {}, 500, {}, 0, 0)",
        version(0) + 2,
        T0 + HOUR
    );
    world.clickhouse(&repair);
    for range in ["0:1..2", "0:0..2", "0:0..1"] {
        world.ingest(&["--offsets", range]).expect_exit(0);
        assert_eq!(world.customers(), "ALFKI\trepaired\n", "{range}");
    }
}

/// Between the truncate's production and its reading partitions were added, so rows of the same topic that it removes have a higher
/// generation than it.
#[test]
fn a_truncate_that_is_read_after_partitions_were_added_removes_nothing_behind_it() {
    let world = World::with_topic("timeline_added", 2);
    world.produce(&[at("ALFKI", 10, 0, 0), at("ANATR", 30, 0, 1)]);
    world.ingest(&[]).expect_exit(0);
    world.produce(&[truncate_at(0, 20, 0)]);
    world.add_partitions(4);
    world.produce(&[at("ANTON", 40, 0, 2), at("AROUT", 15, 0, 2)]);
    let outcome = world.ingest(&["--resume-from", "ledger"]).expect_exit(0);
    assert_eq!((outcome.count("truncates"), outcome.count("truncated_rows")), (1, 2), "ALFKI and AROUT: {outcome:?}");
    assert_eq!(world.customers(), "ANATR\tat 30\nANTON\tat 40\n");
}

/// A row that the connector sends again has no LSN of its own: where it had read to stands in `sequence`.
#[test]
fn rows_sent_again_around_a_truncate() {
    let world = World::with_topic("timeline_again", 2);
    let again = |id: &str, read: u64, partition| {
        let event = customer("r", id, &format!("read at {read}"), 0).at(partition);
        edited(&event, |value| {
            value["source"]["lsn"] = json!(null);
            value["source"]["sequence"] = json!(format!("[\"{read}\",\"{read}\"]"));
        })
    };
    world.produce(&[
        again("ALFKI", 10, 0),
        again("ANATR", 10, 1),
        truncate_at(0, 20, 0),
        again("ANTON", 30, 0),
        again("AROUT", 30, 1),
    ]);
    world.ingest(&["--window-records", "1"]).expect_exit(0);
    assert_eq!(world.customers(), "ANTON\tread at 30\nAROUT\tread at 30\n");
}

/// A truncate of a later topic: everything of the earlier one is gone. Side by side: nothing is.
#[test]
fn a_truncate_of_a_later_topic_removes_the_earlier_one_unless_they_are_side_by_side() {
    for side_by_side in [false, true] {
        let mut world = World::with_topic("timeline_topics", 1);
        world.produce(&[at("ALFKI", 5000, 0, 0), at("ANATR", 10, 0, 0)]);
        world.ingest(&[]).expect_exit(0);
        let b = other(&world, "b", 1);
        if side_by_side {
            world.environment.push(("SIDE_BY_SIDE".to_owned(), format!("{},{}", world.topic, b.topic)));
        }
        world.produce_to(&b.table, &[at("ANTON", 15, HOUR, 0), truncate_at(0, 20, HOUR), at("AROUT", 30, HOUR, 0)]);
        b.ingest(&world, &[]).expect_exit(0);
        let rest = if side_by_side { "ALFKI\tat 5000\nANATR\tat 10\n" } else { "" };
        assert_eq!(world.customers(), format!("{rest}AROUT\tat 30\n"));
        if side_by_side {
            // Rows of the first topic that are read now are not removed, either; its own truncates are its own.
            world.produce(&[at("ANATR", 12, 0, 0), at("BERGS", 13, 0, 0)]);
            world.ingest(&[]).expect_exit(0);
            assert_eq!(world.number("SELECT count() FROM northwind_dw.dim_customers FINAL"), 4);
            world.produce(&[truncate_at(0, 9000, 2 * HOUR)]);
            world.ingest(&[]).expect_exit(0);
            assert_eq!(world.customers(), "AROUT\tat 30\n");
        }
    }
}

/// What comes out of quarantine is judged by the same rule.
#[test]
fn a_replay_follows_the_same_rule() {
    let world = World::with_topic("timeline_replay", 2);
    world.produce(&[truncate_at(0, 1100, 0), at("NEW01", 1000, -HOUR, 1), at("NEW02", 500, HOUR, 1)]);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("rejected"), 2);
    world.insert_customers(&["NEW01", "NEW02"]);
    let outcome = world.replay(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("truncated_rows")), (2, 1));
    assert_eq!(world.customers(), "NEW02\tat 500\n");
}

/// A stored truncate and a table of any size: a window that writes a few rows reads a few rows.
#[test]
fn a_window_after_a_truncate_does_not_read_the_table() {
    let world = World::with_topic("timeline_cost", 2);
    world.produce(&[truncate_at(0, 1000, 0)]);
    world.ingest(&[]).expect_exit(0);
    world.clickhouse(&format!(
        "INSERT INTO northwind_dw.dim_customers (customer_id, company_name, _version, _lsn, _source_ts_ms, _partition, _offset)
         SELECT toString(number), 'x', {} + number * 256, 2000, {}, 1, number + 10 FROM numbers(300000)",
        version(10),
        T0 + HOUR
    ));
    // One that the truncate removes, one that it does not.
    world.produce(&[at("ALFKI", 900, 0, 1), at("ANATR", 3000, HOUR, 1)]);
    crate::support::clickhouse("SYSTEM FLUSH LOGS query_log");
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("truncated_rows")), (2, 1));
    crate::support::clickhouse("SYSTEM FLUSH LOGS query_log");
    let most = "SELECT argMax(query, read_rows), max(read_rows) FROM system.query_log
                WHERE type = 'QueryFinish' AND has(databases, 'northwind_dw') AND event_time > now() - 60
                  AND query LIKE '%dim_customers%' AND query NOT LIKE '%FROM numbers(%' AND query NOT LIKE '%system.query_log%' FORMAT TSVRaw";
    let most = world.clickhouse(most);
    let rows: u64 = most.trim().rsplit('\t').next().unwrap().parse().unwrap();
    assert!(rows < 100_000, "{most}");
    assert_eq!(
        world.number("SELECT count() FROM northwind_dw.dim_customers FINAL WHERE customer_id IN ('ALFKI', 'ANATR')"),
        1
    );
}

/// The marking is long; its run is killed; the next run waits for it instead of doing it beside it.
#[test]
fn marking_goes_on_without_its_run_and_the_next_one_finds_it() {
    let world = World::with_topic("timeline_kill", 1);
    world.produce(&[at("ALFKI", 10, 0, 0), at("ANATR", 10, 0, 0), at("ANTON", 10, 0, 0)]);
    world.ingest(&[]).expect_exit(0);
    // Whoever inserts waits ten seconds (a single sleep may not be so long): as a table would let it whose rows cannot be counted in two minutes.
    let slow = [0.9, 0.91, 0.92, 0.93].map(|seconds| format!("sleepEachRow({seconds})")).join(" + ");
    world.clickhouse(&format!("ALTER TABLE northwind_dw.dim_customers ADD COLUMN slow UInt8 DEFAULT {slow}"));
    world.produce(&[truncate_at(0, 20, 0)]);
    let marking = || {
        world.number(
            "SELECT count() FROM system.processes WHERE query LIKE 'INSERT INTO northwind_dw.dim_customers (`customer_id`, op,%'",
        )
    };
    let first = world.start_ingest(&[]);
    wait_for("the marking to begin", || marking() == 1);
    kill(first);
    let second = world.start_ingest(&[]);
    let mut most = 0;
    wait_for("the marking to end", || {
        most = most.max(marking());
        world.number("SELECT count() FROM northwind_ops.windows WHERE truncates = 1") == 1
    });
    let second = outcome(second).expect_exit(0);
    assert_eq!(most, 1, "two of them at once: {second:?}");
    assert_eq!(world.customers(), "");
    assert!(second.log.contains("still being marked"), "{}", second.log);
}

/// The source is another one than when the last window was closed: that is said, with what to do.
#[test]
fn a_source_with_another_identity_is_an_alarm() {
    let world = World::with_topic("timeline_identity", 1);
    world.produce(&[at("ALFKI", 10, 0, 0)]);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert!(!outcome.log.contains("system identifier"), "{}", outcome.log);
    let identity: String = world
        .postgres()
        .query_one(
            "SELECT (SELECT system_identifier FROM pg_control_system()) || '/' || (SELECT timeline_id FROM pg_control_checkpoint())",
            &[],
        )
        .unwrap()
        .get(0);
    let stored = "SELECT DISTINCT source_id FROM northwind_ops.windows";
    assert_eq!(world.clickhouse(stored), format!("{identity}\n"));
    assert_eq!(world.ingest(&[]).expect_exit(0).summary.get("source_changed"), None);

    world.clickhouse(
        "ALTER TABLE northwind_ops.windows UPDATE source_id = '4711/1' WHERE 1 SETTINGS mutations_sync = 1",
    );
    world.produce(&[at("ANATR", 5, HOUR, 0)]);
    let outcome = world.ingest(&[]).expect_exit(0);
    for part in ["4711/1", &identity, "check-reconcile", "send_again"] {
        assert!(outcome.log.contains(part), "{part}: {}", outcome.log);
        assert!(outcome.summary["source_changed"].to_string().contains(part), "{part}: {outcome:?}");
    }
    assert_eq!(world.customers(), "ALFKI\tat 10\nANATR\tat 5\n");
    assert_eq!(world.ingest(&[]).expect_exit(0).summary.get("source_changed"), None, "said once");
}
