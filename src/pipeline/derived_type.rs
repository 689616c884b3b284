//! The types of a derived table's columns: those of which it can be said whether a value fits.

use std::fmt;

/// A type of ClickHouse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DerivedType {
    /// As ClickHouse writes it, without `Nullable`.
    pub name: String,
    /// What is to be asked of a value.
    pub holds: Holds,
    /// May it be NULL?
    pub nullable: bool,
}

/// When a value fits a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Always, unless it is NULL: texts.
    Any,
    /// If it is the same when it has become one of the type.
    Same,
    /// As [`Holds::Same`], and it has at most so many digits before the point: ClickHouse keeps more than it says.
    Digits(u32),
}

/// What to write, for people.
pub(super) const TYPES: &str = "Int8 to Int256, UInt8 to UInt256, Decimal(P, S), Float64, Bool, String, LowCardinality(String), Date, Date32, \
     DateTime('UTC'), DateTime64(3, 'UTC'), UUID, or one of them in Nullable(…)";

const PLAIN: [&str; 17] = [
    "Int8", "Int16", "Int32", "Int64", "Int128", "Int256", "UInt8", "UInt16", "UInt32", "UInt64", "UInt128", "UInt256",
    "Float64", "Bool", "Date", "Date32", "UUID",
];

impl DerivedType {
    /// Reads a type, if it is one of these.
    pub fn parse(text: &str) -> Option<DerivedType> {
        let inner = text.trim().strip_prefix("Nullable(").and_then(|rest| rest.strip_suffix(')'));
        let name = inner.unwrap_or(text).trim().to_owned();
        let nullable = inner.is_some();
        let holds = match name.as_str() {
            "String" => Holds::Any,
            "LowCardinality(String)" if !nullable => Holds::Any,
            "DateTime('UTC')" => Holds::Same,
            plain if PLAIN.contains(&plain) => Holds::Same,
            other => decimal(other).or_else(|| moment(other))?,
        };
        Some(DerivedType { name, holds, nullable })
    }
}

impl fmt::Display for DerivedType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        if self.nullable { write!(f, "Nullable({name})") } else { f.write_str(name) }
    }
}

fn decimal(text: &str) -> Option<Holds> {
    let (precision, scale) = text.strip_prefix("Decimal(")?.strip_suffix(')')?.split_once(',')?;
    let (precision, scale): (u32, u32) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
    ((1..=76).contains(&precision) && scale <= precision).then(|| Holds::Digits(precision - scale))
}

fn moment(text: &str) -> Option<Holds> {
    let (precision, zone) = text.strip_prefix("DateTime64(")?.strip_suffix(')')?.split_once(',')?;
    let precision: u32 = precision.trim().parse().ok()?;
    (precision <= 9 && zone.trim() == "'UTC'").then_some(Holds::Same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_says_what_is_to_be_asked_of_a_value() {
        let fit = |text: &str| DerivedType::parse(text).map(|it| (it.holds, it.nullable));
        assert_eq!(fit("Int16"), Some((Holds::Same, false)));
        assert_eq!(fit("Nullable(Date)"), Some((Holds::Same, true)));
        assert_eq!(fit("Decimal(15, 2)"), Some((Holds::Digits(13), false)));
        assert_eq!(fit("LowCardinality(String)"), Some((Holds::Any, false)));
        assert_eq!(fit("DateTime64(3, 'UTC')"), Some((Holds::Same, false)));
        for other in ["int", "Array(Int8)", "Decimal(77, 2)", "Decimal(2, 3)", "Decimal(2)", "DateTime", "", "Float32"]
        {
            assert_eq!(fit(other), None, "{other}");
        }
    }
}
