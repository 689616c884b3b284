//! What is seen of a SELECT without a server.

use proptest::prelude::*;

use crate::pipeline::sql::{Found, Sql};

proptest! {
    #[test]
    fn no_text_is_too_odd(text in "(SELECT|FROM|OVER|row_number|any|AS|FINAL|LIMIT|ORDER BY|groupArray|\\{db\\}\\.|[(){}.,;*'`\"\\\\]|\\[|\\]|ü|-- |/\\*|[a-c0-9 \n]){0,30}") {
        if let Ok(sql) = Sql::read(&text) {
            let places = sql.fickle().into_iter().map(|(.., at)| at).chain(sql.tables().into_iter().map(|(_, at)| at));
            for at in places.chain(sql.not_one_select().map(|(.., at)| at)) {
                prop_assert!(text.is_char_boundary(at));
            }
            let _ = (sql.columns(), sql.placeholders(), sql.tables_without_database(|_| true), sql.tables_unmerged());
        }
    }
}

fn sql(text: &str) -> Sql {
    Sql::read(text).unwrap()
}

fn names(found: Vec<Found>) -> Vec<String> {
    found.into_iter().map(|(name, _)| name).collect()
}

#[test]
fn tables_and_placeholders_are_found_where_they_stand() {
    let text =
        "-- ü {db}.not\nSELECT 'a {db}.b' AS a FROM {db}.orders FINAL\nJOIN {db}.`lines` AS l ON 1 WHERE a IN {keys}";
    assert_eq!(names(sql(text).tables()), ["orders", "lines"]);
    assert_eq!(names(sql(text).placeholders()), ["db", "db", "keys"]);
    let (_, at) = sql(text).tables()[0].clone();
    assert!(text[at..].starts_with("orders"));
}

#[test]
fn a_table_without_its_database_is_found() {
    let text = "WITH orders2 AS (SELECT 1) SELECT * FROM orders JOIN shop_dw.lines ON 1 JOIN {db}.orders JOIN orders2";
    let is_one = |name: &str| ["orders", "lines"].contains(&name);
    assert_eq!(names(sql(text).tables_without_database(is_one)), ["orders", "lines"]);
}

#[test]
fn columns_are_those_of_the_outer_select() {
    let text = "WITH (SELECT max(b) FROM x) AS m SELECT DISTINCT a, t.b, if(c, d, e) AS f, [1, 2] AS `g h`, 1 + 1 FROM (SELECT z FROM y)";
    assert_eq!(sql(text).columns().unwrap(), ["a", "b", "f", "g h"]);
    assert_eq!(sql("SELECT a, * FROM x").columns(), None);
    assert_eq!(sql("SELECT a * b AS c FROM x").columns().unwrap(), ["c"]);
}

#[test]
fn what_answers_differently_each_time_is_found() {
    let fickle = |text: &str| sql(text).fickle().into_iter().map(|(name, ..)| name).collect::<Vec<_>>();
    assert_eq!(
        fickle("SELECT today(), t.now, any(x), anyLast (y), current_date, max(z)"),
        ["today", "any", "anyLast", "current_date"]
    );
    assert_eq!(fickle("SELECT row_number() OVER (PARTITION BY a), row_number() OVER (ORDER BY a)"), ["row_number"]);
    assert_eq!(fickle("SELECT first_value(a), `today` FROM x -- now()"), ["first_value"]);
    assert!(fickle("SELECT x = ANY (SELECT 1)").is_empty());
}

#[test]
fn a_list_and_a_limit_need_an_order() {
    let fickle = |text: &str| sql(text).fickle().into_iter().map(|(name, ..)| name).collect::<Vec<_>>();
    assert_eq!(
        fickle("SELECT groupArray(a), arraySort(groupArray(a)), groupUniqArray(b)"),
        ["groupArray", "groupUniqArray"]
    );
    assert_eq!(fickle("SELECT a FROM b LIMIT 1"), ["LIMIT"]);
    assert_eq!(fickle("SELECT a FROM (SELECT a FROM b ORDER BY a) LIMIT 1"), ["LIMIT"]);
    assert_eq!(fickle("SELECT a FROM b ORDER BY a LIMIT 1 UNION ALL SELECT a FROM b LIMIT 2 BY a"), ["LIMIT"]);
    assert_eq!(fickle("SELECT dictGet('d', 'a', b) FROM merge('x', 'y')"), ["dictGet", "merge"]);
    assert_eq!(
        fickle("SELECT a = today(), groupArrayIf(a, b), anyLastOrNull(a), arraySort(groupArray(2)(a)), array_agg(a)"),
        ["today", "groupArrayIf", "anyLastOrNull", "groupArray", "array_agg"]
    );
    assert_eq!(fickle("SELECT a FROM b LEFT ANY JOIN c ON 1 ANY LEFT JOIN d ON 1 OFFSET 5"), ["ANY", "ANY", "OFFSET"]);
    assert_eq!(fickle("SELECT TOP 5 a FROM b"), ["TOP"]);
    assert_eq!(fickle("SELECT a FROM b ORDER BY a LIMIT 1 EXCEPT SELECT a FROM b LIMIT 2"), ["LIMIT"]);
    for right in [
        "SELECT c.limit, arraySort(x -> x.1, groupArray((a, b))), arraySort(arrayDistinct(groupArray(a))) FROM c",
        "SELECT length(groupUniqArray(a)), arraySum(groupArray(a)), has(groupArray(a), 3), avgIf(a, b), sumArray(a)",
        "SELECT row_number() OVER w AS n FROM a WINDOW w AS (PARTITION BY b ORDER BY c)",
    ] {
        assert!(fickle(right).is_empty(), "{right}: {:?}", fickle(right));
    }
    assert_eq!(names(sql("SELECT 1 FROM system.metrics").tables_without_database(|_| false)), ["metrics"]);
    assert!(fickle("SELECT merge FROM (SELECT a FROM b ORDER BY a LIMIT 1 BY a)").is_empty());
}

#[test]
fn a_table_that_is_read_without_final_is_found() {
    let unmerged = |text: &str| names(sql(text).tables_unmerged());
    assert_eq!(
        unmerged("SELECT 1 FROM {db}.a FINAL JOIN {db}.b AS b FINAL ON 1 JOIN {db}.c c FINAL ON 1 JOIN {db}.d"),
        ["d"]
    );
    assert_eq!(unmerged("SELECT 1 FROM {db}.a AS final WHERE FINAL"), ["a"]);
    assert_eq!(unmerged("SELECT 1 FROM {db}.a, {db}.b FINAL"), ["a"]);
}

#[test]
fn what_is_not_one_select_is_found() {
    let what = |text: &str| sql(text).not_one_select().map(|(what, ..)| what);
    assert_eq!(what("SELECT (1)) FROM a").as_deref(), Some("a closing parenthesis too many"));
    assert_eq!(what("SELECT (1 FROM a").as_deref(), Some("a parenthesis that nothing closes"));
    assert_eq!(what("SELECT 1; SELECT 2").as_deref(), Some("a semicolon"));
    assert_eq!(what("SELECT 1 FROM a FORMAT JSON").as_deref(), Some("FORMAT"));
    assert_eq!(what("SELECT format('{}', a), b.format FROM a"), None);
}

#[test]
fn a_text_without_its_end_is_refused() {
    assert_eq!(Sql::read("SELECT\n 'a").err().unwrap().1, 8);
}
