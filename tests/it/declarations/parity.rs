//! What the pipeline says of a table is what the real servers have. (What follows from it in the project's files: `generate.rs`.)

use std::collections::BTreeSet;

use crate::support::World;
use crate::support::registry::{Registered, SYSTEM_COLUMNS, registry};

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
    let of_source: BTreeSet<String> = strings(tables, "any").into_iter().collect();
    let registered: BTreeSet<String> = registry().iter().map(|table| table.source.to_owned()).collect();
    assert_eq!(of_source, registered, "the schema public of Northwind, and the pipeline");
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
