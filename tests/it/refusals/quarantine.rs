//! `rejected`: a list for people and counts for machines, one record whole, and old closed ones thrown away.

use crate::support::event::{customer, raw};
use crate::support::{Message, Outcome, World};
use serde_json::json;

fn rejected(world: &World, args: &[&str]) -> Outcome {
    world.run("rejected", args)
}

/// Three open records: two rows that PostgreSQL does not have, one that is no text.
fn with_rejects(test: &str) -> (World, String) {
    let world = World::with_topic(test, 1);
    let headers = vec![("origin".to_owned(), "a \u{1b}[31mtest".to_owned())];
    let poison = Message { headers, ..raw(0, Some("k\u{7}"), &[0xff, 0x00, 0x41]) };
    world.produce(&[customer("c", "NEW01", "first", 291).message(), poison]);
    let run = world.ingest(&[]).expect_exit(0).run().to_owned();
    world.produce(&[customer("c", "NEW02", "second", 20).message()]);
    world.ingest(&[]).expect_exit(0);
    (world, run)
}

#[test]
fn open_records_are_listed_and_counted() {
    let (world, run) = with_rejects("rejected_list");
    let outcome = rejected(&world, &[]).expect_exit(0);
    assert_eq!((outcome.count("records"), outcome.count("listed")), (3, 3));
    assert_eq!(outcome.summary["by_rule"], json!({"decode": 1, "not-in-postgres": 2}));
    assert_eq!(outcome.summary["by_table"], json!({"customers": 3}));
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert!(lines[0].starts_with("table "), "{}", outcome.stdout);
    assert!(lines[1].starts_with("customers ") && lines[1].contains(" 0:2 NEW02 "), "the newest first: {}", lines[1]);
    assert_eq!(lines[2], "    customers \"NEW02\" is NOT in Postgres");
    assert_eq!(lines.len(), 1 + 2 * 3 + 1);

    let now = chrono::Utc::now().to_rfc3339();
    for (args, records) in [
        (&["--rule", "not-in-postgres"][..], 2),
        (&["--rule", "decode,not-in-postgres"], 3),
        (&["--table", "orders"], 0),
        (&["--table", "orders,customers"], 3),
        (&["--topic", &world.topic], 3),
        (&["--topic", "elsewhere"], 0),
        (&["--run", &run], 2),
        (&["--since", "1h", "--until", &now], 3),
        (&["--since", &now], 0),
        (&["--attempts", "1"], 3),
        (&["--attempts", "2"], 0),
        (&["--status", "resolved"], 0),
        (&["--status", "all"], 3),
    ] {
        let outcome = rejected(&world, args).expect_exit(0);
        assert_eq!(outcome.count("records"), records, "{args:?}");
    }
    let outcome = rejected(&world, &["--limit", "1"]).expect_exit(0);
    assert_eq!((outcome.count("records"), outcome.count("listed")), (3, 1));
    assert!(rejected(&world, &["--table", "orders"]).stdout.starts_with("no such record in quarantine\n"));

    world.insert_customers(&["NEW01"]);
    world.replay(&[]).expect_exit(0);
    assert_eq!(rejected(&world, &[]).count("records"), 2);
    assert_eq!(rejected(&world, &["--attempts", "2"]).count("records"), 2);
    assert_eq!(rejected(&world, &["--status", "resolved"]).count("records"), 1);
    for args in [&["--table", "unicorns"][..], &["--status", "lost"], &["--since", "soon"], &["--show", "0"]] {
        rejected(&world, args).expect_exit(2);
    }
}

#[test]
fn one_record_is_shown_whole() {
    let (world, _) = with_rejects("rejected_show");
    let shown = |args: &[&str]| rejected(&world, args).expect_exit(0).stdout;
    let text = shown(&["--table", "customers", "--show", "0:0"]);
    let value = customer("c", "NEW01", "first", 291).value().to_string();
    for line in [
        "place             partition 0, offset 0".to_owned(),
        "LSN               291 (0/123)".to_owned(),
        "status            open, 1 attempts".to_owned(),
        "rule              not-in-postgres".to_owned(),
        "row key           NEW01".to_owned(),
        r#"key               {"customer_id":"NEW01"}"#.to_owned(),
        format!("value             {value}"),
        format!("version           {} (generation 1)", 1_u64 << 52),
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    let text = shown(&["--topic", &world.topic, "--show", "0:1"]);
    for line in [
        "value             3 bytes that are no UTF-8: ff0041",
        "key               k\\u{7}",
        "LSN               not readable",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    assert!(text.contains("a \\u001b[31mtest") && !text.contains('\u{1b}'), "{text}");
    for (args, why) in [
        (&["--show", "0:0"][..], "--show 0:0 needs --table or --topic"),
        (&["--table", "customers", "--show", "0:7"], "the quarantine has no such record"),
        (&["--table", "customers", "--show", "0:0", "--prune", "1d"], "cannot be used with"),
    ] {
        let outcome = rejected(&world, args).expect_exit(2);
        assert!(outcome.log.contains(why), "{args:?}: {}", outcome.log);
    }
}

#[test]
fn only_closed_records_that_are_old_enough_are_removed() {
    let (world, _) = with_rejects("rejected_prune");
    world.clickhouse("ALTER TABLE northwind_ops.rejected MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1, max_bytes_to_merge_at_min_space_in_pool = 1");
    world.insert_customers(&["NEW01"]);
    world.produce(&[customer("c", "NEW03", "third", 30).message()]);
    world.ingest(&[]).expect_exit(0);
    world.replay(&[]).expect_exit(0);
    world.produce(&[customer("u", "NEW02", "newer", 40).message()]);
    world.insert_customers(&["NEW02"]);
    world.ingest(&[]).expect_exit(0);
    world.replay(&[]).expect_exit(0);
    let before = "0\tnot-in-postgres\t2\tresolved\n1\tdecode\t3\topen\n2\tnot-in-postgres\t3\tsuperseded\n3\tnot-in-postgres\t3\topen\n";
    assert_eq!(world.attempts(), before);

    assert_eq!(rejected(&world, &["--prune", "90d"]).expect_exit(0).count("pruned"), 0);
    rejected(&world, &["--prune", "90d", "--status", "open"]).expect_exit(2);
    assert_eq!(world.attempts(), before);
    // The open rows of earlier attempts, which no merge has removed yet, go with the record that hides them.
    assert!(world.number("SELECT count() FROM northwind_ops.rejected WHERE offset IN (0, 2) AND status = 'open'") > 0);
    assert_eq!(rejected(&world, &["--prune", "0s", "--status", "resolved"]).expect_exit(0).count("pruned"), 1);
    let open = "1\tdecode\t3\topen\n3\tnot-in-postgres\t3\topen\n";
    assert_eq!(
        world.attempts(),
        format!("1\tdecode\t3\topen\n2\tnot-in-postgres\t3\tsuperseded\n3\tnot-in-postgres\t3\topen\n")
    );
    assert_eq!(rejected(&world, &["--prune", "0s"]).expect_exit(0).count("pruned"), 1);
    assert_eq!(world.attempts(), open);
    assert_eq!(world.number("SELECT countIf(offset IN (0, 2)) FROM northwind_ops.rejected"), 0, "for good");
    assert_eq!(rejected(&world, &["--prune", "0s"]).expect_exit(0).count("pruned"), 0);
}

/// However many records there are, and wherever they stand: a few statements, and no memory.
#[test]
fn fifty_thousand_closed_records_are_removed_in_a_few_statements() {
    let world = World::new("rejected_prune_many");
    let insert = |attempt: u32, status: &str, records: u32| {
        world.clickhouse(&format!(
            "INSERT INTO northwind_ops.rejected (table, topic, topic_id, partition, offset, payload, rule, attempt, status, rejected_at)
             SELECT 'customers', 'topic' || toString(number % 20), 'id', number % 50, number, 'x', 'decode', {attempt}, '{status}', now64(3) - INTERVAL 1 DAY
             FROM numbers({records})"
        ));
    };
    world.clickhouse("SYSTEM STOP MERGES northwind_ops.rejected");
    insert(1, "open", 60_000);
    insert(2, "resolved", 50_000);
    insert(2, "open", 100); // a run that closed them and one that refused them again, at the same time
    insert(2, "resolved", 100);
    insert(3, "open", 10); // and these were refused once more
    world.clickhouse("SYSTEM START MERGES northwind_ops.rejected");
    // A run was killed before it came to remove anything.
    world.clickhouse("CREATE TABLE northwind_ops.rejected_pruned_killed (a UInt8) ENGINE = Join(ANY, LEFT, a)");
    let outcome = rejected(&world, &["--prune", "1h"]).expect_exit(0);
    assert_eq!(outcome.count("pruned"), 49_990);
    let left = "SELECT status, attempt, count() FROM northwind_ops.rejected FINAL GROUP BY ALL ORDER BY ALL";
    assert_eq!(world.clickhouse(left), "open\t1\t10000\nopen\t3\t10\n");
    let statements = "SELECT count() FROM system.mutations WHERE database = 'northwind_ops' AND table = 'rejected'";
    assert!(world.number(statements) <= 4, "{}", world.number(statements));
    let tables = "SELECT count() FROM system.tables WHERE database = 'northwind_ops' AND name LIKE 'rejected_%'";
    assert_eq!(world.number(tables), 0, "nothing is left behind");
}
