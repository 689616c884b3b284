//! Columns that the pipeline's file does not know: `sync-schema` adds them to the warehouse, and they are filled from what events have left in
//! `_extra`. A value that such a column cannot hold is NULL there, never clamped or rounded; as the connector sent it, it stays in `_extra`.

use serde::de::DeserializeSeed;
use serde_json::value::RawValue;

use crate::types::connector::{BinaryMode, DecimalMode, TimeMode, Unit};
use crate::types::decimal::Decimal;
use crate::types::kind::Kind;
use crate::types::{CellSeed, ColumnType, Connector, SourceType, time};

/// The type of such a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedType {
    /// `None`: the connector does not send every value of it. What comes is kept as text.
    known: Option<ColumnType>,
    connector: Connector,
}

impl AddedType {
    /// Of a column that PostgreSQL has; it may be NULL in any case, since rows may be older than it.
    pub fn of(source: &SourceType, connector: &Connector) -> AddedType {
        let known = ColumnType::of(SourceType { nullable: true, ..source.clone() }, connector).ok();
        AddedType { known, connector: *connector }
    }

    /// Its type in ClickHouse.
    pub fn clickhouse_type(&self) -> String {
        let typed = self.known.as_ref().filter(|known| is_typed(known.kind()));
        typed.map_or_else(|| "Nullable(String)".to_owned(), ColumnType::clickhouse_type)
    }

    /// SQL for the column's value in ClickHouse, over the text of the JSON field: a number as it is written, a string without its quotes,
    /// anything else as JSON; NULL for null and no field.
    pub fn taken_from(&self, text: &str) -> String {
        match self.known.as_ref().map(ColumnType::kind).filter(|kind| is_typed(kind)) {
            Some(kind) => taken(kind, text, self.connector.time == TimeMode::IsoString),
            None => text.to_owned(),
        }
    }

    /// Does a column of this type hold every value of `new` as it is? Then the source's change is nothing to do.
    pub fn holds(&self, new: &AddedType) -> bool {
        match (self.kind(), new.kind()) {
            (Some(Kind::Decimal { kept, .. }), Some(Kind::Decimal { kept: new, .. })) => {
                kept.scale == new.scale && kept.precision >= new.precision
            }
            (Some(Kind::Float { .. }), Some(Kind::Float { .. })) => true,
            (Some(was), Some(is)) if is_typed(was) || is_typed(is) => was == is,
            (Some(Kind::Decimal { .. }), _) | (_, Some(Kind::Decimal { .. })) => false,
            _ => true,
        }
    }

    /// Is every value of this type a value of another type `new` too, and does its JSON say it in a form that `new` reads? Then the column can
    /// be changed, and read from `_extra` again.
    pub fn widens_to(&self, new: &AddedType) -> bool {
        let (Some(was), Some(is)) = (self.kind(), new.kind()) else { return false };
        if self.holds(new) || [was, is].into_iter().any(is_unscaled) {
            return false;
        }
        match (was, is) {
            (Kind::Decimal { kept, .. }, Kind::Decimal { kept: new, .. }) => {
                new.scale >= kept.scale && new.precision - new.scale >= kept.precision - kept.scale
            }
            (Kind::Int { .. }, Kind::Decimal { .. } | Kind::Float { .. }) => true,
            (Kind::Decimal { .. }, Kind::Float { .. }) => true,
            (Kind::Int { .. } | Kind::Decimal { .. }, Kind::Text | Kind::Numeric(_)) => true,
            (Kind::Bool | Kind::Uuid, Kind::Text) | (Kind::Text, Kind::Bpchar) => true,
            _ => false,
        }
    }

    /// SQL for the text of a value in PostgreSQL. `None`: it cannot be compared.
    pub fn in_postgres(&self, value: &str) -> Option<String> {
        let known = self.known.as_ref()?;
        // What a repair could not write is not looked for either.
        self.sent(value).and_then(|_| known.in_postgres(value))
    }

    /// SQL for the text of the warehouse's value.
    pub fn in_clickhouse(&self, column: &str) -> Option<String> {
        self.known.as_ref().map(|known| known.in_clickhouse(column))
    }

    /// SQL for a value in PostgreSQL as the connector sends it, in JSON. `None`: that is not known, or PostgreSQL cannot write it.
    pub fn sent(&self, value: &str) -> Option<String> {
        let known = self.known.as_ref()?;
        known.kind().sent(&known.source().base, value, &self.connector)
    }

    /// The canonical text of PostgreSQL's answer; `None` if the warehouse's type cannot hold the value.
    pub fn canonical(&self, answer: &str) -> Option<String> {
        self.known.as_ref().and_then(|known| known.canonical(answer).ok())
    }

    /// The canonical text of the warehouse's answer; what is no value of the type stays as it is. An array of elements that do not fit is kept
    /// as it was sent, and none all the same.
    pub fn canonical_kept(&self, answer: String) -> Option<String> {
        let Some(Kind::Array(element)) = self.kind() else {
            return Some(self.canonical(&answer).unwrap_or(answer));
        };
        let is_array = || serde_json::from_str::<Vec<&RawValue>>(&answer).is_ok();
        element.array(&answer).ok().or_else(|| (!is_array()).then(|| answer.clone()))
    }

    /// The canonical text of an event's JSON; `None` for NULL, and for what the warehouse's type cannot hold.
    pub fn canonical_sent(&self, json: &str) -> Option<String> {
        let known = self.known.as_ref()?;
        let mut cell = Vec::new();
        let seed = CellSeed { kind: known.kind(), nullable: true, placeholders: false, out: &mut cell };
        seed.deserialize(&mut serde_json::Deserializer::from_str(json)).ok()?;
        known.text(&cell).map(|text| text.into_owned())
    }

    fn kind(&self) -> Option<&Kind> {
        self.known.as_ref().map(ColumnType::kind)
    }
}

/// Is an exact number sent as the bytes of its digits? Its scale is not among them.
fn is_unscaled(kind: &Kind) -> bool {
    matches!(kind, Kind::Decimal { sent, .. } | Kind::Numeric(sent) if sent.mode == DecimalMode::Precise)
}

/// Does the column have a type of its own? The others have the text of what was sent.
fn is_typed(kind: &Kind) -> bool {
    match kind {
        Kind::Decimal { .. } => !is_unscaled(kind),
        Kind::Text | Kind::TimeTz | Kind::Numeric(_) | Kind::Bits(_) => false,
        Kind::Hstore | Kind::TstzRange | Kind::Array(_) | Kind::Vector | Kind::Sent => false,
        _ => true,
    }
}

fn taken(kind: &Kind, text: &str, is_iso: bool) -> String {
    let (first_day, last_day) = time::DAYS;
    match kind {
        Kind::Int { .. } => format!("toInt64OrNull({text})"),
        Kind::Float { .. } | Kind::Amount(_) => format!("toFloat64OrNull({text})"),
        Kind::Decimal { kept, sent } => decimal(*kept, sent.mode, text),
        Kind::Bool => format!("multiIf({text} = 'true', true, {text} = 'false', false, NULL)"),
        Kind::Bpchar => format!("trimRight({text})"),
        Kind::Date if is_iso => {
            let is_kept = format!("match({text}, '^(19|20|21|22)[0-9]{{2}}-[0-9]{{2}}-[0-9]{{2}}Z?$')");
            format!("if({is_kept}, toDate32OrNull(substring({text}, 1, 10)), NULL)")
        }
        Kind::Date => {
            let days = format!("toInt32OrNull({text})");
            format!("if({days} BETWEEN {first_day} AND {last_day}, toDate32({days}), NULL)")
        }
        Kind::Timestamp(unit) if !is_iso => {
            let micros = counted(*unit, time::MICROS, text);
            format!("fromUnixTimestamp64Micro({micros}, 'UTC')")
        }
        Kind::Timestamp(_) | Kind::TimestampTz => {
            format!("if(match({text}, '^[0-9]{{4}}-'), parseDateTime64BestEffortOrNull({text}, 6, 'UTC'), NULL)")
        }
        Kind::Time(_) if is_iso => {
            format!("toUnixTimestamp64Micro(parseDateTime64BestEffortOrNull(concat('1970-01-01T', {text}), 6, 'UTC'))")
        }
        Kind::Time(unit) => counted(*unit, (0, time::DAY), text),
        // What has more than 64 bits is sent as the largest number that has them.
        Kind::Interval => counted(Unit::Micros, (i64::MIN + 1, i64::MAX - 1), text),
        Kind::Uuid => format!("toUUIDOrNull({text})"),
        Kind::Digest(mode) => {
            let bytes = match mode {
                BinaryMode::Bytes | BinaryMode::Base64 => format!("tryBase64Decode({text})"),
                BinaryMode::Base64UrlSafe => format!("tryBase64Decode(translate({text}, '-_', '+/'))"),
                BinaryMode::Hex => format!("unhex({text})"),
            };
            format!("tuple(length({bytes}), lower(hex(SHA256({bytes}))))")
        }
        _ => text.to_owned(),
    }
}

/// µs, of a number that counts units, within bounds in µs: beyond them, the product would no longer be known.
fn counted(unit: Unit, (first, last): (i64, i64), text: &str) -> String {
    let number = format!("toInt64OrNull({text})");
    let (first, last, micros) = match unit {
        Unit::Millis => (first / 1_000, last / 1_000, format!("{number} * 1000")),
        Unit::Micros => (first, last, number.clone()),
        Unit::Nanos => (first.saturating_mul(1_000), last.saturating_mul(1_000), format!("intDiv({number}, 1000)")),
    };
    format!("if({number} BETWEEN {first} AND {last}, {micros}, NULL)")
}

/// ClickHouse would cut surplus digits off and say nothing.
fn decimal(kept: Decimal, mode: DecimalMode, text: &str) -> String {
    let bits = 8 * kept.width();
    let number = format!("toDecimal{bits}OrNull({text}, {})", kept.scale);
    match mode {
        DecimalMode::Double => format!("if(toFloat64({number}) = toFloat64OrNull({text}), {number}, NULL)"),
        _ => format!("if(match({text}, '^-?[0-9]+([.][0-9]{{0,{}}})?$'), {number}, NULL)", kept.scale),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> AddedType {
        AddedType::of(&SourceType::of_catalogue(text, false), &Connector::default())
    }

    #[test]
    fn a_type_lands_where_its_values_fit() {
        for (source, column_type) in [
            ("smallint", "Nullable(Int64)"),
            ("numeric(10,2)", "Nullable(Decimal(10, 2))"),
            ("numeric", "Nullable(String)"),
            ("numeric(80,2)", "Nullable(String)"),
            ("money", "Nullable(Decimal(19, 2))"),
            ("timestamp(3) without time zone", "Nullable(DateTime64(6, 'UTC'))"),
            ("interval day to second", "Nullable(Int64)"),
            ("integer[]", "Nullable(String)"),
            ("interval[]", "Nullable(String)"),
            ("name", "Nullable(String)"),
            ("mood", "Nullable(String)"),
            ("uuid", "Nullable(UUID)"),
            ("bytea", "Tuple(Nullable(Int64), Nullable(String))"),
        ] {
            assert_eq!(of(source).clickhouse_type(), column_type, "{source}");
        }
        let precise = Connector { decimal: DecimalMode::Precise, ..Connector::default() };
        let digits = AddedType::of(&SourceType::of_catalogue("numeric(10,2)", true), &precise);
        assert_eq!((digits.clickhouse_type().as_str(), digits.sent("v")), ("Nullable(String)", None));
    }

    #[test]
    fn what_loses_digits_or_changes_its_meaning_is_no_widening() {
        assert!(of("numeric(10,2)").widens_to(&of("numeric(12,3)")));
        assert!(!of("numeric(10,2)").widens_to(&of("numeric(10,3)")), "a digit less before the point");
        assert!(!of("numeric(10,2)").widens_to(&of("numeric(12,1)")));
        assert!(of("numeric(12,2)").holds(&of("numeric(10,2)")));
        assert!(of("integer").holds(&of("bigint")) && of("real").holds(&of("double precision")));
        assert!(of("text").holds(&of("character varying(9)")) && of("jsonb").holds(&of("text")));
        assert!(of("integer").widens_to(&of("numeric(12,2)")) && of("integer").widens_to(&of("text")));
        assert!(of("uuid").widens_to(&of("text")) && !of("text").widens_to(&of("uuid")));
        assert!(!of("text").widens_to(&of("integer")));
        assert!(!of("date").widens_to(&of("text")), "the JSON has days");
        assert!(!of("character(5)").widens_to(&of("text")), "the JSON has blanks, which PostgreSQL cuts off");
        assert!(!of("integer").holds(&of("time without time zone")), "the same type, another meaning");
        let (millis, micros) = (of("timestamp(3) without time zone"), of("timestamp without time zone"));
        assert!(!millis.holds(&micros) && !millis.widens_to(&micros), "the JSON has ms, then µs");
    }

    #[test]
    fn a_value_is_the_same_text_wherever_it_comes_from() {
        for (source, event, postgres, kept) in [
            ("bigint", "9223372036854775807", "9223372036854775807", "9223372036854775807"),
            ("numeric(20,2)", r#""-123456789012345678.90""#, "-123456789012345678.9", "-123456789012345678.9"),
            ("numeric", r#""1E-7""#, "0.0000001", "1E-7"),
            ("numeric", r#""NAN""#, "NaN", "NAN"),
            ("real", "16777218.0", "1.6777218e+07", "16777218"),
            ("double precision", r#""-Infinity""#, "-Infinity", "-inf"),
            ("jsonb", r#""{\"a\": 1}""#, r#"{"a": 1}"#, r#"{"a": 1}"#),
            ("character(5)", r#""ab   ""#, "ab", "ab"),
            ("date", "19782", "2024-02-29", "2024-02-29"),
            (
                "timestamp(3) without time zone",
                "1704164645678",
                "2024-01-02 03:04:05.678000",
                "2024-01-02 03:04:05.678000",
            ),
            ("time(0) without time zone", "3720000", "3720000000", "3720000000"),
            ("text[]", r#"["a","b c", null]"#, r#"["a", "b c", null]"#, r#"["a","b c",null]"#),
            ("date[]", "[19782,null]", r#"["2024-02-29", null]"#, "[19782,null]"),
            ("double precision[]", "[1e22,0.15]", r#"["1e+22", "0.15"]"#, "[1e22,0.15]"),
            ("numeric(10,2)[]", r#"["1.50"]"#, r#"["1.5"]"#, r#"["1.50"]"#),
            ("hstore", r#""{\"b\":null,\"a\":\"1\"}""#, r#"{ "a" : "1", "b" : null }"#, r#"{"b":null,"a":"1"}"#),
        ] {
            let of_event = of(source).canonical_sent(event);
            assert!(of_event.is_some(), "{source} {event}");
            assert_eq!(of_event, of(source).canonical(postgres), "{source} {postgres}");
            assert_eq!(of_event, of(source).canonical_kept(kept.to_owned()), "{source} {kept}");
        }
    }

    #[test]
    fn what_the_warehouse_cannot_hold_is_null_there() {
        for (source, answer) in [
            ("date", "1815-06-18"),
            ("date", "infinity"),
            ("timestamp without time zone", "infinity"),
            ("timestamp with time zone", "0044-03-15 00:00:00+00 BC"),
            ("numeric(10,2)", "NaN"),
        ] {
            assert_eq!(of(source).canonical(answer), None, "{source} {answer}");
        }
    }
}
