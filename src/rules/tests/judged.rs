//! What a rule means: of values, of NULL, of the columns that it reads.

use super::*;

#[test]
fn three_values_have_their_logic() {
    for (text, expected) in [
        ("NULL AND FALSE", Some(false)),
        ("NULL AND TRUE", None),
        ("NULL OR TRUE", Some(true)),
        ("NOT NULL", None),
        ("1 IN (2, NULL)", None),
        ("1 IN (1, NULL)", Some(true)),
        ("1 NOT IN (2, NULL)", None),
        ("NULL IS DISTINCT FROM 1", Some(true)),
        ("(NULL::boolean) IS UNKNOWN", Some(true)),
        ("CASE 1 WHEN NULL THEN FALSE ELSE TRUE END", Some(true)),
        ("GREATEST(1, NULL, 2.5) = 2.5", Some(true)),
        ("5 BETWEEN NULL AND 4", Some(false)),
        ("5 BETWEEN 1 AND 9 = TRUE", Some(true)),
    ] {
        assert_eq!(truth(text), expected, "{text}");
    }
}

#[test]
fn numbers_are_exact() {
    for text in [
        "0.1 + 0.2 = 0.3",
        "7 / 2 = 3 AND -7 / 2 = -3",
        "9.80 % 3 = 0.80",
        "round(2.5) = 3 AND round(-2.5) = -3",
        "9.85::numeric(10,1) = 9.9 AND 9.80::int = 10",
        "9223372036854775807 + 1 = 9223372036854775808",
        "round(9.80 / 3, 4) = 3.2667",
        "round(9223372036854775807, -3) = 9223372036854776000",
        "round(1 / 8.0, 2) = 0.13",
        "1e-3 = .001",
        "COALESCE(NULL, 1.5) = 1.50",
    ] {
        assert_eq!(truth(text), Some(true), "{text}");
    }
    assert_eq!(truth("1 / NULLIF(0, 0) = 1"), None);
}

#[test]
fn texts_and_dates_are_those_of_postgresql_in_the_order_of_bytes() {
    for text in [
        "'a' > 'B'",
        "UPPER('öß') = 'öß' AND UPPER('ab') = 'AB'",
        "LENGTH('Köln') = 4",
        "'ſ' NOT ILIKE 'S' AND 'AL' ILIKE 'a_'",
        "TRIM('  a ') = 'a' AND ltrim(' a ') = 'a '",
        "'a' || 'b' = 'ab'",
        "'abc' ~ '^a.c$' AND 'ABC' ~* 'b' AND 'a' !~ 'b'",
        "DATE '2024-01-31' + INTERVAL '1 month' = TIMESTAMP '2024-02-29 00:00:00'",
        "DATE '2024-03-01' - DATE '2024-02-28' = 2",
        "EXTRACT(DOW FROM DATE '2024-03-03') = 0 AND EXTRACT(ISODOW FROM DATE '2024-03-03') = 7",
        "CURRENT_DATE = DATE '2024-02-29'",
        "TIMESTAMPTZ '2024-02-29 01:00:00+02' < DATE '2024-02-29'",
    ] {
        assert_eq!(truth(text), Some(true), "{text}");
    }
}

#[test]
fn columns_come_in_the_order_of_the_inputs() {
    let rule = rule("\"order\".shipped_date IS NOT NULL OR N >= i");
    let names: Vec<&str> = rule.inputs().iter().map(|input| input.column.as_str()).collect();
    assert_eq!(names, ["shipped_date", "n", "i"]);
    assert_eq!(rule.references().len(), 1);
    assert_eq!(rule.evaluate(&[Value::Null, Value::number(199), Value::number(2)]), Some(false));
    assert_eq!(rule.evaluate(&[Value::Null, Value::number(200), Value::number(2)]), Some(true));
    assert_eq!(rule.evaluate(&[Value::Moment(0), Value::Null, Value::Null]), Some(true));
    assert_eq!(rule.evaluate(&[]), None, "inputs that are missing are unknown");
}
