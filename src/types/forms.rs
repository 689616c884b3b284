//! The forms in which Debezium 3.7.0 was seen to send values, by the connector's settings, and what is made of them.

use serde::de::DeserializeSeed;

use crate::types::connector::{BinaryMode, DecimalMode, IntervalMode, TimeMode};
use crate::types::{CellSeed, ColumnType, Connector};

/// The text of a value, or why it is refused.
fn read(connector: &Connector, declared: &str, json: &str) -> Result<String, String> {
    let column = ColumnType::parse(&format!("{declared} null"), None, connector).unwrap();
    let mut cell = Vec::new();
    let seed = CellSeed { kind: column.kind(), nullable: true, placeholders: true, out: &mut cell };
    seed.deserialize(&mut serde_json::Deserializer::from_str(json)).map_err(|error| error.to_string())?;
    Ok(column.text(&cell).map_or_else(|| "NULL".to_owned(), |text| text.into_owned()))
}

fn string() -> Connector {
    Connector::default()
}

fn double() -> Connector {
    Connector { decimal: DecimalMode::Double, time: TimeMode::AdaptiveTimeMicroseconds, ..Connector::default() }
}

fn precise() -> Connector {
    Connector {
        decimal: DecimalMode::Precise,
        time: TimeMode::Connect,
        binary: BinaryMode::Base64UrlSafe,
        ..Connector::default()
    }
}

fn iso() -> Connector {
    Connector { time: TimeMode::IsoString, binary: BinaryMode::Hex, interval: IntervalMode::String, ..string() }
}

#[test]
fn a_value_is_the_same_in_every_mode() {
    const SECOND: &str = "2024-01-02 03:04:05.678000";
    for (connector, declared, json, text) in [
        (string(), "numeric(10,2)", r#""12345678.90""#, "12345678.9"),
        (double(), "numeric(10,2)", "1.23456789E7", "12345678.9"),
        (precise(), "numeric(10,2)", r#""SZYC0g==""#, "12345678.9"),
        (precise(), "numeric(10,2)", "12345678.90", "12345678.9"),
        (string(), "numeric", r#""1.2345678901234567890""#, "1.234567890123456789"),
        (precise(), "numeric", r#"{"scale":18,"value":"ESIQ9H3pgRU="}"#, "1.234567890123456789"),
        (string(), "numeric", r#""POSITIVE_INFINITY""#, "Infinity"),
        (string(), "money", r#""-92233720368547758.08""#, "-92233720368547758.08"),
        (precise(), "money", r#""gAAAAAAAAAA=""#, "-92233720368547758.08"),
        (string(), "date", "19782", "2024-02-29"),
        (iso(), "date", r#""2024-02-29Z""#, "2024-02-29"),
        (string(), "timestamp(3) without time zone", "1704164645678", SECOND),
        (precise(), "timestamp(3) without time zone", "1704164645678", SECOND),
        (string(), "timestamp without time zone", "1704164645678000", SECOND),
        (iso(), "timestamp without time zone", r#""2024-01-02T03:04:05.678Z""#, SECOND),
        (string(), "timestamp with time zone", r#""2024-01-02T03:04:05.678000Z""#, SECOND),
        (string(), "time(3) without time zone", "3723456", "3723456000"),
        (double(), "time(3) without time zone", "3723456000", "3723456000"),
        (iso(), "time(3) without time zone", r#""01:02:03.456Z""#, "3723456000"),
        (string(), "time without time zone", "86400000000", "86400000000"),
        (string(), "time with time zone", r#""24:00:00Z""#, "24:00:00Z"),
        (string(), "interval", "37090800500000", "37090800500000"),
        (iso(), "interval", r#""P1Y2M3DT4H0M0.5S""#, "P1Y2M3DT4H0M0.5S"),
        (string(), "bit(5)", r#""Fg==""#, "10110"),
        (string(), "bit(5)", r#""""#, "00000"),
        (string(), "bit(1)", "true", "true"),
        (string(), "hstore", r#""{\"b c\":null,\"a\":\"1\"}""#, r#"{"a":"1","b c":null}"#),
        (double(), "hstore", r#"{"b c":null,"a":"1"}"#, r#"{"a":"1","b c":null}"#),
        (string(), "numeric[]", r#"["1.50", null]"#, r#"["1.5",null]"#),
        (precise(), "numeric[]", r#"[{"scale":1,"value":"Dw=="},null]"#, r#"["1.5",null]"#),
        (string(), "date[]", "[19782,null]", r#"["2024-02-29",null]"#),
        (string(), "real[]", r#"[0.15,"NaN",1.0E10]"#, r#"[0.15,"NaN",10000000000]"#),
        (string(), "vector", "[1.0,2.5]", "[1,2.5]"),
        (string(), "real", "-0.0", "0"),
        (string(), "uuid", r#""7b2d9f8e-0000-4000-8000-000000000001""#, "7b2d9f8e-0000-4000-8000-000000000001"),
        (string(), "jsonb", r#""null""#, "null"),
        (string(), "jsonb", "null", "NULL"),
    ] {
        assert_eq!(read(&connector, declared, json).as_deref(), Ok(text), "{declared} {json} {connector:?}");
    }
}

#[test]
fn bytes_have_one_hash_in_every_mode() {
    let hash = |connector: &Connector, json| read(connector, "bytea", json).unwrap();
    let bytes = hash(&string(), r#""AP8Q+/4=""#);
    assert!(bytes.starts_with("[5,\"9f159821"), "{bytes}");
    assert_eq!((hash(&precise(), r#""AP8Q-_4=""#), hash(&iso(), r#""00ff10fbfe""#)), (bytes.clone(), bytes));
}

#[test]
fn what_does_not_fit_is_refused_with_form_and_reason() {
    for (connector, declared, json, why) in [
        (
            string(),
            "numeric(10,2)",
            r#""NAN""#,
            "string \"NAN\", expected a number with at most 2 digits after the point and 8",
        ),
        (string(), "numeric(10,2)", r#""0.125""#, "at most 2 digits after the point"),
        (string(), "numeric(20,4)", "1234567890123456.7", "more digits than a double keeps"),
        (
            precise(),
            "numeric(10,2)",
            r#""12.50""#,
            "is the connector's decimal.handling.mode what the pipeline file says",
        ),
        (string(), "date", "2146033979", "expected a date between 1900-01-01 and 2299-12-31"),
        (string(), "timestamp without time zone", "9223372036854775807", "between the years 1 and 9999"),
        (string(), "timestamp with time zone", r#""infinity""#, "between the years 1 and 9999"),
        (string(), "timestamp with time zone", r#""-0043-03-15T12:00:00.000000Z""#, "between the years 1 and 9999"),
        (string(), "interval", "9223372036854775807", "of less than 64 bits"),
        (string(), "time without time zone", "86400000001", "a time of the day"),
        (string(), "bit(5)", r#""/w==""#, "5 bits"),
        (string(), "boolean", "1", "true or false"),
        (string(), "text[]", r#"["[Ljava.lang.String;@c35d513"]"#, "more than one dimension"),
        (string(), "integer[]", r#"[1,"x"]"#, "element 2"),
        (string(), "text", r#""__debezium_unavailable_value""#, "was not sent"),
        (
            string(),
            "integer[]",
            "[95,95,100,101,98,101,122,105,117,109,95,117,110,97,118,97,105,108,97,98,108,101,95,118,97,108,117,101]",
            "was not sent",
        ),
    ] {
        let refused = read(&connector, declared, json).unwrap_err();
        assert!(refused.contains(why), "{declared} {json}: {refused}");
    }
}
