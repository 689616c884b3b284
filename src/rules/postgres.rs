//! The text that PostgreSQL judges: every node in parentheses, every name in quotes, nothing left to a locale, a session or a type's range.

use crate::rules::ROW;
use crate::rules::calendar::{Interval, print_date, print_timestamp};
use crate::rules::number;
use crate::rules::scope::Input;
use crate::rules::tree::{Arithmetic, Expr, Extreme, Node, Test, TrimSide};
use crate::rules::types::{Digits, Kind, Type};
use crate::rules::value::Value;

/// Settings of a session that judges rules: the meaning of dates and floating-point numbers depends on them.
pub const POSTGRES_SETTINGS: &[(&str, &str)] = &[
    ("TimeZone", "UTC"),
    ("standard_conforming_strings", "on"),
    ("DateStyle", "ISO"),
    ("IntervalStyle", "postgres"),
    ("extra_float_digits", "1"),
];

/// A name in quotes.
pub(super) fn name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in quotes.
pub(super) fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Writes one rule.
pub(super) struct Printer<'r> {
    inputs: &'r [Input],
    /// Dates at PostgreSQL's far ends would fail where something is computed from them; the warehouse cannot hold them anyway.
    guards_dates: bool,
}

impl<'r> Printer<'r> {
    pub fn new(inputs: &'r [Input], expr: &Expr) -> Printer<'r> {
        Printer { inputs, guards_dates: expr.computes_dates() }
    }

    pub fn print(&self, expr: &Expr) -> String {
        let p = |expr: &Expr| self.print(expr);
        match &expr.node {
            Node::Literal(value) => literal(value, &expr.kind),
            Node::Input(position) => {
                self.inputs.get(*position).map_or_else(|| "NULL".to_owned(), |input| self.input(input))
            }
            Node::Not(one) => format!("(NOT {})", p(one)),
            Node::And(list) => self.joined(list, " AND "),
            Node::Or(list) => self.joined(list, " OR "),
            Node::Compare(comparison, pair) => format!("({} {} {})", p(&pair[0]), comparison.sign(), p(&pair[1])),
            Node::Distinct(pair) => format!("({} IS DISTINCT FROM {})", p(&pair[0]), p(&pair[1])),
            Node::Is(Test::Null, one) => format!("({} IS NULL)", p(one)),
            Node::Is(Test::True, one) => format!("({} IS TRUE)", p(one)),
            Node::Is(Test::False, one) => format!("({} IS FALSE)", p(one)),
            Node::Between(three) => format!("({} BETWEEN {} AND {})", p(&three[0]), p(&three[1]), p(&three[2])),
            Node::Case(branches, otherwise) => {
                let branches: String =
                    branches.iter().map(|(when, then)| format!(" WHEN {} THEN {}", p(when), p(then))).collect();
                format!("(CASE{branches} ELSE {} END)", p(otherwise))
            }
            Node::Coalesce(list) => format!("COALESCE({})", self.listed(list)),
            Node::NullIf(pair) => format!("NULLIF({}, {})", p(&pair[0]), p(&pair[1])),
            Node::Extreme(Extreme::Greatest, list) => format!("GREATEST({})", self.listed(list)),
            Node::Extreme(Extreme::Least, list) => format!("LEAST({})", self.listed(list)),
            Node::Convert(one) => self.convert(one, &expr.kind),
            Node::Arithmetic(Arithmetic::Quotient, pair) => {
                format!("div({}, {})", self.numeric(&pair[0]), self.numeric(&pair[1]))
            }
            Node::Arithmetic(op, pair) => {
                format!("({} {} {})", self.numeric(&pair[0]), sign(*op), self.numeric(&pair[1]))
            }
            Node::Divide(pair) => self.divide(&pair[0], &pair[1], expr.kind.digits().map_or(0, |digits| digits.scale)),
            Node::Round(one, _) if expr.kind == Kind::Double => format!("round({})", p(one)),
            Node::Round(one, digits) => format!("round({}, {digits})", self.numeric(one)),
            Node::Negate(one) => format!("(- {})", self.numeric(one)),
            Node::Absolute(one) => format!("abs({})", self.numeric(one)),
            Node::Like(one, pattern) => {
                let operator = if pattern.ignores_case { "ILIKE" } else { "LIKE" };
                format!("({} {operator} {})", p(one), text(&pattern.print()))
            }
            Node::Match(one, pattern) => format!("({} ~ {})", p(one), text(pattern.print())),
            Node::Length(one) => format!("length({})", p(one)),
            Node::Upper(one) => format!("upper({})", p(one)),
            Node::Lower(one) => format!("lower({})", p(one)),
            Node::Trim(TrimSide::Both, one) => format!("btrim({}, ' ')", p(one)),
            Node::Trim(TrimSide::Leading, one) => format!("ltrim({}, ' ')", p(one)),
            Node::Trim(TrimSide::Trailing, one) => format!("rtrim({}, ' ')", p(one)),
            Node::Concat(pair) => format!("({} || {})", p(&pair[0]), p(&pair[1])),
            Node::AddDays(one, days) => format!("({} + ({days}))", p(one)),
            Node::DaysBetween(pair) => format!("({} - {})", p(&pair[0]), p(&pair[1])),
            Node::AddInterval(one, interval) => format!("({} + {})", p(one), interval_literal(*interval)),
            Node::Extract(field, one) => format!("EXTRACT({} FROM {})", field.name(), p(one)),
            Node::Position(one) => match &one.kind {
                Kind::Enum(labels) => {
                    let labels: Vec<String> = labels.iter().map(|label| text(label)).collect();
                    format!("array_position(ARRAY[{}]::text[], {})", labels.join(", "), p(one))
                }
                _ => p(one),
            },
        }
    }

    fn input(&self, input: &Input) -> String {
        let column = format!("{}.{}", name(input.reference.as_deref().unwrap_or(ROW)), name(&input.column));
        match &input.ty {
            Type::Real(Some((_, scale))) | Type::Double(Some((_, scale))) if !input.binary => {
                // By its text, because a cast from real keeps six digits only; infinity and NaN are nothing that a Decimal holds.
                format!("(CASE WHEN abs({column}) < 'Infinity' THEN round({column}::text::numeric, {scale}) END)")
            }
            Type::Real(_) | Type::Double(_) => format!("NULLIF({column}::float8, 'NaN')"),
            Type::Text | Type::Char(_) | Type::Uuid | Type::Enum(_) => format!("({column}::text COLLATE \"C\")"),
            Type::Date if self.guards_dates => guarded(&column, "DATE '1900-01-01'", "DATE '2300-01-01'"),
            Type::Timestamp if self.guards_dates => {
                guarded(&column, "TIMESTAMP '1900-01-01'", "TIMESTAMP '2300-01-01'")
            }
            Type::TimestampTz if self.guards_dates => {
                guarded(&column, "TIMESTAMPTZ '1900-01-01 00:00:00+00'", "TIMESTAMPTZ '2300-01-01 00:00:00+00'")
            }
            _ => column,
        }
    }

    /// Integers of any width as numeric, which does not overflow.
    fn numeric(&self, expr: &Expr) -> String {
        match expr.kind {
            Kind::Number(Digits { whole: true, .. }) => format!("({}::numeric)", self.print(expr)),
            _ => self.print(expr),
        }
    }

    fn convert(&self, one: &Expr, kind: &Kind) -> String {
        let inner = self.print(one);
        match kind {
            Kind::Number(digits) if !digits.whole => self.numeric(one),
            Kind::Double => format!("({inner}::float8)"),
            Kind::Date => format!("({inner}::date)"),
            Kind::Timestamp => format!("({inner}::timestamp)"),
            Kind::TimestampTz => format!("({inner}::timestamptz)"),
            _ => inner,
        }
    }

    /// Cut exactly one digit behind the last one, then rounded: the servers' own quotients have as many digits as they like.
    fn divide(&self, a: &Expr, b: &Expr, digits: u8) -> String {
        let zeros = "0".repeat(usize::from(digits) + 1);
        let unit = format!("0.{}1", &zeros[1..]);
        format!("round(div({} * 1{zeros}, {}) * {unit}, {digits})", self.numeric(a), self.numeric(b))
    }

    fn joined(&self, list: &[Expr], by: &str) -> String {
        format!("({})", list.iter().map(|expr| self.print(expr)).collect::<Vec<_>>().join(by))
    }

    fn listed(&self, list: &[Expr]) -> String {
        list.iter().map(|expr| self.print(expr)).collect::<Vec<_>>().join(", ")
    }
}

fn guarded(column: &str, first: &str, end: &str) -> String {
    format!("(CASE WHEN {column} >= {first} AND {column} < {end} THEN {column} END)")
}

fn sign(op: Arithmetic) -> &'static str {
    match op {
        Arithmetic::Add => "+",
        Arithmetic::Subtract => "-",
        Arithmetic::Multiply => "*",
        Arithmetic::Quotient => "/",
        Arithmetic::Remainder => "%",
    }
}

fn literal(value: &Value<'_>, kind: &Kind) -> String {
    match (value, kind) {
        (Value::Bool(truth), _) => if *truth { "TRUE" } else { "FALSE" }.to_owned(),
        (Value::Number(unscaled), Kind::Number(digits)) => {
            let number = number::print(*unscaled, digits.scale);
            if *unscaled < 0 { format!("({number})") } else { number }
        }
        (Value::Double(double), _) => format!("'{double}'::float8"),
        (Value::Text(label), _) => format!("({}::text COLLATE \"C\")", text(label)),
        (Value::Moment(days), Kind::Date) => format!("DATE '{}'", print_date(*days)),
        (Value::Moment(micros), Kind::Timestamp) => format!("TIMESTAMP '{}'", print_timestamp(*micros)),
        (Value::Moment(micros), _) => format!("TIMESTAMPTZ '{}+00'", print_timestamp(*micros)),
        _ => format!("NULL::{}", type_name(kind)),
    }
}

fn type_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Bool => "boolean",
        Kind::Number(_) => "numeric",
        Kind::Double => "float8",
        Kind::Date => "date",
        Kind::Timestamp => "timestamp",
        Kind::TimestampTz => "timestamptz",
        _ => "text",
    }
}

fn interval_literal(interval: Interval) -> String {
    format!("INTERVAL '{} months {} days {} microseconds'", interval.months, interval.days, interval.micros)
}
