//! Derived tables: what is wrong with their section or with their SQL is told where it stands.

use crate::pipeline::tests::{SHOP, read_with};
use crate::pipeline::{PipelineSpec, Problems};

const WIDE: &str = r#"[derived.wide]
about = "One row per line"
target = "wide"
driven_by = "lines"
sql = "sql/wide.sql"
views = ["sql/views.sql"]
key = ["id", "part"]
order_by = ["part", "id"]
partition_by = "toYYYYMM(day)"
left_out.without_day = "day IS NULL"
columns.id = "Int64"
columns.part = "String"
columns.day = { type = "Date", comment = "of the basket" }
touched_by.lines = "SELECT id, part FROM {db}.lines WHERE {rows}"
touched_by.baskets = "SELECT id, part FROM {db}.lines WHERE basket IN (SELECT id FROM {db}.baskets WHERE {rows})"
"#;

const ROWS: &str = "SELECT line.id AS id, part, basket.day AS day, 1 AS _source_ts_ms
FROM (SELECT id, part FROM {db}.lines FINAL WHERE (id, part) IN {keys}) AS line
JOIN (SELECT id, day FROM {db}.baskets FINAL) AS basket ON basket.id = line.basket";

const SUMS: &str = r#"[derived.sums]
about = "One row per day"
target = "sums"
driven_by = "lines"
sql = "sql/sums.sql"
membership = "sql/sums_members.sql"
key = ["day"]
columns.day = "Date"
columns.lines = "UInt32"
touched_by.lines = "SELECT id, part FROM {db}.lines WHERE {rows}"
"#;

const SUM_ROWS: &str = "SELECT day, count() AS lines, max(_source_ts_ms) AS _source_ts_ms FROM {members} AS member
JOIN (SELECT * FROM {db}.lines FINAL) AS line USING (id, part) GROUP BY day";

const MEMBERS: &str = "SELECT id, part, day FROM {db}.lines FINAL WHERE (id, part) IN {keys}";

fn sql<'t>(rows: &'t str, members: &'t str) -> [(&'t str, &'t str); 4] {
    [
        ("sql/wide.sql", rows),
        ("sql/views.sql", "SELECT {db}, {ops}"),
        ("sql/sums.sql", SUM_ROWS),
        ("sql/sums_members.sql", members),
    ]
}

fn shop(section: &str, rows: &str, members: &str) -> Result<PipelineSpec, Problems> {
    read_with(&format!("{SHOP}{section}"), &sql(rows, members))
}

/// The problems of the wide table with a text of its section or of its SQL changed.
fn wide(from: &str, to: &str) -> String {
    assert_eq!(WIDE.matches(from).count() + ROWS.matches(from).count(), 1, "{from}");
    shop(&WIDE.replace(from, to), &ROWS.replace(from, to), MEMBERS).unwrap_err().to_string()
}

#[test]
fn a_derived_table_is_what_its_section_says() {
    let shop = shop(&format!("{WIDE}{SUMS}"), ROWS, MEMBERS).unwrap();
    let [wide, sums] = &shop.derived[..] else { panic!("two tables") };
    assert_eq!(
        (wide.build_job().as_str(), wide.driven_by.as_str(), wide.sql.text.as_str()),
        ("build-wide", "lines", ROWS)
    );
    assert_eq!(wide.columns[2].comment.as_deref(), Some("of the basket"));
    assert_eq!((wide.views[0].name.as_str(), wide.membership.is_none()), ("views.sql", true));
    assert_eq!((sums.members().as_str(), sums.membership.is_some()), ("sums_members", true));
}

#[test]
fn what_is_wrong_with_a_section_is_told() {
    for (from, to, said) in [
        (
            "driven_by = \"lines\"",
            "driven_by = \"line\"",
            "x.toml:46:13: wide names line, which is no table here; write lines",
        ),
        ("order_by = [\"part\", \"id\"]", "order_by = [\"part\"]", "order_by is not made of the key's columns"),
        ("order_by", "sort_by", "[derived.wide] has no key \"sort_by\"; write one of about, columns, driven_by"),
        (
            "columns.part = \"String\"",
            "columns.part = \"Text\"",
            "\"Text\" is no type of which it can be said whether a value fits; write one of Int8",
        ),
        ("columns.part = \"String\"", "columns.part = \"Nullable(String)\"", "the key names part, which may be NULL"),
        (
            "key = [\"id\", \"part\"]",
            "key = [\"id\", \"parts\"]",
            "the key names \"parts\", which is no column of this table; write part",
        ),
        (
            "columns.part = \"String\"",
            "columns.part = \"String\"\ncolumns.parts = \"String\"",
            "the SELECT of rows gives no parts; write part",
        ),
        (
            "columns.id = \"Int64\"",
            "columns._version = \"Int64\"",
            "\"_version\" is no name for a column of a derived table",
        ),
        ("left_out.without_day", "left_out.windows", "windows is a field that every summary has"),
        ("target = \"wide\"", "target = \"baskets\"", "wide would write to baskets, which is a table's already"),
        ("about = \"One row per line\"", "about = \"\"", "about of [derived.wide] is empty"),
        ("sql = \"sql/wide.sql\"", "sql = 5", "sql is a whole number; write it as a text, in quotes"),
    ] {
        let found = wide(from, to);
        assert!(found.contains(said), "{said}:\n{found}");
    }
    let other = SHOP.replace("target = \"baskets\"", "target = \"wide_build_1\"");
    let found = read_with(
        &format!("{other}{}", WIDE.replace("{db}.baskets", "{db}.wide_build_1")),
        &sql(&ROWS.replace("baskets", "wide_build_1"), MEMBERS),
    );
    let found = found.unwrap_err().to_string();
    assert!(found.contains("wide_build_1 begins as the tables do that a build of wide makes and drops"), "{found}");
}

#[test]
fn what_is_wrong_with_the_sql_is_told_in_its_file() {
    for (from, to, said) in [
        (
            "1 AS _source_ts_ms",
            "toInt64(now()) AS _source_ts_ms",
            "sql/wide.sql:1:56: the SELECT of rows says now, which answers differently from one time to the next; take",
        ),
        ("basket.day AS day", "any(basket.day) AS day", "sql/wide.sql:1:29: the SELECT of rows says any, which"),
        ("basket.day AS day", "row_number() OVER (PARTITION BY part) AS day", "says row_number, which"),
        ("basket.day AS day,", "", "x.toml:55:9: the SELECT of rows gives no day"),
        (", 1 AS _source_ts_ms", "", "sql/wide.sql:1:1: the SELECT of rows gives no _source_ts_ms; write the newest"),
        (
            "SELECT line.id AS id, part,",
            "SELECT line.*,",
            "the SELECT of rows says *, by which nobody sees what it gives",
        ),
        ("(id, part) IN {keys}", "true", "the SELECT of rows lacks {keys}; write WHERE (id, part) IN {keys}"),
        (
            "(id, part) IN {keys}",
            "(id, part) IN {key}",
            "{key} is no placeholder of the SELECT of rows; there are {db} and {keys}",
        ),
        (
            "{db}.baskets FINAL",
            "baskets FINAL",
            "the SELECT of rows reads baskets of a database that may be another one's; write {db}.baskets",
        ),
        (
            "{db}.baskets FINAL",
            "{db}.basket FINAL",
            "reads {db}.basket, which is no table of this pipeline; write baskets",
        ),
        (
            "{db}.baskets FINAL",
            "{db}.baskets",
            "sql/wide.sql:3:32: the SELECT of rows reads {db}.baskets without FINAL: rows that were replaced or deleted would count; write {db}.baskets FINAL",
        ),
        (
            "basket.id = line.basket",
            "basket.id = line.basket LIMIT 5",
            "the SELECT of rows says LIMIT, which answers differently from one time to the next; write ORDER BY before it",
        ),
        (
            "basket.id = line.basket",
            "basket.id = line.basket)",
            "sql/wide.sql:3:83: the SELECT of rows has a closing parenthesis too many",
        ),
        (
            "basket.id = line.basket",
            "basket.id = line.basket;",
            "sql/wide.sql:3:83: the SELECT of rows has a semicolon",
        ),
        (
            "basket.id = line.basket",
            "basket.id = 'line",
            "the SELECT of rows cannot be read: Unterminated string literal",
        ),
        (
            "touched_by.baskets = \"SELECT id, part FROM {db}.lines WHERE basket IN (SELECT id FROM {db}.baskets WHERE {rows})\"",
            "",
            "sql/wide.sql:3:32: the SELECT of rows reads baskets, by which nothing is touched: its changes would not be seen; write touched_by.baskets = \"SELECT id, part FROM … {db}.baskets WHERE {rows} …\"",
        ),
        (
            "touched_by.lines = \"SELECT id, part FROM {db}.lines WHERE {rows}\"",
            "touched_by.lines = \"SELECT part, id FROM {db}.lines WHERE {rows}\"",
            "touched_by.lines gives part, id, not the key of lines; write SELECT id, part …",
        ),
        (
            "touched_by.lines = \"SELECT id, part FROM {db}.lines WHERE {rows}\"",
            "touched_by.lines = \"SELECT id, part FROM {db}.lines\"",
            "touched_by.lines lacks {rows}",
        ),
        (
            "touched_by.baskets = \"SELECT id, part FROM {db}.lines WHERE basket IN (SELECT id FROM {db}.baskets WHERE {rows})\"",
            "touched_by.baskets = \"SELECT id, part FROM {db}.lines WHERE {rows}\"",
            "touched_by.baskets does not read {db}.baskets, whose rows have changed",
        ),
        ("touched_by.lines =", "touched_by.line =", "wide names line, which is no table here; write lines"),
    ] {
        let found = wide(from, to);
        assert!(found.contains(said), "{said}:\n{found}");
    }
}

#[test]
fn a_key_that_a_row_can_leave_demands_a_membership() {
    let without = SUMS.replace("membership = \"sql/sums_members.sql\"\n", "");
    let found = shop(&without, ROWS, MEMBERS).unwrap_err().to_string();
    let said = "the key of sums is not that of lines: one of its rows that moves to another key, or is deleted, would leave the old one as it was; \
                write membership = \"sums_members.sql\", with SELECT id, part, day …";
    assert!(found.contains(said), "{found}");
    let found = shop(&WIDE.replace("views =", "membership = \"sql/sums_members.sql\"\nviews ="), ROWS, MEMBERS)
        .unwrap_err()
        .to_string();
    assert!(found.contains("the key of wide is that of lines: no membership is needed"), "{found}");
    let found = shop(SUMS, ROWS, "SELECT id, part FROM {db}.lines WHERE id IN {keys}").unwrap_err().to_string();
    assert!(
        found.contains("sql/sums_members.sql:1:1: the membership gives no day; write … AS day in its SELECT"),
        "{found}"
    );
    let found = shop(SUMS, ROWS, "SELECT id, part, day FROM {db}.baskets WHERE id IN {keys}").unwrap_err().to_string();
    assert!(found.contains("the membership reads baskets, by which nothing is touched"), "{found}");
}
