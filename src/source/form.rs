//! Values as Debezium sends them, written in SQL: what is read from a table then looks like the change event that would tell of it. Each form was
//! compared with what the connector sends (`decimal.handling.mode=string`, `time.precision.mode=adaptive`).

use crate::source::SourceType;

/// Types that an event has as PostgreSQL's own JSON does (numbers, booleans, and texts as PostgreSQL writes them), also within arrays.
const AS_JSON: [&str; 10] = [
    "smallint",
    "integer",
    "bigint",
    "real",
    "double precision",
    "boolean",
    "text",
    "character varying",
    "character",
    "uuid",
];

/// More of them, whose arrays Debezium does not send.
const ALONE_AS_JSON: [&str; 13] = [
    "bpchar",
    "\"char\"",
    "citext",
    "inet",
    "cidr",
    "macaddr",
    "xml",
    "tsvector",
    "int4range",
    "int8range",
    "numrange",
    "daterange",
    "tsrange",
];

/// Types with a form of their own, which their arrays have as well.
const CONVERTED: [&str; 8] = [
    "numeric",
    "date",
    "timestamp without time zone",
    "timestamp with time zone",
    "time without time zone",
    "json",
    "jsonb",
    "bytea",
];

/// SQL for a value (an expression of this type) as an event has it, in JSON. `None` for a type of which that is not known: Debezium leaves it out,
/// or sends something that PostgreSQL cannot write.
pub fn sent_as(source: &SourceType, value: &str) -> Option<String> {
    if let Some(element) = source.element() {
        let base = element.base.as_str();
        let is_sent = AS_JSON.contains(&base) || CONVERTED.contains(&base);
        return is_sent.then(|| array(&element, value)).flatten();
    }
    let per_second = if source.is_in_millis() { 1_000 } else { 1_000_000 };
    Some(match source.base.as_str() {
        base if source.is_enum || AS_JSON.contains(&base) || ALONE_AS_JSON.contains(&base) => value.to_owned(),
        "oid" => format!("{value}::int8"),
        "json" | "jsonb" => format!("{value}::text"),
        "money" => format!("{value}::numeric::text"),
        "numeric" => format!(
            "CASE {value}::text WHEN 'NaN' THEN 'NAN' WHEN 'Infinity' THEN 'POSITIVE_INFINITY' WHEN '-Infinity' THEN 'NEGATIVE_INFINITY' \
             ELSE {value}::text END"
        ),
        // Infinity has no number that anybody could read; as a text no column takes it, and `_extra` says what it is.
        "date" => finite(value, &format!("to_json({value} - DATE '1970-01-01')")),
        "timestamp without time zone" => {
            finite(value, &format!("to_json((extract(epoch FROM {value}) * {per_second})::int8)"))
        }
        "timestamp with time zone" => format!(
            "CASE WHEN NOT isfinite({value}) OR {value} >= '10000-01-01 00:00:00+00' THEN {value}::text \
             WHEN {value} < '0001-01-01 00:00:00+00' THEN 'BC ' || {value}::text \
             ELSE to_char({value} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') END"
        ),
        "time without time zone" => format!("(extract(epoch FROM {value}) * {per_second})::int8"),
        "time with time zone" => format!("replace(({value} AT TIME ZONE 'UTC')::text, '+00', 'Z')"),
        // A month has 30.4375 days in an event, and 30 in `extract`.
        "interval" => {
            format!("((extract(epoch FROM {value}) + extract(month FROM {value}) * 0.4375 * 86400) * 1000000)::int8")
        }
        "bytea" => format!("translate(encode({value}, 'base64'), E'\\n', '')"),
        _ => return None,
    })
}

fn finite(value: &str, sent: &str) -> String {
    format!("CASE WHEN isfinite({value}) THEN {sent} WHEN {value} IS NOT NULL THEN to_json({value}::text) END")
}

/// One with more than one dimension as PostgreSQL writes it; Debezium cannot send it.
fn array(element: &SourceType, value: &str) -> Option<String> {
    let sent = sent_as(element, "e")?;
    Some(format!(
        "CASE WHEN array_ndims({value}) > 1 THEN to_json({value}) WHEN {value} IS NOT NULL THEN \
         (SELECT coalesce(json_agg({sent} ORDER BY n), '[]') FROM unnest({value}) WITH ORDINALITY AS elements(e, n)) END"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_forms_that_are_known_are_written() {
        let form = |text| sent_as(&SourceType::parse(text), "v");
        assert_eq!(form("integer").as_deref(), Some("v"));
        assert!(form("timestamp(3) without time zone").unwrap().contains("* 1000)"));
        assert!(form("timestamp without time zone").unwrap().contains("* 1000000)"));
        assert!(form("numeric(10,2)[]").unwrap().contains("unnest(v)"));
        for unknown in ["point", "bit(3)", "interval[]", "name", "hstore", "tstzrange", "mood[]"] {
            assert_eq!(form(unknown), None, "{unknown}");
        }
        let mood = SourceType { is_enum: true, ..SourceType::parse("mood") };
        assert_eq!(sent_as(&mood, "v").as_deref(), Some("v"));
    }
}
