//! Literals: a text in quotes has the type of what it stands beside, and is checked when the rule is read.

use crate::rules::calendar;
use crate::rules::number;
use crate::rules::tree::{Expr, Node};
use crate::rules::types::{Digits, Kind};
use crate::rules::value::Value;

/// The literal `text` of a kind.
///
/// # Errors
/// It is none of that kind.
pub(super) fn of_text(text: &str, kind: &Kind) -> Result<Expr, String> {
    let literal = |value| Ok(Expr::new(Node::Literal(value), kind.clone()));
    match kind {
        Kind::Bool => match text.trim().to_ascii_lowercase().as_str() {
            "t" | "true" => literal(Value::Bool(true)),
            "f" | "false" => literal(Value::Bool(false)),
            _ => Err(format!("{text:?} is no boolean: say TRUE or FALSE")),
        },
        Kind::Number(Digits { whole, .. }) => {
            let (negative, digits) = sign(text);
            let number = of_number(digits, negative)?;
            match number.kind {
                Kind::Number(digits) if *whole && !digits.whole => {
                    Err(format!("{text:?} is no integer, as the other side is"))
                }
                _ => Ok(number),
            }
        }
        Kind::Double => {
            let is_shaped = text.trim().bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
            let double = text.trim().parse::<f64>().ok().filter(|double| is_shaped && double.is_finite());
            literal(Value::Double(double.ok_or_else(|| format!("{text:?} is no finite number"))?))
        }
        Kind::Text => literal(Value::Text(text.to_owned().into())),
        Kind::Char => literal(Value::Text(text.trim_end_matches(' ').to_owned().into())),
        Kind::Date => literal(Value::Moment(calendar::date(text.trim())?)),
        Kind::Timestamp => literal(Value::Moment(calendar::timestamp(text.trim(), false)?)),
        Kind::TimestampTz => literal(Value::Moment(calendar::timestamp(text.trim(), true)?)),
        Kind::Uuid => literal(Value::Text(uuid(text)?.into())),
        Kind::Enum(labels) if labels.iter().any(|label| label == text) => literal(Value::Text(text.to_owned().into())),
        Kind::Enum(labels) => Err(format!("{text:?} is no label of the enum, which has {}", labels.join(", "))),
        Kind::Opaque(name) => Err(format!("a column of type {name} can only be asked whether it IS NULL")),
    }
}

/// A number as it is written, or its opposite.
pub(super) fn of_number(text: &str, negative: bool) -> Result<Expr, String> {
    let (unscaled, digits) = number::parse(text)?;
    let unscaled = if negative { -unscaled } else { unscaled };
    Ok(Expr::new(Node::Literal(Value::Number(unscaled)), Kind::Number(digits)))
}

/// The double that lies nearest to a literal number.
pub(super) fn to_double(number: &Expr) -> Result<Expr, String> {
    let double = match (&number.node, &number.kind) {
        (Node::Literal(Value::Number(unscaled)), Kind::Number(digits)) => number::to_f64(*unscaled, digits.scale),
        _ => return Err("only a literal number is turned into a floating-point number here".to_owned()),
    };
    Ok(Expr::new(Node::Literal(Value::Double(double)), Kind::Double))
}

fn sign(text: &str) -> (bool, &str) {
    let text = text.trim();
    match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// In lower case, as PostgreSQL writes it.
fn uuid(text: &str) -> Result<String, String> {
    let is_shaped = text.len() == 36
        && text
            .bytes()
            .enumerate()
            .all(|(i, b)| if matches!(i, 8 | 13 | 18 | 23) { b == b'-' } else { b.is_ascii_hexdigit() });
    is_shaped
        .then(|| text.to_ascii_lowercase())
        .ok_or_else(|| format!("{text:?} is no uuid of 8-4-4-4-12 hexadecimal digits"))
}
