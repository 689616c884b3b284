//! Values as the connector sends them, written by PostgreSQL: what a repair puts into `_extra` is what an event would have left there. Each form
//! was compared with what Debezium sends.

use crate::types::Connector;
use crate::types::connector::{BinaryMode, DecimalMode, TimeMode, Unit};
use crate::types::kind::Kind;
use crate::types::sql::dated;

impl Kind {
    /// SQL for a value (an expression of a type with this base) as an event has it, in JSON.
    pub(super) fn sent(&self, base: &str, value: &str, connector: &Connector) -> Option<String> {
        let is_iso = connector.time == TimeMode::IsoString;
        Some(match self {
            Kind::Int { .. } if base == "oid" => format!("{value}::int8"),
            // As PostgreSQL's own JSON has it.
            Kind::Int { .. } | Kind::Float { .. } | Kind::Amount(_) | Kind::Bpchar | Kind::Uuid => value.to_owned(),
            Kind::Bool if base == "bit" => format!("({value} = B'1')"),
            Kind::Bool => value.to_owned(),
            Kind::Decimal { sent, .. } | Kind::Numeric(sent) => number(base, value, sent.mode)?,
            Kind::Date if is_iso => dated(value, "", &format!("to_char({value}, 'YYYY-MM-DD') || 'Z'")),
            // Infinity has no number that anybody could read; as a text no column takes it, and `_extra` says what it is.
            Kind::Date => finite(value, &format!("to_json({value} - DATE '1970-01-01')")),
            Kind::Timestamp(_) if is_iso => dated(value, "", &iso_timestamp(value)),
            Kind::Timestamp(unit) => {
                let number = clamped(&format!("extract(epoch FROM {value}) * {}", per_second(*unit)));
                finite(value, &format!("to_json({number})"))
            }
            Kind::TimestampTz => dated(value, "+00", &iso_timestamp(&format!("{value} AT TIME ZONE 'UTC'"))),
            Kind::Time(_) if is_iso => format!("to_char({value}, 'HH24:MI:SS.US') || 'Z'"),
            Kind::Time(unit) => format!("(extract(epoch FROM {value}) * {})::int8", per_second(*unit)),
            Kind::Interval => clamped(&format!("({})::numeric", self.in_postgres(base, value)?)),
            Kind::Digest(mode) => bytes(value, *mode),
            Kind::Vector => format!("{value}::text::json"),
            Kind::Array(element) => {
                let sent = element.sent(base, "e", connector)?;
                format!(
                    "CASE WHEN array_ndims({value}) > 1 THEN to_json({value}) WHEN {value} IS NOT NULL THEN \
                     (SELECT coalesce(json_agg({sent} ORDER BY n), '[]') FROM unnest({value}) WITH ORDINALITY AS elements(e, n)) END"
                )
            }
            Kind::Bits(_) | Kind::Sent => return None,
            Kind::Text | Kind::TimeTz | Kind::Hstore | Kind::TstzRange => return self.in_postgres(base, value),
        })
    }
}

fn number(base: &str, value: &str, mode: DecimalMode) -> Option<String> {
    let number = if base == "money" { format!("{value}::numeric") } else { value.to_owned() };
    match mode {
        DecimalMode::String if base == "money" => Some(format!("{number}::text")),
        DecimalMode::String => Some(format!(
            "CASE {number}::text WHEN 'NaN' THEN 'NAN' WHEN 'Infinity' THEN 'POSITIVE_INFINITY' \
             WHEN '-Infinity' THEN 'NEGATIVE_INFINITY' ELSE {number}::text END"
        )),
        DecimalMode::Double => Some(format!("{number}::float8")),
        DecimalMode::Precise => None,
    }
}

fn bytes(value: &str, mode: BinaryMode) -> String {
    match mode {
        BinaryMode::Bytes | BinaryMode::Base64 => format!("translate(encode({value}, 'base64'), E'\\n', '')"),
        BinaryMode::Base64UrlSafe => format!("translate(encode({value}, 'base64'), E'+/\\n', '-_')"),
        BinaryMode::Hex => format!("encode({value}, 'hex')"),
    }
}

fn per_second(unit: Unit) -> i64 {
    match unit {
        Unit::Millis => 1_000,
        Unit::Micros => 1_000_000,
        Unit::Nanos => 1_000_000_000,
    }
}

fn iso_timestamp(value: &str) -> String {
    format!("to_char({value}, 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
}

/// What has more than 64 bits is sent as the largest number that has them.
fn clamped(number: &str) -> String {
    format!("least(greatest({number}, -9223372036854775808), 9223372036854775807)::int8")
}

fn finite(value: &str, sent: &str) -> String {
    format!("CASE WHEN isfinite({value}) THEN {sent} WHEN {value} IS NOT NULL THEN to_json({value}::text) END")
}

#[cfg(test)]
mod tests {
    use crate::types::{AddedType, Connector, SourceType};

    #[test]
    fn only_forms_that_are_known_are_written() {
        let form = |text| AddedType::of(&SourceType::of_catalogue(text, true), &Connector::default()).sent("v");
        assert_eq!(form("integer").as_deref(), Some("v"));
        assert!(form("timestamp(3) without time zone").unwrap().contains("* 1000,"));
        assert!(form("timestamp without time zone").unwrap().contains("* 1000000,"));
        assert!(form("numeric(10,2)[]").unwrap().contains("unnest(v)"));
        assert_eq!(form("mood").as_deref(), Some("v::text"));
        for unknown in ["point", "bit(3)", "interval[]", "name", "mood[]"] {
            assert_eq!(form(unknown), None, "{unknown}");
        }
    }
}
