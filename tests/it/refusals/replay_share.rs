//! A replay looks at a bounded number of records. However many wait in one table or for one rule: every table, every rule and every
//! record has its turn.

use crate::support::event::{customer, raw, row};
use crate::support::{Message, World};
use serde_json::json;

fn customers(ids: std::ops::Range<u64>) -> impl Iterator<Item = Message> {
    ids.map(|i| customer("c", &format!("NEW{i:02}"), "x", 10 + i).message())
}

fn poison(count: usize) -> Vec<Message> {
    vec![raw(0, None, b"poison"); count]
}

fn small(table: &str, key: &str, count: i64) -> Vec<Message> {
    let message = |i: i64| {
        let id = json!({key: 700 + i});
        let mut after = id.clone();
        after["company_name"] = json!("x");
        row("c", table, &id, &after, 10)
    };
    (0..count).map(message).collect()
}

/// Attempts so far: table, rule, attempts, records.
fn attempts(world: &World) -> String {
    world.clickhouse("SELECT table, rule, attempt, count() FROM northwind_ops.rejected FINAL GROUP BY ALL ORDER BY ALL")
}

/// Three tables: thirty records of customers, 27 of them for one rule; ten shippers, two suppliers.
fn three_tables(test: &str) -> World {
    let world = World::with_topic(test, 1);
    world.create_topic_of("shippers", 1, &[]);
    world.create_topic_of("suppliers", 1, &[]);
    world.produce(&customers(0..27).chain(poison(3)).collect::<Vec<_>>());
    world.produce_to("shippers", &small("shippers", "shipper_id", 10));
    world.produce_to("suppliers", &small("suppliers", "supplier_id", 2));
    for (table, refused) in [("customers", 30), ("shippers", 10), ("suppliers", 2)] {
        assert_eq!(world.ingest_table(table, &[]).expect_exit(0).count("rejected"), refused, "{table}");
    }
    world
}

#[test]
fn a_large_table_or_rule_keeps_no_other_waiting() {
    let world = three_tables("replay_share");
    let outcome = world.replay(&["--max-records", "15"]).expect_exit(0);
    assert_eq!((outcome.count("replayed"), outcome.count("remaining")), (15, 27));
    let expected = "customers\tdecode\t2\t3\ncustomers\tnot-in-postgres\t1\t23\ncustomers\tnot-in-postgres\t2\t4\n\
                    shippers\tnot-in-postgres\t1\t4\nshippers\tnot-in-postgres\t2\t6\nsuppliers\tnot-in-postgres\t2\t2\n";
    assert_eq!(attempts(&world), expected);
    // Whoever was tried least comes first, so everybody's turn comes.
    for _ in 0..6 {
        assert_eq!(world.replay(&["--max-records", "15"]).expect_exit(0).count("replayed"), 15);
    }
    assert_eq!(
        world.number("SELECT countIf(attempt = 1) FROM northwind_ops.rejected FINAL"),
        0,
        "{}",
        attempts(&world)
    );
    // If all fit, all are looked at.
    let before = world.number("SELECT sum(attempt) FROM northwind_ops.rejected FINAL");
    let outcome = world.replay(&["--max-records", "42"]).expect_exit(0);
    assert_eq!((outcome.count("replayed"), outcome.count("remaining")), (42, 0));
    assert_eq!(world.number("SELECT sum(attempt) FROM northwind_ops.rejected FINAL"), before + 42);
}

/// The share of a rule is taken in batches, and from several partitions, in the log's order.
#[test]
fn a_share_may_take_many_batches_and_partitions() {
    let world = World::with_topic("replay_share_parts", 3);
    for partition in 0..3 {
        let of_customers = customers(0..10).map(|message| message.at(partition));
        let of_poison = poison(10).into_iter().map(|message| message.at(partition));
        world.produce(&of_customers.chain(of_poison).collect::<Vec<_>>());
    }
    assert_eq!(world.ingest(&[]).expect_exit(0).count("rejected"), 60);
    for (run, twice) in [(1, 20), (2, 40), (3, 60)] {
        let outcome = world.replay(&["--max-records", "20", "--batch-records", "3"]).expect_exit(0);
        assert_eq!(outcome.count("replayed"), 20);
        let by_rule = "SELECT countIf(attempt = 2), countIf(attempt > 2) FROM northwind_ops.rejected FINAL";
        assert_eq!(world.clickhouse(by_rule), format!("{twice}\t0\n"), "run {run}:\n{}", attempts(&world));
    }
    let outcome =
        world.replay(&["--max-records", "7", "--only-rule", "decode", "--attempts-below", "3"]).expect_exit(0);
    assert_eq!(outcome.count("replayed"), 7);
    assert_eq!(world.number("SELECT countIf(attempt = 3 AND rule = 'decode') FROM northwind_ops.rejected FINAL"), 7);
}
