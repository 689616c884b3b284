//! What PostgreSQL and ClickHouse are asked with for a value's text. [`ColumnType::canonical`] makes equal texts of equal answers.

use crate::types::ColumnType;
use crate::types::kind::Kind;

/// As ClickHouse writes a DateTime64(6).
const MICROS: &str = "YYYY-MM-DD HH24:MI:SS.US";

impl ColumnType {
    /// SQL for the text of a value (an expression of this type) in PostgreSQL. `None`: it cannot be compared, since nothing that PostgreSQL
    /// writes is what Debezium sends.
    pub fn in_postgres(&self, value: &str) -> Option<String> {
        self.kind.in_postgres(&self.source.base, value)
    }

    /// SQL for the text of the warehouse's value.
    pub fn in_clickhouse(&self, column: &str) -> String {
        let text = match self.kind {
            Kind::Digest(_) => format!("concat('[', toString({column}.1), ',\"', {column}.2, '\"]')"),
            _ => format!("toString({column})"),
        };
        format!("toNullable({text})")
    }
}

impl Kind {
    pub(super) fn in_postgres(&self, base: &str, value: &str) -> Option<String> {
        Some(match self {
            Kind::Sent => return None,
            Kind::Bool if base == "bit" => format!("({value} = B'1')::text"),
            Kind::Decimal { .. } if base == "money" => format!("trim_scale({value}::numeric)::text"),
            Kind::Decimal { .. } | Kind::Numeric(_) if base == "numeric" => format!("trim_scale({value})::text"),
            Kind::Date => dated(value, "", &format!("to_char({value}, 'YYYY-MM-DD')")),
            Kind::Timestamp(_) => dated(value, "", &format!("to_char({value}, '{MICROS}')")),
            Kind::TimestampTz => dated(value, "+00", &format!("to_char({value} AT TIME ZONE 'UTC', '{MICROS}')")),
            Kind::Time(_) => format!("(extract(epoch FROM {value}) * 1000000)::int8::text"),
            // In another zone, 24:00 is a time of the next day.
            Kind::TimeTz => format!(
                "CASE {value}::text WHEN '24:00:00+00' THEN '24:00:00Z' ELSE replace(({value} AT TIME ZONE 'UTC')::text, '+00', 'Z') END"
            ),
            // A month has 30.4375 days in an event, and 30 in `extract`.
            Kind::Interval => format!(
                "round((extract(epoch FROM {value}) + extract(month FROM {value}) * 0.4375 * 86400) * 1000000)::text"
            ),
            Kind::Text if base == "interval" => iso_interval(value),
            Kind::Digest(_) => {
                format!("'[' || length({value}) || ',\"' || encode(sha256({value}), 'hex') || '\"]'")
            }
            // The type's own output: as text, 10.0.0.1 would be 10.0.0.1/32.
            Kind::Text if base == "inet" => format!("CASE WHEN {value} IS NOT NULL THEN format('%s', {value}) END"),
            Kind::Hstore => format!(
                "CASE WHEN {value} IS NOT NULL THEN (SELECT coalesce(json_object_agg(key, value), '{{}}')::text FROM json_each_text(({value})::json)) END"
            ),
            Kind::Array(element) => return element.array_in_postgres(base, value),
            _ => format!("{value}::text"),
        })
    }

    /// One with more than one dimension as PostgreSQL writes it; Debezium cannot send it.
    fn array_in_postgres(&self, base: &str, value: &str) -> Option<String> {
        let element = self.in_postgres(base, "e")?;
        Some(format!(
            "CASE WHEN array_ndims({value}) > 1 THEN to_json({value})::text WHEN {value} IS NOT NULL THEN \
             (SELECT coalesce(json_agg({element} ORDER BY n), '[]')::text FROM unnest({value}) WITH ORDINALITY AS elements(e, n)) END"
        ))
    }
}

/// The text of a date or time; infinity, and years that no column takes, as PostgreSQL writes them.
pub(super) fn dated(value: &str, zone: &str, text: &str) -> String {
    format!(
        "CASE WHEN {value} >= '0001-01-01 00:00:00{zone}' AND {value} < '9999-12-31 23:59:59.999999{zone}' THEN {text} ELSE {value}::text END"
    )
}

/// As Debezium writes an interval: `P1Y2M3DT4H5M6.5S`.
fn iso_interval(value: &str) -> String {
    let part = |field: &str, letter: &str| format!("extract({field} FROM {value})::int8 || '{letter}'");
    format!(
        "'P' || {} || {} || {} || 'T' || {} || {} || trim_scale(extract(second FROM {value})) || 'S'",
        part("year", "Y"),
        part("month", "M"),
        part("day", "D"),
        part("hour", "H"),
        part("minute", "M")
    )
}

#[cfg(test)]
mod tests {
    use crate::types::{ColumnType, Connector};

    fn asked(declared: &str) -> Option<String> {
        ColumnType::parse(declared, None, &Connector::default()).unwrap().in_postgres("v")
    }

    #[test]
    fn only_what_can_be_compared_is_asked_for() {
        assert_eq!(asked("integer not null").as_deref(), Some("v::text"));
        assert_eq!(asked("numeric(10,2) null").as_deref(), Some("trim_scale(v)::text"));
        assert!(asked("numeric(10,2)[] null").unwrap().contains("json_agg(trim_scale(e)::text ORDER BY n)"));
        assert_eq!(asked("point null"), None);
    }
}
