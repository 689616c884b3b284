//! `--verify` looks at the rows that are shown, not only at their versions.

use crate::support::event::{customer, version};
use crate::support::{World, go_on};

fn frozen_with(test: &str) -> (World, std::process::Child) {
    let world = World::with_topic(test, 1);
    world.produce(&[customer("u", "ALFKI", "v1", 10).message(), customer("u", "ANATR", "v1", 11).message()]);
    let run = world.ingest_frozen_at("rows-inserted", &[]);
    (world, run)
}

/// The version is the one that was written, a column is not.
#[test]
fn a_row_with_the_right_version_and_another_value_is_found() {
    let (world, run) = frozen_with("verify_value");
    world.clickhouse("ALTER TABLE northwind_dw.dim_customers UPDATE city = 'Rome' WHERE customer_id = 'ANATR' SETTINGS mutations_sync = 1");
    let outcome = go_on(run).expect_exit(1);
    outcome.error_says(&["\"ANATR\"", "partition 0", "offset 1", "city", "Rome", "the window stays open"]);
    assert_eq!(world.number("SELECT count() FROM northwind_ops.windows WHERE mode = 'plan'"), 0);
}

/// A higher version, of an offset that the log does not have: what is shown is not what was written.
#[test]
fn a_higher_version_that_the_log_does_not_explain_is_found() {
    let (world, run) = frozen_with("verify_version");
    let forge = |id: &str, version: u64, partition: i32, offset: i64| {
        world.clickhouse(&format!(
            "INSERT INTO northwind_dw.dim_customers (customer_id, company_name, _version, _partition, _offset)
             VALUES ('{id}', 'of another log', {version}, {partition}, {offset})"
        ));
    };
    forge("ALFKI", version(99), 0, 99);
    let outcome = go_on(run).expect_exit(1);
    outcome.error_says(&["\"ALFKI\"", "partition 0", "offset 0", "offset 99", "the window stays open"]);
}

/// Rows that are newer for a reason: read again, marked by a truncate, mended, deleted later.
#[test]
fn what_is_newer_for_a_reason_passes() {
    let world = World::with_topic("verify_reasons", 1);
    world.produce(&[
        customer("c", "ALFKI", "v1", 10).message(),
        customer("c", "ANATR", "v1", 11).message(),
        customer("c", "ANTON", "v1", 12).message(),
        crate::support::event::truncate(0, 20),
        customer("u", "ALFKI", "v2", 30).message(),
        crate::support::event::delete("ANATR", 40).message(),
    ]);
    world.ingest(&["--window-records", "1"]).expect_exit(0);
    world.clickhouse(&format!(
        "INSERT INTO northwind_dw.dim_customers (customer_id, company_name, op, _version, _lsn, _source_ts_ms, _partition, _offset) VALUES ('ALFKI', 'mended', 'r', {}, 90, 1800000000000, 0, 4)",
        version(4) + 1
    ));
    for range in ["0:0..6", "0:0..1", "0:4..5"] {
        world.ingest(&["--offsets", range]).expect_exit(0);
    }
    assert_eq!(world.customers(), "ALFKI\tmended\n");
}
