//! The source goes on after `init`: what the file does not know yet is said, and taken in; what its owner has written stays.

use crate::support::own_database::OwnDatabase;
use crate::support::wait_for;

const RULE: &str = "
# My own words.
[[tables.home.rules]]
name = \"area-fits\"
expect = \"area < 100000\"    # mine, too
severity = \"warn\"
why = \"no house is so large\"
example = { area = 200000 }
";

#[test]
fn what_has_changed_in_the_source_is_said_and_taken_in() {
    let own = OwnDatabase::load("own_drift", &["workshop.sql"]).captured(&["--schema", "app"]);
    own.ingest_all();
    own.job("init", &["--check"]).expect_exit(0);
    // A rule of the owner's, a type, a comment.
    let text = own.text("lockstep.toml").replace(
        "columns.area    = \"numeric(8,2) null\"",
        "columns.area = { type = \"numeric(8,2) null\", as = \"Decimal(20, 4)\" } # wide",
    );
    std::fs::write(own.file("lockstep.toml"), text + RULE).unwrap();
    own.job("init", &["--check"]).expect_exit(0);
    own.clickhouse(&format!("ALTER TABLE {}.home MODIFY COLUMN area Nullable(Decimal(20, 4))", own.dw));

    own.postgres()
        .batch_execute(
            "ALTER TABLE app.home ADD COLUMN floors smallint, ALTER COLUMN area TYPE numeric(9,3), ALTER COLUMN rent TYPE text;
             ALTER TABLE app.\"order\" DROP COLUMN note;
             CREATE TABLE app.garage (id integer PRIMARY KEY, home_id bigint REFERENCES app.home, note text);
             ALTER TABLE app.visit VALIDATE CONSTRAINT visit_home;
             INSERT INTO app.garage VALUES (1, 1, 'x')",
        )
        .unwrap();
    // Who runs the jobs hears of it, too.
    let doctor = own.job("doctor", &[]).expect_exit(78);
    assert!(doctor.log.contains("home: rent"), "{}", doctor.log);

    own.postgres().batch_execute("DROP TABLE app.empty").unwrap();
    let outcome = own.job("init", &["--check"]).expect_exit(10);
    for said in [
        "home: the source has the column floors (smallint null)",
        "home: area is numeric(9,3) null in the source, numeric(8,2) null in the file",
        "home: rent is text null in the source, money null in the file",
        "order: the source has no column note any more",
        "app.garage: the source has this table, the file does not",
        "visit: the source has the foreign key visit_home",
        "empty: the source has no app.empty any more; by hand",
    ] {
        assert!(outcome.log.contains(said), "{said}: {}", outcome.log);
    }
    assert!(own.job("doctor", &[]).expect_exit(78).log.contains("there is no table app.empty"));

    let outcome = own.job("init", &["--update"]).expect_exit(10);
    assert_eq!(outcome.count("taken_in"), 6, "{outcome:#?}");
    // Its older rows are sent when they are asked for, which is said.
    let next = outcome.summary["next"].as_array().unwrap();
    let send_again = next.last().and_then(|step| step.as_str()).unwrap().to_owned();
    assert!(send_again.contains("send_again('app.garage')"), "{send_again}");
    let text = own.text("lockstep.toml");
    for kept in
        ["# My own words.", "# mine, too", "as = \"Decimal(20, 4)\"", "# wide", "numeric(9,3) null", "columns.floors"]
    {
        assert!(text.contains(kept), "{kept}: {text}");
    }
    assert!(!own.text("source.sql").contains("empty") || text.contains("[tables.empty]"));

    // What is left for its owner.
    let section =
        text.split("\n\n").filter(|section| !section.contains("[tables.empty]")).collect::<Vec<_>>().join("\n\n");
    std::fs::write(own.file("lockstep.toml"), section).unwrap();
    own.job("init", &["--update"]).expect_exit(0);
    own.apply();
    own.capture();
    own.postgres().batch_execute(&send_again).unwrap();
    own.postgres().batch_execute("INSERT INTO app.garage VALUES (2, 2, 'y'); UPDATE app.home SET floors = 2").unwrap();
    own.job("migrate", &[]).expect_exit(0);
    // Columns of tables that are there are altered by who owns the warehouse: `doctor` says how.
    let doctor = own.job("doctor", &[]).expect_exit(78);
    let fix = doctor.log.split_once("fix: ").and_then(|(_, rest)| rest.lines().next()).unwrap();
    assert!(fix.contains("rent") && fix.contains("floors"), "{fix}");
    own.clickhouse(fix);
    own.job("doctor", &[]).expect_exit(0);
    wait_for("the older row to come", || {
        let (_, rejected) = own.ingest_all();
        assert_eq!(rejected, 0);
        own.number(&format!("SELECT count() FROM {}.v_garage", own.dw)) == 2
    });
    own.job("init", &["--check"]).expect_exit(0);
    own.assert_right();
}
