//! A column that the row type knows: can the job still read what the source sends?

use crate::source::SourceType;
use crate::warehouse::Landing;

/// What becomes of a known column's values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    /// They are read as before.
    Fits,
    /// Most are; what is said happens to the others.
    Mostly(String),
    /// They are refused: their rows wait in quarantine.
    Refused,
    /// They look like values of the known type and mean something else.
    Misread(String),
}

/// Types that Debezium sends as a string, other than `text` and its kin.
const SENT_AS_TEXT: [&str; 16] = [
    "text",
    "character varying",
    "name",
    "\"char\"",
    "citext",
    "uuid",
    "json",
    "jsonb",
    "xml",
    "inet",
    "cidr",
    "macaddr",
    "numeric",
    "money",
    "time with time zone",
    "timestamp with time zone",
];

/// Does a column of the warehouse's type take values of the source's type?
pub fn fit(warehouse_type: &str, source: &SourceType) -> Fit {
    let known = warehouse_type.strip_prefix("Nullable(").and_then(|t| t.strip_suffix(')')).unwrap_or(warehouse_type);
    let landing = Landing::of(source);
    let misread = |what: &str| Fit::Misread(what.to_owned());
    match (known, landing) {
        ("Int64", Landing::Int) | ("Date32", Landing::Date) | ("String", Landing::Bpchar) => Fit::Fits,
        ("Int64" | "Decimal(18, 4)", Landing::Date) => misread("a date is sent as its number of days"),
        ("Int64" | "Decimal(18, 4)", Landing::Timestamp { .. } | Landing::Micros { .. }) => {
            misread("a time is sent as its number of microseconds")
        }
        ("Int64", Landing::Decimal { scale: 0, .. }) => Fit::Fits,
        ("Decimal(18, 4)", Landing::Decimal { scale: 5.., .. }) => Fit::Mostly(
            "an amount with more than four digits behind the point waits in quarantine (`decode`)".to_owned(),
        ),
        ("Decimal(18, 4)", Landing::Int | Landing::Float | Landing::Decimal { .. }) => Fit::Fits,
        ("Decimal(18, 4)", Landing::Text) if source.base == "numeric" => Fit::Fits,
        ("Date32", Landing::Int) => misread("a whole number is taken for a number of days"),
        ("String", Landing::Bytes) => misread("the bytes are written as base64"),
        ("String", _) if source.is_enum || SENT_AS_TEXT.contains(&source.base.as_str()) => Fit::Fits,
        (_, Landing::Bytes) if known.starts_with("Tuple(") => Fit::Fits,
        (_, Landing::Text | Landing::Bpchar) if known.starts_with("Tuple(") => {
            misread("a text that happens to be base64 is taken for a picture's bytes")
        }
        _ => Fit::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(warehouse_type: &str, source: &str) -> Fit {
        fit(warehouse_type, &SourceType::parse(source))
    }

    #[test]
    fn a_widened_column_is_nothing_to_do() {
        for (warehouse, source) in [
            ("Int64", "smallint"),
            ("Nullable(Int64)", "bigint"),
            ("Int64", "numeric(5,0)"),
            ("String", "character varying(80)"),
            ("Nullable(String)", "text"),
            ("String", "character(5)"),
            ("Nullable(Decimal(18, 4))", "real"),
            ("Nullable(Decimal(18, 4))", "double precision"),
            ("Nullable(Decimal(18, 4))", "numeric(12,2)"),
            ("Nullable(Decimal(18, 4))", "numeric"),
            ("Nullable(Date32)", "date"),
            ("Tuple(Nullable(Int64), Nullable(String))", "bytea"),
            ("Nullable(String)", "uuid"),
            ("Nullable(String)", "numeric(20,5)"),
        ] {
            assert_eq!(of(warehouse, source), Fit::Fits, "{warehouse} {source}");
        }
        let mood = SourceType { is_enum: true, ..SourceType::parse("mood") };
        assert_eq!(fit("String", &mood), Fit::Fits);
    }

    #[test]
    fn another_type_is_refused_or_misread() {
        for (warehouse, source) in [
            ("String", "integer"),
            ("Nullable(String)", "date"),
            ("String", "integer[]"),
            ("String", "boolean"),
            ("Nullable(Int64)", "text"),
            ("Nullable(Int64)", "real"),
            ("Nullable(Int64)", "numeric(10,2)"),
            ("Nullable(Date32)", "timestamp without time zone"),
            ("Nullable(Decimal(18, 4))", "text"),
            ("Tuple(Nullable(Int64), Nullable(String))", "integer"),
        ] {
            assert_eq!(of(warehouse, source), Fit::Refused, "{warehouse} {source}");
        }
        for (warehouse, source) in [
            ("Int64", "date"),
            ("Nullable(Int64)", "interval"),
            ("Nullable(Date32)", "integer"),
            ("String", "bytea"),
            ("Nullable(Decimal(18, 4))", "timestamp without time zone"),
            ("Tuple(Nullable(Int64), Nullable(String))", "text"),
        ] {
            assert!(matches!(of(warehouse, source), Fit::Misread(_)), "{warehouse} {source}");
        }
        assert!(matches!(of("Decimal(18, 4)", "numeric(10,6)"), Fit::Mostly(_)));
    }
}
