//! Anybody's catalogue: what is asked for is taken, and what cannot be read is told.

use crate::support::own_database::OwnDatabase;

#[test]
fn schemas_and_patterns_choose_tables_and_the_file_remembers_them() {
    let own = OwnDatabase::load("own_choice", &["workshop.sql"]);
    let choice = [
        "--schema",
        "app",
        "--table",
        "app.*o*",
        "--exclude",
        "app.lo*",
        "--exclude",
        "*_only",
        "--exclude",
        "*notes",
        "--exclude",
        "*odd*",
    ];
    let outcome = own.init(&choice).expect_exit(0);
    let text = own.text("lockstep.toml");
    let tables: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("[tables.")).collect();
    assert_eq!(tables, ["by_other_index]", "home]", "it_s_body_db]", "second_choice]", "app_v_home]"], "{outcome:#?}");
    assert!(text.contains("name = \"t_own_choice"), "{text}");
    // The same question, without being asked again.
    own.job("init", &["--check"]).expect_exit(0);
    let outcome = own.job("init", &["--check", "--schema", "app"]).expect_exit(10);
    assert!(outcome.log.contains("app.visit: the source has this table"), "{}", outcome.log);
}

#[test]
fn what_cannot_be_read_is_told() {
    let own = OwnDatabase::load("own_wrong", &[]);
    let outcome = own.init(&[]).expect_exit(78);
    assert!(outcome.error().contains("has no tables"), "{}", outcome.error());
    own.postgres()
        .batch_execute("CREATE TABLE log (at timestamptz, what text); CREATE TABLE \"a\tb\" (id int PRIMARY KEY)")
        .unwrap();
    let outcome = own.init(&[]).expect_exit(78);
    for part in ["public.log: it has no primary key", "ADD PRIMARY KEY", "control characters"] {
        assert!(outcome.error().contains(part), "{part}: {}", outcome.error());
    }
    let outcome = own.init(&["--schema", "nothing"]).expect_exit(78);
    assert!(outcome.error().contains("leave none of them"), "{}", outcome.error());
    let outcome = own.init(&["--name", "No Name"]).expect_exit(78);
    assert!(outcome.error().contains("lower-case letters"), "{}", outcome.error());
    let from = own.job("init", &["--from", "nonsense", "x"]).expect_exit(2);
    assert!(from.error().contains("postgres://user@host:port/database"), "{}", from.error());
    let check = own.job("init", &["--check"]).expect_exit(2);
    assert!(check.error().contains("name the pipeline's folder"), "{}", check.error());
    assert!(!own.file("lockstep.toml").exists(), "nothing is written that cannot be read");
}

/// A role that may not see every row would take rows that are there for missing: it is refused, in words.
#[test]
fn a_role_from_whom_rows_are_hidden_is_refused() {
    let own = OwnDatabase::load("own_hidden", &["workshop.sql"]).captured(&["--table", "app.secret"]);
    own.ingest_all();
    own.postgres().batch_execute(&format!("ALTER ROLE {}_jobs NOBYPASSRLS", own.name)).unwrap();
    own.postgres().batch_execute("UPDATE app.secret SET note = 'again'").unwrap();
    own.wait_for_capture(&own.slot());
    for job in ["ingest-secret", "check-reconcile", "doctor"] {
        let outcome = own.job(job, &[]).expect_exit(78);
        let told = format!("{}{}", outcome.log, outcome.stdout);
        assert!(told.contains("row-level security") && told.contains("BYPASSRLS"), "{outcome:#?}");
    }
    own.postgres().batch_execute(&format!("ALTER ROLE {}_jobs BYPASSRLS", own.name)).unwrap();
    own.ingest_all();
    own.assert_right();
}
