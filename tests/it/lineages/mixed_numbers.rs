//! Older books could give two topics of a table one number. A truncate of either would have to tell their rows apart, and cannot.

use crate::support::event::{KNOWN, truncate, updates};
use crate::support::lineage::{Other, generation, other, update};
use crate::support::{World, clickhouse, root};

/// The rows of generation 2 stand under 1, as the ledger says, and number 2 was never taken.
fn as_older_books_had_it(world: &World) {
    for sql in [
        // By way of another table: beside the row of a higher version, the lower one would go with the next merge.
        "CREATE TABLE northwind_dw.lowered ENGINE = MergeTree ORDER BY tuple()
         AS SELECT * REPLACE (_version - 4503599627370496 AS _version) FROM (SELECT * FROM northwind_dw.dim_customers WHERE _version >= 9007199254740992)",
        "ALTER TABLE northwind_dw.dim_customers DELETE WHERE _version >= 9007199254740992 SETTINGS mutations_sync = 1",
        "INSERT INTO northwind_dw.dim_customers SELECT * FROM northwind_dw.lowered",
        "DROP TABLE northwind_dw.lowered SYNC",
        "ALTER TABLE northwind_ops.windows UPDATE generation = 1 WHERE generation = 2 SETTINGS mutations_sync = 1",
        "ALTER TABLE northwind_ops.generations DELETE WHERE generation = 2 SETTINGS mutations_sync = 1",
    ] {
        world.clickhouse(sql);
    }
    let file = std::fs::read_to_string(root().join("clickhouse/migrations/0005_belonging.sql")).unwrap();
    for statement in file
        .split(";\n")
        .filter(|text| !text.trim().is_empty())
        .chain(file.split(";\n").filter(|text| text.contains("INSERT")))
    {
        world.clickhouse(statement);
    }
    let former = "SELECT generation, count() FROM northwind_ops.generations WHERE former GROUP BY generation";
    assert_eq!(world.clickhouse(former), "1\t1\n");
}

fn two_topics(test: &str) -> (World, Other) {
    let world = World::with_topic(test, 1);
    world.produce(&updates(&KNOWN, "a ", 0..3));
    world.ingest(&[]).expect_exit(0);
    let b = other(&world, "b", 1);
    world.produce_to(&b.table, &[update("AROUT", "of b"), update("BERGS", "of b")]);
    b.ingest(&world, &[]).expect_exit(0);
    as_older_books_had_it(&world);
    assert_eq!(world.customers(), ALL);
    (world, b)
}

const ALL: &str = "ALFKI\ta 0\nANATR\ta 1\nANTON\ta 2\nAROUT\tof b\nBERGS\tof b\n";

#[test]
fn a_truncate_among_rows_of_two_topics_with_one_number_is_refused() {
    let (world, b) = two_topics("mixed");
    let remedy = format!(
        "ALTER TABLE {}.generations DELETE WHERE target = 'dim_customers' AND generation = 1 AND former",
        world.ops
    );
    world.produce(&[truncate(0, 95_000)]);
    for args in [&[][..], &["--dry-run"]] {
        let refused = world.ingest(args).expect_exit(78);
        for part in [&world.topic, &b.topic, "generation 1", "partition 0, offset 3", "make the table anew", &remedy] {
            assert!(refused.error().contains(part), "{args:?}, {part}: {}", refused.error());
        }
        assert_eq!(world.customers(), ALL, "{args:?}");
    }
    assert_eq!(world.number("SELECT count() FROM northwind_ops.truncates"), 0, "nothing was stored");

    // The later topic has a number of its own by now; its older rows still stand among the other's.
    world.produce_to(&b.table, &[update("AROUT", "of b, too"), truncate(0, 96_000)]);
    let refused = b.ingest(&world, &[]).expect_exit(78);
    assert!(refused.error().contains(&remedy), "{}", refused.error());
    clickhouse(&format!("{remedy} SETTINGS mutations_sync = 1"));
    let outcome = b.ingest(&world, &[]).expect_exit(0);
    assert_eq!(
        (generation(&outcome), world.customers()),
        (2, String::new()),
        "a person has said that they are the earlier topic's"
    );
}

/// What nobody sees any more can be anybody's.
#[test]
fn a_truncate_where_no_row_of_the_number_shows_goes_on() {
    let (world, b) = two_topics("mixed_gone");
    let again: Vec<_> = ["ALFKI", "ANATR", "ANTON", "AROUT", "BERGS"].map(|id| update(id, "again")).into();
    world.produce_to(&b.table, &again);
    b.ingest(&world, &[]).expect_exit(0);
    world.produce_to(&b.table, &[truncate(0, 96_000)]);
    assert_eq!(b.ingest(&world, &[]).expect_exit(0).count("truncated_rows"), 5);
    assert_eq!(world.customers(), "");
}
