//! The subset without servers: what is read, what it means, how it is printed, what is refused and where.

use chrono::NaiveDate;
use proptest::prelude::*;

use super::*;

fn scope() -> Scope {
    let column = |name: &str, ty: Type| ScopeColumn { name: name.to_owned(), ty };
    let columns = vec![
        column("i", Type::Int(64)),
        column("j", Type::Int(16)),
        column("n", Type::Decimal(10, 2)),
        column("m", Type::Decimal(38, 10)),
        column("r", Type::Real(Some((18, 4)))),
        column("d", Type::Double(None)),
        column("t", Type::Text),
        column("c", Type::Char(5)),
        column("b", Type::Bool),
        column("dt", Type::Date),
        column("ts", Type::Timestamp),
        column("tz", Type::TimestampTz),
        column("uu", Type::Uuid),
        column("e", Type::Enum(["sad", "happy"].map(str::to_owned).to_vec().into())),
        column("payload", Type::Other("jsonb".to_owned())),
        column("Mixed", Type::Int(32)),
        column("user", Type::Text),
    ];
    let mut scope = Scope::of(columns, NaiveDate::from_ymd_opt(2024, 2, 29).unwrap());
    scope.references = vec![Reference {
        name: "order".to_owned(),
        key: vec![("i".to_owned(), "order_id".to_owned())],
        columns: vec![column("order_id", Type::Int(16)), column("shipped_date", Type::Date)],
    }];
    scope.limits = vec![Limit { name: "discount".to_owned(), ty: Type::Decimal(4, 2), value: "0.25".to_owned() }];
    scope
}

fn rule(text: &str) -> Rule {
    Rule::parse(text, &scope()).unwrap_or_else(|refusal| panic!("{text}\n{refusal}"))
}

fn refusal(text: &str) -> String {
    match Rule::parse(text, &scope()) {
        Ok(rule) => panic!("{text} is read as {}", rule.text(Server::Postgres)),
        Err(refusal) => refusal.to_string(),
    }
}

/// The answer of an expression without columns.
fn truth(text: &str) -> Option<bool> {
    rule(text).evaluate(&[])
}

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

#[test]
fn both_servers_get_what_means_the_same_to_them() {
    for (text, postgres, clickhouse) in [
        ("N = '9.801'", r#"("_row"."n" = 9.801)"#, r#"(toDecimal256("_row"."n", 3) = toDecimal256('9.801', 3))"#),
        (
            "i / 2 > 1",
            r#"(div(("_row"."i"::numeric), (2::numeric)) > 1)"#,
            r#"(intDiv(toInt256("_row"."i"), toInt256('2')) > (1))"#,
        ),
        (
            "r <= :discount",
            r#"((CASE WHEN abs("_row"."r") < 'Infinity' THEN round("_row"."r"::text::numeric, 4) END) <= 0.2500)"#,
            r#"(toDecimal256("_row"."r", 4) <= toDecimal256('0.2500', 4))"#,
        ),
        ("c = 'AL  '", r#"(("_row"."c"::text COLLATE "C") = ('AL'::text COLLATE "C"))"#, r#"("_row"."c" = 'AL')"#),
        (
            "i IN (1, NULL)",
            r#"(("_row"."i" = 1) OR ("_row"."i" = NULL::numeric))"#,
            r#"(("_row"."i" = (1)) OR ("_row"."i" = CAST(NULL, 'Nullable(Int256)')))"#,
        ),
        ("dt >= '1996-07-04'", r#"("_row"."dt" >= DATE '1996-07-04')"#, r#"("_row"."dt" >= toDate32('1996-07-04'))"#),
        (
            "uu = '61F0C404-5CB3-11E7-907B-A6006AD3DBA0'",
            r#"(("_row"."uu"::text COLLATE "C") = ('61f0c404-5cb3-11e7-907b-a6006ad3dba0'::text COLLATE "C"))"#,
            r#"(toString("_row"."uu") = '61f0c404-5cb3-11e7-907b-a6006ad3dba0')"#,
        ),
        (r"t LIKE 'a\b'", r#"(("_row"."t"::text COLLATE "C") LIKE 'ab')"#, r#"("_row"."t" LIKE 'ab')"#),
        (r"t = 'a\b'", r#"(("_row"."t"::text COLLATE "C") = ('a\b'::text COLLATE "C"))"#, r#"("_row"."t" = 'a\\b')"#),
        ("\"order\".order_id > 0", r#"("order"."order_id" > 0)"#, r#"("order"."order_id" > (0))"#),
        (
            "round(n / NULLIF(j, 0), 1) = 1",
            r#"(round(div("_row"."n" * 100, (NULLIF("_row"."j", 0)::numeric)) * 0.01, 1) = 1.0)"#,
            r#"(toDecimal256(if(ifNull((toDecimal256("_row"."j", 0) = 0), true), NULL, round(divideDecimal(toDecimal256("_row"."n", 2), if(ifNull((toDecimal256("_row"."j", 0) = 0), true), toDecimal256('1', 0), toDecimal256("_row"."j", 0)), 20), 1)), 1) = toDecimal256('1.0', 1))"#,
        ),
    ] {
        let rule = rule(text);
        assert_eq!(rule.text(Server::Postgres), postgres, "{text}");
        assert_eq!(rule.text(Server::ClickHouse), clickhouse, "{text}");
    }
}

#[test]
fn offenders_are_decided_rows_that_are_false() {
    let relations = Relations { rows: "public.lines", parents: &|reference| format!("public.{}s", reference.name) };
    let sql = rule("\"order\".shipped_date IS NULL").offenders(
        Server::Postgres,
        &relations,
        &["i", "Mixed"].map(|column| Server::Postgres.column(None, column)),
    );
    assert_eq!(
        sql,
        "SELECT \"_row\".\"i\", \"_row\".\"Mixed\"\nFROM public.lines AS \"_row\"\n\
         LEFT JOIN public.orders AS \"order\" ON (\"order\".\"order_id\" = \"_row\".\"i\")\n\
         WHERE ((\"order\".\"shipped_date\" IS NULL) IS FALSE)\n  AND ((\"_row\".\"i\" IS NULL) OR (\"order\".\"order_id\" IS NOT NULL))"
    );
}

#[test]
fn constraints_come_deparsed() {
    for text in [
        "((i > 0))",
        "((t = ANY (ARRAY['a'::text, 'b'::text])))",
        "((t)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))",
        "(t <> ALL (ARRAY['a'::text]))",
        "(t ~~ 'a%'::text)",
        "(t !~~* 'a%'::text)",
        "(t ~~ like_escape('a!%'::text, '!'::text))",
        "(r <= (0.25)::double precision)",
        "(n >= (0)::numeric)",
        "(ts < (dt + '1 mon'::interval))",
        "(dt >= '1990-01-01'::date)",
        "(c = 'AL'::bpchar)",
        "(e = 'sad'::mood)",
        "((n >= (0)::numeric) AND (n <= (100)::numeric))",
        "(VALUE > 0)",
        "(btrim(t) <> ''::text)",
    ] {
        let mut scope = scope();
        scope.reading = Reading::Check;
        scope.value = Some("i".to_owned());
        Rule::parse(text, &scope).unwrap_or_else(|refusal| panic!("{text}\n{refusal}"));
    }
}

/// 0.15 as a `real` is more than 0.15: so a CHECK says, and so it was written. A rule is about the decimal.
#[test]
fn a_constraint_on_real_judges_the_binary_value() {
    let mut scope = scope();
    scope.reading = Reading::Check;
    let check = Rule::parse("r > (0.15)::double precision", &scope).unwrap();
    let stored = [Value::Double(f64::from(0.15_f32))];
    assert_eq!(check.evaluate(&stored), Some(true));
    assert_eq!(rule("r > 0.15").evaluate(&[Value::number(1500)]), Some(false));
    assert!(check.text(Server::ClickHouse).contains("toFloat64(toFloat32("));
}

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
