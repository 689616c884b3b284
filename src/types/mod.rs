//! The one column type: what a value is in PostgreSQL, in Debezium's JSON, in ClickHouse, and as text.
//!
//! | room | what |
//! |---|---|
//! | `source` | the catalogue's text, `numeric(10,2) null` |
//! | `connector` | the settings that change how Debezium writes a value |
//! | `debezium` | which types it sends how, by their names |
//! | `kind` | both together: what the warehouse keeps |
//! | `cell`, `raw`, `write` | JSON → RowBinary |
//! | `clickhouse` | DDL, RowBinary → values and canonical text |
//! | `sql`, `canonical` | what both servers are asked with, so that equal texts are equal values |
//! | `key` | what may be a key, and how keys compare |
//! | `added`, `sent` | columns that the pipeline's file does not know: out of `_extra`, and into it |
//! | `fit` | what becomes of a column's values when its type has changed in PostgreSQL |
//!
//! A value that does not fit is an error with its form and the reason: nothing is rounded, clamped or cut.

mod added;
mod canonical;
mod cell;
mod clickhouse;
pub mod connector;
mod debezium;
pub mod decimal;
pub mod digits;
mod fit;
#[cfg(test)]
mod forms;
mod key;
pub mod kind;
pub mod noise;
mod raw;
mod sent;
mod source;
mod sql;
pub mod time;
mod write;

pub use added::AddedType;
pub use cell::CellSeed;

pub use clickhouse::Value;
pub use connector::Connector;
pub use fit::Fit;
pub use key::{KEY_SEPARATOR, join_key};
pub use kind::{EXCLUDE_IT, Kind, is_known};
pub use source::SourceType;
pub(crate) use write::{write_length, write_text};

/// A column's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnType {
    source: SourceType,
    kind: Kind,
    low_cardinality: bool,
}

impl ColumnType {
    /// Reads a type as the pipeline file has it: `numeric(10,2) null`, with the warehouse's type if the file names one.
    ///
    /// # Errors
    /// What is wrong, and what to write.
    pub fn parse(declared: &str, kept_as: Option<&str>, connector: &Connector) -> Result<ColumnType, String> {
        let plain = ColumnType::of(SourceType::parse(declared)?, connector)?;
        let Some(wanted) = kept_as else { return Ok(plain) };
        let ColumnType { source, kind, .. } = plain;
        let kind = kind.kept_as(wanted, &source)?;
        Ok(ColumnType { source, kind, low_cardinality: wanted.starts_with("LowCardinality(") })
    }

    /// The type of a column as PostgreSQL has it, kept as such values usually are.
    ///
    /// # Errors
    /// The connector, as it is set, does not send every value of the type: why, and what to do.
    pub fn of(source: SourceType, connector: &Connector) -> Result<ColumnType, String> {
        let kind = Kind::of(&source, connector)?;
        Ok(ColumnType { source, kind, low_cardinality: false })
    }

    /// What it is in PostgreSQL.
    pub fn source(&self) -> &SourceType {
        &self.source
    }

    /// What becomes of its values.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// May it be NULL?
    pub fn nullable(&self) -> bool {
        self.source.nullable
    }

    /// The same type of a column that may be NULL: what a row is looked up for may have no value.
    pub fn or_null(&self) -> ColumnType {
        let mut column_type = self.clone();
        column_type.source.nullable = true;
        column_type
    }

    /// What the connector loses of the type's values, and nobody can tell from an event. `doctor` says it.
    pub fn caveat(&self, connector: &Connector) -> Option<&'static str> {
        caveat(&self.kind, connector)
    }
}

fn caveat(kind: &Kind, connector: &Connector) -> Option<&'static str> {
    use connector::{DecimalMode, TimeMode};
    match kind {
        Kind::Decimal { sent, .. } | Kind::Numeric(sent) if sent.mode == DecimalMode::Precise => {
            Some("NaN is sent as null (decimal.handling.mode=precise)")
        }
        Kind::Time(_) if connector.time == TimeMode::IsoString => {
            Some("24:00 is sent as 00:00 (time.precision.mode=isostring)")
        }
        Kind::Date => Some("a snapshot sends dates before Christ as dates after it"),
        Kind::Interval => Some("a month is sent as 30.4375 days (interval.handling.mode=numeric)"),
        Kind::Array(element) if !matches!(**element, Kind::Text) => {
            Some("an array of more than one dimension is sent as nulls")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(declared: &str, kept_as: Option<&str>) -> Result<String, String> {
        ColumnType::parse(declared, kept_as, &Connector::default()).map(|column| column.clickhouse_type())
    }

    #[test]
    fn a_type_lands_where_its_values_fit() {
        for (declared, kept) in [
            ("smallint not null", "Int64"),
            ("bigint null", "Nullable(Int64)"),
            ("real null", "Nullable(Float64)"),
            ("numeric(10,2) null", "Nullable(Decimal(10, 2))"),
            ("numeric(2,5) not null", "Decimal(5, 5)"),
            ("numeric null", "Nullable(String)"),
            ("numeric(80,2) null", "Nullable(String)"),
            ("numeric(5,-2) null", "Nullable(String)"),
            ("money not null", "Decimal(19, 2)"),
            ("character varying(40) null", "Nullable(String)"),
            ("date not null", "Date32"),
            ("timestamp(3) with time zone not null", "DateTime64(6, 'UTC')"),
            ("interval day to second null", "Nullable(Int64)"),
            ("integer[] null", "Nullable(String)"),
            ("uuid not null", "UUID"),
            ("shop.mood null", "Nullable(String)"),
            ("bytea null", "Tuple(Nullable(Int64), Nullable(String))"),
            ("bit(5) null", "Nullable(String)"),
            ("bit null", "Nullable(Bool)"),
        ] {
            assert_eq!(column(declared, None).as_deref(), Ok(kept), "{declared}");
        }
    }

    #[test]
    fn another_type_has_to_hold_every_value() {
        for (declared, wanted, kept) in [
            ("real not null", "Decimal(18, 4)", "Decimal(18, 4)"),
            ("numeric(10,2) null", "String", "Nullable(String)"),
            ("numeric null", "Decimal(38, 10)", "Nullable(Decimal(38, 10))"),
            ("integer null", "Int32", "Nullable(Int32)"),
            ("text null", "LowCardinality(String)", "LowCardinality(Nullable(String))"),
        ] {
            assert_eq!(column(declared, Some(wanted)).as_deref(), Ok(kept), "{declared} as {wanted}");
        }
        assert_eq!(
            column("text null", Some("Int64")).unwrap_err(),
            "text cannot be kept as Int64; possible is LowCardinality(String)"
        );
        assert!(column("numeric(10,2) null", Some("Float64")).unwrap_err().ends_with("Decimal(P, S) or String"));
        assert!(column("real null", Some("Decimal(40, 20)")).is_err());
        assert!(column("date null", Some("String")).unwrap_err().ends_with("leave `as` out"));
    }

    #[test]
    fn what_the_connector_loses_is_refused() {
        let double = Connector { decimal: connector::DecimalMode::Double, ..Connector::default() };
        let connect = Connector { time: connector::TimeMode::Connect, ..Connector::default() };
        let error = |declared: &str, connector: &Connector| ColumnType::parse(declared, None, connector).unwrap_err();
        assert!(error("numeric(20,2) null", &double).ends_with("rounds to fifteen digits: set string"));
        assert!(ColumnType::parse("numeric(15,2) null", None, &double).is_ok());
        assert!(error("timestamp without time zone null", &connect).ends_with("cuts microseconds off: set adaptive"));
        assert!(ColumnType::parse("timestamp(3) without time zone null", None, &connect).is_ok());
        for lost in ["name null", "bit varying(9) null", "interval[] null", "shop.mood[] null", "int4multirange null"] {
            assert!(error(lost, &Connector::default()).contains("exclude"), "{lost}");
        }
    }
}
