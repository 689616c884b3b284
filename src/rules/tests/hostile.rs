//! Texts that chance or malice makes: none of them stops the process.

use proptest::prelude::*;

use super::*;

#[test]
fn texts_that_are_long_or_deep_are_refused_before_they_can_harm() {
    let nested =
        |before: &str, after: &str, times: usize| format!("{}TRUE{}", before.repeat(times), after.repeat(times));
    for text in [
        nested("(", ")", 100),
        nested("(", ")", 7000),
        nested("NOT ", "", 700),
        nested("CASE WHEN ", " THEN TRUE END", 300),
        format!("i = {}1", "- ".repeat(1400)),
        format!("i = 1{}", " + 1".repeat(700)),
        format!("t = 'a'{}", "::text".repeat(700)),
        format!("b{}", " IS TRUE".repeat(700)),
        format!("'{}' = t", "a".repeat(20_000)),
        "i = ".repeat(300),
        format!("i = {}", "(".repeat(1400)),
        format!("i BETWEEN {}", "1 BETWEEN ".repeat(400)),
        format!("{}i{} = 1", "COALESCE(".repeat(700), ")".repeat(700)),
        format!("(i IN (1, 2)){}", " IN (TRUE, FALSE, TRUE)".repeat(60)),
        "/*".repeat(5000),
        "[".repeat(1400),
        "{".repeat(1400),
    ] {
        assert!(Rule::parse(&text, &scope()).is_err(), "{}…", &text[..40]);
    }
    assert!(Rule::parse(&format!("b{}", " AND b".repeat(700)), &scope()).is_ok(), "a long chain is not deep");
    assert!(Rule::parse(&nested("(", ")", 30), &scope()).is_ok());
}

const WORDS: &[&str] = &[
    "i",
    "n",
    "t",
    "b",
    "dt",
    "ts",
    "\"order\".shipped_date",
    "order",
    "NULL",
    "TRUE",
    "1",
    "2.50",
    "'a'",
    "'2024-02-29'",
    "(",
    ")",
    ",",
    "AND",
    "OR",
    "NOT",
    "IN",
    "BETWEEN",
    "LIKE",
    "ESCAPE",
    "IS",
    "DISTINCT",
    "FROM",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "=",
    "<>",
    "<",
    "+",
    "-",
    "*",
    "/",
    "%",
    "||",
    "~",
    "~~",
    "::",
    "int",
    "text",
    "INTERVAL",
    "'1 day'",
    "EXTRACT",
    "YEAR",
    "COALESCE",
    "NULLIF",
    "round",
    "ARRAY",
    "[",
    "]",
    "ANY",
    ":discount",
    "CURRENT_DATE",
    ".",
    ";",
    "--",
    "/*",
    "\"",
    "'",
    "$$",
    "E'\\",
    "@",
    "SELECT",
    "TRIM",
    "BOTH",
    "DATE",
    "TIMESTAMP",
    "CAST",
    "AS",
    "{",
    "}",
    "?",
    "#",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is written, it is a rule or refused.
    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = Rule::parse(&text, &scope()).map(|rule| judged(&rule));
    }

    #[test]
    fn no_words_make_it_panic(words in proptest::collection::vec(proptest::sample::select(WORDS), 0..40)) {
        let _ = Rule::parse(&words.join(" "), &scope()).map(|rule| judged(&rule));
        let _ = Rule::parse(&words.concat(), &scope()).map(|rule| judged(&rule));
    }

    #[test]
    fn no_pattern_makes_it_panic(pattern in "[\\[\\](){}*+?|^$.\\\\a-c0-9,:=~&é-]{0,20}") {
        let text = format!("t ~* '{pattern}' OR t LIKE '{pattern}' OR dt + INTERVAL '{pattern}' > dt");
        let _ = Rule::parse(&text, &scope()).map(|rule| judged(&rule));
        let _ = Rule::parse(&format!("t ~ '{pattern}'"), &scope()).map(|rule| judged(&rule));
    }
}

/// Values that do not fit are unknown, and nothing more.
fn judged(rule: &Rule) -> Option<bool> {
    let _ = (rule.text(Server::Postgres), rule.text(Server::ClickHouse));
    for value in [
        Value::Null,
        Value::Bool(true),
        Value::Number(i256::MAX),
        Value::Number(i256::MIN),
        Value::Double(f64::NAN),
        Value::text("é"),
        Value::Moment(i64::MAX),
        Value::Opaque,
    ] {
        let inputs = vec![value; rule.inputs().len()];
        rule.evaluate(&inputs);
    }
    rule.evaluate(&[])
}
