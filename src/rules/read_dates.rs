//! Reads what is about dates: intervals, differences, parts.

use sqlparser::ast::{self, UnaryOperator};

use crate::rules::calendar::{Field, Interval};
use crate::rules::read::{ExprReader, Read, bare};
use crate::rules::tree::{Expr, Node};
use crate::rules::types::{Digits, Kind};
use crate::rules::unify::{Operand, convert_moment};
use crate::rules::value::Value;

/// Days of the longest step that a date takes.
const MOST_DAYS: i32 = 36_525;

impl ExprReader<'_> {
    /// The interval that an expression is, if it is one.
    pub(super) fn interval(&mut self, expr: &ast::Expr) -> Read<Option<Interval>> {
        let text = match bare(expr) {
            ast::Expr::UnaryOp { op: UnaryOperator::Minus, expr } => {
                return Ok(self.interval(expr)?.map(Interval::negated));
            }
            ast::Expr::Cast { expr, data_type, .. } if data_type.to_string().eq_ignore_ascii_case("interval") => {
                self.text_literal(expr, "an interval")?
            }
            ast::Expr::Interval(ast::Interval {
                value,
                leading_field,
                leading_precision: None,
                last_field: None,
                fractional_seconds_precision: None,
            }) => {
                let number = self.text_literal(value, "an interval")?;
                match leading_field {
                    Some(field) => format!("{number} {field}"),
                    None => number,
                }
            }
            ast::Expr::Interval(_) => {
                return Err(self.refusal("beyond the subset: an interval of that form: say INTERVAL '1 day 12 hours'"));
            }
            _ => return Ok(None),
        };
        self.checked(Interval::parse(&text)).map(Some)
    }

    /// A date or timestamp, moved by an interval: a timestamp.
    pub(super) fn moved(&mut self, moment: &ast::Expr, interval: Interval) -> Read<Expr> {
        let moment = self.typed(moment)?;
        self.check_moment(&moment)?;
        self.once_moved(&moment)?;
        let moment = match moment.kind {
            Kind::Date => self.checked(convert_moment(moment, &Kind::Timestamp))?,
            _ => moment,
        };
        let kind = moment.kind.clone();
        Ok(Expr::new(Node::AddInterval(Box::new(moment), interval), kind))
    }

    /// `date + 7`, `date - date`.
    pub(super) fn day_sum(&mut self, a: Operand, is_minus: bool, b: Operand) -> Read<Expr> {
        let is_date = |operand: &Operand| matches!(operand, Operand::Typed(Expr { kind: Kind::Date, .. }));
        let refused =
            "beyond the subset: timestamps are subtracted by no two servers alike: say a < b + INTERVAL '1 day'";
        match (is_date(&a), is_date(&b)) {
            (true, true) => self.days_between(a, b),
            (true, false) if is_minus && matches!(b, Operand::Text(_) | Operand::Null) => self.days_between(a, b),
            (false, true) if is_minus && matches!(a, Operand::Text(_) | Operand::Null) => self.days_between(a, b),
            (true, false) => self.days_later(a, b, is_minus),
            (false, true) if !is_minus => self.days_later(b, a, false),
            _ => Err(self.refusal(refused)),
        }
    }

    fn days_between(&mut self, a: Operand, b: Operand) -> Read<Expr> {
        let pair = [self.checked(a.into(&Kind::Date))?, self.checked(b.into(&Kind::Date))?];
        Ok(Expr::new(Node::DaysBetween(Box::new(pair)), Kind::Number(Digits::whole(7))))
    }

    fn days_later(&mut self, date: Operand, days: Operand, is_minus: bool) -> Read<Expr> {
        let date = self.checked(date.into(&Kind::Date))?;
        self.once_moved(&date)?;
        let days = match &days {
            Operand::Typed(Expr {
                node: Node::Literal(Value::Number(days)),
                kind: Kind::Number(Digits { whole: true, .. }),
            }) => i32::try_from(*days).ok().filter(|days| days.abs() <= MOST_DAYS),
            Operand::Typed(Expr { kind: Kind::Number(Digits { whole: true, .. }), .. }) => {
                return Err(self.refusal("beyond the subset: a date that a column moves can leave what the servers hold: say date_a - date_b <= column"));
            }
            _ => return Err(self.refusal("a date is moved by a whole number of days, or an INTERVAL")),
        };
        let Some(days) = days else { return Err(self.refusal(format!("a date is moved by at most {MOST_DAYS} days"))) };
        Ok(Expr::new(Node::AddDays(Box::new(date), if is_minus { -days } else { days }), Kind::Date))
    }

    fn once_moved(&mut self, moment: &Expr) -> Read<()> {
        if moment.moves_dates() {
            return Err(self.refusal("beyond the subset: a date that is moved twice: say it as one interval"));
        }
        Ok(())
    }

    fn check_moment(&mut self, moment: &Expr) -> Read<()> {
        if moment.kind.is_moment() {
            return Ok(());
        }
        Err(self
            .refusal(format!("{} where a date or timestamp is needed: a literal is DATE '2024-02-29'", moment.kind)))
    }

    pub(super) fn extract(&mut self, field: &str, moment: &ast::Expr) -> Read<Expr> {
        let moment = self.typed(moment)?;
        let Ok(field) = field.parse::<Field>() else {
            return Err(self.refusal(format!("beyond the subset: {field} of a date: YEAR, QUARTER, MONTH, WEEK, DAY, HOUR, MINUTE, DOW, ISODOW and DOY agree")));
        };
        self.check_moment(&moment)?;
        if moment.kind == Kind::Date && field.is_of_time() {
            return Err(self.refusal("a date has no hours: PostgreSQL refuses it, too"));
        }
        if moment.moves_dates() {
            return Err(self.refusal("beyond the subset: a part of a moved date: compare the dates"));
        }
        Ok(Expr::new(Node::Extract(field, Box::new(moment)), Kind::Number(Digits { total: 4, scale: 0, whole: false })))
    }
}
