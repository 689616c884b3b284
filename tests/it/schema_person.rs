//! Changes of the source's schema that only a person can settle, and what `sync-schema` says about them.

use crate::schema_drift::{alter, said};
use crate::support::event::customer;
use crate::support::{World, connect_postgres};
use serde_json::json;

const INCOMPATIBLE: &str = "phone is integer in PostgreSQL, and Nullable(String) in ";
const REQUIRED: &str =
    "region_description is no longer in PostgreSQL (dropped or renamed), and a row is nothing without it: ";
const REPLAY: &str = "then replay-rejected --table ";

/// The rows wait in quarantine; the other tables go on; after the fix, so does this one.
#[test]
fn incompatible_changes_wait_for_a_person_and_the_other_tables_go_on() {
    let mut world = World::new("person_changes");
    let connector = world.capture(&[]);
    for table in ["shippers", "region"] {
        world.ingest_table(table, &[]).expect_exit(0);
    }
    alter(
        &world,
        "ALTER TABLE shippers ALTER phone TYPE integer USING 5559831;
         ALTER TABLE region RENAME region_description TO region_name;
         ALTER TABLE us_states ADD motto text;
         UPDATE shippers SET company_name = 'changed' WHERE shipper_id = 1;
         UPDATE region SET region_name = 'changed' WHERE region_id = 1;
         UPDATE us_states SET motto = 'Live Free or Die' WHERE state_abbr = 'NH'",
    );
    world.wait_for_capture(&connector);
    for table in ["shippers", "region"] {
        let outcome = world.ingest_table(table, &[]).expect_exit(0);
        assert_eq!(outcome.summary["rejected_by_rule"], json!({"decode": 1}), "{table}");
    }
    let reasons = "SELECT `table`, row_key, rule, status, detail LIKE 'after: phone: invalid type%' OR detail LIKE 'after: missing field `region_description`%'
                   FROM northwind_ops.rejected FINAL ORDER BY `table`";
    let waiting = "region\t1\tdecode\topen\t1\nshippers\t1\tdecode\topen\t1\n";
    assert_eq!(world.clickhouse(reasons), waiting);

    let outcome = world.run("sync-schema", &[]).expect_exit(78);
    let problem = &said(&outcome, "shippers", "problems")[0];
    assert!(
        problem.starts_with(INCOMPATIBLE) && problem.contains(REPLAY) && problem.contains("change the type back"),
        "{problem}"
    );
    let problem = &said(&outcome, "region", "problems")[0];
    assert!(problem.starts_with(REQUIRED) && problem.ends_with("then replay-rejected --table region"), "{problem}");
    assert_eq!((outcome.count("problems"), outcome.count("compared")), (2, 14));
    assert!(outcome.error().contains(&format!("region: {REQUIRED}")), "{}", outcome.error());
    assert_eq!(world.ingest_table("us_states", &[]).expect_exit(0).count("rejected"), 0);
    let motto = "SELECT motto FROM northwind_dw.v_us_states WHERE state_abbr = 'NH'";
    assert_eq!(world.clickhouse(motto), "Live Free or Die\n");

    alter(
        &world,
        "ALTER TABLE shippers ALTER phone TYPE varchar(24) USING '(503) ' || phone;
         ALTER TABLE region RENAME region_name TO region_description;
         UPDATE shippers SET company_name = 'again' WHERE shipper_id = 1;
         UPDATE region SET region_description = 'again' WHERE region_id = 1",
    );
    assert_eq!(world.run("sync-schema", &[]).expect_exit(0).count("problems"), 0);
    world.wait_for_capture(&connector);
    for (table, offset) in [("shippers", 6), ("region", 4)] {
        assert_eq!(world.ingest_table(table, &[]).expect_exit(0).count("written"), 1, "{table}");
        // The same bytes are no row of this row type, now as then; they do no harm either.
        let outcome = world.ingest_table(table, &["--offsets", &format!("0:{offset}..{}", offset + 1)]).expect_exit(0);
        assert_eq!((outcome.count("written"), outcome.count("rejected")), (0, 1), "{table}");
    }
    assert_eq!(world.clickhouse(reasons), waiting);
    let rows = "SELECT company_name, phone, region_description FROM northwind_dw.v_shippers, northwind_dw.v_region
                WHERE shipper_id = 1 AND region_id = 1";
    assert_eq!(world.clickhouse(rows), "again\t(503) 5559831\tagain\n");
    // What came after the fix has settled them.
    let outcome = world.run("replay-rejected", &["--table", "shippers", "--table", "region"]).expect_exit(0);
    assert_eq!((outcome.count("superseded"), outcome.count("still_rejected")), (2, 0), "{outcome:?}");
    assert_eq!(world.number("SELECT count() FROM northwind_ops.rejected FINAL WHERE status = 'open'"), 0);
}

/// PostgreSQL writes the whole table anew and tells nobody; the commands in the report bring the values.
#[test]
fn a_volatile_default_is_reported_with_what_heals_it() {
    let mut world = World::new("person_volatile");
    alter(
        &world,
        "CREATE TABLE northwind_cdc.signal (id varchar(64) PRIMARY KEY, type varchar(32) NOT NULL, data varchar(2048));
         GRANT SELECT, INSERT, DELETE ON northwind_cdc.signal TO debezium;
         ALTER PUBLICATION northwind_publication ADD TABLE northwind_cdc.signal",
    );
    let connector = world.capture(&[("signal.data.collection", "northwind_cdc.signal")]);
    for table in ["shippers", "region"] {
        world.ingest_table(table, &[]).expect_exit(0);
    }
    let add = "ADD token uuid NOT NULL DEFAULT gen_random_uuid(), ADD ticket integer GENERATED BY DEFAULT AS IDENTITY, ADD since timestamptz DEFAULT now()";
    alter(
        &world,
        &format!("ALTER TABLE shippers {add}; ALTER TABLE region ADD token uuid NOT NULL DEFAULT gen_random_uuid()"),
    );
    let outcome = world.run("sync-schema", &[]).expect_exit(0);
    let notes = said(&outcome, "shippers", "notes");
    let names: Vec<&str> = notes.iter().filter_map(|note| note.split(": 6 row(s) are older").next()).collect();
    assert_eq!(names, ["token", "ticket", "since"], "one volatile default, and the whole table was written anew");
    let update = r#"UPDATE public.shippers SET "token" = "token""#;
    assert!(notes[0].contains(update) && notes[0].ends_with("then ingest-shippers"), "{}", notes[0]);
    let note = &said(&outcome, "region", "notes")[0];
    let insert =
        format!("INSERT INTO {}", note.split("INSERT INTO ").nth(1).unwrap().split(", or without one").next().unwrap());

    alter(&world, &format!("{update}; {}", insert.replace("<signal.data.collection>", "northwind_cdc.signal")));
    crate::support::wait_for("the incremental snapshot", || {
        world.wait_for_capture(&connector);
        world.ingest_table("region", &[]).expect_exit(0).count("written") == 4
    });
    assert_eq!(world.ingest_table("shippers", &[]).expect_exit(0).count("written"), 6);
    for table in ["shippers", "region"] {
        let key = if table == "region" { "region_id" } else { "shipper_id" };
        let rows = world.postgres().query(&format!("SELECT token::text FROM {table} ORDER BY {key}"), &[]).unwrap();
        let tokens: String = rows.iter().map(|row| format!("{}\n", row.get::<_, String>(0))).collect();
        assert_eq!(world.clickhouse(&format!("SELECT token FROM northwind_dw.v_{table} ORDER BY {key}")), tokens);
    }
    let outcome = world.run("sync-schema", &[]).expect_exit(0);
    assert_eq!((outcome.count("changes"), outcome.count("notes")), (0, 0), "{outcome:?}");
}

#[test]
fn check_changes_nothing_and_says_what_would_be_done() {
    let world = World::new("person_check");
    assert_eq!(world.run("sync-schema", &["--check"]).expect_exit(0).count("changes"), 0);
    alter(&world, "ALTER TABLE orders ADD priority integer");
    let columns = "SELECT count() FROM system.columns WHERE database = 'northwind_dw' AND name = 'priority'";
    for _ in 0..2 {
        let outcome = world.run("sync-schema", &["--check"]).expect_exit(10);
        let changes = ["ADD COLUMN `priority` Nullable(Int64)", "CREATE OR REPLACE VIEW v_orders"];
        assert_eq!(said(&outcome, "orders", "changes"), changes);
        assert!(outcome.log.contains("would be done: ALTER TABLE"), "{}", outcome.log);
        assert_eq!(world.number(columns), 0);
    }
    assert_eq!(world.run("sync-schema", &["--check", "--table", "customers"]).expect_exit(0).count("compared"), 1);
    assert_eq!(world.run("sync-schema", &["--table", "orders"]).expect_exit(0).count("changes"), 2);
    assert_eq!(world.number(columns), 2, "table and view");
    assert_eq!(world.run("sync-schema", &[]).expect_exit(0).count("changes"), 0);
    assert_eq!(world.run("sync-schema", &["--check"]).expect_exit(0).count("changes"), 0);
    alter(&world, "ALTER TABLE orders ADD more integer, ADD _lsn integer");
    world.run("sync-schema", &["--check"]).expect_exit(78);
    world.run("sync-schema", &["--table", "nonsense"]).expect_exit(2);
}

/// Any name but a system column's will do.
#[test]
fn names_are_quoted_or_their_collision_explained() {
    let world = World::with_topic("person_names", 1);
    alter(
        &world,
        r#"ALTER TABLE customers ADD "order" text, ADD "it's `a\b` ""x"" ü" text DEFAULT 'it''s', ADD "a.b" text, ADD "Op" text, ADD _row_exists text;
           ALTER TABLE customers ADD op text, ADD _version bigint; ALTER TABLE orders ADD _part text"#,
    );
    world.produce(&[
        customer("c", "ALFKI", "first", 1).message(),
        customer("u", "ANATR", "second", 2)
            .set("order", json!("an order"))
            .set(r#"it's `a\b` "x" ü"#, json!("quoted"))
            .set("a.b", json!("dotted"))
            .set("Op", json!("not op"))
            .set("op", json!("lost"))
            .message(),
    ]);
    world.ingest(&[]).expect_exit(0);
    let outcome = world.run("sync-schema", &[]).expect_exit(78);
    let problems = said(&outcome, "customers", "problems");
    assert!(
        problems[0].starts_with("op is a column in PostgreSQL and also the name of a system column"),
        "{problems:?}"
    );
    assert!(problems[1].starts_with("_version is a column in PostgreSQL and also"), "{problems:?}");
    assert!(problems[2].contains("altering") && problems[2].contains("_row_exists"), "{problems:?}");
    assert_eq!(problems.len(), 3);
    assert_eq!(said(&outcome, "orders", "changes")[0], "ADD COLUMN `_part` Nullable(String)");
    let rows = world.clickhouse(
        r#"SELECT customer_id, "order", `it's \`a\\b\` "x" ü`, "a.b", "Op" FROM northwind_dw.v_customers ORDER BY 1"#,
    );
    assert_eq!(rows, "ALFKI\t\\N\tit\\'s\t\\N\t\\N\nANATR\tan order\tquoted\tdotted\tnot op\n");
    assert_eq!(world.ingest(&["--offsets", "0:0..2"]).expect_exit(0).count("written"), 2);
}

#[test]
fn a_column_added_by_hand_is_named_together_with_the_statement_that_mends_it() {
    let world = World::with_topic("person_by_hand", 1);
    world.clickhouse("ALTER TABLE northwind_dw.dim_customers ADD COLUMN `my notes` Nullable(String), ADD COLUMN score Decimal(10, 2), ADD COLUMN fine Int8 DEFAULT 5");
    world.produce(&[customer("c", "ALFKI", "first", 1).message()]);
    let fixes = ["`my notes` Nullable(String)", "`score` Decimal(10, 2)"].map(|column| {
        let kind = column.rsplit("` ").next().unwrap();
        format!(
            "ALTER TABLE {}.dim_customers MODIFY COLUMN {column} DEFAULT defaultValueOfTypeName('{kind}')",
            world.dw
        )
    });
    let ingest = world.ingest(&[]).expect_exit(78);
    let sync = world.run("sync-schema", &[]).expect_exit(78);
    for (fix, column) in fixes.iter().zip(["my notes", "score"]) {
        let said = format!(
            "{column} was added to {}.dim_customers by hand and has no DEFAULT, so every insert is refused: {fix}",
            world.dw
        );
        assert!(ingest.error().contains(&said) && sync.error().contains(&said), "{} {}", ingest.error(), sync.error());
    }
    fixes.iter().for_each(|fix| {
        world.clickhouse(fix);
    });
    world.ingest(&[]).expect_exit(0);
    assert_eq!(world.run("sync-schema", &[]).expect_exit(0).count("changes"), 0);
    let row = "SELECT company_name, `my notes`, score, fine FROM northwind_dw.v_customers";
    assert_eq!(world.clickhouse(row), "first\t\\N\t0\t5\n");
    alter(&world, "ALTER TABLE customers ADD score integer");
    let note = &said(&world.run("sync-schema", &[]).expect_exit(0), "customers", "notes")[0];
    assert!(note.ends_with("dim_customers DROP COLUMN `score` lets sync-schema add it"), "{note}");
}

#[test]
fn keys_types_and_tables_that_do_not_fit_are_named() {
    let world = World::new("person_misfits");
    alter(
        &world,
        "ALTER TABLE customer_customer_demo DROP CONSTRAINT pk_customer_customer_demo, ADD id serial PRIMARY KEY;
         ALTER TABLE shippers DROP CONSTRAINT pk_shippers CASCADE; ALTER TABLE us_states ALTER state_abbr TYPE bytea USING 'x';
         ALTER TABLE products ALTER unit_price TYPE numeric(12,6), ALTER product_name DROP NOT NULL;
         ALTER TABLE region ADD twice integer GENERATED ALWAYS AS (region_id * 2) STORED, ADD born date; DROP TABLE territories CASCADE",
    );
    world.clickhouse("DROP TABLE northwind_dw.dim_employees");
    world.clickhouse("ALTER TABLE northwind_dw.dim_suppliers DROP COLUMN fax");
    let outcome = world.run("sync-schema", &[]).expect_exit(78);
    for (table, list, start) in [
        ("customer_customer_demo", "problems", "the primary key in PostgreSQL is id, but "),
        ("shippers", "problems", "the primary key in PostgreSQL is no column, but "),
        ("us_states", "problems", "state_abbr is bytea in PostgreSQL, and Nullable(String) in "),
        ("products", "notes", "product_name may be NULL in PostgreSQL now"),
        ("region", "notes", "twice is a generated column"),
        ("territories", "problems", "there is no table public.territories in PostgreSQL"),
        ("employees", "problems", "there is no table "),
        ("suppliers", "problems", "t_person_misfits"),
    ] {
        let lines = said(&outcome, table, list);
        assert!(lines.len() == 1 || table == "products", "{table}: {lines:?}");
        assert!(lines[0].starts_with(start), "{table}: {lines:?}");
    }
    assert!(said(&outcome, "products", "notes")[1].contains("more than four digits"), "{outcome:?}");
    assert!(said(&outcome, "us_states", "problems")[0].contains("wrong values are written; stop ingest-us-states"));

    // Dates and days have no common reading: the column has to be made anew.
    alter(&world, "ALTER TABLE region ALTER born TYPE text");
    let problem = &said(&world.run("sync-schema", &[]).expect_exit(78), "region", "problems")[0];
    let fix = format!("ALTER TABLE {}.dim_regions DROP COLUMN `born`", world.dw);
    assert!(problem.starts_with("born was date in PostgreSQL and is text now") && problem.contains(&fix), "{problem}");
}

#[test]
fn the_right_to_select_is_enough() {
    let mut world = World::new("person_rights");
    let role = format!("{}_reader", world.name);
    alter(
        &world,
        &format!("CREATE ROLE {role} LOGIN PASSWORD 'secret'; ALTER TABLE orders ADD priority integer DEFAULT 3"),
    );
    world.environment = vec![("POSTGRES_USER".into(), role.clone()), ("POSTGRES_PASSWORD".into(), "secret".into())];
    let outcome = world.run("sync-schema", &[]).expect_exit(78);
    assert!(outcome.error().contains("reading the columns of public.categories"), "{}", outcome.error());
    alter(&world, &format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"));
    assert_eq!(world.run("sync-schema", &[]).expect_exit(0).count("changes"), 2);
    alter(&world, &format!("DROP OWNED BY {role}"));
    connect_postgres("postgres").batch_execute(&format!("DROP ROLE {role}")).unwrap();
}

/// What stands in `_extra` is carried forward as Debezium sent it, also when the warehouse has a column for it.
#[test]
fn an_unchanged_long_value_of_a_new_column_is_carried_forward() {
    let world = World::with_topic("person_toast", 1);
    alter(&world, "ALTER TABLE customers ADD photo bytea, ADD tags text[], ADD born date");
    let whole = customer("c", "ALFKI", "first", 1);
    world.produce(&[whole
        .set("photo", json!("YWJj"))
        .set("tags", json!(["a", "b"]))
        .set("born", json!(19782))
        .message()]);
    world.ingest(&[]).expect_exit(0);
    world.run("sync-schema", &[]).expect_exit(0);
    let partial = customer("u", "ALFKI", "second", 2).set("photo", json!("X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="));
    let unavailable = json!("__debezium_unavailable_value");
    world.produce(&[partial.set("tags", unavailable.clone()).set("born", unavailable).message()]);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("rejected"), 0);
    let row = "SELECT company_name, photo, tags, born FROM northwind_dw.v_customers FORMAT TSVRaw";
    let sha = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(world.clickhouse(row), format!("second\t(3,'{sha}')\t[\"a\",\"b\"]\t2024-02-29\n"));
}
