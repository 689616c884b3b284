//! Values: what a column holds in a row, and what an expression makes of it.

use std::borrow::Cow;

use ethnum::i256;

/// A value. Its type is known from the expression that it belongs to; the scale of a number is, too.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// NULL.
    Null,
    /// `boolean`.
    Bool(bool),
    /// An integer, or a decimal without its point: 12.50 of scale 2 is 1250.
    Number(i256),
    /// `real` or `double precision`.
    Double(f64),
    /// Text; of `char(n)` without trailing blanks, of `uuid` in lower case, of an enum its label.
    Text(Cow<'a, str>),
    /// Days since 1970-01-01 of a date, microseconds since then of a timestamp.
    Moment(i64),
    /// A value of a type that rules cannot look into.
    Opaque,
}

impl<'a> Value<'a> {
    /// An integer, or the unscaled value of a decimal.
    pub fn number(unscaled: impl Into<i256>) -> Value<'a> {
        Value::Number(unscaled.into())
    }

    /// A text that stays where it is.
    pub fn text(text: &'a str) -> Value<'a> {
        Value::Text(Cow::Borrowed(text))
    }

    pub(super) fn borrowed(&'a self) -> Value<'a> {
        match self {
            Value::Text(text) => Value::Text(Cow::Borrowed(text)),
            other => other.clone(),
        }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// True, false or unknown.
    pub(super) fn truth(&self) -> Option<bool> {
        match self {
            Value::Bool(truth) => Some(*truth),
            _ => None,
        }
    }
}

impl From<Option<bool>> for Value<'_> {
    fn from(truth: Option<bool>) -> Self {
        truth.map_or(Value::Null, Value::Bool)
    }
}
