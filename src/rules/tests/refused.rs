//! What is refused: where, and with what to write instead.

use super::*;

#[test]
fn what_is_beyond_the_subset_is_refused_with_the_words_to_say_it_in() {
    let mut wrong = Vec::new();
    for (text, place, words) in [
        ("", "line 1", "expression"),
        ("i > 0; DROP TABLE x", "line 1, column 6", "ends before ;"),
        ("i >\n  'x'", "line 1, column 1", "number"),
        ("t = 'a' 'b'", "line 1, column 5", "||"),
        ("i == 1", "line 1, column 3", "say it as ="),
        ("i = j = 1", "line 1", "parentheses"),
        ("i ISNULL", "line 1", "ends before ISNULL"),
        ("order.shipped_date IS NULL", "line 1, column 1", "\"order\", in quotes"),
        ("user = 'x'", "line 1, column 1", "in quotes"),
        ("mixed > 0", "line 1, column 1", "say \"Mixed\""),
        ("i > 0 AND nobody > 1", "line 1, column 11", "no column \"nobody\""),
        ("ordr.x > 1", "line 1, column 1", "no reference"),
        ("i > :nothing", "line 1", ":discount"),
        ("i", "line 1, column 1", "compare it"),
        ("b = 1", "line 1, column 1", "a boolean and an integer"),
        ("n / 3 > 1", "line 1, column 5", "round(a / NULLIF(b, 0), 4)"),
        ("i / j > 1", "line 1, column 5", "NULLIF(b, 0)"),
        ("i % 0 = 1", "line 1", "NULLIF"),
        ("m * m * m > 1", "line 1", "76"),
        ("d * 2 > 1", "line 1", "as = \"Decimal(p, s)\""),
        ("m > d", "line 1", "as = \"Decimal(p, s)\""),
        ("t || n = 'x'", "line 1, column 6", "text is needed"),
        ("t::int > 1", "line 1, column 1", "can fail"),
        ("t::varchar(2) = 'x'", "line 1", "cuts"),
        ("payload = '{}'", "line 1, column 1", "jsonb"),
        ("ts - ts > '1 day'", "line 1", "a < b + INTERVAL"),
        ("dt + i > dt", "line 1", "date_a - date_b <= column"),
        ("dt > '2024-02-30'", "line 1, column 1", "no day"),
        ("dt > '1899-12-31'", "line 1", "1900"),
        ("ts > '2024-02-29 00:00:00.1234567'", "line 1", "6 digits"),
        ("dt + INTERVAL '1.5 months' > dt", "line 1", "fraction"),
        ("EXTRACT(EPOCH FROM ts) > 1", "line 1", "YEAR"),
        ("t LIKE 'a\\'", "line 1", "double it"),
        ("t ~ '\\y'", "line 1", "\\y"),
        ("t LIKE c", "line 1", "in quotes"),
        ("t SIMILAR TO 'a'", "line 1", "LIKE or ~"),
        ("i IN (SELECT 1)", "line 1", "reference"),
        ("(i, j) = (1, 2)", "line 1", "joined by AND"),
        ("count(*) > 1", "line 1", "aggregate"),
        ("sum(i) > 1", "line 1", "derived table"),
        ("now() > ts", "line 1, column 1", "CURRENT_DATE"),
        ("ts AT TIME ZONE 'UTC' > ts", "line 1", "UTC"),
        ("i ^ 2 > 1", "line 1", "operator"),
        ("e = 'glad'", "line 1", "sad, happy"),
        ("e = t", "line 1", "column::text"),
        ("uu = 'x'", "line 1", "uuid"),
        ("i = 0x1F", "line 1", ""),
        ("t = E'a\\n'", "line 1", "single quotes"),
        ("t COLLATE \"de\" = 'x'", "line 1", "byte by byte"),
        ("substring(t FROM 1 FOR 2) = 'x'", "line 1", "LIKE or ~"),
        ("b < TRUE", "line 1", "a AND NOT b"),
        ("i <=> j", "line 1", "IS NOT DISTINCT FROM"),
        ("i IS DISTINCT FROM t", "line 1", "side by side"),
        ("NULLIF(i, 0.5) = 1", "line 1", "NULLIF(i, 0)"),
    ] {
        let refusal = refusal(text);
        if !refusal.starts_with(place) || !refusal.contains(words) {
            wrong.push(format!("{text}\n  {refusal}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
