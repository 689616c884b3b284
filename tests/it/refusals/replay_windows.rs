//! What a replay tells those who follow the ledger: where its rows stand, not all that lies between them.

use crate::support::event::{customer, row, truncate};
use crate::support::{Message, World, kill, wait_for};
use serde_json::json;

/// All order lines of the source, one event each; the lines at these places break the rule of the discount.
fn lines(world: &World, broken: &[usize]) -> Vec<Message> {
    let sql =
        "SELECT order_id::int8, product_id::int8, unit_price::text::float8, quantity::int8, discount::text::float8
               FROM order_details ORDER BY order_id, product_id";
    let found = world.postgres().query(sql, &[]).unwrap();
    let message = |(i, line): (usize, &postgres::Row)| {
        let key = json!({"order_id": line.get::<_, i64>(0), "product_id": line.get::<_, i64>(1)});
        let mut after = key.clone();
        after["unit_price"] = json!(line.get::<_, f64>(2));
        after["quantity"] = json!(line.get::<_, i64>(3));
        after["discount"] = json!(if broken.contains(&i) { 1.5 } else { line.get::<_, f64>(4) });
        row("u", "order_details", &key, &after, 10 + i as u64)
    };
    found.iter().enumerate().map(message).collect()
}

const REPLAYED: &str =
    "SELECT start_offset, end_offset, written, rejected FROM northwind_ops.windows WHERE mode = 'replay' ORDER BY ALL";

/// Two records, with the whole table between them: a build does two lines again, and a check looks at two.
#[test]
fn what_lies_between_the_records_of_a_replay_is_not_done_again() {
    let world = World::new("replay_between");
    world.create_topic_of("order_details", 1, &[]);
    let all = lines(&world, &[0, 1, 2154]);
    assert_eq!(all.len(), 2155);
    world.produce_to("order_details", &all);
    assert_eq!(world.ingest_table("order_details", &[]).expect_exit(0).count("rejected"), 3);
    let check = |job: &str| {
        let check = ["--prefix", &world.name, "--table", "order_details", "--wait", "0s", "--scope", "new"];
        world.run(job, &check)
    };
    assert_eq!(world.build(&[]).expect_exit(0).count("touched"), 2152);
    check("check-reconcile").expect_exit(0);

    let soften = ["--rule", "discount-limit=warn"];
    assert_eq!(world.replay(&soften).expect_exit(0).count("written"), 3);
    assert_eq!(world.clickhouse(REPLAYED), "0\t2\t2\t0\n2154\t2155\t1\t0\n");
    let tokens = "SELECT uniqExact(token), count() FROM northwind_ops.windows WHERE mode = 'replay'";
    assert_eq!(world.clickhouse(tokens), "2\t2\n", "each is a window of its own to those who take them up");
    let outcome = world.build(&[]).expect_exit(0);
    assert_eq!((outcome.count("windows"), outcome.count("touched")), (2, 3));
    let found = world.found(&check("check-reconcile").expect_exit(10));
    assert!(found.starts_with("3 rows in the source, 3 in the warehouse"), "{found}");
}

/// Killed between rows and books, or between books and quarantine: run again, every place is told of, once or twice.
#[test]
fn a_killed_replay_tells_of_every_group_when_it_is_run_again() {
    for point in ["rows-inserted", "ledger-written"] {
        let world = World::new("replay_between_killed");
        world.create_topic_of("order_details", 1, &[]);
        world.produce_to("order_details", &lines(&world, &[0, 2154])[..]);
        world.ingest_table("order_details", &[]).expect_exit(0);
        world.build(&[]).expect_exit(0);
        let soften = ["--rule", "discount-limit=warn"];
        kill(world.frozen_at(point, "replay-rejected", &soften));
        wait_for("the dead run's lock", || world.replay(&soften).exit == 0);
        let told = REPLAYED.replace("SELECT", "SELECT DISTINCT");
        assert_eq!(world.clickhouse(&told), "0\t1\t1\t0\n2154\t2155\t1\t0\n", "{point}");
        assert_eq!(world.build(&[]).expect_exit(0).count("touched"), 2, "{point}");
    }
}

/// However scattered the records are: a batch writes a hundred windows at most, and every record stands in one of them.
#[test]
fn a_scattered_batch_closes_a_bounded_number_of_windows() {
    let world = World::new("replay_scattered");
    world.create_topic_of("order_details", 1, &[]);
    let every_fifth: Vec<usize> = (0..2155).step_by(5).collect();
    world.produce_to("order_details", &lines(&world, &every_fifth));
    let refused = world.ingest_table("order_details", &[]).expect_exit(0).count("rejected");
    assert_eq!(refused, every_fifth.len() as i64);
    world.build(&[]).expect_exit(0);
    // Row 1 was there and was removed: the server still knows its token.
    let topic = world.topic_of("order_details");
    world.clickhouse(&format!(
        "INSERT INTO northwind_ops.windows (source, topic, stream, seq, mode) SETTINGS insert_deduplication_token = 'order_details//{topic}/-1/1'
         VALUES ('order_details', '{topic}', -1, 1, 'replay')"
    ));
    world.clickhouse("ALTER TABLE northwind_ops.windows DELETE WHERE stream = -1 SETTINGS mutations_sync = 1");
    assert_eq!(world.replay(&["--rule", "discount-limit=warn"]).expect_exit(0).count("written"), refused);
    crate::support::clickhouse("SYSTEM FLUSH LOGS query_log");
    let inserts = "SELECT max(written_rows), countIf(written_rows > 0) FROM system.query_log
                   WHERE type = 'QueryFinish' AND query_kind = 'Insert' AND has(tables, 'northwind_ops.windows') AND event_time > now() - 300";
    assert_eq!(
        world.clickhouse(inserts),
        "100\t5\n",
        "origin, window, the removed row, all windows of the batch, twice: the first time the token is known"
    );
    let numbers = "SELECT min(seq), max(seq), uniqExact(seq) FROM northwind_ops.windows WHERE mode = 'replay'";
    assert_eq!(world.clickhouse(numbers), "1\t100\t100\n");
    let windows = "SELECT count(), sum(written), min(start_offset), max(end_offset) FROM northwind_ops.windows WHERE mode = 'replay'";
    assert_eq!(world.clickhouse(windows), format!("100\t{refused}\t0\t2151\n"));
    let outside = "SELECT count() FROM northwind_ops.rejected FINAL
                   WHERE NOT arrayExists(w -> offset >= w.1 AND offset < w.2,
                       (SELECT groupArray((start_offset, end_offset)) FROM northwind_ops.windows WHERE mode = 'replay'))";
    assert_eq!(world.number(outside), 0);
    assert_eq!(world.build(&[]).expect_exit(0).count("windows"), 100);
}

/// The marks of a TRUNCATE stand at an offset of the window that made them, whatever was refused again before it.
#[test]
fn the_marks_of_a_truncate_stand_in_a_window() {
    let world = World::with_topic("replay_marks", 2);
    let new = |id: &str, lsn: u64| customer("c", id, "new", lsn).message();
    let filler: Vec<Message> = (0..5).map(|i| customer("u", "ALFKI", "fine", 100 + i).message()).collect();
    world.produce(&[vec![new("NEVER", 60)], filler, vec![new("GONE1", 20), truncate(1, 50)]].concat());
    world.ingest(&["--offsets", "0:0..7"]).expect_exit(0);
    world.ingest(&["--offsets", "1:0..1"]).expect_exit(0);
    for batch in ["10000", "1"] {
        world.replay(&["--batch-records", batch]).expect_exit(0);
    }
    assert_eq!(world.clickhouse(REPLAYED), "6\t7\t1\t0\n");
    let mark = "SELECT customer_id, _partition, _offset FROM northwind_dw.dim_customers WHERE op = 't'";
    assert_eq!(world.clickhouse(mark), "GONE1\t0\t6\n");
}
