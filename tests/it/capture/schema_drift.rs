//! The source's schema changes while it is captured: new columns, other types, dropped columns.

use crate::support::World;
use crate::support::source::said;

/// Statement by statement, each in a transaction of its own, as people do it: Debezium may take a value for one of the old type when
/// `ALTER … TYPE` and the change stand in one transaction (3.7.0: its task then fails for good).
/// Ingests what the table's topic has by now; nothing is rejected.
fn ingest(world: &World, connector: &str, table: &str) {
    world.wait_for_capture(connector);
    let outcome = world.ingest_table(table, &[]).expect_exit(0);
    assert_eq!(outcome.count("rejected"), 0, "{outcome:?}");
}

/// One column, with a value, and how the warehouse shows it.
const VALUES: [(&str, &str, &str, &str); 26] = [
    ("c_int", "integer", "40000", "40000"),
    ("c_big", "bigint", "9223372036854775807", "9223372036854775807"),
    ("c_numeric", "numeric(20,2)", "-123456789012345678.90", "-123456789012345678.9"),
    ("c_any_numeric", "numeric", "1.234567890123456789012345678901", "1.234567890123456789012345678901"),
    ("c_real", "real", "0.15", "0.15"),
    ("c_double", "double precision", "-Infinity", "-inf"),
    ("c_bool", "boolean", "true", "true"),
    ("c_text", "text", r#"O'Brien \ "quoted" ü"#, r#"O'Brien \ "quoted" ü"#),
    ("c_varchar", "varchar(10)", "", ""),
    ("c_bpchar", "char(5)", "ab", "ab"),
    ("c_date", "date", "2024-02-29", "2024-02-29"),
    ("c_early", "date", "1901-12-31", "1901-12-31"),
    ("c_timestamp", "timestamp", "2024-01-02 03:04:05.678901", "2024-01-02 03:04:05.678901"),
    ("c_millis", "timestamp(3)", "1950-01-02 03:04:05.678", "1950-01-02 03:04:05.678000"),
    ("c_old", "timestamp", "0001-01-01", "0001-01-01 00:00:00.000000"),
    ("c_timestamptz", "timestamptz", "2024-01-02 03:04:05.5+02", "2024-01-02 01:04:05.500000"),
    ("c_time", "time", "01:02:03.5", "3723500000"),
    ("c_minutes", "time(0)", "01:02:00", "3720000000"),
    ("c_interval", "interval", "1 year 2 months 3 days 04:00:00", "37090800000000"),
    ("c_uuid", "uuid", "7b2d9f8e-0000-4000-8000-000000000001", "7b2d9f8e-0000-4000-8000-000000000001"),
    ("c_jsonb", "jsonb", r#"{"a": [1, null], "b": "x"}"#, r#"{"a": [1, null], "b": "x"}"#),
    ("c_json_string", "jsonb", r#""x""#, r#""x""#),
    ("c_array", "text[]", r#"{a,"b c"}"#, r#"["a","b c"]"#),
    ("c_enum", "mood", "happy", "happy"),
    ("c_domain", "price", "12.5", "12.5"),
    ("c_bytes", "bytea", r"\x616263", "(3,'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')"),
];

fn literal(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// The columns of `VALUES` in a row of the view.
fn row(world: &World, id: i64, prefix: &str) -> Vec<String> {
    let columns: Vec<String> = VALUES.iter().map(|(name, ..)| format!("toString({prefix}{name})")).collect();
    let sql = format!(
        "SELECT [{}] FROM northwind_dw.v_shippers WHERE shipper_id = {id} FORMAT JSONCompactEachRow",
        columns.join(", ")
    );
    let answer: Vec<Vec<Option<String>>> = serde_json::from_str(&world.clickhouse(&sql)).unwrap();
    answer[0].iter().map(|value| value.clone().unwrap_or_else(|| "NULL".to_owned())).collect()
}

/// Values that came before the warehouse had the columns, values that come afterwards, and the values that PostgreSQL's catalogue
/// has for rows that nobody has touched since.
#[test]
fn new_columns_of_every_type_show_what_the_source_has() {
    let mut world = World::new("drift_types");
    world.alter("CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN price AS numeric(10,2)");
    let connector = world.capture(&[]);
    ingest(&world, &connector, "shippers");
    let nullable = VALUES.map(|(name, kind, ..)| format!("ADD COLUMN {name} {kind}"));
    let filled =
        VALUES.map(|(name, kind, value, _)| format!("ADD COLUMN d_{name} {kind} NOT NULL DEFAULT {}", literal(value)));
    world.alter(&format!("ALTER TABLE shippers {}, REPLICA IDENTITY FULL", [nullable, filled].concat().join(", ")));
    let set = VALUES.map(|(name, _, value, _)| format!("{name} = {}", literal(value))).join(", ");
    world.alter(&format!(
        "UPDATE shippers SET {set} WHERE shipper_id = 1; UPDATE shippers SET phone = '-' WHERE shipper_id = 2"
    ));
    ingest(&world, &connector, "shippers");
    let outcome = world.run("sync-schema", &[]).expect_exit(0);
    assert_eq!((outcome.count("changes"), outcome.count("compared")), (2 * VALUES.len() as i64 + 1, 14));
    assert!(outcome.log.contains("ADD COLUMN IF NOT EXISTS `c_int` Nullable(Int64) DEFAULT"), "{}", outcome.log);

    let expected = VALUES.map(|(.., shown)| shown.to_owned());
    let nothing = VALUES.map(|(name, ..)| if name == "c_bytes" { "(NULL,NULL)" } else { "NULL" }.to_owned());
    assert_eq!(row(&world, 1, ""), expected, "came before the columns were there");
    assert_eq!(row(&world, 2, ""), nothing, "came with nulls");
    assert_eq!(row(&world, 3, ""), nothing, "not touched");
    assert_eq!(row(&world, 3, "d_"), expected, "not touched, from the catalogue");
    assert_eq!(row(&world, 1, "d_"), expected, "from an event");

    world.alter(&format!(
            "UPDATE shippers SET {set}, d_c_int = 8, d_c_text = 'own' WHERE shipper_id = 4; INSERT INTO shippers VALUES (7, 'new')"
        ),
    );
    ingest(&world, &connector, "shippers");
    assert_eq!(row(&world, 4, ""), expected, "came afterwards");
    assert_eq!((row(&world, 7, ""), row(&world, 7, "d_")), (nothing.to_vec(), expected.to_vec()));
    let own = "SELECT shipper_id, d_c_int, d_c_text FROM northwind_dw.v_shippers WHERE d_c_int != 40000";
    assert_eq!(world.clickhouse(own), "4\t8\town\n");
    let again = world.run("sync-schema", &[]).expect_exit(0);
    assert_eq!((again.count("changes"), again.count("notes")), (0, 0), "{again:?}");
    world.clickhouse("OPTIMIZE TABLE northwind_dw.dim_shippers FINAL");
    assert_eq!(row(&world, 3, "d_"), expected, "merged");
}

/// A value that the warehouse's type cannot hold is NULL, and as it was sent in `_extra`.
#[test]
fn a_value_that_does_not_fit_is_neither_clamped_nor_lost() {
    let mut world = World::new("drift_misfits");
    let connector = world.capture(&[]);
    world.alter("ALTER TABLE shippers ADD a date, ADD b date NOT NULL DEFAULT 'infinity', ADD c timestamp, ADD d timestamptz, ADD e numeric(10,2);
         UPDATE shippers SET a = '1815-06-18', c = 'infinity', d = '-infinity', e = 'NaN' WHERE shipper_id = 1",
    );
    ingest(&world, &connector, "shippers");
    world.run("sync-schema", &["--table", "shippers"]).expect_exit(0);
    let sql = "SELECT a, b, c, d, e FROM northwind_dw.v_shippers WHERE shipper_id IN (1, 2)";
    assert_eq!(world.clickhouse(sql), "\\N\t\\N\t\\N\t\\N\t\\N\n".repeat(2));
    let kept = "SELECT JSONExtractInt(_extra, 'a'), JSONExtractString(_extra, 'e') FROM northwind_dw.dim_shippers FINAL WHERE shipper_id = 1";
    assert_eq!(world.clickhouse(kept), "-56445\tNAN\n");
}

#[test]
fn a_dropped_or_renamed_optional_column_is_null_from_then_on() {
    let mut world = World::new("drift_dropped");
    world.alter("ALTER TABLE shippers ADD gone text NOT NULL DEFAULT 'default'");
    let connector = world.capture(&[]);
    ingest(&world, &connector, "shippers");
    world.alter("ALTER TABLE shippers ADD late text NOT NULL DEFAULT 'default'");
    world.run("sync-schema", &[]).expect_exit(0);
    world.alter(
        "ALTER TABLE shippers DROP gone, DROP late; ALTER TABLE shippers RENAME phone TO telephone;
         UPDATE shippers SET company_name = 'changed' WHERE shipper_id = 1",
    );
    let outcome = world.run("sync-schema", &[]).expect_exit(0);
    assert_eq!(
        said(&outcome, "shippers", "changes"),
        ["ADD COLUMN `telephone` Nullable(String)", "CREATE OR REPLACE VIEW v_shippers"]
    );
    let notes = said(&outcome, "shippers", "notes");
    for (note, column) in notes.iter().zip(["phone", "gone", "late"]) {
        assert!(note.starts_with(&format!("{column} is no longer in PostgreSQL (dropped or renamed)")), "{note}");
    }
    assert_eq!(notes.len(), 3);
    ingest(&world, &connector, "shippers");
    let sql = "SELECT company_name, phone, gone, late, telephone FROM northwind_dw.v_shippers WHERE shipper_id < 3 ORDER BY shipper_id";
    let expected = "changed\t\\N\t\\N\t\\N\t(503) 555-9831\nUnited Package\t(503) 555-3199\tdefault\tdefault\t\\N\n";
    assert_eq!(world.clickhouse(sql), expected);
}

#[test]
fn widened_columns_go_on() {
    let mut world = World::new("drift_widened");
    let connector = world.capture(&[]);
    world.alter(
        "ALTER TABLE products ADD size integer, ADD price numeric(10,2) NOT NULL DEFAULT 12.5, ADD ratio real;
         UPDATE products SET size = 1, price = 1.25 WHERE product_id = 1",
    );
    ingest(&world, &connector, "products");
    world.run("sync-schema", &[]).expect_exit(0);
    world.alter("ALTER TABLE products ALTER units_in_stock TYPE integer, ALTER product_name TYPE text, ALTER unit_price TYPE double precision,
             ALTER size TYPE numeric(12,3), ALTER price TYPE numeric(14,4), ALTER ratio TYPE double precision;
         ALTER TABLE products REPLICA IDENTITY FULL;
         UPDATE products SET units_in_stock = 40000, product_name = repeat('long', 20), size = 2.125, price = 1.2555, ratio = 0.1
         WHERE product_id = 2",
    );
    ingest(&world, &connector, "products");
    let outcome = world.run("sync-schema", &[]).expect_exit(0);
    let changes = [
        "MODIFY COLUMN `size` Nullable(Decimal(12, 3))",
        "MODIFY COLUMN `price` Nullable(Decimal(14, 4))",
        "CREATE OR REPLACE VIEW v_products",
    ];
    assert_eq!(
        (said(&outcome, "products", "changes"), outcome.count("notes")),
        (changes.map(str::to_owned).to_vec(), 0)
    );
    world.alter("UPDATE products SET size = 3.5, price = 2 WHERE product_id = 3");
    ingest(&world, &connector, "products");
    let sql = "SELECT units_in_stock, length(product_name), unit_price, size, price, ratio FROM northwind_dw.v_products
               WHERE product_id < 5 ORDER BY product_id";
    let expected = "39\t4\t18\t1\t1.25\t\\N\n40000\t80\t19\t2.125\t1.2555\t0.1\n13\t13\t10\t3.5\t2\t\\N\n53\t28\t22\t\\N\t12.5\t\\N\n";
    assert_eq!(world.clickhouse(sql), expected);
    assert_eq!(world.run("sync-schema", &[]).expect_exit(0).count("changes"), 0);
}

/// A large table is written anew for longer than anybody waits: the server goes on, and the run says where that is to be seen.
#[test]
fn a_column_that_is_written_anew_for_long_goes_on_in_the_server() {
    let mut world = World::new("drift_long");
    let connector = world.capture(&[]);
    world.alter("ALTER TABLE products ADD size integer; UPDATE products SET size = 1 WHERE product_id = 1");
    ingest(&world, &connector, "products");
    world.run("sync-schema", &[]).expect_exit(0);
    world.alter("ALTER TABLE products ALTER size TYPE numeric(12,3)");
    world.clickhouse("SYSTEM STOP MERGES northwind_dw.dim_products");
    let ended = world.run("sync-schema", &["--table", "products", "--wait", "3s"]).expect_exit(75);
    for said in ["no answer in 3 s", "goes on in ClickHouse", "system.mutations", "dim_products", "--wait"] {
        assert!(ended.error().contains(said), "{said}: {}", ended.error());
    }
    let at_work = "SELECT count() FROM system.mutations WHERE database = 'northwind_dw' AND `table` = 'dim_products' AND NOT is_done";
    assert_eq!(world.number(at_work), 1);
    world.clickhouse("SYSTEM START MERGES northwind_dw.dim_products");
    crate::support::wait_for("the mutation", || world.number(at_work) == 0);
    world.run("sync-schema", &[]).expect_exit(0);
    assert_eq!(world.run("sync-schema", &[]).expect_exit(0).count("changes"), 0);
    assert_eq!(world.clickhouse("SELECT size FROM northwind_dw.v_products WHERE product_id = 1"), "1\n");
}
