//! The warehouse's schema.

use crate::support::World;

#[test]
fn migrate_can_be_run_again_and_keeps_the_rows() {
    let world = World::with_topic("migrate_again", 1);
    world.produce(&[crate::support::event::customer("c", "ALFKI", "Alfreds Futterkiste", 100).message()]);
    world.ingest(&[]).expect_exit(0);
    let outcome = world.run("migrate", &[]).expect_exit(0);
    assert_eq!(outcome.summary["status"], "done");
    assert_eq!(world.customers(), "ALFKI\tAlfreds Futterkiste\n");
}

#[test]
fn the_prototypes_statements_still_succeed() {
    let world = World::new("migrate_prototype");
    world.clickhouse("ALTER TABLE northwind_dw.dim_customers ADD COLUMN IF NOT EXISTS op String");
    world.clickhouse("ALTER TABLE northwind_dw.dim_customers ADD COLUMN IF NOT EXISTS src_ts DateTime");
}

#[test]
fn the_customers_table_has_the_prototypes_columns_and_order() {
    let world = World::new("migrate_columns");
    let columns = world.clickhouse(
        "SELECT name, type FROM system.columns WHERE database = 'northwind_dw' AND table = 'dim_customers' ORDER BY position",
    );
    let optional =
        ["contact_name", "contact_title", "address", "city", "region", "postal_code", "country", "phone", "fax"];
    let optional: String = optional.iter().map(|name| format!("{name}\tNullable(String)\n")).collect();
    let system = "op\tString\nsrc_ts\tDateTime(\\'UTC\\')\n_version\tUInt64\n_deleted\tUInt8\n_updated_at\tDateTime(\\'UTC\\')\n\
                  _source_ts_ms\tInt64\n_lsn\tNullable(UInt64)\n_tx_id\tNullable(UInt64)\n_partition\tInt32\n_offset\tInt64\n_extra\tString\n";
    assert_eq!(columns, format!("customer_id\tString\ncompany_name\tString\n{optional}{system}"));
    let engine = world
        .clickhouse("SELECT engine_full FROM system.tables WHERE database = 'northwind_dw' AND name = 'dim_customers'");
    assert!(engine.starts_with("ReplacingMergeTree(_version, _deleted) ORDER BY customer_id"), "{engine}");
}

#[test]
fn only_history_for_people_expires() {
    let world = World::new("migrate_ttl");
    let expiring = world.clickhouse(
        "SELECT name FROM system.tables WHERE database = 'northwind_ops' AND create_table_query LIKE '% TTL %' ORDER BY name",
    );
    assert_eq!(
        expiring,
        "check_failures\ncheck_results\nconnector_restarts\nobserved_alarms\nobserved_connectors\nobserved_lags\nobserved_quarantine\nobserved_slots\nruns\nwarnings\n"
    );
    let forgetful = world.clickhouse(
        "SELECT database, name FROM system.tables WHERE database IN ('northwind_ops', 'northwind_dw') AND engine LIKE '%MergeTree'
         AND NOT engine_full LIKE '%non_replicated_deduplication_window = %'",
    );
    assert_eq!(forgetful, "", "tables without a deduplication window of their own");
}
