//! Another database than Northwind, by a pipeline's file and nothing else.

use std::ffi::OsStr;
use std::path::Path;

use lockstep::pipeline::{self, Origin, connector_settings};
use lockstep::tables::Pipeline;

use super::pipeline_file::{TILL, lockstep, run};
use crate::support::observe::settings;
use crate::support::{World, clickhouse, connect_postgres, wait_for};

/// What a till's database has, and what the connector needs there.
const SOURCE: &str = r#"
CREATE SCHEMA "Front Desk";
CREATE TABLE "Front Desk"."Shops" (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE "Front Desk".receipts
    (id uuid PRIMARY KEY, shop bigint REFERENCES "Front Desk"."Shops", amount numeric(10,2) NOT NULL, paid_at timestamptz);
ALTER TABLE "Front Desk"."Shops" REPLICA IDENTITY FULL;
CREATE SCHEMA till_cdc;
CREATE TABLE till_cdc.heartbeat (id integer PRIMARY KEY, ts timestamptz NOT NULL);
INSERT INTO till_cdc.heartbeat VALUES (1, now());
CREATE TABLE till_cdc.signal (id varchar(64) PRIMARY KEY, type varchar(32) NOT NULL, data varchar(2048));
GRANT USAGE ON SCHEMA "Front Desk", till_cdc TO debezium;
GRANT SELECT, UPDATE ON till_cdc.heartbeat TO debezium;
GRANT SELECT, INSERT, DELETE ON till_cdc.signal TO debezium;
CREATE PUBLICATION till_publication;
INSERT INTO "Front Desk"."Shops" VALUES (1, 'Corner'), (2, 'Station');
INSERT INTO "Front Desk".receipts
    SELECT gen_random_uuid(), 1 + n % 2, n + 0.25, '2026-01-31 08:00+00'::timestamptz + n * interval '1 minute' FROM generate_series(1, 50) n;
"#;

/// Names that the engine's own statements use too, a key of a boolean and a text, a column that had another name and one that is not read.
const PLACES: &str = r#"
[tables.places]
source = { schema = "Front Desk", table = "places" }
target = "places"
key = ["open", "key"]
columns.key          = "text not null"
columns.open         = "boolean not null"
columns.version      = "integer not null"
columns.partition    = "integer null"
columns.offset       = "bigint null"
columns.newest       = "text null"
columns.columns      = "text null"
columns.value        = "numeric(10,2) null"
columns."article no" = { type = "text null", was = "article" }
columns.secret       = { exclude = "personal data" }
[[tables.places.rules]]
name = "version-not-too-high"
expect = "version <= :most"
severity = "reject"
why = "nobody counts so far"
example = { version = 5000 }
"#;

const PLACES_SOURCE: &str = r#"
CREATE TABLE "Front Desk".places
    (key text, open boolean, version integer NOT NULL, partition integer, "offset" bigint, newest text, columns text,
     value numeric(10,2), article text, secret text, PRIMARY KEY (open, key));
ALTER TABLE "Front Desk".places ALTER article SET STORAGE EXTERNAL;
INSERT INTO "Front Desk".places
    SELECT n::text, n % 2 = 0, n, n, n, 'n' || n, 'c', n, repeat('long' || n, 1000), repeat('secret', 1000) FROM generate_series(1, 20) n;
"#;

/// A world with a till's database in the place of Northwind's, captured by its own connector; and the pipeline's file.
fn till(test: &str, tables: &str, source_tables: &str) -> (World, String) {
    let mut world = World::new(test);
    let mut admin = connect_postgres("postgres");
    wait_for("the copy of Northwind to go", || {
        admin.batch_execute(&format!("DROP DATABASE {} WITH (FORCE)", world.pg_db)).is_ok()
    });
    admin.batch_execute(&format!("CREATE DATABASE {} TEMPLATE template0", world.pg_db)).unwrap();
    for database in [&world.dw, &world.ops] {
        clickhouse(&format!("DROP DATABASE {database} SYNC"));
    }
    let own = [("till-connector", &world.name), ("till_slot", &world.name), ("till_dw", &world.dw)];
    let own = own.into_iter().chain([("till_ops", &world.ops), ("till", &world.name)]);
    let text = own.fold(format!("{TILL}{tables}"), |text, (name, own)| {
        text.replace(&format!("\"{name}\""), &format!("\"{own}\""))
    });
    // The connector's name in Kafka Connect, which the tests' support knows, is that of the world.
    let file = settings(&world, &text);
    let pipeline = Pipeline::read(Origin::Flag(file.clone().into())).unwrap();
    let mut source = world.postgres();
    source.batch_execute(&format!("{SOURCE}{source_tables}")).unwrap();
    let script = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(script.path(), pipeline::source(pipeline.spec).unwrap()).unwrap();
    world.psql(script.path(), &[]);
    let settings = connector_settings(pipeline.spec);
    let settings: Vec<(&str, &str)> =
        settings.iter().filter_map(|(key, value)| Some((*key, value.as_deref()?))).collect();
    world.capture(&settings);
    (world, file)
}

#[test]
fn another_database_flows_with_a_file_and_nothing_else() {
    let (world, file) = till("till", "", "");
    let mut said = String::new();
    let mut job = |job: &str, args: &[&str]| {
        let args: Vec<&OsStr> = [&[job, "--pipeline", &file], args].concat().into_iter().map(AsRef::as_ref).collect();
        let outcome = run(&mut lockstep(Path::new("/"), &args));
        said += &format!("{}{}", outcome.stdout, outcome.log);
        outcome
    };
    let change = |sql: &str| {
        world.postgres().batch_execute(sql).unwrap();
        world.wait_for_capture(&world.name);
    };
    job("migrate", &[]).expect_exit(0);
    assert_eq!(job("ingest-shops", &["--verify"]).expect_exit(0).count("written"), 2);
    assert_eq!(job("ingest-receipts", &["--verify"]).expect_exit(0).count("written"), 50);
    change(
        "UPDATE \"Front Desk\".receipts SET amount = amount + 1 WHERE shop = 2;
         DELETE FROM \"Front Desk\".receipts WHERE amount < 5;
         INSERT INTO \"Front Desk\".receipts VALUES (gen_random_uuid(), 2, 4000, NULL)",
    );
    assert_eq!(job("ingest-receipts", &["--verify"]).expect_exit(0).count("rejected"), 1);
    change("UPDATE \"Front Desk\".receipts SET amount = 40 WHERE amount = 4000");
    job("ingest-receipts", &["--verify"]).expect_exit(0);
    job("check-all", &["--wait", "30s"]).expect_exit(0);
    job("sync-schema", &["--check"]).expect_exit(0);
    job("lag", &[]).expect_exit(0);
    job("observe", &[]).expect_exit(0);

    let sums = "SELECT format('%s %s', count(*), (sum(amount) * 100)::int8) FROM \"Front Desk\".receipts";
    let of_source: String = world.postgres().query_one(sums, &[]).unwrap().get(0);
    let sums =
        format!("SELECT format('{{}} {{}}', count(), toInt64(sum(amount) * 100)) FROM {}.all_receipts FINAL", world.dw);
    assert_eq!(clickhouse(&sums).trim(), of_source);
    assert!(!said.to_lowercase().contains("northwind"), "{said}");
    let tables =
        clickhouse(&format!("SELECT name FROM system.tables WHERE database IN ('{}', '{}')", world.dw, world.ops));
    assert!(tables.contains("all_receipts") && !tables.contains("order_wide"), "{tables}");
}

#[test]
fn a_table_may_have_the_names_that_the_engine_uses() {
    let (world, file) = till("places", PLACES, PLACES_SOURCE);
    let job = |job: &str, args: &[&str]| {
        let args: Vec<&OsStr> = [&[job, "--pipeline", &file], args].concat().into_iter().map(AsRef::as_ref).collect();
        run(&mut lockstep(Path::new("/"), &args))
    };
    let change = |sql: &str| {
        world.postgres().batch_execute(sql).unwrap();
        world.wait_for_capture(&world.name);
    };
    let ingest = |args: &[&str]| job("ingest-places", &[&["--verify"], args].concat()).expect_exit(0);
    let sums = || {
        let sql = "SELECT count(*)::text || ' ' || sum(version) || ' ' || sum(length(\"article no\")) FROM \"Front Desk\".places";
        let of_source: String = world.postgres().query_one(sql, &[]).unwrap().get(0);
        let sql = "concat(toString(count()), ' ', toString(sum(version)), ' ', toString(sum(length(`article no`))))";
        let sql = format!("SELECT {sql} FROM {}.places FINAL WHERE _deleted = 0", world.dw);
        assert_eq!(clickhouse(&sql).trim(), of_source);
    };
    job("migrate", &[]).expect_exit(0);
    // The long value is sent under its former name, and left out under it, before it is carried to the newer one.
    change("UPDATE \"Front Desk\".places SET version = version + 1 WHERE open");
    change(
        "ALTER TABLE \"Front Desk\".places RENAME article TO \"article no\";
         UPDATE \"Front Desk\".places SET version = version + 1 WHERE open",
    );
    assert_eq!(ingest(&[]).count("written"), 40);
    sums();
    // Now it is in the warehouse alone.
    change("UPDATE \"Front Desk\".places SET version = version + 1; DELETE FROM \"Front Desk\".places WHERE key = '4'");
    ingest(&[]);
    sums();
    change("UPDATE \"Front Desk\".places SET version = 5000 WHERE key = '7'");
    assert_eq!(ingest(&[]).count("rejected"), 1);
    let replay = job("replay-rejected", &["--table", "places", "--limit", "most=6000"]).expect_exit(0);
    assert_eq!(replay.count("replayed"), 1, "{replay:?}");
    sums();
    job("check-all", &["--table", "places", "--limit", "most=6000", "--wait", "30s"]).expect_exit(0);
    change(
        "TRUNCATE \"Front Desk\".places; INSERT INTO \"Front Desk\".places (key, open, version) VALUES ('1', true, 1), ('99', false, 2)",
    );
    ingest(&[]);
    let left = format!(
        "SELECT groupArray(key) FROM (SELECT key FROM {}.places FINAL WHERE _deleted = 0 ORDER BY key)",
        world.dw
    );
    assert_eq!(clickhouse(&left).trim(), "['1','99']");
    let compared = job("check-reconcile", &["--table", "places", "--wait", "30s"]).expect_exit(0);
    assert_eq!(compared.count("fail"), 0, "{compared:?}");
}
