//! What Debezium sends instead of a TOASTed value that the change did not touch.
//!
//! All its forms (3.7.0, `UnchangedToastedPlaceholder`), seen from the running connector; the type of the column decides:
//!
//! | PostgreSQL | JSON |
//! |---|---|
//! | `text` and what is sent as text (`json`, `xml`, `numeric`, ranges, …) | `"__debezium_unavailable_value"` |
//! | `bytea` | the same in base64; with `binary.handling.mode=hex` as it is |
//! | `text[]`, `varchar[]`, `char[]`, `json[]`, `jsonb[]` | `["__debezium_unavailable_value"]` |
//! | `bytea[]` | its base64 in an array |
//! | `int[]`, `bigint[]`, `date[]` | its bytes: `[95,95,100,…]` |
//! | `uuid[]` | the UUID (version 3) of its bytes, in an array |
//! | `hstore` | an object of it as key and value, in a string; with `hstore.handling.mode=map` as it is |
//! | other arrays, `path`, `polygon`, `bit varying` | **null**: nobody can tell it from a real one |
//!
//! Of the last ones `sync-schema` warns: their tables need REPLICA IDENTITY FULL.

use std::sync::LazyLock;

use serde_json::value::RawValue;
use serde_json::{Value, json};

/// As text (`unavailable.value.placeholder`).
pub const UNAVAILABLE: &str = "__debezium_unavailable_value";
/// As bytea, which travels as base64.
pub const UNAVAILABLE_BASE64: &str = "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==";
/// As an element of `uuid[]`.
const UNAVAILABLE_UUID: &str = "b68a35a7-17ad-35b3-af2a-ae46edb4545a";
/// No form of it is longer, however much space an unusual producer puts into it.
const LONGEST: usize = 512;

/// Its forms, the plain ones first.
static FORMS: LazyLock<[Value; 8]> = LazyLock::new(|| {
    let map = json!({UNAVAILABLE: UNAVAILABLE});
    [
        json!(UNAVAILABLE),
        json!(UNAVAILABLE_BASE64),
        json!(map.to_string()),
        map,
        json!([UNAVAILABLE]),
        json!([UNAVAILABLE_BASE64]),
        json!([UNAVAILABLE_UUID]),
        json!(UNAVAILABLE.as_bytes()),
    ]
});

/// Its forms, as compact JSON.
pub fn forms() -> Vec<String> {
    FORMS.iter().map(Value::to_string).collect()
}

/// Was the value not sent?
pub fn is_placeholder(value: &RawValue) -> bool {
    let json = value.get();
    if json.len() > LONGEST {
        return false;
    }
    match json.as_bytes() {
        [b'"', text @ .., b'"'] if text.first() != Some(&b'{') => {
            text == UNAVAILABLE.as_bytes() || text == UNAVAILABLE_BASE64.as_bytes()
        }
        [b'"' | b'[' | b'{', ..] => serde_json::from_str(json).is_ok_and(|value: Value| FORMS.contains(&value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(json: &str) -> bool {
        is_placeholder(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn every_form_is_recognized() {
        assert!(forms().iter().all(|form| is(form)));
        let bytes = "[95, 95, 100, 101, 98, 101, 122, 105, 117, 109, 95, 117, 110, 97, 118, 97, 105, 108, 97, 98, 108, 101, 95, 118, 97, 108, 117, 101]";
        assert!(is(bytes), "as int[], and with spaces");
        assert!(is(r#""{\"__debezium_unavailable_value\":\"__debezium_unavailable_value\"}""#), "hstore as JSON");
    }

    #[test]
    fn what_only_holds_it_is_a_value() {
        for json in [
            r#""""#,
            "null",
            "5",
            "[]",
            "{}",
            "[95,95,100]",
            r#""a __debezium_unavailable_value""#,
            r#"["__debezium_unavailable_value","x"]"#,
            r#""{\"__debezium_unavailable_value\":null}""#,
            r#""{not json""#,
        ] {
            assert!(!is(json), "{json}");
        }
        assert!(!is(&format!("\"{}\"", "x".repeat(1_000))));
    }
}
