//! What the servers are given, and what is read of the texts that PostgreSQL gives back.

use super::*;

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
    insta::assert_snapshot!(sql, @r#"
    SELECT "_row"."i", "_row"."Mixed"
    FROM public.lines AS "_row"
    LEFT JOIN public.orders AS "order" ON ("order"."order_id" = "_row"."i")
    WHERE (("order"."shipped_date" IS NULL) IS FALSE)
      AND (("_row"."i" IS NULL) OR ("order"."order_id" IS NOT NULL))
    "#);
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
