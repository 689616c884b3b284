//! A database as unlike Northwind as PostgreSQL allows, from its catalogue to checks that are green, with no file edited.

use crate::support::own_database::OwnDatabase;
use crate::support::{root, wait_for};

/// What `init` cannot take, and why.
const LEFT_OUT: [(&str, &str); 20] = [
    ("app.log", "no primary key and no unique index"),
    ("app.loose", "citext cannot be part of a key"),
    ("app.of_enum", "app.state cannot be part of a key"),
    ("app.parent", "other tables inherit from it"),
    ("app.same_letters", "takes different texts for equal"),
    ("app.scratch", "UNLOGGED"),
    ("app.summary", "materialized view"),
    ("app.unique_or_null", "may be NULL"),
    ("app.visit: the foreign key visit_by_code_fkey", "app.unique_or_null, which is not captured"),
    ("app.visit: the foreign key visit_home", "NOT VALID"),
    ("Sales & More.Order.tax", "PostgreSQL computes it"),
    ("app.secret.owner", "sends null"),
    ("app.notes", "cannot tell it from app.NOTES"),
    ("app.NOTES", "no primary key"),
    ("app.diary", "no primary key"),
    ("app.twice", "two columns that differ only in the size of letters (Code)"),
    ("app.trail ", "ends with a blank"),
    ("app.bare_parts", "the next partition"),
    ("app.odd_types.where", "a type that Debezium does not know"),
    ("app.odd_types.span", "a type that Debezium does not know"),
];

#[test]
fn a_database_that_nobody_knows_flows_without_an_edit() {
    let own = OwnDatabase::load("own", &["workshop.sql"]);
    let outcome = own.init(&[]).expect_exit(0);
    let left_out = outcome.summary["left_out"].as_array().unwrap();
    for (what, why) in LEFT_OUT {
        let found = left_out.iter().find(|it| it["what"] == what).unwrap_or_else(|| panic!("{what}: {outcome:#?}"));
        assert!(found["why"].as_str().unwrap().contains(why), "{found}");
        assert!(!found["instead"].as_str().unwrap().is_empty(), "{found}");
        assert!(own.text("README.md").contains(what), "{what}");
    }
    // System columns win over those of the source, which are named.
    assert!(left_out.iter().any(|it| it["what"] == "Sales & More.Order._version"), "{outcome:#?}");
    assert_eq!((outcome.count("tables"), left_out.len()), (20, LEFT_OUT.len() + 1), "{outcome:#?}");

    // Nothing is written over.
    for name in ["lockstep.toml", "source.sql", "connector.json", "README.md"] {
        own.init(&[]).expect_exit(2);
        std::fs::remove_file(own.file(name)).unwrap();
    }
    let own = own.captured(&[]);
    // It may run any number of times.
    own.apply();
    assert_eq!(own.ingest_all(), (1154, 0));
    own.assert_right();

    // No write of the shop fails, to a table that is captured or not.
    own.psql(&root().join("tests/fixtures/workshop_changes.sql"), &[]);
    let (written, rejected) = own.ingest_all();
    assert!(written > 300 && rejected == 0, "{written} written, {rejected} rejected");
    let outcome = own.assert_right();
    assert!(outcome.stdout.contains("184 rows in the source, 184 in the warehouse"), "{}", outcome.stdout);
    for job in [&["doctor"][..], &["sync-schema", "--check"], &["init", "--check"], &["lag"], &["observe"]] {
        let outcome = own.job(job[0], &job[1..]).expect_exit(0);
        assert!(!format!("{}{}", outcome.stdout, outcome.log).to_lowercase().contains("northwind"), "{outcome:#?}");
    }
    // Every row comes once more when the source is asked for it, and it says so if it cannot.
    let again = |table: &str| own.postgres().batch_execute(&format!("SELECT {}_cdc.send_again('{table}')", own.name));
    again("app.\"Order\"").unwrap();
    let mut written = 0;
    wait_for("the rows to come again", || {
        written += own.job("ingest-app-order", &[]).expect_exit(0).count("written");
        written == 5
    });
    for odd in ["\"Sales & More\".\"Line.Item\"", "app.\"it''s $body$ {db}\""] {
        let refused = again(odd).unwrap_err();
        assert!(refused.as_db_error().unwrap().message().contains("cannot be asked for"), "{refused:?}");
    }
    own.assert_right();
    // Whoever has lost something is told to run what lies in the folder.
    own.postgres().batch_execute(&format!("DROP PUBLICATION {}_publication", own.name)).unwrap();
    let outcome = own.job("doctor", &[]).expect_exit(78);
    assert!(outcome.log.contains("source.sql") && !outcome.log.contains("02_replication_user"), "{}", outcome.log);
}

/// Nobody sends what goes with a partition: its rows stay, or a repair deletes them, as the pipeline says.
#[test]
fn rows_of_a_dropped_partition_are_kept_or_deleted_as_the_file_says() {
    let own = OwnDatabase::load("own_leaf", &["workshop.sql"]).captured(&["--table", "app.reading"]);
    own.ingest_all();
    let change = |sql: &str| own.postgres().batch_execute(sql).unwrap();
    change("DROP TABLE app.reading_2024; ALTER TABLE app.reading DETACH PARTITION app.reading_2025");
    let outcome = own.assert_right();
    assert!(outcome.stdout.contains("0 different, 138 kept, whose partition"), "{}", outcome.stdout);
    // What is missing from a partition that is there is missing.
    own.clickhouse(&format!(
        "INSERT INTO {}.reading (sensor, day, _version, _source_ts_ms) VALUES (1, '2023-12-24', 1, 1)",
        own.dw
    ));
    let outcome = own.job("check-reconcile", &["--wait", "30s"]).expect_exit(10);
    assert!(outcome.stdout.contains("1 different, 138 kept"), "{}", outcome.stdout);

    let text = own.text("lockstep.toml");
    let wanted = text.replace("target = \"reading\"", "target = \"reading\"\ndropped_partitions = \"delete\"");
    std::fs::write(own.file("lockstep.toml"), wanted).unwrap();
    let outcome = own.job("check-reconcile", &["--repair", "--yes", "--wait", "30s"]).expect_exit(0);
    assert_eq!(outcome.count("repaired"), 139, "{outcome:#?}");
    own.assert_right();
}
