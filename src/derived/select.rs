//! A SELECT whose values have to fit the columns that they are written to. Conversions do not say so: ClickHouse rounds decimals, keeps more
//! digits than a type says, and wraps dates, even in `accurateCast`. So a value fits if it is the same when it has become one of the type.

use crate::pipeline::{DerivedType, Holds, Located};
use crate::warehouse::{identifier, quote};

/// How many examples are shown.
const EXAMPLES: usize = 5;

/// A SELECT, and the columns that its values are for.
#[derive(Debug, Clone)]
pub struct Select {
    /// Its text.
    pub sql: String,
    /// The columns by which a row is named in messages and in `derived_rejected`.
    pub key: Vec<&'static str>,
    /// The columns with their types.
    pub columns: Vec<(&'static str, &'static DerivedType)>,
    /// Rows that are left out and counted.
    pub left_out: &'static [(String, Located<String>)],
}

impl Select {
    /// How many rows there are, how many are left out and why, how many do not fit, and some of these; and how many have another's key.
    pub fn survey(&self) -> String {
        let counted: Vec<String> = self.left_out.iter().map(|(_, condition)| format!("countIf({condition})")).collect();
        format!(
            "SELECT count() AS found, CAST([{}], 'Array(UInt64)') AS left_out, countIf(notEmpty(_misfits)) AS misfits,
                    groupArrayIf({EXAMPLES})(concat(_key, ': ', arrayStringConcat(_misfits, ' and ')), notEmpty(_misfits)) AS examples,
                    toUInt64(countIf(_named) - uniqExactIf(_key, _named)) AS doubled
             FROM (\n{}\n)
             SETTINGS join_use_nulls = 0",
            counted.join(", "),
            self.with_misfits()
        )
    }

    /// The rows that fit and are not left out.
    pub fn fitting(&self) -> String {
        let fits: Vec<String> =
            self.columns.iter().map(|(name, kind)| format!("NOT {}", is_misfit(name, kind))).collect();
        format!("SELECT * FROM (\n{}\n)\nWHERE NOT {} AND {}", self.sql, self.is_left_out(), fits.join(" AND "))
    }

    /// The rows that do not fit: `_key`, and in `_misfits` what is wrong.
    pub fn misfits(&self) -> String {
        format!("SELECT _key, _misfits FROM (\n{}\n) WHERE notEmpty(_misfits)", self.with_misfits())
    }

    /// Keys that more than one row has; some of them.
    pub fn doubled_keys(&self) -> String {
        format!(
            "SELECT _key FROM (\n{}\n) WHERE _named GROUP BY _key HAVING count() > 1 ORDER BY _key LIMIT {EXAMPLES}
             SETTINGS join_use_nulls = 0",
            self.with_misfits()
        )
    }

    /// With its key as `_key`, in `_misfits` what does not fit, and `_named`: it is not left out, and its key fits.
    fn with_misfits(&self) -> String {
        let of_key = self.columns.iter().filter(|(name, _)| self.key.contains(name));
        let key_fits: Vec<String> = of_key.map(|(name, kind)| format!("NOT {}", is_misfit(name, kind))).collect();
        let said: Vec<String> = self.columns.iter().map(|(name, kind)| said(name, kind)).collect();
        format!(
            "SELECT *, {} AS _key, {} AS _left_out,
                    if(_left_out, [], arrayFilter(said -> said != '', [{}])) AS _misfits,
                    NOT _left_out{} AS _named
             FROM (\n{}\n)",
            key_text(&self.key),
            self.is_left_out(),
            said.join(", "),
            key_fits.iter().map(|fits| format!(" AND {fits}")).collect::<String>(),
            self.sql
        )
    }

    fn is_left_out(&self) -> String {
        let conditions: Vec<String> =
            self.left_out.iter().map(|(_, condition)| format!("ifNull({}, false)", condition.value)).collect();
        if conditions.is_empty() { "false".to_owned() } else { format!("({})", conditions.join(" OR ")) }
    }
}

/// A key as JSON.
pub fn key_text(key: &[&str]) -> String {
    let field = |name: &&str| format!("{}, toJSONString({})", quote(&format!("{:?}:", *name)), identifier(name));
    format!("concat('{{', {}, '}}')", key.iter().map(field).collect::<Vec<_>>().join(", ',', "))
}

/// Says whether a value does not fit; NULL is no answer that this gives.
fn is_misfit(name: &str, kind: &DerivedType) -> String {
    let value = identifier(name);
    let same = || format!("accurateCastOrNull({value}, {}) = {value}", quote(&kind.name));
    let fits = match kind.holds {
        Holds::Any => format!("isNotNull({value})"),
        Holds::Same => same(),
        Holds::Digits(76..) => same(),
        Holds::Digits(digits) => {
            format!("{} AND abs({value}) < toDecimal256('1{}', 0)", same(), "0".repeat(digits as usize))
        }
    };
    let misfit = format!("NOT ifNull({fits}, false)");
    if kind.nullable { format!("(isNotNull({value}) AND {misfit})") } else { format!("({misfit})") }
}

/// What is wrong with a value; nothing if it fits.
fn said(name: &str, kind: &DerivedType) -> String {
    let value = identifier(name);
    let text = format!(
        "concat({}, ifNull(toString({value}), 'NULL'), {})",
        quote(&format!("{name} ")),
        quote(&format!(" does not fit {kind}"))
    );
    format!("if({}, {text}, '')", is_misfit(name, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_json_whatever_its_names() {
        assert_eq!(key_text(&["a"]), "concat('{', '\"a\":', toJSONString(`a`), '}')");
        assert_eq!(
            key_text(&["a", "b c"]),
            "concat('{', '\"a\":', toJSONString(`a`), ',', '\"b c\":', toJSONString(`b c`), '}')"
        );
    }

    #[test]
    fn a_value_fits_if_it_stays_what_it_is() {
        let misfit = |text: &str| is_misfit("a", &DerivedType::parse(text).unwrap());
        assert_eq!(misfit("Int16"), "(NOT ifNull(accurateCastOrNull(`a`, 'Int16') = `a`, false))");
        assert!(misfit("Nullable(Date)").starts_with("(isNotNull(`a`) AND NOT ifNull(accurateCastOrNull(`a`, 'Date')"));
        assert!(misfit("Decimal(10, 2)").contains("abs(`a`) < toDecimal256('100000000', 0)"));
        assert_eq!(misfit("String"), "(NOT ifNull(isNotNull(`a`), false))");
    }
}
