//! A TRUNCATE comes without a key, in any partition: rows from before it are gone, rows from after it stay.

use crate::support::event::{customer, delete, edited, truncate, version};
use crate::support::{Message, World};
use serde_json::json;

fn insert(id: &str, lsn: u64) -> Message {
    customer("c", id, &format!("at {lsn}"), lsn).message()
}

fn insert_without_lsn(id: &str) -> Message {
    edited(&customer("c", id, "without", 0), |value| value["source"]["lsn"] = json!(null))
}

/// The marks: rows of op `t`, however many older versions the table still has.
fn marks(world: &World) -> String {
    world.clickhouse(
        "SELECT customer_id, company_name, _version, _deleted, _lsn, _partition, _offset, abs(dateDiff('second', src_ts, now())) < 300
         FROM northwind_dw.dim_customers WHERE op = 't' ORDER BY customer_id",
    )
}

#[test]
fn rows_from_before_are_gone_and_rows_from_after_stay() {
    let world = World::with_topic("truncate", 1);
    world.produce(&[insert("ALFKI", 10), insert("ANATR", 20), insert("ANTON", 30), delete("ANTON", 40).message()]);
    world.ingest(&[]).expect_exit(0);
    world.produce(&[insert("AROUT", 50), truncate(0, 60), insert("ANATR", 70), insert("BERGS", 80)]);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("truncates"), outcome.count("rejected")), (3, 1, 0));
    assert_eq!(outcome.count("truncated_rows"), 2);
    assert_eq!(world.customers(), "ANATR\tat 70\nBERGS\tat 80\n");
    // Marked are the live rows: ANTON was deleted, ANATR is newer already. They carry the marking window's coordinates.
    let mark = |id: &str, offset| format!("{id}\t\t{}\t1\t60\t0\t4\t1\n", version(offset) + 1);
    assert_eq!(marks(&world), format!("{}{}", mark("ALFKI", 0), mark("AROUT", 4)));
    let stored = "SELECT table, topic, generation, partition, offset, lsn FROM northwind_ops.truncates FINAL";
    assert_eq!(world.clickhouse(stored), format!("customers\t{}\t1\t0\t5\t60\n", world.topic));
    let ledger =
        "0\torigin\t1\t0..0\t0\t0\t0\t0\t0\n0\tplan\t2\t0..4\t4\t0\t0\t0\t0\n0\tplan\t3\t4..8\t3\t0\t0\t1\t0\n";
    assert_eq!(world.ledger(), ledger);

    // What a truncate removed may come back.
    world.produce(&[insert("ALFKI", 90)]);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("truncated_rows"), 0);
    assert_eq!(world.customers(), "ALFKI\tat 90\nANATR\tat 70\nBERGS\tat 80\n");
}

#[test]
fn in_windows_of_one_record_it_is_the_same() {
    let world = World::with_topic("truncate_small", 1);
    world.produce(&[
        insert("ALFKI", 10),
        insert("ANATR", 20),
        truncate(0, 60),
        insert("ANATR", 70),
        truncate(0, 75),
        insert("BERGS", 80),
    ]);
    let outcome = world.ingest(&["--window-records", "1"]).expect_exit(0);
    assert_eq!((outcome.count("truncates"), outcome.count("truncated_rows")), (2, 3));
    assert_eq!(world.customers(), "BERGS\tat 80\n");
    let mark = |id: &str, row, lsn, offset| format!("{id}\t\t{}\t1\t{lsn}\t0\t{offset}\t1\n", version(row) + 1);
    world.clickhouse("OPTIMIZE TABLE northwind_dw.dim_customers FINAL");
    assert_eq!(marks(&world), format!("{}{}", mark("ALFKI", 0, 60, 2), mark("ANATR", 3, 75, 4)));
}

/// Partition 0 with the truncate is read first, partition 1 with an older insert after it; and a third one by a later run.
#[test]
fn an_older_row_of_another_partition_that_is_read_later_is_gone() {
    let world = World::with_topic("truncate_partitions", 3);
    let old = |partition, id| insert(id, 10).at(partition);
    world.produce(&[
        truncate(0, 50),
        insert("ANATR", 60),
        insert("ANTON", 70),
        old(1, "ALFKI"),
        insert("AROUT", 60).at(1),
    ]);
    let outcome = world.ingest(&[]).expect_exit(0);
    let first = outcome.summary["plan"]["spans"][0]["partition"].as_i64();
    assert_eq!(first, Some(0), "the truncate has to be read first: {outcome:?}");
    assert_eq!((outcome.count("written"), outcome.count("truncated_rows")), (4, 1));
    assert_eq!(world.customers(), "ANATR\tat 60\nANTON\tat 70\nAROUT\tat 60\n");

    world.produce(&[old(2, "BERGS"), insert("BLAUS", 60).at(2)]);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("truncated_rows")), (2, 1));
    assert_eq!(world.customers(), "ANATR\tat 60\nANTON\tat 70\nAROUT\tat 60\nBLAUS\tat 60\n");
    let mark = |id: &str, partition| format!("{id}\t\t{}\t1\t50\t{partition}\t0\t1\n", version(0) + 1);
    assert_eq!(marks(&world), format!("{}{}", mark("ALFKI", 1), mark("BERGS", 2)));
}

#[test]
fn a_truncate_that_is_read_again_removes_nothing_newer() {
    let world = World::with_topic("truncate_again", 1);
    world.produce(&[
        insert("ALFKI", 10),
        truncate(0, 20),
        insert("ALFKI", 30),
        insert("ANATR", 40),
        delete("ANATR", 50).message(),
        insert("ANTON", 60),
    ]);
    world.ingest(&[]).expect_exit(0);
    assert_eq!(world.customers(), "ALFKI\tat 30\nANTON\tat 60\n");
    for range in ["0:1..2", "0:0..2", "0:0..1", "0:0..6"] {
        let outcome = world.ingest(&["--offsets", range]).expect_exit(0);
        assert_eq!(outcome.count("truncated_rows"), 0, "{range}");
        assert_eq!(world.customers(), "ALFKI\tat 30\nANTON\tat 60\n", "{range}");
    }
    assert_eq!(world.number("SELECT count() FROM northwind_ops.truncates FINAL"), 1);
    assert_eq!(world.committed(0), Some((6, String::new())));
}

/// An old row that is read again after the truncate, although nobody has it any more.
#[test]
fn a_row_from_before_does_not_come_back_when_it_is_read_again() {
    let world = World::with_topic("truncate_back", 1);
    world.produce(&[insert("ALFKI", 10), truncate(0, 20)]);
    world.ingest(&[]).expect_exit(0);
    world.clickhouse("TRUNCATE TABLE northwind_dw.dim_customers");
    let outcome = world.ingest(&["--offsets", "0:0..1"]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("truncated_rows")), (1, 1));
    assert_eq!(world.customers(), "");
}

#[test]
fn a_row_without_lsn_is_gone_too() {
    let world = World::with_topic("truncate_no_lsn", 1);
    world.produce(&[insert_without_lsn("ALFKI"), insert("ANATR", 10)]);
    world.ingest(&[]).expect_exit(0);
    assert_eq!(world.customers(), "ALFKI\twithout\nANATR\tat 10\n");
    world.produce(&[truncate(0, 20)]);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("truncated_rows"), 2);
    assert_eq!(world.customers(), "");
}

#[test]
fn a_truncate_without_lsn_is_rejected_and_removes_nothing() {
    let world = World::with_topic("truncate_rejected", 1);
    let value = String::from_utf8(truncate(0, 77).value.unwrap()).unwrap().replace("\"lsn\":77,", "");
    world.produce(&[insert("ALFKI", 10), Message { value: Some(value.clone().into_bytes()), ..truncate(0, 77) }]);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("rejected"), outcome.count("truncates")), (1, 1, 0));
    let kept = world.clickhouse("SELECT offset, rule, payload, detail FROM northwind_ops.rejected FINAL FORMAT TSVRaw");
    let why = "a truncate without source.lsn says nothing about which rows are gone";
    assert_eq!(kept, format!("1\tdecode\t{value}\t{why}\n"));
    assert_eq!(world.customers(), "ALFKI\tat 10\n");
    assert_eq!(world.number("SELECT count() FROM northwind_ops.truncates"), 0);
}

/// PostgreSQL has none of the rows any more: those from before the truncate are not orphans, those from after it are.
#[test]
fn rows_that_are_truncated_later_in_the_window_are_no_orphans() {
    let world = World::with_topic("truncate_orphans", 1);
    world.produce(&[insert("NEW01", 10), insert_without_lsn("NEW02"), truncate(0, 20), insert("NEW03", 30)]);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("rejected"), outcome.count("truncated_rows")), (2, 1, 2));
    assert_eq!(world.quarantine(), "3\tNEW03\tnot-in-postgres\topen\n");
    assert_eq!(world.customers(), "");
}

/// As PostgreSQL and Debezium really do it.
#[test]
fn a_truncated_table_has_only_what_came_afterwards() {
    let mut world = World::new("truncate_real");
    let connector = world.capture(&[]);
    world.ingest(&[]).expect_exit(0);
    assert_eq!(world.number("SELECT count() FROM northwind_dw.dim_customers FINAL"), 91);
    let mut postgres = world.postgres();
    postgres
        .batch_execute(
            "INSERT INTO customers (customer_id, company_name) VALUES ('NEW01', 'before'), ('NEW02', 'before');
             TRUNCATE customers CASCADE;
             INSERT INTO customers (customer_id, company_name) VALUES ('NEW02', 'after'), ('ALFKI', 'after')",
        )
        .unwrap();
    world.wait_for_capture(&connector);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("truncates"), outcome.count("rejected")), (4, 1, 0));
    assert_eq!(world.customers(), "ALFKI\tafter\nNEW02\tafter\n");
}

/// Another table's topic, by a slip of `--topic`: what its events say is not believed.
#[test]
fn a_truncate_or_delete_of_another_table_is_refused() {
    let world = World::with_topic("truncate_other", 1);
    let of_orders = |message: Message| {
        let mut value: serde_json::Value = serde_json::from_slice(message.value.as_deref().unwrap()).unwrap();
        value["source"]["table"] = json!("orders");
        Message { value: Some(value.to_string().into_bytes()), ..message }
    };
    world.produce(&[insert("ALFKI", 10), of_orders(truncate(0, 60)), of_orders(delete("ALFKI", 70).message())]);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("truncates"), outcome.count("rejected")), (1, 0, 2));
    assert_eq!(world.customers(), "ALFKI\tat 10\n");
    assert_eq!(world.detail(1), "source.table says orders: is this the topic of customers?");
}

/// As many rows as a window has: they are marked in several statements, none of which is longer than a server reads by default.
#[test]
fn many_rows_that_a_truncate_removes_are_marked_in_several_statements() {
    let world = World::with_topic("truncate_many", 2);
    world.produce(&[truncate(0, 50)]);
    world.ingest(&[]).expect_exit(0);
    let sql =
        "INSERT INTO customers (customer_id, company_name) SELECT 'N' || n, 'x' FROM generate_series(1, 3000) AS n";
    world.postgres().batch_execute(sql).unwrap();
    world.produce(&(1..=3000).map(|n| insert(&format!("N{n}"), 10).at(1)).collect::<Vec<_>>());
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("truncated_rows")), (3000, 3000), "{}", outcome.error());
    assert_eq!(world.customers(), "");
    crate::support::clickhouse("SYSTEM FLUSH LOGS query_log");
    let inserts =
        "SELECT count() > 1, sum(written_rows), countIf(mapContains(Settings, 'max_query_size')) FROM system.query_log
                   WHERE type = 'QueryFinish' AND query LIKE 'INSERT INTO northwind_dw.dim_customers % JSONEachRow%'";
    assert_eq!(world.clickhouse(inserts), "1\t3000\t0\n");
}
