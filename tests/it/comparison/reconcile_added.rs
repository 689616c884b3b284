//! `check-reconcile` and the columns that `sync-schema` has added: they are compared and repaired as all others are.

use crate::support::Outcome;
use crate::support::checks::Checked;

const SHIPPERS: [&str; 2] = ["--table", "shippers"];

/// A column, a value, what the warehouse shows of it, and what it is changed to there.
const VALUES: [(&str, &str, &str, &str, &str); 41] = [
    ("c_int", "integer", "40000", "40000", "40001"),
    ("c_big", "bigint", "9223372036854775807", "9223372036854775807", "9223372036854775806"),
    ("c_numeric", "numeric(20,2)", "-123456789012345678.90", "-123456789012345678.9", "-123456789012345678.91"),
    ("c_zero", "numeric(12,8)", "0", "0", "0.00000001"),
    ("c_any_numeric", "numeric", "1.2345678901234567890", "1.2345678901234567890", "'1.23456789012345678901'"),
    ("c_nan", "numeric", "NaN", "NAN", "'1'"),
    ("c_real", "real", "0.15", "0.15", "0.15001"),
    ("c_wide_real", "real", "16777217.3", "16777218", "16777216"),
    ("c_double", "double precision", "0.1", "0.1", "0.10000000000000002"),
    ("c_infinite", "double precision", "-Infinity", "-inf", "inf"),
    ("c_bool", "boolean", "true", "true", "false"),
    ("c_text", "text", r#"O'Brien \ "quoted" ü"#, r#"O'Brien \ "quoted" ü"#, "'O'"),
    ("c_varchar", "varchar(10)", "", "", "' '"),
    ("c_bpchar", "char(5)", "ab", "ab", "'AB'"),
    ("c_date", "date", "2024-02-29", "2024-02-29", "'2024-03-01'"),
    ("c_early", "date", "1901-12-31", "1901-12-31", "'1901-12-30'"),
    (
        "c_timestamp",
        "timestamp",
        "2024-01-02 03:04:05.678901",
        "2024-01-02 03:04:05.678901",
        "'2024-01-02 03:04:05.678902'",
    ),
    (
        "c_millis",
        "timestamp(3)",
        "1950-01-02 03:04:05.678",
        "1950-01-02 03:04:05.678000",
        "'1950-01-02 03:04:05.678001'",
    ),
    ("c_old", "timestamp", "0001-01-01", "0001-01-01 00:00:00.000000", "'0001-01-02 00:00:00'"),
    (
        "c_timestamptz",
        "timestamptz",
        "2024-01-02 03:04:05.5+02",
        "2024-01-02 01:04:05.500000",
        "'2024-01-02 03:04:05.5'",
    ),
    ("c_time", "time", "01:02:03.5", "3723500000", "3723500001"),
    ("c_minutes", "time(0)", "01:02:00", "3720000000", "3720000"),
    ("c_timetz", "timetz", "01:02:03.5+02", "23:02:03.5Z", "'01:02:03.5Z'"),
    ("c_interval", "interval", "1 year 2 months 3 days 04:00:00", "37090800000000", "37090800000001"),
    ("c_money", "money", "1234.5", "1234.5", "1234.51"),
    (
        "c_uuid",
        "uuid",
        "7b2d9f8e-0000-4000-8000-000000000001",
        "7b2d9f8e-0000-4000-8000-000000000001",
        "'7b2d9f8e-0000-4000-8000-000000000002'",
    ),
    ("c_jsonb", "jsonb", r#"{"a": [1, null], "b": "x"}"#, r#"{"a": [1, null], "b": "x"}"#, r#"'{"a": [1], "b": "x"}'"#),
    ("c_json_string", "jsonb", r#""x""#, r#""x""#, r#"'"X"'"#),
    ("c_json_null", "jsonb", "null", "null", "NULL"),
    ("c_array", "text[]", r#"{a,"b c",NULL}"#, r#"["a","b c",null]"#, r#"'["a","b c"]'"#),
    ("c_empty", "integer[]", "{}", "[]", "'[0]'"),
    ("c_reals", "real[]", "{0.15,1e10}", "[0.15,10000000000]", "'[0.15]'"),
    ("c_numerics", "numeric(10,2)[]", "{1.50,2}", r#"["1.50","2.00"]"#, r#"'["1.50","2.01"]'"#),
    ("c_dates", "date[]", "{2024-02-29,NULL}", "[19782,null]", "'[19783,null]'"),
    ("c_stamps", "timestamptz[]", "{2024-01-02 03:04:05.5+02}", r#"["2024-01-02T01:04:05.500000Z"]"#, "'[]'"),
    ("c_enum", "mood", "happy", "happy", "'sad'"),
    ("c_domain", "price", "12.5", "12.5", "12.51"),
    ("c_inet", "inet", "10.0.0.1", "10.0.0.1", "'10.0.0.1/32'"),
    ("c_range", "int4range", "[1,5)", "[1,5)", "'[1,4)'"),
    (
        "c_no_bytes",
        "bytea",
        "",
        "(0,'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')",
        "(1, 'e3b0')",
    ),
    (
        "c_bytes",
        "bytea",
        r"\x616263",
        "(3,'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')",
        "(NULL, NULL)",
    ),
];

fn literal(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// Every column twice: without a default, and (`d_…`) with the value as the default of rows that are older.
fn shop(test: &str) -> Checked {
    let shop = Checked::new(test, &["shippers"]);
    let nullable = VALUES.map(|(name, kind, ..)| format!("ADD COLUMN {name} {kind}"));
    let filled = VALUES.map(|(name, kind, value, ..)| format!("ADD COLUMN d_{name} {kind} DEFAULT {}", literal(value)));
    shop.world.alter("CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN price AS numeric(10,2)");
    shop.world.alter(&format!("ALTER TABLE shippers {}", [nullable, filled].concat().join(", ")));
    shop.world.alter("ALTER TABLE shippers REPLICA IDENTITY FULL");
    shop.world.alter(&format!("UPDATE shippers SET {} WHERE shipper_id = 1", set()));
    shop.world.alter("UPDATE shippers SET phone = '-' WHERE shipper_id = 2");
    shop.world.wait_for_capture(&shop.connector);
    shop.ingest(&["shippers"]);
    shop.world.run("sync-schema", &SHIPPERS).expect_exit(0);
    shop
}

fn set() -> String {
    VALUES.map(|(name, _, value, ..)| format!("{name} = {}", literal(value))).join(", ")
}

fn with<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [&SHIPPERS[..], args].concat()
}

/// The columns of `VALUES` in a row of the view.
fn row(shop: &Checked, id: i64, prefix: &str) -> Vec<String> {
    let columns: Vec<String> = VALUES.iter().map(|(name, ..)| format!("toString({prefix}{name})")).collect();
    let columns = columns.join(", ");
    let sql =
        format!("SELECT [{columns}] FROM northwind_dw.v_shippers WHERE shipper_id = {id} FORMAT JSONCompactEachRow");
    let answer: Vec<Vec<Option<String>>> = serde_json::from_str(&shop.world.clickhouse(&sql)).unwrap();
    answer[0].iter().map(|value| value.clone().unwrap_or_else(|| "NULL".to_owned())).collect()
}

fn shown() -> Vec<String> {
    VALUES.map(|(_, _, _, shown, _)| shown.to_owned()).to_vec()
}

/// `key column`, one a line, sorted, of what differs.
fn found(shop: &Checked, outcome: &Outcome) -> Vec<String> {
    let mut lines: Vec<String> = shop.failures(outcome, "row_key, column").lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn expected(cells: &[(i64, &str)]) -> Vec<String> {
    let of_cell = |(id, prefix): &(i64, &str)| VALUES.map(|(name, ..)| format!("{id} {prefix}{name}")).to_vec();
    let mut lines: Vec<String> = cells.iter().flat_map(of_cell).collect();
    lines.sort();
    lines
}

/// Row 1 has values, row 2 NULLs, row 3 was not touched since the columns came. In each, every column is changed once.
#[test]
fn a_value_changed_in_an_added_column_is_found_with_its_column() {
    let shop = shop("added_found");
    let outcome = shop.reconcile(&SHIPPERS).expect_exit(0);
    assert!(shop.detail(&outcome, "shippers").trim_end().ends_with("6 the same, 0 different"), "{outcome:?}");
    assert_eq!(outcome.summary.get("not_compared"), None);

    let null = |name: &str| if name.ends_with("bytes") { "(NULL, NULL)" } else { "NULL" };
    let other = VALUES.map(|(name, _, _, _, other)| format!("{name} = {other}")).join(", ");
    let filled = VALUES.map(|(name, _, _, _, other)| {
        let other = if other.contains("NULL") { "(5, 'x')" } else { other };
        format!("{name} = {}", if name == "c_json_null" { "'x'" } else { other })
    });
    let emptied = VALUES.map(|(name, ..)| format!("d_{name} = {}", null(name)));
    for (id, changes) in [(1, other), (2, filled.join(", ")), (3, emptied.join(", "))] {
        shop.tamper(&format!("ALTER TABLE northwind_dw.dim_shippers UPDATE {changes} WHERE shipper_id = {id}"));
    }
    let outcome = shop.reconcile(&SHIPPERS).expect_exit(10);
    assert_eq!(found(&shop, &outcome), expected(&[(1, ""), (2, ""), (3, "d_")]));
    let values = "row_key, source_value, warehouse_value";
    let values =
        shop.failures(&outcome, &format!("if(column = 'c_date', concat({}), '')", values.replace(", ", ", ' ', ")));
    assert!(values.contains(r#"1 "2024-02-29" "2024-03-01""#), "{values}");

    // The log still has all of it: reading it again mends it.
    let plan = shop.reconcile(&with(&["--plan"])).expect_exit(0);
    assert_eq!((plan.count("different"), plan.count("in_log")), (3, 3), "{}", plan.stdout);
    let command = plan.stdout.lines().find(|line| line.starts_with("  ingest-shippers")).unwrap().trim().to_owned();
    shop.world.ingest_table("shippers", &command.split(' ').skip(1).collect::<Vec<_>>()).expect_exit(0);
    shop.reconcile(&SHIPPERS).expect_exit(0);
    assert_eq!(row(&shop, 1, ""), shown());
}

/// What the log cannot give: a row changed, a row missing, a row set to NULL; with all its columns, as an event would have brought them.
#[test]
fn a_repair_writes_the_added_columns() {
    let shop = shop("added_repair");
    let names = VALUES.map(|(name, ..)| name).join(", ");
    let values = VALUES.map(|(_, _, value, ..)| literal(value)).join(", ");
    let nulls = VALUES.map(|(name, ..)| format!("{name} = NULL")).join(", ");
    shop.unseen(
        "shippers",
        &format!(
            "UPDATE shippers SET company_name = 'changed', {} WHERE shipper_id = 4;
             INSERT INTO shippers (shipper_id, company_name, {names}) VALUES (7, 'new', {values});
             UPDATE shippers SET {nulls} WHERE shipper_id = 1",
            set()
        ),
    );
    let outcome = shop.reconcile(&SHIPPERS).expect_exit(10);
    assert_eq!(outcome.summary["findings"][0]["measured"], 3.0);
    let outcome = shop.reconcile(&with(&["--repair", "--yes"])).expect_exit(0);
    assert_eq!(outcome.count("repaired"), 3, "{}", outcome.stdout);
    assert_eq!((row(&shop, 4, ""), row(&shop, 7, "")), (shown(), shown()));
    assert_eq!((row(&shop, 4, "d_"), row(&shop, 7, "d_")), (shown(), shown()));
    let nothing = VALUES.map(|(name, ..)| if name.ends_with("bytes") { "(NULL,NULL)" } else { "NULL" }.to_owned());
    assert_eq!((row(&shop, 1, ""), row(&shop, 1, "d_")), (nothing.to_vec(), shown()));
    let outcome = shop.reconcile(&SHIPPERS).expect_exit(0);
    assert!(shop.detail(&outcome, "shippers").contains("7 the same, 0 different"), "{outcome:?}");

    // `_extra` is what an event's would be: the same row, by an event, has the same.
    let extra = |id: i64| {
        let pairs = format!(
            "arraySort(JSONExtractKeysAndValuesRaw(_extra)) FROM northwind_dw.dim_shippers FINAL WHERE shipper_id = {id}"
        );
        shop.world.clickhouse(&format!("SELECT {pairs} FORMAT TSVRaw"))
    };
    let repaired = extra(4);
    shop.change("UPDATE shippers SET phone = '-' WHERE shipper_id = 4");
    shop.ingest(&["shippers"]);
    let reals = |text: String| text.replace("1.6777218e7", "16777218");
    assert_eq!(reals(repaired), reals(extra(4)));
}

/// What cannot be compared exactly is named, and a repair leaves it as it is.
#[test]
fn what_cannot_be_compared_is_named() {
    let shop = Checked::new("added_not_compared", &["shippers"]);
    shop.world.alter(
        "ALTER TABLE shippers ADD place point, ADD note text, ADD born date, ADD late text, ADD size integer;
         UPDATE shippers SET place = '(1,2)', note = 'n', born = '1815-06-18', size = 1 WHERE shipper_id = 1",
    );
    shop.world.wait_for_capture(&shop.connector);
    shop.ingest(&["shippers"]);
    shop.world.run("sync-schema", &SHIPPERS).expect_exit(0);
    shop.world.alter("ALTER TABLE shippers DROP late; ALTER TABLE shippers ADD later text; ALTER TABLE shippers ALTER size TYPE text;
         UPDATE shippers SET phone = '-' WHERE shipper_id = 1",
    );
    shop.world.wait_for_capture(&shop.connector);
    shop.ingest(&["shippers"]);
    let outcome = shop.reconcile(&SHIPPERS).expect_exit(0);
    let named: Vec<String> = serde_json::from_value(outcome.summary["not_compared"].clone()).unwrap();
    let expected = [
        "shippers.place is point, of which it is not known what the connector makes of it",
        "shippers.size was integer and is text now: sync-schema says what to do",
        "shippers.later is not in the warehouse: sync-schema adds it",
        "shippers.late is no longer in PostgreSQL",
    ];
    let mut sorted = named.clone();
    sorted.sort();
    let mut expected = expected.map(str::to_owned).to_vec();
    expected.sort();
    assert_eq!(sorted, expected);
    let detail = shop.detail(&outcome, "shippers");
    assert!(detail.contains("1 values of born that the warehouse cannot hold"), "{detail}");
    assert!(detail.contains("not compared: place is point"), "{detail}");

    shop.unseen("shippers", "UPDATE shippers SET note = 'changed', later = 'x' WHERE shipper_id = 1");
    let before = shop.world.clickhouse("SELECT place FROM northwind_dw.v_shippers WHERE shipper_id = 1");
    assert!(before.contains("\"x\":1"), "{before}");
    let outcome = shop.reconcile(&with(&["--repair", "--yes"])).expect_exit(0);
    assert_eq!((outcome.count("repaired"), outcome.summary["not_compared"].as_array().unwrap().len()), (1, 4));
    let sql =
        "SELECT note, JSONExtractString(_extra, 'later') FROM northwind_dw.dim_shippers FINAL WHERE shipper_id = 1";
    assert_eq!(shop.world.clickhouse(sql), "changed\tx\n");
    assert_eq!(shop.world.clickhouse("SELECT place FROM northwind_dw.v_shippers WHERE shipper_id = 1"), before);
}
