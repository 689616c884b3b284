//! Rows that come and go in PostgreSQL between a run that was killed and its rerun: the look-up answers differently, and
//! the record is still in one place, the warehouse or the quarantine: not in both, not in neither.

use std::collections::HashSet;

use crate::support::World;
use crate::support::event::customer;

/// Each customer is there, or is not, when the first, the second and the last run ask: all eight ways, in one window.
fn is_in_one_place(first: &str, second: &str) {
    let world = World::with_topic("membership_flapping", 1);
    let ids: Vec<String> = (0..8).map(|way| format!("WAY{way}")).collect();
    world.produce(&ids.iter().map(|id| customer("c", id, "On and off", 100).message()).collect::<Vec<_>>());
    let there = |way: usize, run: usize| way >> run & 1 == 1;
    let mut postgres = world.postgres();
    let mut answer = |run: usize| {
        postgres.batch_execute("DELETE FROM customers WHERE customer_id LIKE 'WAY%'").unwrap();
        let insert = "INSERT INTO customers (customer_id, company_name) VALUES ($1, 'On and off')";
        for (_, id) in ids.iter().enumerate().filter(|(way, _)| there(*way, run)) {
            postgres.execute(insert, &[id]).unwrap();
        }
    };
    answer(0);
    world.kill_for_good_at(first, &[]);
    answer(1);
    world.kill_for_good_at(second, &[]);
    answer(2);
    world.ingest(&[]).expect_exit(0);
    let set = |sql: &str| world.clickhouse(sql).lines().map(str::to_owned).collect::<HashSet<String>>();
    let rows = set("SELECT customer_id FROM northwind_dw.dim_customers FINAL");
    let open = set("SELECT row_key FROM northwind_ops.rejected FINAL WHERE status = 'open'");
    for (way, id) in ids.iter().enumerate() {
        let place = format!("{first}, then {second}: {id}: rows {rows:?}, quarantine {open:?}");
        assert!(rows.contains(id) != open.contains(id), "{place}");
        assert!(rows.contains(id) || !there(way, 2), "exists, but is in quarantine: {place}");
    }
    let books = world.clickhouse("SELECT written, rejected FROM northwind_ops.windows WHERE mode = 'plan'");
    assert_eq!(books, format!("{}\t{}\n", rows.len(), open.len()));
}

fn for_each_second_kill(first: &str) {
    for second in ["rejected-inserted", "rows-inserted", "quarantine-resolved"] {
        is_in_one_place(first, second);
    }
}

#[test]
fn when_the_first_run_was_killed_before_it_wrote_rows() {
    for_each_second_kill("rejected-inserted");
}

#[test]
fn when_the_first_run_was_killed_after_it_wrote_rows() {
    for_each_second_kill("rows-inserted");
}

#[test]
fn when_the_first_run_was_killed_before_its_ledger_row() {
    for_each_second_kill("quarantine-resolved");
}
