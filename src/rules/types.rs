//! Types: of columns, as the source's catalogue names them, and of expressions.

use std::fmt;
use std::sync::Arc;

/// Most digits of a number, before and after the point together: what ClickHouse's Decimal256 holds.
pub const MOST_DIGITS: u8 = 76;

/// Significant digits of which a double keeps every one.
pub(super) const DOUBLE_DIGITS: u8 = 15;

/// Labels of an enum, in the source's order.
pub type Labels = Arc<[String]>;

/// Type of a column that a rule can name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// `boolean`; Bool in the warehouse.
    Bool,
    /// `smallint`, `integer`, `bigint` of 16, 32 or 64 bits.
    Int(u8),
    /// `numeric(p, s)`, or a `numeric` without a scale that the pipeline file declares `as = "Decimal(p, s)"`.
    Decimal(u8, u8),
    /// `real`; with precision and scale, if it is kept as a Decimal.
    Real(Option<(u8, u8)>),
    /// `double precision`; with precision and scale, if it is kept as a Decimal.
    Double(Option<(u8, u8)>),
    /// `text`, `varchar`, in a deterministic collation.
    Text,
    /// `char(n)`: kept without trailing blanks.
    Char(u32),
    /// `date`; Date32 in the warehouse.
    Date,
    /// `timestamp`; DateTime64(6, 'UTC') in the warehouse.
    Timestamp,
    /// `timestamptz`; DateTime64(6, 'UTC') in the warehouse.
    TimestampTz,
    /// `uuid`; its lower-case text, or UUID, in the warehouse.
    Uuid,
    /// An enum; its label as text in the warehouse.
    Enum(Labels),
    /// Any other type, by its name: a rule can ask whether the column IS NULL, and nothing else.
    Other(String),
}

/// Number of digits, scale, and whether PostgreSQL's type is an integer (whose division has no fraction).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digits {
    /// All digits.
    pub total: u8,
    /// Those after the point.
    pub scale: u8,
    /// An integer in PostgreSQL.
    pub whole: bool,
}

impl Digits {
    pub(super) const fn whole(total: u8) -> Digits {
        Digits { total, scale: 0, whole: true }
    }

    /// Digits before the point.
    pub(super) fn before(self) -> u8 {
        self.total.saturating_sub(self.scale)
    }
}

/// Type of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// True, false or unknown.
    Bool,
    /// An exact number.
    Number(Digits),
    /// A binary floating-point number.
    Double,
    /// Text; compared byte by byte.
    Text,
    /// Text whose trailing blanks do not count.
    Char,
    /// Days.
    Date,
    /// Microseconds of a clock on the wall.
    Timestamp,
    /// Microseconds of UTC.
    TimestampTz,
    /// A UUID.
    Uuid,
    /// A label.
    Enum(Labels),
    /// A value that no expression can look into.
    Opaque(String),
}

impl Type {
    /// The expression that the column is. In a CHECK, `real` and `double precision` are the binary values.
    pub(super) fn kind(&self, binary: bool) -> Kind {
        match self {
            Type::Bool => Kind::Bool,
            Type::Int(bits) => Kind::Number(Digits::whole(match bits {
                0..=16 => 5,
                17..=32 => 10,
                _ => 19,
            })),
            Type::Decimal(total, scale) => Kind::Number(Digits { total: *total, scale: *scale, whole: false }),
            Type::Real(Some((total, scale))) | Type::Double(Some((total, scale))) if !binary => {
                Kind::Number(Digits { total: *total, scale: *scale, whole: false })
            }
            Type::Real(_) | Type::Double(_) => Kind::Double,
            Type::Text => Kind::Text,
            Type::Char(_) => Kind::Char,
            Type::Date => Kind::Date,
            Type::Timestamp => Kind::Timestamp,
            Type::TimestampTz => Kind::TimestampTz,
            Type::Uuid => Kind::Uuid,
            Type::Enum(labels) => Kind::Enum(labels.clone()),
            Type::Other(name) => Kind::Opaque(name.clone()),
        }
    }
}

impl Kind {
    pub(super) fn is_moment(&self) -> bool {
        matches!(self, Kind::Date | Kind::Timestamp | Kind::TimestampTz)
    }

    pub(super) fn is_text(&self) -> bool {
        matches!(self, Kind::Text | Kind::Char)
    }

    pub(super) fn digits(&self) -> Option<Digits> {
        match self {
            Kind::Number(digits) => Some(*digits),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Bool => "a boolean",
            Kind::Number(Digits { whole: true, .. }) => "an integer",
            Kind::Number(_) => "a decimal",
            Kind::Double => "a floating-point number",
            Kind::Text | Kind::Char => "text",
            Kind::Date => "a date",
            Kind::Timestamp => "a timestamp",
            Kind::TimestampTz => "a timestamptz",
            Kind::Uuid => "a uuid",
            Kind::Enum(_) => "an enum",
            Kind::Opaque(name) => name,
        })
    }
}
