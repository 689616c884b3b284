//! Names, texts and values as ClickHouse reads them.

use crate::rules::calendar::{print_date, print_timestamp};
use crate::rules::number;
use crate::rules::tree::{Expr, Node};
use crate::rules::types::{Digits, Kind};
use crate::rules::value::Value;

/// Digits that an integer literal can have and still be an integer of ClickHouse's.
const LITERAL_DIGITS: usize = 18;

/// A name in quotes.
pub(super) fn name(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A text in quotes.
pub(super) fn text(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

pub(super) fn literal(value: &Value<'_>, kind: &Kind) -> String {
    match (value, kind) {
        (Value::Bool(truth), _) => truth.to_string(),
        (Value::Number(unscaled), Kind::Number(digits)) => {
            let printed = number::print(*unscaled, digits.scale);
            match digits {
                Digits { scale: 0, .. } if printed.len() <= LITERAL_DIGITS => format!("({printed})"),
                Digits { scale: 0, .. } => format!("toInt256('{printed}')"),
                Digits { scale, .. } => format!("toDecimal256('{printed}', {scale})"),
            }
        }
        (Value::Double(double), _) => format!("toFloat64('{double}')"),
        (Value::Text(value), _) => text(value),
        (Value::Moment(days), Kind::Date) => format!("toDate32('{}')", print_date(*days)),
        (Value::Moment(micros), _) => format!("toDateTime64('{}', 6, 'UTC')", print_timestamp(*micros)),
        _ => format!("CAST(NULL, 'Nullable({})')", type_name(kind)),
    }
}

/// A literal number of a wide type.
pub(super) fn literal_of(expr: &Expr, wide: &dyn Fn(&str) -> String, type_name: &str) -> String {
    match (&expr.node, &expr.kind) {
        (Node::Literal(Value::Number(unscaled)), Kind::Number(digits)) => wide(&number::print(*unscaled, digits.scale)),
        _ => format!("CAST(NULL, 'Nullable({type_name})')"),
    }
}

fn type_name(kind: &Kind) -> String {
    match kind {
        Kind::Bool => "Bool".to_owned(),
        Kind::Number(Digits { whole: true, .. }) => "Int256".to_owned(),
        Kind::Number(digits) => format!("Decimal(76, {})", digits.scale),
        Kind::Double => "Float64".to_owned(),
        Kind::Date => "Date32".to_owned(),
        Kind::Timestamp | Kind::TimestampTz => "DateTime64(6, \\'UTC\\')".to_owned(),
        _ => "String".to_owned(),
    }
}
