//! Reads comparisons, and what PostgreSQL makes of them: IS, IN, BETWEEN, CASE, GREATEST.

use sqlparser::ast;

use crate::rules::read::{ExprReader, Read, not};
use crate::rules::tree::{Comparison, Expr, Extreme, Node, Test};
use crate::rules::types::{Digits, Kind};
use crate::rules::unify::Operand;

impl ExprReader<'_> {
    pub(super) fn is(&mut self, test: Test, inner: &ast::Expr, of_truth: bool) -> Read<Expr> {
        let inner = if of_truth { self.truth(inner)? } else { self.typed(inner)? };
        Ok(Expr::boolean(Node::Is(test, Box::new(inner))))
    }

    pub(super) fn distinct(&mut self, a: &ast::Expr, b: &ast::Expr) -> Read<Expr> {
        let pair = self.unified([a, b])?;
        Ok(Expr::boolean(Node::Distinct(Box::new(pair))))
    }

    /// `x IN (…)` as PostgreSQL reads it: one comparison after the other, so that a NULL among them makes unknown of false.
    pub(super) fn one_of(
        &mut self,
        expr: &ast::Expr,
        comparison: Comparison,
        list: &[&ast::Expr],
        negated: bool,
    ) -> Read<Expr> {
        let all: Vec<&ast::Expr> = std::iter::once(expr).chain(list.iter().copied()).collect();
        let mut exprs = self.unified_list(&all)?.into_iter();
        let Some(first) = exprs.next() else { return Err(self.refusal("an IN without a left side")) };
        self.count(first.size().saturating_mul(exprs.len()))?;
        let equal = |other| Expr::boolean(Node::Compare(comparison, Box::new([first.clone(), other])));
        let any = Expr::boolean(Node::Or(exprs.map(equal).collect()));
        Ok(if negated { not(any) } else { any })
    }

    pub(super) fn between(&mut self, three: [&ast::Expr; 3]) -> Read<Expr> {
        let list = self.unified_list(&three)?;
        let list = self.ordered(list)?;
        match <[Expr; 3]>::try_from(list) {
            Ok(three) => Ok(Expr::boolean(Node::Between(Box::new(three)))),
            Err(_) => Err(self.refusal("a BETWEEN without its three parts")),
        }
    }

    pub(super) fn compare(&mut self, comparison: Comparison, a: &ast::Expr, b: &ast::Expr) -> Read<Expr> {
        let mut list = self.unified_list(&[a, b])?;
        if comparison.is_order() {
            list = self.ordered(list)?;
        }
        match <[Expr; 2]>::try_from(list) {
            Ok(pair) => Ok(Expr::boolean(Node::Compare(comparison, Box::new(pair)))),
            Err(_) => Err(self.refusal("a comparison without its two sides")),
        }
    }

    /// Operands that have an order: enums by the position of their label.
    fn ordered(&mut self, list: Vec<Expr>) -> Read<Vec<Expr>> {
        match list.first().map(|expr| &expr.kind) {
            Some(Kind::Bool) => Err(self.refusal("beyond the subset: booleans have no order here: say a AND NOT b")),
            Some(Kind::Enum(_)) => Ok(list.into_iter().map(position).collect()),
            _ => Ok(list),
        }
    }

    pub(super) fn case(
        &mut self,
        operand: Option<&ast::Expr>,
        whens: &[ast::CaseWhen],
        otherwise: Option<&ast::Expr>,
    ) -> Read<Expr> {
        let mut conditions = Vec::new();
        match operand {
            None => {
                for when in whens {
                    conditions.push(self.truth(&when.condition)?);
                }
            }
            // As comparisons, so that a NULL is equal to nothing.
            Some(operand) => {
                let all: Vec<&ast::Expr> =
                    std::iter::once(operand).chain(whens.iter().map(|when| &when.condition)).collect();
                let mut exprs = self.unified_list(&all)?.into_iter();
                let Some(first) = exprs.next() else { return Err(self.refusal("a CASE without an operand")) };
                self.count(first.size().saturating_mul(exprs.len()))?;
                let equal = |other| Expr::boolean(Node::Compare(Comparison::Equal, Box::new([first.clone(), other])));
                conditions.extend(exprs.map(equal));
            }
        }
        let mut results = Vec::new();
        for when in whens {
            results.push(self.operand(&when.result)?);
        }
        results.push(otherwise.map_or(Ok(Operand::Null), |expr| self.operand(expr))?);
        let (mut results, kind) = self.same(results)?;
        let otherwise = results.pop().unwrap_or_else(|| Expr::null(kind.clone()));
        let branches = conditions.into_iter().zip(results).collect();
        Ok(Expr::new(Node::Case(branches, Box::new(otherwise)), kind))
    }

    pub(super) fn extreme(&mut self, extreme: Extreme, list: &[&ast::Expr]) -> Read<Expr> {
        let mut operands = Vec::new();
        for expr in list {
            operands.push(self.operand(expr)?);
        }
        let (list, kind) = self.same(operands)?;
        if matches!(kind, Kind::Bool | Kind::Enum(_)) {
            return Err(self.refusal(format!("beyond the subset: the greatest or least of {kind}: say it with CASE")));
        }
        Ok(Expr::new(Node::Extreme(extreme, list), kind))
    }
}

fn position(label: Expr) -> Expr {
    Expr::new(Node::Position(Box::new(label)), Kind::Number(Digits::whole(5)))
}
