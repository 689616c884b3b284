//! What the warehouse keeps of a type's values, and how Debezium sends them.

use crate::types::connector::{BinaryMode, Connector, DecimalMode, IntervalMode, TimeMode, Unit};
use crate::types::debezium::{AS_TEXT, ELEMENTS, GEOMETRIC, LOST};
use crate::types::decimal::{Decimal, MAX_DIGITS};
use crate::types::noise::{Amount, MAX_SCALE};
use crate::types::source::SourceType;

/// What becomes of a value: its form in JSON, its type in ClickHouse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Whole numbers of any width: Int64, so that a widened column is nothing to do. Narrower where the file says so.
    Int {
        /// Bytes.
        width: usize,
    },
    /// `real`, `double precision`: Float64.
    Float {
        /// A `real` has no more digits than a `real`, however it was written.
        single: bool,
    },
    /// The same as a decimal, because the file says so.
    Amount(Amount),
    /// `numeric(p,s)`, `money`.
    Decimal {
        /// Digits in the warehouse.
        kept: Decimal,
        /// How it is sent.
        sent: Number,
    },
    /// `numeric` without a scale: canonical text, since no Decimal holds every value.
    Numeric(Number),
    /// `boolean`, `bit(1)`.
    Bool,
    /// What is sent as PostgreSQL writes it.
    Text,
    /// `char(n)`, `bpchar`: without trailing blanks, because PostgreSQL does not compare them either.
    Bpchar,
    /// `date`: Date32, from 1900 to 2299.
    Date,
    /// `timestamp`: DateTime64(6).
    Timestamp(Unit),
    /// `timestamptz`: the same, in UTC.
    TimestampTz,
    /// `time`: µs since midnight; 24:00 is a time.
    Time(Unit),
    /// `time with time zone`: text, in UTC.
    TimeTz,
    /// `interval` in µs.
    Interval,
    /// `uuid`.
    Uuid,
    /// `bytea`: Tuple(Nullable(Int64), Nullable(String)), length and SHA-256 in hex. ClickHouse has no nullable tuples, and its Rust client no
    /// named ones.
    Digest(BinaryMode),
    /// `bit(n)`: text of zeros and ones.
    Bits(usize),
    /// `hstore`: a JSON object, its keys in order.
    Hstore,
    /// `tstzrange`: its bounds in UTC.
    TstzRange,
    /// An array of one dimension: a JSON array.
    Array(Box<Kind>),
    /// pgvector's `vector` and `halfvec`: a JSON array.
    Vector,
    /// Geometric types: the JSON that Debezium makes of them.
    Sent,
}

/// How an exact number is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number {
    /// `decimal.handling.mode`.
    pub mode: DecimalMode,
    /// Of the unscaled number, in mode `precise`; `None` if the scale comes with the value.
    pub scale: Option<u32>,
}

/// Is it a type that Debezium is known to send? Of others it sends nothing, or NULL. (Enums are sent, and have names of their own.)
pub fn is_known(source: &SourceType) -> bool {
    const OTHERS: [&str; 7] = ["oid", "money", "bit", "interval", "tstzrange", "vector", "halfvec"];
    let base = source.base.as_str();
    [&ELEMENTS[..], &AS_TEXT, &GEOMETRIC, &OTHERS].iter().any(|known| known.contains(&base))
}

impl Kind {
    /// Where values of a type land.
    ///
    /// # Errors
    /// The connector, as it is set, does not send every value of the type: why, and what to do.
    pub fn of(source: &SourceType, connector: &Connector) -> Result<Kind, String> {
        if source.is_array {
            if !ELEMENTS.contains(&source.base.as_str()) {
                return Err(lost(source, "sends null for such arrays, or nothing"));
            }
            return Ok(Kind::Array(Box::new(Kind::of(&source.element(), connector)?)));
        }
        if let Some((_, why)) = LOST.iter().find(|(base, _)| *base == source.base) {
            return Err(lost(source, why));
        }
        let digits = source.digits();
        Ok(match source.base.as_str() {
            "smallint" | "integer" | "bigint" | "oid" => Kind::Int { width: 8 },
            "real" => Kind::Float { single: true },
            "double precision" => Kind::Float { single: false },
            "numeric" => numeric(source, connector.decimal)?,
            "money" if connector.decimal == DecimalMode::Double => return Err(rounded(source)),
            "money" => {
                let sent = Number { mode: connector.decimal, scale: Some(2) };
                Kind::Decimal { kept: Decimal { precision: 19, scale: 2 }, sent }
            }
            "boolean" => Kind::Bool,
            "character" | "bpchar" => Kind::Bpchar,
            "date" => Kind::Date,
            "timestamp without time zone" => match connector.time {
                TimeMode::Connect if digits > 3 => return Err(cut(source)),
                TimeMode::Nanoseconds => {
                    return Err(format!(
                        "{}: with time.precision.mode=nanoseconds the connector sends null for what lies outside 1677 to 2262: set adaptive",
                        source.text
                    ));
                }
                mode => Kind::Timestamp(mode.timestamp(digits)),
            },
            "time without time zone" if connector.time == TimeMode::Connect && digits > 3 => return Err(cut(source)),
            "time without time zone" => Kind::Time(connector.time.time(digits)),
            "timestamp with time zone" => Kind::TimestampTz,
            "time with time zone" => Kind::TimeTz,
            "interval" if connector.interval == IntervalMode::String => Kind::Text,
            "interval" => Kind::Interval,
            "uuid" => Kind::Uuid,
            "bytea" => Kind::Digest(connector.binary),
            "bit" => match source.modifiers.first() {
                None | Some(1) => Kind::Bool,
                Some(bits) => Kind::Bits(usize::try_from(*bits).unwrap_or(0)),
            },
            "hstore" => Kind::Hstore,
            "tstzrange" => Kind::TstzRange,
            "vector" | "halfvec" => Kind::Vector,
            base if GEOMETRIC.contains(&base) => Kind::Sent,
            base if AS_TEXT.contains(&base) => Kind::Text,
            // An enum, or an extension's type.
            _ => Kind::Text,
        })
    }

    /// The same values in another type of ClickHouse, as the file asks for.
    ///
    /// # Errors
    /// The type would not hold them as they are: which ones would.
    pub fn kept_as(self, wanted: &str, source: &SourceType) -> Result<Kind, String> {
        let (name, arguments) = wanted.trim_end_matches(')').split_once('(').unwrap_or((wanted, ""));
        let arguments: Vec<u32> = arguments.split(',').filter_map(|number| number.trim().parse().ok()).collect();
        let decimal = match (name, arguments.as_slice()) {
            ("Decimal", &[precision, scale]) if (1..=MAX_DIGITS).contains(&precision) && scale <= precision => {
                Some(Decimal { precision, scale })
            }
            _ => None,
        };
        let width = match name {
            "Int8" => Some(1),
            "Int16" => Some(2),
            "Int32" => Some(4),
            "Int64" => Some(8),
            _ => None,
        };
        match (self, decimal, width) {
            (Kind::Float { .. }, Some(kept), _) if kept.scale <= MAX_SCALE => Ok(Kind::Amount(Amount(kept))),
            (Kind::Decimal { sent, .. } | Kind::Numeric(sent), Some(kept), _) => Ok(Kind::Decimal { kept, sent }),
            (Kind::Int { .. }, Some(kept), _) => {
                Ok(Kind::Decimal { kept, sent: Number { mode: DecimalMode::String, scale: None } })
            }
            (Kind::Int { .. }, _, Some(width)) => Ok(Kind::Int { width }),
            (Kind::Decimal { sent, .. }, _, _) if name == "String" => Ok(Kind::Numeric(sent)),
            (kind @ (Kind::Text | Kind::Bpchar), _, _) if wanted == "LowCardinality(String)" => Ok(kind),
            (kind, _, _) => Err(kind.refusal(wanted, source)),
        }
    }

    fn refusal(&self, wanted: &str, source: &SourceType) -> String {
        let possible = match self {
            Kind::Float { .. } => "Decimal(P, S) with S up to 15",
            Kind::Decimal { .. } => "Decimal(P, S) or String",
            Kind::Numeric(_) => "Decimal(P, S)",
            Kind::Int { .. } => "Int8, Int16, Int32, Int64 or Decimal(P, S)",
            Kind::Text | Kind::Bpchar => "LowCardinality(String)",
            _ => "no other type: leave `as` out",
        };
        format!("{} cannot be kept as {wanted}; possible is {possible}", source.text)
    }
}

fn numeric(source: &SourceType, mode: DecimalMode) -> Result<Kind, String> {
    let &[precision, scale] = source.modifiers.as_slice() else {
        return match mode {
            DecimalMode::Double => Err(rounded(source)),
            _ => Ok(Kind::Numeric(Number { mode, scale: None })),
        };
    };
    if mode == DecimalMode::Double && precision > 15 {
        return Err(rounded(source));
    }
    // A scale below zero is sent as the catalogue keeps it, in eleven bits.
    let sent = Number { mode, scale: u32::try_from(if scale < 0 { scale + 2048 } else { scale }).ok() };
    let fits = |number: i64| u32::try_from(number).ok().filter(|number| *number <= MAX_DIGITS);
    Ok(match (fits(precision.max(scale)), fits(scale)) {
        (Some(precision), Some(scale)) => Kind::Decimal { kept: Decimal { precision, scale }, sent },
        _ => Kind::Numeric(sent),
    })
}

/// What to do about a type whose values are lost.
pub const EXCLUDE_IT: &str = ": { exclude = \"why\" }, or another type in PostgreSQL";

fn lost(source: &SourceType, why: &str) -> String {
    format!("{}: Debezium {why}{EXCLUDE_IT}", source.text)
}

fn rounded(source: &SourceType) -> String {
    format!("{}: with decimal.handling.mode=double the connector rounds to fifteen digits: set string", source.text)
}

fn cut(source: &SourceType) -> String {
    format!("{}: with time.precision.mode=connect the connector cuts microseconds off: set adaptive", source.text)
}
