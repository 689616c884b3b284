//! Reads operators of two sides, and names those that are beyond the subset.

use sqlparser::ast::{self, BinaryOperator};

use crate::rules::literal;
use crate::rules::read::{ExprReader, Read, bare, not};
use crate::rules::tree::{Arithmetic, Comparison, Expr, Node};
use crate::rules::types::{Digits, Kind};
use crate::rules::unify::{Operand, digits};
use crate::rules::value::Value;

impl ExprReader<'_> {
    pub(super) fn binary(
        &mut self,
        whole: &ast::Expr,
        left: &ast::Expr,
        op: &BinaryOperator,
        right: &ast::Expr,
    ) -> Read<Expr> {
        use BinaryOperator as Op;
        match op {
            Op::And | Op::Or => self.chain(whole, op),
            Op::Eq => self.comparison(Comparison::Equal, left, right),
            Op::NotEq => self.comparison(Comparison::NotEqual, left, right),
            Op::Lt => self.comparison(Comparison::Less, left, right),
            Op::LtEq => self.comparison(Comparison::LessOrEqual, left, right),
            Op::Gt => self.comparison(Comparison::Greater, left, right),
            Op::GtEq => self.comparison(Comparison::GreaterOrEqual, left, right),
            Op::Plus | Op::Minus => self.sum(left, *op == Op::Minus, right),
            Op::Multiply => self.product(left, right),
            Op::Divide => self.quotient(left, right),
            Op::Modulo => self.remainder(left, right),
            Op::StringConcat => self.concat(left, right),
            Op::PGLikeMatch => self.like(left, right, None, false, false),
            Op::PGNotLikeMatch => self.like(left, right, None, false, true),
            Op::PGILikeMatch => self.like(left, right, None, true, false),
            Op::PGNotILikeMatch => self.like(left, right, None, true, true),
            Op::PGRegexMatch => self.matches(left, right, false),
            Op::PGRegexNotMatch => self.matches(left, right, false).map(not),
            Op::PGRegexIMatch => self.matches(left, right, true),
            Op::PGRegexNotIMatch => self.matches(left, right, true).map(not),
            Op::Spaceship => Err(self.refusal("<=> is no operator of PostgreSQL: say it as IS NOT DISTINCT FROM")),
            op => Err(self.refusal(format!("beyond the subset: the operator {op}"))),
        }
    }

    /// `a AND b AND c …`, however long: without recursion, because sqlparser hangs one on the other.
    fn chain(&mut self, mut expr: &ast::Expr, op: &BinaryOperator) -> Read<Expr> {
        let mut parts = Vec::new();
        while let ast::Expr::BinaryOp { left, op: other, right } = expr
            && other == op
        {
            parts.push(right.as_ref());
            expr = left;
        }
        parts.push(expr);
        let mut list = Vec::new();
        for part in parts.into_iter().rev() {
            list.push(self.truth(part)?);
        }
        Ok(Expr::boolean(if *op == BinaryOperator::And { Node::And(list) } else { Node::Or(list) }))
    }

    fn comparison(&mut self, comparison: Comparison, left: &ast::Expr, right: &ast::Expr) -> Read<Expr> {
        if [left, right].into_iter().any(is_comparison) {
            return Err(self.refusal(
                "two comparisons in a row, which PostgreSQL does not take: put the first one in parentheses",
            ));
        }
        self.compare(comparison, left, right)
    }

    fn sum(&mut self, left: &ast::Expr, is_minus: bool, right: &ast::Expr) -> Read<Expr> {
        let (a, b) = match (self.interval(left)?, self.interval(right)?) {
            (None, Some(interval)) => return self.moved(left, if is_minus { interval.negated() } else { interval }),
            (Some(interval), None) if !is_minus => return self.moved(right, interval),
            (Some(_), _) => {
                return Err(self.refusal("an interval stands beside a date only: say date_column + INTERVAL '1 month'"));
            }
            (None, None) => (self.operand(left)?, self.operand(right)?),
        };
        if [&a, &b].into_iter().any(|operand| matches!(operand, Operand::Typed(expr) if expr.kind.is_moment())) {
            return self.day_sum(a, is_minus, b);
        }
        let [a, b] = self.numbers(a, b)?;
        let (list, kind) = self.same(vec![Operand::Typed(a), Operand::Typed(b)])?;
        let Some(one) = kind.digits() else { return Err(self.refusal("only numbers are added")) };
        let sum = self.checked(digits(u16::from(one.total) + 1, one.scale, one.whole))?;
        let op = if is_minus { Arithmetic::Subtract } else { Arithmetic::Add };
        self.arithmetic(op, list, sum)
    }

    fn product(&mut self, left: &ast::Expr, right: &ast::Expr) -> Read<Expr> {
        let (a, b) = (self.operand(left)?, self.operand(right)?);
        let [a, b] = self.numbers(a, b)?;
        let (Some(x), Some(y)) = (a.kind.digits(), b.kind.digits()) else {
            return Err(self.refusal("only numbers are multiplied"));
        };
        let product =
            digits(u16::from(x.total) + u16::from(y.total), x.scale.saturating_add(y.scale), x.whole && y.whole);
        let product = self.checked(product)?;
        self.arithmetic(Arithmetic::Multiply, vec![a, b], product)
    }

    /// The division of integers; that of decimals is read by [`ExprReader::rounded_quotient`].
    fn quotient(&mut self, left: &ast::Expr, right: &ast::Expr) -> Read<Expr> {
        let [a, b] = self.divided(left, right)?;
        match (a.kind.digits(), b.kind.digits()) {
            (Some(x), Some(y)) if x.whole && y.whole => self.arithmetic(Arithmetic::Quotient, vec![a, b], x),
            _ => Err(self.refusal(
                "beyond the subset: a quotient of decimals has as many digits as each server likes: say it as round(a / NULLIF(b, 0), 4)",
            )),
        }
    }

    /// `round(a / b, digits)`.
    pub(super) fn rounded_quotient(&mut self, left: &ast::Expr, right: &ast::Expr, to: i16) -> Read<Expr> {
        let [a, b] = self.divided(left, right)?;
        let (Some(x), Some(y)) = (a.kind.digits(), b.kind.digits()) else {
            return Err(self.refusal("only numbers are divided"));
        };
        if x.whole && y.whole {
            let quotient = self.arithmetic(Arithmetic::Quotient, vec![a, b], x)?;
            return self.rounded(quotient, to);
        }
        let Some(to) = u8::try_from(to).ok().filter(|to| *to <= 10) else {
            return Err(self.refusal("beyond the subset: a quotient is rounded to 0 to 10 digits"));
        };
        // The longest number on the way, in each of the judges.
        let before = u16::from(x.before()) + u16::from(y.scale);
        self.checked(digits(before + 22, 20, false))?;
        self.checked(digits(u16::from(y.total) + u16::from(x.scale), 0, false))?;
        let quotient = self.checked(digits(before + 1 + u16::from(to), to, false))?;
        Ok(Expr::new(Node::Divide(Box::new([a, b])), Kind::Number(quotient)))
    }

    pub(super) fn remainder(&mut self, left: &ast::Expr, right: &ast::Expr) -> Read<Expr> {
        let [a, b] = self.divided(left, right)?;
        let (list, kind) = self.same(vec![Operand::Typed(a), Operand::Typed(b)])?;
        let Some(digits) = kind.digits() else { return Err(self.refusal("only numbers are divided")) };
        self.arithmetic(Arithmetic::Remainder, list, digits)
    }

    /// A dividend, and a divisor that cannot be 0.
    fn divided(&mut self, left: &ast::Expr, right: &ast::Expr) -> Read<[Expr; 2]> {
        let (a, b) = (self.operand(left)?, self.operand(right)?);
        let [a, b] = self.numbers(a, b)?;
        let never_zero = match &b.node {
            Node::Literal(Value::Number(number)) => *number != 0,
            Node::NullIf(pair) => matches!(&pair[1].node, Node::Literal(Value::Number(number)) if *number == 0),
            _ => false,
        };
        if !never_zero {
            return Err(self.refusal("beyond the subset: a division by what can be 0 fails: say a / NULLIF(b, 0)"));
        }
        if b.divides() {
            return Err(self.refusal("beyond the subset: a divisor that is itself divided: multiply instead"));
        }
        Ok([a, b])
    }

    fn arithmetic(&mut self, op: Arithmetic, list: Vec<Expr>, digits: Digits) -> Read<Expr> {
        match <[Expr; 2]>::try_from(list) {
            Ok(pair) => Ok(Expr::new(Node::Arithmetic(op, Box::new(pair)), Kind::Number(digits))),
            Err(_) => Err(self.refusal("an operand is missing")),
        }
    }

    /// Two exact numbers; a literal in quotes is one like the other.
    fn numbers(&mut self, a: Operand, b: Operand) -> Read<[Expr; 2]> {
        let open = Kind::Number(Digits { total: 1, scale: 0, whole: false });
        let kind = [&a, &b].into_iter().find_map(|operand| match operand {
            Operand::Typed(expr) => Some(expr.kind.clone()),
            _ => None,
        });
        let kind = kind.unwrap_or(open);
        let pair = [self.checked(a.into(&kind))?, self.checked(b.into(&kind))?];
        for expr in &pair {
            match &expr.kind {
                Kind::Number(_) => {}
                Kind::Double => {
                    return Err(self.refusal(
                        "beyond the subset: arithmetic of floating-point numbers can overflow on the server: give the column `as = \"Decimal(p, s)\"`",
                    ));
                }
                kind => return Err(self.refusal(format!("{kind} where a number is needed"))),
            }
        }
        Ok(pair)
    }

    pub(super) fn negated(&mut self, inner: &ast::Expr) -> Read<Operand> {
        if let ast::Expr::Value(value) = bare(inner)
            && let ast::Value::Number(..) = value.value
        {
            return self.value(&value.value, true);
        }
        let inner = self.typed(inner)?;
        match inner.kind.clone() {
            Kind::Double => {
                if let Node::Literal(Value::Double(double)) = inner.node {
                    return Ok(Operand::Typed(Expr::new(Node::Literal(Value::Double(-double)), Kind::Double)));
                }
                Ok(Operand::Typed(Expr::new(Node::Negate(Box::new(inner)), Kind::Double)))
            }
            Kind::Number(digits) => Ok(Operand::Typed(Expr::new(Node::Negate(Box::new(inner)), Kind::Number(digits)))),
            kind => Err(self.refusal(format!("{kind} has no opposite"))),
        }
    }

    /// `round(x)`, `round(x, digits)`.
    pub(super) fn rounded(&mut self, x: Expr, to: i16) -> Read<Expr> {
        let Some(from) = x.kind.digits() else { return Err(self.refusal("only numbers are rounded to digits")) };
        let scale = u8::try_from(to.max(0)).unwrap_or(u8::MAX);
        if to >= i16::from(from.scale) {
            // Nothing to round: the same number, which is no integer of PostgreSQL's any more.
            return Ok(no_integer(x, from));
        }
        let rounded = self.checked(digits(u16::from(from.before()) + 1 + u16::from(scale), scale, false))?;
        Ok(Expr::new(Node::Round(Box::new(x), to), Kind::Number(rounded)))
    }

    pub(super) fn literal_text(&mut self, kind: &Kind, text: &str) -> Read<Expr> {
        self.checked(literal::of_text(text, kind))
    }

    pub(super) fn beyond(&self, expr: &ast::Expr) -> crate::rules::Refusal {
        use ast::Expr as E;
        let what = match expr {
            E::Exists { .. } | E::Subquery(_) | E::In { .. } => {
                "a subquery: name the parent's column through a reference"
            }
            E::Tuple(_) => "a row of values: compare its parts, joined by AND",
            E::Array(_) | E::AnyOp { .. } | E::AllOp { .. } => "an array: list the values in IN (…)",
            E::AtTimeZone { .. } => "AT TIME ZONE: every judge works in UTC",
            E::SimilarTo { .. } => "SIMILAR TO: say it with LIKE or ~",
            E::Collate { .. } => "COLLATE: every judge compares byte by byte",
            E::Substring { .. } | E::Position { .. } | E::Overlay { .. } => {
                "that function of text: say it with LIKE or ~"
            }
            E::Ceil { .. } | E::Floor { .. } => "that function of numbers: say it with round",
            E::Cast { .. } => "that kind of cast: say column::type",
            _ => "this expression",
        };
        self.refusal(format!("beyond the subset: {what}"))
    }
}

/// The same number, whose division has a fraction.
pub(super) fn no_integer(expr: Expr, digits: Digits) -> Expr {
    let kind = Kind::Number(Digits { whole: false, ..digits });
    match expr.node {
        Node::Literal(_) => Expr { kind, ..expr },
        _ if !digits.whole => expr,
        _ => Expr::new(Node::Convert(Box::new(expr)), kind),
    }
}

fn is_comparison(expr: &ast::Expr) -> bool {
    use BinaryOperator as Op;
    matches!(expr, ast::Expr::BinaryOp { op: Op::Eq | Op::NotEq | Op::Lt | Op::LtEq | Op::Gt | Op::GtEq, .. })
}
