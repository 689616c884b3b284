//! The views for people: the live rows of every table, as the source names it, without system columns.

use crate::support::World;
use crate::support::event::{customer, delete};

#[test]
fn every_table_has_a_view_without_system_columns() {
    let world = World::new("views");
    let views = "SELECT count(), countIf(name LIKE 'v\\_%') FROM system.tables
                 WHERE database = 'northwind_dw' AND engine = 'View' AND name NOT LIKE 'v\\_sales%'";
    assert_eq!(world.clickhouse(views), "14\t14\n");
    let mut source = world.postgres();
    for row in source.query("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'", &[]).unwrap() {
        let table: String = row.get(0);
        let of_source = "SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0";
        let columns: String = source.query_one(of_source, &[&table]).unwrap().get(0);
        let of_view = format!(
            "SELECT arrayStringConcat(groupArray(name), ',') FROM (SELECT name FROM system.columns WHERE database = 'northwind_dw' AND table = 'v_{table}' ORDER BY position)"
        );
        assert_eq!(world.clickhouse(&of_view).trim(), columns, "{table}");
    }
}

#[test]
fn a_view_shows_the_live_rows_and_what_migrate_finds() {
    let world = World::with_topic("views_rows", 1);
    world.produce(&[
        customer("c", "ALFKI", "old", 1).message(),
        customer("c", "ANATR", "gone", 2).message(),
        customer("u", "ALFKI", "new", 3).message(),
    ]);
    world.ingest(&[]).expect_exit(0);
    world.produce(&[delete("ANATR", 4).message()]);
    world.ingest(&[]).expect_exit(0);
    let rows = "SELECT customer_id, company_name FROM northwind_dw.v_customers";
    assert_eq!(world.clickhouse(rows), "ALFKI\tnew\n");
    world.clickhouse("ALTER TABLE northwind_dw.dim_customers ADD COLUMN mine String DEFAULT 'x' AFTER company_name");
    world.run("migrate", &[]).expect_exit(0);
    assert_eq!(world.clickhouse("SELECT mine FROM northwind_dw.v_customers"), "x\n");
    world.clickhouse("DROP VIEW northwind_dw.v_customers");
    let outcome = world.run("sync-schema", &["--table", "customers"]).expect_exit(0);
    assert_eq!(outcome.summary["tables"][0]["changes"][0], "CREATE OR REPLACE VIEW v_customers");
    assert_eq!(world.clickhouse(rows), "ALFKI\tnew\n");
}
