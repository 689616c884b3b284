//! `check-reconcile` reads both sides in the order of the key, whatever its type: slice by slice, to the last row.

use crate::support::World;
use crate::support::checks::Checked;
use crate::support::pipeline::OwnTable;

/// A table, its key's type, keys in the order in which neither server happens to have them.
const KEYS: [(&str, &str, &[&str]); 9] = [
    (
        "by_uuid",
        "uuid",
        &[
            "00000000-0000-0000-ffff-000000000001",
            "7b2d9f8e-0000-4000-0000-000000000001",
            "fb2d9f8e-0000-4000-8000-000000000001",
            "7b2d9f8e-0000-4000-ff00-000000000000",
        ],
    ),
    ("by_numeric", "numeric(12,2)", &["-10", "-9.5", "0", "9", "10.01", "123456789.99"]),
    (
        "by_any_numeric",
        "numeric",
        &["-Infinity", "-1e30", "-10", "-9.55", "-9.5", "-0.01", "0", "0.001", "9.5", "10", "1e30", "Infinity", "NaN"],
    ),
    (
        "by_timestamptz",
        "timestamp with time zone",
        &["1950-01-02 03:04:05.5+02", "2024-01-02 03:04:05+00", "2024-01-02 03:04:05.000001-05", "0001-01-01 00:00+00"],
    ),
    (
        "by_timestamp",
        "timestamp without time zone",
        &["1969-12-31 23:59:59.999999", "1970-01-01", "2024-01-02 03:04:05"],
    ),
    ("by_date", "date", &["1900-01-01", "1969-12-31", "2024-02-29", "2299-12-31"]),
    ("by_boolean", "boolean", &["true", "false"]),
    ("by_text", "text", &["", "A", "a", "ab", "aB", "b c", "ü", "O'Brien \\ \"q\"", "🦀"]),
    ("by_bigint", "bigint", &["-9223372036854775808", "-1", "0", "9", "10", "9223372036854775807"]),
];

const MODES: &str = "decimal_handling = \"string\"\ntime_precision = \"adaptive\"\nbinary_handling = \"bytes\"";

fn columns(columns: &[(&str, &str)]) -> Vec<(String, String)> {
    columns.iter().map(|(name, declared)| ((*name).to_owned(), format!("\"{declared}\""))).collect()
}

/// Every table of `KEYS`, and one whose key has a part of three types; in each, the row's number as its value.
fn shop(test: &str) -> Checked {
    let mut world = World::new(test);
    let mut client = world.postgres();
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let mut tables = Vec::new();
    let mut include = vec!["public.by_parts".to_owned(), "northwind_cdc.heartbeat".to_owned()];
    let mut sql =
        "CREATE TABLE by_parts (id uuid, \"Day\" date, amount numeric, n integer, PRIMARY KEY (id, \"Day\", amount));"
            .to_owned();
    for (name, key_type, keys) in KEYS {
        sql += &format!("CREATE TABLE {name} (k {key_type} PRIMARY KEY, n integer);");
        for (n, key) in keys.iter().enumerate() {
            sql += &format!("INSERT INTO {name} VALUES ({}, {n});", quoted(key));
        }
        include.push(format!("public.{name}"));
        let columns = columns(&[("k", &format!("{key_type} not null")), ("n", "integer null")]);
        tables.push(OwnTable { name, key: &["k"], columns });
    }
    sql += "INSERT INTO by_parts SELECT u.id::uuid, d::date, a, row_number() OVER () FROM
                unnest(ARRAY['00000000-0000-0000-ffff-000000000001', '7b2d9f8e-0000-4000-0000-000000000001']) AS u(id),
                unnest(ARRAY['1969-12-31', '2024-02-29']) AS d, unnest(ARRAY[-10, -9.5, 2, 10]) AS a;";
    client.batch_execute(&sql).unwrap();
    for table in include.iter().filter(|table| table.starts_with("public.")) {
        client
            .batch_execute(&format!(
                "GRANT SELECT ON {table} TO debezium; ALTER PUBLICATION northwind_publication ADD TABLE {table}"
            ))
            .unwrap();
    }
    let parts =
        [("id", "uuid not null"), ("Day", "date not null"), ("amount", "numeric not null"), ("n", "integer null")];
    tables.push(OwnTable { name: "by_parts", key: &["id", "Day", "amount"], columns: columns(&parts) });
    world.use_pipeline(&tables, MODES);
    let connector = world.capture(&[("table.include.list", include.join(",").as_str())]);
    let shop = Checked { world, connector };
    shop.ingest(&tables.iter().map(|table| table.name).collect::<Vec<_>>());
    shop
}

#[test]
fn a_key_of_any_type_is_compared_slice_by_slice_and_repaired() {
    let shop = shop("keys");
    let tables: Vec<&str> = KEYS.iter().map(|(name, ..)| *name).chain(["by_parts"]).collect();
    for slice in ["1", "3", "1000000"] {
        let outcome = shop.reconcile(&["--rows-per-snapshot", slice]).expect_exit(0);
        assert_eq!(outcome.count("pass"), tables.len() as i64, "{slice}: {outcome:?}");
    }
    for (table, keys) in KEYS.map(|(name, _, keys)| (name, keys.len())).into_iter().chain([("by_parts", 16)]) {
        let detail =
            shop.detail(&shop.reconcile(&["--table", table, "--rows-per-snapshot", "2"]).expect_exit(0), table);
        assert!(detail.contains(&format!("{keys} the same, 0 different")), "{table}: {detail}");
        // A value changed, a row lost; neither is in the log's last word any more.
        shop.tamper(&format!("ALTER TABLE northwind_dw.own_{table} UPDATE n = 77 WHERE n = 1"));
        shop.tamper(&format!(
            "ALTER TABLE northwind_dw.own_{table} DELETE WHERE n = {}",
            if keys == 2 { 0 } else { 2 }
        ));
        let outcome = shop.reconcile(&["--table", table, "--rows-per-snapshot", "2"]).expect_exit(10);
        let failures = shop.failures(&outcome, "column, source_value, warehouse_value");
        assert_eq!(failures.lines().filter(|line| line.starts_with("n ")).count(), 1, "{table}: {failures}");
        assert_eq!(failures.lines().count(), 2, "{table}: {failures}");
    }
    let plan = shop.reconcile(&["--plan"]).expect_exit(0);
    assert_eq!((plan.count("different"), plan.count("in_log")), (20, 20), "the log still has them: {}", plan.stdout);

    // Nobody has told the log of these.
    shop.world
        .postgres()
        .batch_execute("ALTER PUBLICATION northwind_publication SET TABLE northwind_cdc.heartbeat")
        .unwrap();
    for table in &tables {
        shop.world.postgres().batch_execute(&format!("UPDATE {table} SET n = n + 100")).unwrap();
    }
    let rows: i64 = tables
        .iter()
        .map(|table| {
            shop.world.postgres().query_one(&format!("SELECT count(*) FROM {table}"), &[]).unwrap().get::<_, i64>(0)
        })
        .sum();
    let repaired = shop.reconcile(&["--repair", "--yes"]).expect_exit(0);
    assert_eq!(repaired.count("repaired"), rows, "{}", repaired.stdout);
    shop.reconcile(&["--rows-per-snapshot", "3"]).expect_exit(0);
}

/// The parts of a key are one text, with U+001F between them.
#[test]
fn a_key_that_would_read_like_another_one_is_refused() {
    let mut world = World::new("key_separator");
    world
        .postgres()
        .batch_execute(
            r"CREATE TABLE by_pair (a text, b text, n integer, PRIMARY KEY (a, b));
              INSERT INTO by_pair VALUES ('a', E'b\x1fc', 1), ('x', 'y', 2);
              GRANT SELECT ON by_pair TO debezium; ALTER PUBLICATION northwind_publication ADD TABLE by_pair",
        )
        .unwrap();
    let columns = columns(&[("a", "text not null"), ("b", "text not null"), ("n", "integer null")]);
    world.use_pipeline(&[OwnTable { name: "by_pair", key: &["a", "b"], columns }], MODES);
    let connector = world.capture(&[("table.include.list", "public.by_pair,northwind_cdc.heartbeat")]);
    let shop = Checked { world, connector };
    let ingested = |rejected: serde_json::Value| {
        let outcome = shop.world.ingest_table("by_pair", &[]).expect_exit(0);
        assert_eq!(outcome.summary["rejected_by_rule"], rejected);
    };
    ingested(serde_json::json!({}));
    shop.change("UPDATE by_pair SET n = n + 10");
    ingested(serde_json::json!({}));
    shop.reconcile(&["--rows-per-snapshot", "1"]).expect_exit(0);
    shop.change(r"INSERT INTO by_pair VALUES (E'a\x1fb', 'c', 3)");
    ingested(serde_json::json!({"decode": 1}));
    let why = "a has the character U+001F, which stands between the parts of a key";
    shop.reconcile(&[]).expect_exit(78).error_says(&["public.by_pair", why, "correct the row in PostgreSQL"]);
    shop.change("DELETE FROM by_pair WHERE n = 3");
    ingested(serde_json::json!({"decode": 1}));
    shop.reconcile(&[]).expect_exit(0);
}
