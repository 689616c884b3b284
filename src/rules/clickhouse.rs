//! The text that ClickHouse judges: every node in parentheses, every name in quotes, every number wide enough for its digits.

use crate::rules::ROW;
use crate::rules::calendar::{Field, Interval};
use crate::rules::clickhouse_literal::{literal, literal_of, name, text};
use crate::rules::scope::Input;
use crate::rules::tree::{Arithmetic, Expr, Extreme, Node, Test, TrimSide};
use crate::rules::types::{Digits, Kind, Type};

/// Settings of a session that judges rules: what a missing parent is, what NULL is in casts and lists, where a day begins.
pub const CLICKHOUSE_SETTINGS: &[(&str, &str)] = &[
    ("session_timezone", "UTC"),
    ("join_use_nulls", "1"),
    ("cast_keep_nullable", "1"),
    ("transform_null_in", "0"),
    ("least_greatest_legacy_null_behavior", "0"),
];

/// Digits behind the point of a quotient before it is rounded; no rounding asks for more than half of them.
const QUOTIENT_DIGITS: u8 = 20;

/// Writes one rule.
pub(super) struct Printer<'r> {
    inputs: &'r [Input],
}

impl<'r> Printer<'r> {
    pub fn new(inputs: &'r [Input]) -> Printer<'r> {
        Printer { inputs }
    }

    pub fn print(&self, expr: &Expr) -> String {
        let p = |expr: &Expr| self.print(expr);
        match &expr.node {
            Node::Literal(value) => literal(value, &expr.kind),
            Node::Input(position) => self.inputs.get(*position).map_or_else(|| "NULL".to_owned(), input),
            Node::Not(one) => format!("(NOT {})", p(one)),
            Node::And(list) => self.joined(list, " AND "),
            Node::Or(list) => self.joined(list, " OR "),
            Node::Compare(comparison, pair) => {
                let [a, b] = self.compared(pair);
                format!("({a} {} {b})", comparison.sign())
            }
            Node::Distinct(pair) => {
                // This one comparison does not take integers of different widths.
                let [a, b] = if is_whole(&pair[0].kind) && is_whole(&pair[1].kind) {
                    pair.each_ref().map(|expr| self.whole(expr))
                } else {
                    self.compared(pair)
                };
                format!("({a} IS DISTINCT FROM {b})")
            }
            Node::Is(Test::Null, one) => format!("({} IS NULL)", p(one)),
            Node::Is(Test::True, one) => format!("({} IS TRUE)", p(one)),
            Node::Is(Test::False, one) => format!("({} IS FALSE)", p(one)),
            Node::Between(three) => {
                let [x, low, high] = self.compared(three);
                format!("({x} BETWEEN {low} AND {high})")
            }
            Node::Case(branches, otherwise) => {
                let then = |then: &Expr| self.as_kind(then, &expr.kind);
                let branches: String =
                    branches.iter().map(|(when, value)| format!(" WHEN {} THEN {}", p(when), then(value))).collect();
                format!("(CASE{branches} ELSE {} END)", then(otherwise))
            }
            Node::Coalesce(list) => format!("coalesce({})", self.listed(list, &expr.kind)),
            Node::NullIf(pair) => {
                let [a, b] = self.compared(pair);
                format!("nullIf({a}, {b})")
            }
            Node::Extreme(Extreme::Greatest, list) => format!("greatest({})", self.listed(list, &expr.kind)),
            Node::Extreme(Extreme::Least, list) => format!("least({})", self.listed(list, &expr.kind)),
            Node::Convert(one) => self.convert(one, &expr.kind),
            Node::Arithmetic(op, pair) => self.arithmetic(*op, pair, &expr.kind),
            Node::Divide(pair) => self.divide(&pair[0], &pair[1], &expr.kind),
            Node::Round(one, _) if expr.kind == Kind::Double => format!("round({})", p(one)),
            Node::Round(one, digits) => {
                let rounded = format!(
                    "round({}, {digits})",
                    self.decimal(one, one.kind.digits().map_or(0, |digits| digits.scale))
                );
                if is_whole(&expr.kind) { format!("toInt256({rounded})") } else { rounded }
            }
            Node::Negate(one) => format!("negate({})", self.as_kind(one, &expr.kind)),
            // Of an Int256 it is an UInt256, which does not stand beside other integers everywhere.
            Node::Absolute(one) if is_whole(&expr.kind) => format!("toInt256(abs({}))", self.whole(one)),
            Node::Absolute(one) => format!("abs({})", self.as_kind(one, &expr.kind)),
            Node::Like(one, pattern) if pattern.ignores_case => {
                format!("(lower({}) LIKE {})", p(one), text(&pattern.print()))
            }
            Node::Like(one, pattern) => format!("({} LIKE {})", p(one), text(&pattern.print())),
            Node::Match(one, pattern) => format!("match({}, {})", p(one), text(pattern.print())),
            Node::Length(one) => format!("lengthUTF8({})", p(one)),
            Node::Upper(one) => format!("upper({})", p(one)),
            Node::Lower(one) => format!("lower({})", p(one)),
            Node::Trim(TrimSide::Both, one) => format!("trimBoth({})", p(one)),
            Node::Trim(TrimSide::Leading, one) => format!("trimLeft({})", p(one)),
            Node::Trim(TrimSide::Trailing, one) => format!("trimRight({})", p(one)),
            Node::Concat(pair) => format!("concat({}, {})", p(&pair[0]), p(&pair[1])),
            Node::AddDays(one, days) => format!("({} + ({days}))", p(one)),
            Node::DaysBetween(pair) => format!("dateDiff('day', {}, {})", p(&pair[1]), p(&pair[0])),
            Node::AddInterval(one, interval) => add_interval(p(one), *interval),
            Node::Extract(field, one) => extract(*field, &p(one)),
            Node::Position(one) => match &one.kind {
                Kind::Enum(labels) => {
                    let labels: Vec<String> = labels.iter().map(|label| text(label)).collect();
                    format!("nullIf(indexOf([{}], {}), 0)", labels.join(", "), p(one))
                }
                _ => p(one),
            },
        }
    }

    /// Operands of a comparison: integers as they are, decimals all at one scale and wide, because narrow ones fail or are cut.
    fn compared<const N: usize>(&self, exprs: &[Expr; N]) -> [String; N] {
        let scales = || exprs.iter().filter_map(|expr| expr.kind.digits());
        let scale = scales().map(|digits| digits.scale).max();
        match scale {
            Some(scale) if !scales().all(|digits| digits.whole) => {
                std::array::from_fn(|i| self.decimal(&exprs[i], scale))
            }
            _ => std::array::from_fn(|i| self.print(&exprs[i])),
        }
    }

    /// As a value of that kind: all branches of a CASE have one type.
    fn as_kind(&self, expr: &Expr, kind: &Kind) -> String {
        match kind {
            Kind::Number(Digits { whole: true, .. }) => self.whole(expr),
            Kind::Number(digits) => self.decimal(expr, digits.scale),
            Kind::Bool => format!("toBool({})", self.print(expr)),
            _ => self.print(expr),
        }
    }

    fn whole(&self, expr: &Expr) -> String {
        match &expr.node {
            Node::Literal(_) => literal_of(expr, &|digits| format!("toInt256('{digits}')"), "Int256"),
            _ => format!("toInt256({})", self.print(expr)),
        }
    }

    fn decimal(&self, expr: &Expr, scale: u8) -> String {
        match &expr.node {
            Node::Literal(_) => literal_of(
                expr,
                &|digits| format!("toDecimal256('{digits}', {scale})"),
                &format!("Decimal(76, {scale})"),
            ),
            Node::Convert(inner) if inner.kind.digits().is_some() => self.decimal(inner, scale),
            _ => format!("toDecimal256({}, {scale})", self.print(expr)),
        }
    }

    fn convert(&self, one: &Expr, kind: &Kind) -> String {
        match (kind, &one.kind) {
            (Kind::Number(_), _) => self.as_kind(one, kind),
            (Kind::Double, _) => format!("toFloat64({})", self.print(one)),
            (Kind::Date, _) => format!("toDate32({})", self.print(one)),
            (Kind::Timestamp | Kind::TimestampTz, Kind::Date) => format!("toDateTime64({}, 6, 'UTC')", self.print(one)),
            _ => self.print(one),
        }
    }

    fn arithmetic(&self, op: Arithmetic, pair: &[Expr; 2], kind: &Kind) -> String {
        let scales = pair.each_ref().map(|expr| expr.kind.digits().map_or(0, |digits| digits.scale));
        let common = scales[0].max(scales[1]);
        let operand =
            |i: usize, scale: u8| if is_whole(kind) { self.whole(&pair[i]) } else { self.decimal(&pair[i], scale) };
        let sign = match op {
            Arithmetic::Add => "+",
            Arithmetic::Subtract => "-",
            Arithmetic::Multiply => return format!("({} * {})", operand(0, scales[0]), operand(1, scales[1])),
            Arithmetic::Quotient => {
                return self.unless_zero(&pair[1], kind, 0, |b| format!("intDiv({}, {b})", operand(0, 0)));
            }
            Arithmetic::Remainder => {
                return self.unless_zero(&pair[1], kind, common, |b| format!("({} % {b})", operand(0, common)));
            }
        };
        format!("({} {sign} {})", operand(0, common), operand(1, common))
    }

    fn divide(&self, a: &Expr, b: &Expr, kind: &Kind) -> String {
        let scale = |expr: &Expr| expr.kind.digits().map_or(0, |digits| digits.scale);
        let to = kind.digits().map_or(0, |digits| digits.scale);
        let a = self.decimal(a, scale(a));
        self.unless_zero(b, kind, scale(b), |b| format!("round(divideDecimal({a}, {b}, {QUOTIENT_DIGITS}), {to})"))
    }

    /// A division by 0 is NULL. No branch may fail, taken or not: the server can compute both.
    fn unless_zero(&self, divisor: &Expr, kind: &Kind, scale: u8, divided: impl FnOnce(&str) -> String) -> String {
        let wide = |expr: &Expr| if is_whole(kind) { self.whole(expr) } else { self.decimal(expr, scale) };
        let mut bare = divisor;
        while let Node::Convert(inner) = &bare.node {
            bare = inner;
        }
        match &bare.node {
            Node::NullIf(pair) => {
                // A NULL has a 0 beneath it, which `divideDecimal` stumbles over.
                let b = wide(&pair[0]);
                let one =
                    if is_whole(kind) { "toInt256('1')".to_owned() } else { format!("toDecimal256('1', {scale})") };
                let is_zero = format!("ifNull(({b} = 0), true)");
                format!("if({is_zero}, NULL, {})", divided(&format!("if({is_zero}, {one}, {b})")))
            }
            _ => divided(&wide(divisor)),
        }
    }

    fn joined(&self, list: &[Expr], by: &str) -> String {
        format!("({})", list.iter().map(|expr| self.print(expr)).collect::<Vec<_>>().join(by))
    }

    fn listed(&self, list: &[Expr], kind: &Kind) -> String {
        list.iter().map(|expr| self.as_kind(expr, kind)).collect::<Vec<_>>().join(", ")
    }
}

fn is_whole(kind: &Kind) -> bool {
    kind.digits().is_some_and(|digits| digits.whole)
}

fn input(input: &Input) -> String {
    let column = format!("{}.{}", name(input.reference.as_deref().unwrap_or(ROW)), name(&input.column));
    match &input.ty {
        Type::Real(Some(_)) if input.binary => format!("toFloat64(toFloat32({column}))"),
        Type::Double(Some(_)) if input.binary => format!("toFloat64({column})"),
        Type::Real(None) | Type::Double(None) => format!("if(isNaN({column}), NULL, toFloat64({column}))"),
        Type::Uuid => format!("toString({column})"),
        _ => column,
    }
}

/// Months, then days, then microseconds, as PostgreSQL adds them.
fn add_interval(moment: String, interval: Interval) -> String {
    let steps = [("MONTH", interval.months), ("DAY", interval.days), ("MICROSECOND", interval.micros)];
    let steps: String =
        steps.iter().filter(|(_, n)| *n != 0).map(|(unit, n)| format!(" + INTERVAL ({n}) {unit}")).collect();
    format!("({moment}{steps})")
}

fn extract(field: Field, moment: &str) -> String {
    let function = match field {
        Field::Year => "toYear",
        Field::Quarter => "toQuarter",
        Field::Month => "toMonth",
        Field::Week => "toISOWeek",
        Field::Day => "toDayOfMonth",
        Field::Hour => "toHour",
        Field::Minute => "toMinute",
        Field::Dow => return format!("(toDayOfWeek({moment}) % 7)"),
        Field::Isodow => "toDayOfWeek",
        // `toDayOfYear` of 2299-12-31 is wrong.
        Field::Doy => return format!("(dateDiff('day', makeDate32(toYear({moment}), 1, 1), toDate32({moment})) + 1)"),
    };
    format!("{function}({moment})")
}
