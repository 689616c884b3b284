//! Keys that PostgreSQL cannot hold. Their records lie in quarantine, and the checks of that table go on.

use crate::support::World;
use crate::support::event::{customer, edited, raw};
use serde_json::json;

#[test]
fn a_key_that_postgresql_cannot_hold_disturbs_no_check() {
    let world = World::with_topic("odd_keys", 1);
    let fine = edited(&customer("u", "ALFKI", "", 5), |value| {
        let row = "SELECT row_to_json(c)::text FROM customers AS c WHERE customer_id = 'ALFKI'";
        let json: String = world.postgres().query_one(row, &[]).unwrap().get(0);
        value["after"] = serde_json::from_str(&json).unwrap();
    });
    let mut not_utf8 = customer("c", "XX", "not UTF-8", 20).message();
    let bytes = not_utf8.value.take().unwrap();
    let at = bytes.windows(2).position(|two| two == b"XX").unwrap();
    not_utf8.value = Some([&bytes[..at], b"\xff\xfe", &bytes[at + 2..]].concat());
    let half = customer("c", "HALF", "half a surrogate", 30).value().to_string().replace("HALF", "\\ud800");
    world.produce(&[
        fine,
        customer("c", "A\0B", "a NUL", 10).message(),
        customer("c", "\0", "nothing but a NUL", 11).message(),
        not_utf8,
        raw(0, Some(r#"{"customer_id":"\ud800"}"#), half.as_bytes()),
        customer("c", "\u{1f}'\\\u{7f}\u{fffd}", "odd, and possible", 40).message(),
    ]);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!(outcome.summary["rejected_by_rule"], json!({"decode": 2, "not-in-postgres": 3}));

    for job in ["check-integrity", "check-rules", "check-reconcile"] {
        let check = ["--prefix", &world.name, "--table", "customers", "--wait", "0s", "--scope", "new"];
        let outcome = world.run(job, &check).expect_exit(0);
        assert_eq!((outcome.count("errors"), outcome.count("undecided")), (0, 0), "{job}: {outcome:?}");
        if outcome.count("pass") > 0 {
            let said = world.found(&outcome);
            let note = "keys with a NUL character, which PostgreSQL cannot have and was not asked for: 2 (lockstep rejected --table customers)";
            assert!(said.contains(note), "{job}: {said}");
        }
        assert_eq!(world.run(job, &check).expect_exit(0).count("nothing_new"), 1, "{job}: it was taken up");
    }
}

/// If such a row came into the warehouse all the same, it is one that the source does not have; and a repair can remove it.
#[test]
fn a_row_that_the_source_cannot_have_is_a_difference() {
    let world = World::with_topic("odd_rows", 1);
    world.produce(&[customer("c", "A\0B", "a NUL", 10).message()]);
    world.ingest(&[]).expect_exit(0);
    world.clickhouse(
        "INSERT INTO northwind_dw.dim_customers (customer_id, company_name, op, _version, _offset) VALUES ('A\\0B', 'by hand', 'c', 4503599627370496, 0)",
    );
    let compare = |args: &[&str]| {
        let check = ["--prefix", &world.name, "--table", "customers", "--wait", "0s", "--scope", "new"];
        world.run("check-reconcile", &[&check, args].concat())
    };
    let outcome = compare(&["--plan"]).expect_exit(0);
    assert_eq!(outcome.count("different"), 0, "the quarantine has the same record: {outcome:?}");
    world.clickhouse("ALTER TABLE northwind_ops.rejected DELETE WHERE 1 SETTINGS mutations_sync = 1");
    let outcome = compare(&["--repair", "--yes"]).expect_exit(0);
    assert_eq!(
        (outcome.count("different"), outcome.count("in_log") + outcome.count("repaired")),
        (1, 1),
        "{outcome:?}"
    );
}
