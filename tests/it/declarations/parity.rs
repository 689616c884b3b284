//! Adding a table = its row file, its SQL file, one line in the registry, one word in the connector. Whatever of that is missing
//! is named here; and what the registry says of a table is what the real servers have.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::registry::{Registered, SYSTEM_COLUMNS, registry};
use crate::support::{World, root};

fn text_of(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap()
}

/// The names behind `public.` in a text.
fn public_names(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split("public.").skip(1).map(|rest| rest.chars().take_while(|c| is_name(*c)).collect()).collect()
}

/// The statement of an SQL text that begins with these words.
fn statement<'t>(text: &'t str, begin: &str) -> &'t str {
    let start = text.find(begin).unwrap_or_else(|| panic!("no {begin}"));
    text[start..].split(';').next().unwrap()
}

#[track_caller]
fn assert_every_table_is_in(place: &str, names: &BTreeSet<String>) {
    let registered: BTreeSet<String> = registry().iter().map(|table| table.source.to_owned()).collect();
    let missing: Vec<_> = registered.difference(names).collect();
    let unknown: Vec<_> = names.difference(&registered).collect();
    assert!(missing.is_empty(), "{place}: of the registry's tables there is no {missing:?}");
    assert!(unknown.is_empty(), "{place}: the registry (src/tables/mod.rs) has no {unknown:?}");
}

#[test]
fn the_connector_captures_every_table() {
    let connector: Value = serde_json::from_str(&text_of("connectors/debezium-northwind.json")).unwrap();
    let included = connector["config"]["table.include.list"].as_str().unwrap();
    assert_every_table_is_in("connectors/debezium-northwind.json, table.include.list", &public_names(included));
}

#[test]
fn every_table_is_published_and_may_be_read() {
    let file = "postgres/init/02_replication_user.sql";
    let text = text_of(file);
    for begin in ["ALTER PUBLICATION northwind_publication SET TABLE", "GRANT SELECT ON\n"] {
        assert_every_table_is_in(&format!("{file}, {begin:?}"), &public_names(statement(&text, begin)));
    }
}

#[test]
fn every_table_has_a_job() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_lockstep")).arg("jobs").output().unwrap();
    let jobs: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let tables = jobs.iter().filter(|job| job["kind"] == "ingest").map(|job| {
        let name = job["name"].as_str().unwrap();
        name.strip_prefix("ingest-").unwrap_or(name).replace('-', "_")
    });
    assert_every_table_is_in("lockstep jobs", &tables.collect());
}

#[test]
fn every_table_has_a_file_of_ddl() {
    let files: Vec<_> =
        std::fs::read_dir(root().join("clickhouse/init")).unwrap().map(|entry| entry.unwrap().path()).collect();
    for table in registry() {
        let named = |path: &&std::path::PathBuf| {
            path.file_stem().unwrap().to_string_lossy().split_once('_').is_some_and(|(_, name)| name == table.target)
        };
        let file = files.iter().find(named);
        let file = file.unwrap_or_else(|| panic!("clickhouse/init has no NN_{}.sql", table.target));
        let text = std::fs::read_to_string(file).unwrap();
        assert_eq!(text, table.ddl, "{} is not the DDL that {} includes", file.display(), table.source);
        let create = format!("CREATE TABLE IF NOT EXISTS northwind_dw.{}\n", table.target);
        assert!(text.contains(&create), "{}: no {create:?}", file.display());
    }
}

#[test]
fn the_warehouse_has_the_row_types_columns() {
    let world = World::new("parity_warehouse");
    for table in registry() {
        let sql = format!(
            "SELECT name FROM system.columns WHERE database = 'northwind_dw' AND table = '{}' ORDER BY position",
            table.target
        );
        let columns = world.clickhouse(&sql);
        assert_eq!(
            columns.lines().collect::<Vec<_>>(),
            table.columns,
            "{} and the row type of {}",
            table.target,
            table.source
        );
        let system = &table.columns[table.source_columns().len()..];
        assert_eq!(system, SYSTEM_COLUMNS, "the last columns of {}", table.source);
        let sorted_by = format!(
            "SELECT sorting_key, engine FROM system.tables WHERE database = 'northwind_dw' AND name = '{}' FORMAT TSVRaw",
            table.target
        );
        assert_eq!(
            world.clickhouse(&sorted_by),
            format!("{}\tReplacingMergeTree\n", key_names(&table)),
            "{}",
            table.target
        );
    }
}

#[test]
fn the_source_has_the_row_types_columns_and_keys() {
    let world = World::new("parity_source");
    let mut source = world.postgres();
    let mut strings = |sql: &str, table: &str| -> Vec<String> {
        source.query(sql, &[&table]).unwrap().iter().map(|row| row.get(0)).collect()
    };
    let tables = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' AND $1 <> ''";
    assert_every_table_is_in("the schema public of Northwind", &strings(tables, "any").into_iter().collect());
    for table in registry() {
        let columns = "SELECT column_name::text FROM information_schema.columns
                       WHERE table_schema = 'public' AND table_name = $1 ORDER BY ordinal_position";
        assert_eq!(strings(columns, table.source), table.source_columns(), "{} and its row type", table.source);
        let key = "SELECT k.column_name::text FROM information_schema.table_constraints c
                   JOIN information_schema.key_column_usage k USING (constraint_schema, constraint_name)
                   WHERE c.constraint_type = 'PRIMARY KEY' AND c.table_schema = 'public' AND c.table_name = $1 ORDER BY k.ordinal_position";
        assert_eq!(strings(key, table.source).join(", "), key_names(&table), "the primary key of {}", table.source);
    }
}

/// NULL where the source has it, and nowhere else. Look-ups cast keys to the source's own type, or they would not compare as it does.
#[test]
fn types_fit_those_of_the_source() {
    let world = World::new("parity_types");
    for table in registry() {
        let columns = "SELECT column_name::text, is_nullable = 'YES', data_type::text FROM information_schema.columns
                       WHERE table_schema = 'public' AND table_name = $1";
        for row in world.postgres().query(columns, &[&table.source]).unwrap() {
            let (column, nullable, data_type): (String, bool, String) = (row.get(0), row.get(1), row.get(2));
            let warehouse = table.warehouse_type(&column);
            assert_eq!(
                warehouse.contains("Nullable("),
                nullable,
                "{}.{column}: {data_type} and {warehouse}",
                table.source
            );
            let Some(key) = table.key.iter().find(|key| key.name == column) else { continue };
            let source_type = match data_type.as_str() {
                "smallint" | "integer" | "bigint" => "int8",
                "character" => "bpchar",
                _ => "text",
            };
            assert_eq!(key.source_type, source_type, "{}.{column} is {data_type}", table.source);
        }
    }
}

fn key_names(table: &Registered) -> String {
    table.key.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
}
