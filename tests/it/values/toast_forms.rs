//! Every form in which Debezium says that a long value was not sent, from PostgreSQL through the real connector: none of them lands.

use serde_json::json;

use crate::support::World;
use crate::support::checks::Checked;
use crate::support::event::{UNAVAILABLE, customer};
use crate::support::source::said;

/// A column, its type, and a value that is stored apart from its row.
const LONG: [(&str, &str, &str); 14] = [
    ("l_text", "text", "repeat('long ', 2000)"),
    ("l_bytes", "bytea", "convert_to(repeat('long ', 2000), 'UTF8')"),
    ("l_json", "jsonb", "to_jsonb(repeat('long ', 2000))"),
    ("l_hstore", "hstore", "hstore('a', repeat('long ', 2000))"),
    ("l_texts", "text[]", "(SELECT array_agg('t' || g) FROM generate_series(1, 2000) g)"),
    ("l_varchars", "varchar(9)[]", "(SELECT array_agg(('t' || g)::varchar) FROM generate_series(1, 2000) g)"),
    ("l_ints", "int[]", "(SELECT array_agg(g) FROM generate_series(1, 2000) g)"),
    ("l_bigints", "bigint[]", "(SELECT array_agg(g::bigint) FROM generate_series(1, 2000) g)"),
    ("l_dates", "date[]", "(SELECT array_agg('2000-01-01'::date + g) FROM generate_series(1, 2000) g)"),
    ("l_uuids", "uuid[]", "(SELECT array_agg(md5(g::text)::uuid) FROM generate_series(1, 2000) g)"),
    ("l_blobs", "bytea[]", "(SELECT array_agg(convert_to('b' || g, 'UTF8')) FROM generate_series(1, 2000) g)"),
    ("l_jsons", "jsonb[]", "(SELECT array_agg(to_jsonb(g::text)) FROM generate_series(1, 2000) g)"),
    ("l_number", "numeric", "repeat('9', 20000)::numeric"),
    ("l_range", "numrange", "numrange(repeat('8', 9000)::numeric, repeat('9', 9000)::numeric)"),
];

/// In the warehouse: how many values of these columns, or of `_extra`, are placeholders; and the hash of all values of a row.
fn placeholders(world: &World) -> i64 {
    world.number(
        "SELECT countIf(toString(tuple(*)) LIKE '%unavailable_value%' OR toString(tuple(*)) LIKE '%X19kZWJ%' OR toString(tuple(*)) LIKE '%b68a35a7-17ad%'
             OR replaceAll(toString(tuple(*)), ' ', '') LIKE '%95,95,100,101,98%') FROM northwind_dw.dim_shippers",
    )
}

fn extra(world: &World, id: i64) -> String {
    let names = LONG.map(|(name, ..)| format!("JSONExtractRaw(_extra, '{name}')")).join(", ");
    world.clickhouse(&format!("SELECT {names} FROM northwind_dw.dim_shippers FINAL WHERE shipper_id = {id}"))
}

#[test]
fn no_form_of_the_placeholder_lands() {
    let mut shop = Checked::new("toast_forms", &["shippers"]);
    let world = &mut shop.world;
    let add = LONG.map(|(name, kind, _)| format!("ADD {name} {kind}, ALTER {name} SET STORAGE EXTERNAL")).join(", ");
    let set = LONG.map(|(name, _, value)| format!("{name} = {value}")).join(", ");
    world.alter(&format!(
        "CREATE EXTENSION hstore; ALTER TABLE shippers {add}; UPDATE shippers SET {set} WHERE shipper_id < 4"
    ));
    // In one window, …
    shop.change("UPDATE shippers SET phone = 'first' WHERE shipper_id = 1");
    shop.ingest(&["shippers"]);
    assert_eq!(placeholders(&shop.world), 0);
    let whole = extra(&shop.world, 2);
    assert_eq!(extra(&shop.world, 1), whole);
    assert!(whole.len() > 150_000, "{}", whole.len());
    // … from `_extra`, …
    shop.change("UPDATE shippers SET phone = 'second' WHERE shipper_id = 2");
    shop.ingest(&["shippers"]);
    assert_eq!((placeholders(&shop.world), extra(&shop.world, 2)), (0, whole.clone()));
    // … and with columns that were added for it.
    let outcome = shop.world.run("sync-schema", &["--check"]).expect_exit(10);
    let notes = said(&outcome, "shippers", "notes");
    assert!(
        notes[0].starts_with("l_text (text), l_bytes (bytea)")
            && notes[0].ends_with("ALTER TABLE public.shippers REPLICA IDENTITY FULL"),
        "{notes:?}"
    );
    shop.world.run("sync-schema", &[]).expect_exit(0);
    shop.change("UPDATE shippers SET phone = 'third' WHERE shipper_id IN (1, 3)");
    shop.ingest(&["shippers"]);
    assert_eq!(placeholders(&shop.world), 0);
    let names = LONG.map(|(name, ..)| name).join(", ");
    let shown = |id: i64| {
        shop.world.clickhouse(&format!("SELECT {names} FROM northwind_dw.v_shippers WHERE shipper_id = {id}"))
    };
    assert_eq!((shown(1), shown(3)), (shown(2), shown(2)));
    shop.run("check-integrity", &["--table", "shippers"]).expect_exit(0);

    // With the whole row in the log nothing is left out any more.
    shop.world.alter("ALTER TABLE shippers REPLICA IDENTITY FULL");
    let outcome = shop.world.run("sync-schema", &["--check"]).expect_exit(0);
    assert_eq!((outcome.count("changes"), outcome.count("notes")), (0, 0), "{outcome:?}");
}

/// What an older release has let through, in `_extra` and in an added column.
#[test]
fn a_placeholder_in_extra_or_in_an_added_column_is_the_pipelines() {
    let shop = Checked::new("toast_forms_check", &["shippers"]);
    shop.world.alter("ALTER TABLE shippers ADD tags text[], ADD photo bytea");
    shop.world.run("sync-schema", &[]).expect_exit(0);
    for (what, column) in [
        (r#"_extra = '{"tags":["__debezium_unavailable_value"]}'"#, "_extra"),
        (
            r#"_extra = '{"n":[95,95,100,101,98,101,122,105,117,109,95,117,110,97,118,97,105,108,97,98,108,101,95,118,97,108,117,101]}'"#,
            "_extra",
        ),
        (r#"tags = '["__debezium_unavailable_value"]'"#, "tags"),
        ("photo = (28, lower(hex(SHA256('__debezium_unavailable_value'))))", "photo"),
    ] {
        shop.run("check-integrity", &["--table", "shippers"]).expect_exit(0);
        shop.tamper(&format!("ALTER TABLE northwind_dw.dim_shippers UPDATE {what} WHERE shipper_id = 1"));
        let outcome = shop.run("check-integrity", &["--table", "shippers"]).expect_exit(10);
        assert!(shop.statuses(&outcome).contains("no-placeholders shippers fail\n"), "{what}: {outcome:?}");
        assert_eq!(shop.failures(&outcome, "check_name, owner, row_key"), "no-placeholders pipeline 1\n", "{what}");
        let nothing = if column == "_extra" {
            "''"
        } else if column == "tags" {
            "NULL"
        } else {
            "(NULL, NULL)"
        };
        shop.tamper(&format!("ALTER TABLE northwind_dw.dim_shippers UPDATE {column} = {nothing} WHERE shipper_id = 1"));
    }
}

/// Of other types Debezium sends null: nobody can carry that.
#[test]
fn a_column_whose_long_values_are_sent_as_null_needs_a_person() {
    let world = World::new("toast_forms_null");
    world.alter("ALTER TABLE shippers ADD ratios double precision[]");
    let problem = &said(&world.run("sync-schema", &["--check"]).expect_exit(78), "shippers", "problems")[0];
    assert!(
        problem.starts_with("ratios (double precision[]): a long value that a change does not touch is sent as NULL"),
        "{problem}"
    );
    assert!(problem.contains("ALTER TABLE public.shippers REPLICA IDENTITY FULL"), "{problem}");
    world.alter("ALTER TABLE shippers REPLICA IDENTITY FULL");
    assert_eq!(world.run("sync-schema", &["--check"]).expect_exit(10).count("problems"), 0);
}

/// A value that no event has brought, a placeholder that an older release has written: there is nothing to carry.
#[test]
fn a_placeholder_is_not_carried_from_the_warehouse() {
    let world = World::with_topic("toast_forms_old", 1);
    let event = |name: &str, lsn| customer("u", "ALFKI", name, lsn);
    world.produce(&[event("first", 10).set("n", json!(1)).message()]);
    world.ingest(&[]).expect_exit(0);
    let old = r#"ALTER TABLE northwind_dw.dim_customers UPDATE _extra = '{"tags":["__debezium_unavailable_value"]}' WHERE true SETTINGS mutations_sync = 2"#;
    world.clickhouse(old);
    world.produce(&[event("second", 20).set("tags", json!([UNAVAILABLE])).message()]);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!(outcome.summary["rejected_by_rule"], json!({"toast-unavailable": 1}));
    assert_eq!(world.detail(1), "the unchanged value of tags was not sent and the known row has no column tags");
}
