//! The judge in Rust: three-valued logic over the values of one row. What the tree's types rule out counts as NULL; nothing fails.

use std::borrow::Cow;
use std::cmp::Ordering;

use ethnum::i256;

use crate::rules::calendar::DAY;
use crate::rules::number;
use crate::rules::tree::{Arithmetic, Comparison, Expr, Extreme, Node, Pair, Test, TrimSide};
use crate::rules::types::Kind;
use crate::rules::value::Value;

/// The value of an expression; `inputs` are the columns that the rule reads, in its order.
pub(super) fn evaluate<'v>(expr: &'v Expr, inputs: &'v [Value<'v>]) -> Value<'v> {
    let value = |expr: &'v Expr| evaluate(expr, inputs);
    match &expr.node {
        Node::Literal(literal) => literal.borrowed(),
        Node::Input(position) => match inputs.get(*position) {
            Some(Value::Double(double)) if double.is_nan() => Value::Null,
            Some(input) => input.borrowed(),
            None => Value::Null,
        },
        Node::Not(one) => value(one).truth().map(|truth| !truth).into(),
        Node::And(list) => all(list, inputs, false),
        Node::Or(list) => all(list, inputs, true),
        Node::Compare(comparison, pair) => {
            compare(&value(&pair[0]), &value(&pair[1])).map(|order| comparison.holds(order)).into()
        }
        Node::Distinct(pair) => {
            let (a, b) = (value(&pair[0]), value(&pair[1]));
            Value::Bool(match (a.is_null(), b.is_null()) {
                (false, false) => compare(&a, &b) != Some(Ordering::Equal),
                (a, b) => a != b,
            })
        }
        Node::Is(Test::Null, one) => Value::Bool(value(one).is_null()),
        Node::Is(Test::True, one) => Value::Bool(value(one).truth() == Some(true)),
        Node::Is(Test::False, one) => Value::Bool(value(one).truth() == Some(false)),
        Node::Between(three) => {
            let x = value(&three[0]);
            let not_below = compare(&x, &value(&three[1])).map(Ordering::is_ge);
            let not_above = compare(&x, &value(&three[2])).map(Ordering::is_le);
            match (not_below, not_above) {
                (Some(false), _) | (_, Some(false)) => Value::Bool(false),
                (Some(true), Some(true)) => Value::Bool(true),
                _ => Value::Null,
            }
        }
        Node::Case(branches, otherwise) => {
            let taken = branches.iter().find(|(when, _)| value(when).truth() == Some(true));
            value(taken.map_or(otherwise, |(_, then)| then))
        }
        Node::Coalesce(list) => list.iter().map(value).find(|value| !value.is_null()).unwrap_or(Value::Null),
        Node::NullIf(pair) => {
            let a = value(&pair[0]);
            if compare(&a, &value(&pair[1])) == Some(Ordering::Equal) { Value::Null } else { a }
        }
        Node::Extreme(extreme, list) => most(*extreme, list.iter().map(value)),
        Node::Convert(one) => convert(value(one), &one.kind, &expr.kind),
        Node::Arithmetic(op, pair) => arithmetic(*op, pair, inputs).map_or(Value::Null, Value::Number),
        Node::Divide(pair) => divide(pair, inputs, scale(expr)).map_or(Value::Null, Value::Number),
        Node::Round(one, digits) => match value(one) {
            Value::Number(number) => number::round(number, scale(one), *digits).map_or(Value::Null, Value::Number),
            Value::Double(double) => Value::Double(double.round_ties_even()),
            _ => Value::Null,
        },
        Node::Negate(one) => match value(one) {
            Value::Number(number) => number.checked_neg().map_or(Value::Null, Value::Number),
            Value::Double(double) => Value::Double(-double),
            _ => Value::Null,
        },
        Node::Absolute(one) => match value(one) {
            Value::Number(number) => number.checked_abs().map_or(Value::Null, Value::Number),
            Value::Double(double) => Value::Double(double.abs()),
            _ => Value::Null,
        },
        Node::Like(one, pattern) => of_text(value(one), |text| Value::Bool(pattern.fits(&text))),
        Node::Match(one, pattern) => of_text(value(one), |text| Value::Bool(pattern.is_in(&text))),
        Node::Length(one) => of_text(value(one), |text| Value::Number(i256::from(text.chars().count() as u64))),
        Node::Upper(one) => of_text(value(one), |text| Value::Text(text.to_ascii_uppercase().into())),
        Node::Lower(one) => of_text(value(one), |text| Value::Text(text.to_ascii_lowercase().into())),
        Node::Trim(side, one) => of_text(value(one), |text| Value::Text(trim(text, *side))),
        Node::Concat(pair) => match (value(&pair[0]), value(&pair[1])) {
            (Value::Text(a), Value::Text(b)) => Value::Text(a + b),
            _ => Value::Null,
        },
        Node::AddDays(one, days) => of_moment(value(one), |date| date.checked_add(i64::from(*days)).map(Value::Moment)),
        Node::DaysBetween(pair) => match (value(&pair[0]), value(&pair[1])) {
            (Value::Moment(a), Value::Moment(b)) => Value::Number(i256::from(a) - i256::from(b)),
            _ => Value::Null,
        },
        Node::AddInterval(one, interval) => of_moment(value(one), |moment| interval.after(moment).map(Value::Moment)),
        Node::Extract(field, one) => of_moment(value(one), |moment| {
            let micros = if one.kind == Kind::Date { moment.checked_mul(DAY)? } else { moment };
            field.of(micros).map(|part| Value::Number(part.into()))
        }),
        Node::Position(one) => match (value(one), &one.kind) {
            (Value::Text(label), Kind::Enum(labels)) => {
                let position = labels.iter().position(|known| *known == label);
                position.map_or(Value::Null, |position| Value::Number(i256::from(position as u64 + 1)))
            }
            _ => Value::Null,
        },
    }
}

/// AND (`decides` is false) and OR (`decides` is true).
fn all<'v>(list: &'v [Expr], inputs: &'v [Value<'v>], decides: bool) -> Value<'v> {
    let mut result = Some(!decides);
    for expr in list {
        match evaluate(expr, inputs).truth() {
            Some(truth) if truth == decides => return Value::Bool(decides),
            Some(_) => {}
            None => result = None,
        }
    }
    result.into()
}

impl Comparison {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Comparison::Equal => order.is_eq(),
            Comparison::NotEqual => order.is_ne(),
            Comparison::Less => order.is_lt(),
            Comparison::LessOrEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// The order of two values of one kind; `None` if one of them is NULL.
fn compare(a: &Value<'_>, b: &Value<'_>) -> Option<Ordering> {
    Some(match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Number(a), Value::Number(b)) => a.cmp(b),
        (Value::Double(a), Value::Double(b)) => return a.partial_cmp(b),
        (Value::Text(a), Value::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Value::Moment(a), Value::Moment(b)) => a.cmp(b),
        _ => return None,
    })
}

/// The greatest or least of those that are not NULL.
fn most<'v>(extreme: Extreme, values: impl Iterator<Item = Value<'v>>) -> Value<'v> {
    let wanted = if extreme == Extreme::Greatest { Ordering::Greater } else { Ordering::Less };
    values
        .filter(|value| !value.is_null())
        .reduce(|best, next| if compare(&next, &best) == Some(wanted) { next } else { best })
        .unwrap_or(Value::Null)
}

fn scale(expr: &Expr) -> u8 {
    expr.kind.digits().map_or(0, |digits| digits.scale)
}

fn convert<'v>(value: Value<'v>, from: &Kind, to: &Kind) -> Value<'v> {
    match (value, from, to) {
        (Value::Number(number), Kind::Number(from), Kind::Number(to)) => {
            number::rescale(number, from.scale, to.scale).map_or(Value::Null, Value::Number)
        }
        (Value::Number(number), Kind::Number(from), Kind::Double) => Value::Double(number::to_f64(number, from.scale)),
        (Value::Moment(days), Kind::Date, Kind::Timestamp | Kind::TimestampTz) => {
            days.checked_mul(DAY).map_or(Value::Null, Value::Moment)
        }
        (Value::Moment(micros), Kind::Timestamp | Kind::TimestampTz, Kind::Date) => {
            Value::Moment(micros.div_euclid(DAY))
        }
        (value, ..) => value,
    }
}

fn numbers(pair: &Pair, inputs: &[Value<'_>]) -> Option<(i256, i256)> {
    match (evaluate(&pair[0], inputs), evaluate(&pair[1], inputs)) {
        (Value::Number(a), Value::Number(b)) => Some((a, b)),
        _ => None,
    }
}

fn arithmetic(op: Arithmetic, pair: &Pair, inputs: &[Value<'_>]) -> Option<i256> {
    let (a, b) = numbers(pair, inputs)?;
    match op {
        Arithmetic::Add => a.checked_add(b),
        Arithmetic::Subtract => a.checked_sub(b),
        Arithmetic::Multiply => a.checked_mul(b),
        Arithmetic::Quotient => a.checked_div(b),
        Arithmetic::Remainder => a.checked_rem(b),
    }
}

fn divide(pair: &Pair, inputs: &[Value<'_>], digits: u8) -> Option<i256> {
    let (a, b) = numbers(pair, inputs)?;
    number::divide(a, scale(&pair[0]), b, scale(&pair[1]), digits)
}

fn of_text<'v>(value: Value<'v>, make: impl FnOnce(Cow<'v, str>) -> Value<'v>) -> Value<'v> {
    match value {
        Value::Text(text) => make(text),
        _ => Value::Null,
    }
}

fn of_moment<'v>(value: Value<'v>, make: impl FnOnce(i64) -> Option<Value<'v>>) -> Value<'v> {
    match value {
        Value::Moment(moment) => make(moment).unwrap_or(Value::Null),
        _ => Value::Null,
    }
}

fn trim(text: Cow<'_, str>, side: TrimSide) -> Cow<'_, str> {
    let trimmed = |text: &str| -> (usize, usize) {
        let start = if side == TrimSide::Trailing { 0 } else { text.len() - text.trim_start_matches(' ').len() };
        let end = if side == TrimSide::Leading { text.len() } else { text.trim_end_matches(' ').len().max(start) };
        (start, end)
    };
    match text {
        Cow::Borrowed(text) => {
            let (start, end) = trimmed(text);
            Cow::Borrowed(&text[start..end])
        }
        Cow::Owned(text) => {
            let (start, end) = trimmed(&text);
            Cow::Owned(text[start..end].to_owned())
        }
    }
}
