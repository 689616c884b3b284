//! Operands that stand side by side get one kind, as PostgreSQL would give them: literals take the other side's, numbers the greater scale,
//! dates become timestamps.

use crate::rules::literal;
use crate::rules::number;
use crate::rules::tree::{Expr, Node};
use crate::rules::types::{DOUBLE_DIGITS, Digits, Kind, MOST_DIGITS};
use crate::rules::value::Value;

/// An operand whose kind may still be open.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    Typed(Expr),
    /// A literal in quotes.
    Text(String),
    Null,
}

impl Operand {
    /// The operand, if its kind must be `kind` where it is open.
    pub fn into(self, kind: &Kind) -> Result<Expr, String> {
        match self {
            Operand::Typed(expr) => Ok(expr),
            Operand::Text(text) => literal::of_text(&text, kind),
            Operand::Null => Ok(Expr::null(kind.clone())),
        }
    }

    fn kind(&self) -> Option<&Kind> {
        match self {
            Operand::Typed(expr) => Some(&expr.kind),
            _ => None,
        }
    }
}

/// All operands, of one kind; of text, if every one of them is open.
///
/// # Errors
/// PostgreSQL would not take them side by side, or the three judges would not agree.
pub(super) fn unify(operands: Vec<Operand>) -> Result<Vec<Expr>, String> {
    let mut kind: Option<Kind> = None;
    for next in operands.iter().filter_map(Operand::kind) {
        kind = Some(match &kind {
            Some(kind) => common(kind, next)?,
            None => next.clone(),
        });
    }
    let open = kind.unwrap_or(Kind::Text);
    let exprs = operands.into_iter().map(|operand| operand.into(&open)).collect::<Result<Vec<Expr>, String>>()?;
    // A literal in quotes can have more digits than the column beside it.
    let mut kind = open;
    for expr in &exprs {
        kind = common(&kind, &expr.kind)?;
    }
    exprs.into_iter().map(|expr| convert(expr, &kind)).collect()
}

fn common(a: &Kind, b: &Kind) -> Result<Kind, String> {
    Ok(match (a, b) {
        (Kind::Opaque(name), _) | (_, Kind::Opaque(name)) => {
            return Err(format!("beyond the subset: a column of type {name} can only be asked whether it IS NULL"));
        }
        (a, b) if a == b => a.clone(),
        (Kind::Number(a), Kind::Number(b)) => Kind::Number(wider(*a, *b)?),
        (Kind::Number(_), Kind::Double) | (Kind::Double, Kind::Number(_)) => Kind::Double,
        (a, b) if a.is_text() && b.is_text() => Kind::Text,
        (Kind::Date, later) if later.is_moment() => later.clone(),
        (later, Kind::Date) if later.is_moment() => later.clone(),
        (a, b) if a.is_moment() && b.is_moment() => Kind::TimestampTz,
        (Kind::Enum(_), text) | (text, Kind::Enum(_)) if text.is_text() => {
            return Err("an enum and a text: say it as column::text".to_owned());
        }
        (a, b) => return Err(format!("{a} and {b} side by side: PostgreSQL refuses it, too")),
    })
}

fn wider(a: Digits, b: Digits) -> Result<Digits, String> {
    let scale = a.scale.max(b.scale);
    digits(u16::from(a.before().max(b.before())) + u16::from(scale), scale, a.whole && b.whole)
}

/// Digits of a result, if every judge can hold them.
pub(super) fn digits(total: u16, scale: u8, whole: bool) -> Result<Digits, String> {
    match u8::try_from(total).ok().filter(|total| *total <= MOST_DIGITS) {
        Some(total) => Ok(Digits { total: total.max(1), scale, whole }),
        None => Err(format!(
            "beyond the subset: it can have {total} digits, and {MOST_DIGITS} are the most that every judge holds: round an operand, or say it with fewer digits"
        )),
    }
}

fn convert(expr: Expr, kind: &Kind) -> Result<Expr, String> {
    if expr.kind == *kind {
        return Ok(expr);
    }
    match (&expr.node, &expr.kind, kind) {
        (Node::Literal(Value::Null), ..) => Ok(Expr::null(kind.clone())),
        (Node::Literal(Value::Number(_)), _, Kind::Double) => literal::to_double(&expr),
        (Node::Literal(Value::Number(unscaled)), Kind::Number(from), Kind::Number(to)) => {
            let unscaled = number::rescale(*unscaled, from.scale, to.scale).ok_or("too many digits")?;
            let kind = Kind::Number(Digits { whole: from.whole && to.scale == 0, ..*to });
            Ok(Expr::new(Node::Literal(Value::Number(unscaled)), kind))
        }
        (_, Kind::Number(digits), Kind::Double) if digits.total > DOUBLE_DIGITS && !digits.whole => Err(format!(
            "beyond the subset: a decimal of {} digits beside a floating-point number, which keeps {DOUBLE_DIGITS}: give the column `as = \"Decimal(p, s)\"`",
            digits.total
        )),
        (_, Kind::Number(from), Kind::Number(to)) if from.scale == to.scale => {
            // The same number: only what is known of its size differs.
            Ok(Expr { node: expr.node, kind: Kind::Number(Digits { whole: from.whole, ..*to }) })
        }
        (Node::Literal(Value::Text(text)), Kind::Text, Kind::Char) => literal::of_text(text, kind),
        _ => Ok(Expr::new(Node::Convert(Box::new(expr)), kind.clone())),
    }
}

/// A date or timestamp as another one.
pub(super) fn convert_moment(expr: Expr, kind: &Kind) -> Result<Expr, String> {
    convert(expr, kind)
}
