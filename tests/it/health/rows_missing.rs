//! A warehouse that is older than its books: ingest goes on behind it, so `observe` and `doctor` look whether each table has the rows of
//! its newest window.

use crate::support::event::{customer, delete, truncate};
use crate::support::observe::{alarms, doctor_line, look_by, says};
use crate::support::{Outcome, World};

fn look(world: &World) -> Outcome {
    look_by(world, "", &["--lost-after", "1d"])
}

fn doctor(world: &World) -> String {
    doctor_line(world, "rows")
}

fn is_seen(world: &World) -> bool {
    let (alarm, finding) = (alarms(&look(world)).contains(&"rows-missing"), doctor(world).starts_with("FAIL"));
    assert_eq!(alarm, finding, "observe and doctor say the same: {}", doctor(world));
    alarm
}

#[test]
fn a_table_that_is_older_than_the_books_is_seen() {
    let world = World::with_topic("rows_missing", 1);
    assert!(!is_seen(&world), "nothing was read yet");
    let names = ["ALFKI", "ANATR", "ALFKI", "ANTON"];
    let events = names.iter().zip(100..).map(|(id, lsn)| customer("u", id, &format!("v{lsn}"), lsn).message());
    world.produce(&events.collect::<Vec<_>>());
    world.ingest(&["--window-records", "1"]).expect_exit(0);
    world.clickhouse("OPTIMIZE TABLE northwind_dw.dim_customers FINAL");
    assert!(!is_seen(&world));

    for emptied in [
        "ALTER TABLE northwind_dw.dim_customers DELETE WHERE _offset >= 2",
        "TRUNCATE TABLE northwind_dw.dim_customers",
    ] {
        world.clickhouse(&format!("{emptied} SETTINGS mutations_sync = 1"));
        assert!(is_seen(&world), "{emptied}");
        let place = format!("{}, partition 0, offsets 3..4", world.topic);
        says(&look(&world), &["dim_customers is older than its books", &place]);
        assert_eq!(world.ingest(&[]).expect_exit(0).count("windows"), 0, "ingest sees nothing");
    }
    world.ingest(&["--from-beginning"]).expect_exit(0);
    assert!(!is_seen(&world));
    assert_eq!(world.customers(), "ALFKI\tv102\nANATR\tv101\nANTON\tv103\n");
}

/// The partition that was written last has its rows; another has lost what it wrote last.
#[test]
fn a_partition_that_lost_its_rows_is_seen_behind_another_that_has_them() {
    let world = World::with_topic("rows_missing_parts", 3);
    let of = |partition: i32, id: &str, lsn: u64| customer("c", id, "v", lsn).at(partition).message();
    world.produce(&[of(0, "ALFKI", 100), of(0, "ANATR", 101), of(0, "ANTON", 102), of(1, "BERGS", 103)]);
    world.produce(&[of(1, "BLAUS", 104), of(2, "BLONP", 105)]);
    world.ingest(&["--window-records", "1"]).expect_exit(0);
    assert!(!is_seen(&world));

    let place = |offsets: &str| format!("{}, partition {offsets}", world.topic);
    world.clickhouse("ALTER TABLE northwind_dw.dim_customers DELETE WHERE _partition = 1 SETTINGS mutations_sync = 1");
    assert!(is_seen(&world));
    says(&look(&world), &["dim_customers is older than its books", &place("1, offsets 1..2")]);
    assert!(!doctor(&world).contains(&place("0")), "{}", doctor(&world));
    world.clickhouse("ALTER TABLE northwind_dw.dim_customers DELETE WHERE _partition = 2 SETTINGS mutations_sync = 1");
    says(&look(&world), &[&place("1, offsets 1..2"), "partition 2, offsets 0..1"]);
    world.ingest(&["--from-beginning"]).expect_exit(0);
    assert!(!is_seen(&world));
}

/// What the source removes leaves rows that say so.
#[test]
fn deletes_truncates_and_a_table_made_anew_are_no_alarm() {
    let world = World::with_topic("rows_removed", 2);
    world.produce(&[
        customer("c", "ALFKI", "v1", 100).at(0).message(),
        customer("c", "ANATR", "v1", 101).at(1).message(),
    ]);
    world.produce(&[delete("ANATR", 102).at(1).message()]);
    world.ingest(&[]).expect_exit(0);
    assert!(!is_seen(&world));
    world.produce(&[truncate(0, 99_000)]);
    world.ingest(&[]).expect_exit(0);
    world.clickhouse("OPTIMIZE TABLE northwind_dw.dim_customers FINAL");
    assert!(!is_seen(&world) && world.customers().is_empty());

    world.clickhouse("TRUNCATE TABLE northwind_dw.dim_customers");
    world.clickhouse("ALTER TABLE northwind_ops.generations DELETE WHERE true SETTINGS mutations_sync = 1");
    assert!(!is_seen(&world));
    world.ingest(&["--offsets", "0:0..1"]).expect_exit(0);
    assert!(!is_seen(&world), "it is being read again");
}
