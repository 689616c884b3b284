//! The pipeline's file on the real executable: where it is looked for, what is said of mistakes, and another database than Northwind.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use lockstep::pipeline::{Origin, connector_settings, grants, publication};
use lockstep::tables::Pipeline;
use proptest::prelude::*;

use crate::support::observe::settings;
use crate::support::{Outcome, World, clickhouse, connect_postgres, outcome, root, wait_for};

/// A till: what a small shop has.
const TILL: &str = r#"[pipeline]
name = "till"
topic_prefix = "till"

[connector]
name = "till-connector"
database = "till"
role = "debezium"
slot = "till_slot"
publication = "till_publication"
heartbeat = { schema = "till_cdc", table = "heartbeat" }
signal = { schema = "till_cdc", table = "signal" }
decimal_handling = "string"
time_precision = "adaptive"
binary_handling = "bytes"

[warehouse]
database = "till_dw"
ops = "till_ops"

[limits]
most = { type = "numeric(10,2)", value = "1000", min = "0" }

[tables.shops]
source = { schema = "Front Desk", table = "Shops" }
target = "shops"
key = ["id"]
columns.id   = "bigint not null"
columns.name = "text not null"

[tables.receipts]
source = { schema = "Front Desk", table = "receipts" }
target = "all_receipts"
key = ["id"]
columns.id      = "uuid not null"
columns.shop    = "bigint null"
columns.amount  = "numeric(10,2) not null"
columns.paid_at = "timestamp with time zone null"
references.shop_row = { columns = ["shop"], table = "shops", why = "a receipt of no shop", example = { shop = 99 } }
[[tables.receipts.rules]]
name = "amount-not-too-high"
expect = "amount <= :most"
severity = "reject"
why = "nobody pays so much at a till"
example = { amount = 5000 }
"#;

/// A call of the executable in a folder, without any pipeline in its environment.
fn lockstep(folder: &Path, args: &[&OsStr]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
    command.args(args).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in ["PIPELINE", "RUST_LOG", "POSTGRES_DB"] {
        command.env_remove(name);
    }
    command
}

fn run(command: &mut Command) -> Outcome {
    outcome(command.spawn().unwrap())
}

/// Runs a job with a file as its pipeline.
fn with_file(file: &Path, job: &str) -> Outcome {
    run(&mut lockstep(Path::new("/"), &["--pipeline".as_ref(), file.as_ref(), job.as_ref()]))
}

#[test]
fn the_flag_the_variable_and_the_folder_are_asked_in_this_order_and_the_log_begins_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let began = |command: &mut Command| {
        let outcome = run(command);
        let log = outcome.log.lines().next().unwrap_or_default().to_owned();
        log.split_once(" INFO ").unwrap_or_else(|| panic!("{outcome:?}")).1.to_owned()
    };
    let generate: [&OsStr; 2] = ["generate".as_ref(), "--check".as_ref()];
    assert_eq!(began(&mut lockstep(folder, &generate)), "pipeline northwind: the pipeline that is compiled in");
    for name in ["lockstep", "variable", "flag"] {
        let text = TILL.replacen("name = \"till\"", &format!("name = \"{name}\""), 1);
        std::fs::write(folder.join(format!("{name}.toml")), text).unwrap();
    }
    assert_eq!(began(&mut lockstep(folder, &generate)), "pipeline lockstep: lockstep.toml");
    let mut variable = lockstep(folder, &generate);
    assert_eq!(began(variable.env("PIPELINE", "variable.toml")), "pipeline variable: PIPELINE=variable.toml");
    for flag in [&["--pipeline", "flag.toml"][..], &["--pipeline=flag.toml"]] {
        let flag: Vec<&OsStr> = flag.iter().map(AsRef::as_ref).collect();
        for args in [[&flag[..], &generate].concat(), [&generate, &flag[..]].concat()] {
            let mut flagged = lockstep(folder, &args);
            assert_eq!(began(flagged.env("PIPELINE", "variable.toml")), "pipeline flag: --pipeline flag.toml");
        }
    }
}

/// The place of a text in the pipeline's file, as `line:column`.
fn place(text: &str, of: &str) -> String {
    let before = text.split_once(of).unwrap_or_else(|| panic!("no {of}")).0;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("{}:{column}", before.matches('\n').count() + 1)
}

/// What is changed, the text at whose place the problem is told, and what is said of it.
#[test]
fn what_is_wrong_with_a_file_is_told_with_its_place_and_what_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("till.toml");
    for (from, to, at, said) in [
        ("target = \"shops\"", "traget = \"shops\"", "traget", "has no key \"traget\"; write target"),
        ("slot = ", "slots = ", "slots = ", "[connector] has no key \"slots\"; write slot"),
        ("expect = \"amount", "expect = \"amuont", "amuont", "amuont"),
        ("table = \"shops\", why", "table = \"shop\", why", "\"shop\", why", "which is no table here; write shops"),
        ("target = \"shops\"\nkey = [\"id\"]", "target = \"shops\"\nkey = [\"no\"]", "\"no\"", "the key"),
        ("target = \"all_receipts\"", "target = \"shops\" ", "\"shops\" ", "shops"),
        (
            "\"text not null\"",
            "\"varchar(5) not null\"",
            "\"varchar",
            "catalogue does, \"character varying(5) not null\"",
        ),
        ("\"uuid not null\"", "\"uuid( not null\"", "\"uuid(", "\"uuid(\" is no type"),
        ("\"numeric(10,2) not null\"", "\"not null\"", "\"not null\"", "\"not\" is no type"),
        ("\"text not null\"", "{ type = \"text not null\", as = \"Text\" }", "\"Text\"", "cannot be kept as Text"),
        ("amount <= :most", "amount <= now()", "now()", "beyond the subset"),
        ("amount <= :most", "amount <= :more", ":more", "more"),
    ] {
        let text = TILL.replacen(from, to, 1);
        std::fs::write(&file, &text).unwrap();
        let outcome = with_file(&file, "jobs").expect_exit(78);
        let wanted = format!("{}:{}: ", file.display(), place(&text, at));
        let line = outcome.log.lines().find(|line| line.starts_with(&wanted));
        let line = line.unwrap_or_else(|| panic!("{to}: no {wanted} in\n{}", outcome.log));
        assert!(line.contains(said), "{to}: {said:?} is not in {line}");
        assert!(outcome.error().contains(line), "the summary says it too: {}", outcome.stdout);
    }
}

#[test]
fn a_file_that_is_no_pipeline_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let latin = folder.path().join("latin.toml");
    std::fs::write(&latin, b"[pipeline]\nname = \"caf\xe9\"\n").unwrap();
    for (file, said) in [
        (Path::new("/dev/zero"), "/dev/zero: has more than 16 MiB; write the path of a pipeline's file"),
        (folder.path(), "cannot be read: Is a directory"),
        (&latin, "is not UTF-8 (line 2); save it as UTF-8"),
        (&folder.path().join("nowhere.toml"), "cannot be read: No such file or directory"),
    ] {
        let outcome = with_file(file, "ingest-shops").expect_exit(78);
        assert!(outcome.log.contains(said) && outcome.error().contains(said), "{said}: {outcome:?}");
        assert_eq!(outcome.stdout.lines().count(), 1, "{}", outcome.stdout);
    }
}

static NORTHWIND: LazyLock<String> =
    LazyLock::new(|| std::fs::read_to_string(root().join("pipelines/northwind.toml")).unwrap());

const PIECES: [&str; 15] =
    ["\"", "[", "]", "{ ", " }", "= ", "\n", "null", "[tables.x]\n", ":discount", "(", "é", "'''", "9", ", "];

/// Northwind's file with some of its pieces, and of TOML's, in other places.
fn mutated() -> impl Strategy<Value = String> {
    let index = any::<prop::sample::Index>;
    let change = (index(), 0usize..30, prop::option::of(prop::sample::select(&PIECES[..])), index(), 0usize..80);
    prop::collection::vec(change, 1..5).prop_map(|changes| {
        let mut letters: Vec<char> = NORTHWIND.chars().collect();
        for (at, cut, piece, from, copied) in changes {
            let new: Vec<char> = match piece {
                Some(piece) => piece.chars().collect(),
                None => letters.iter().copied().skip(from.index(letters.len())).take(copied).collect(),
            };
            let start = at.index(letters.len());
            letters.splice(start..letters.len().min(start + cut), new);
        }
        letters.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_stands_in_it_there_is_an_answer(text in mutated()) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mutated.toml");
        std::fs::write(&file, &text).unwrap();
        std::os::unix::fs::symlink(root().join("pipelines/northwind"), folder.path().join("northwind")).unwrap();
        if let Err(problems) = Pipeline::read(Origin::Flag(file)) {
            prop_assert!(!problems.0.is_empty());
        }
    }
}

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
    for statement in [grants(pipeline.spec), publication(pipeline.spec)] {
        source.batch_execute(&statement).unwrap();
    }
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
