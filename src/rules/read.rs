//! sqlparser's tree becomes ours: names are looked up, types are found, and what the three judges would not agree on is refused, with the
//! words to say it in.

use sqlparser::ast::{self, BinaryOperator, InTarget, Spanned, UnaryOperator};
use sqlparser::tokenizer::Location;

use crate::rules::parse;
use crate::rules::refusal::Refusal;
use crate::rules::scope::{Input, Scope};
use crate::rules::tree::{Comparison, Expr, Node, Test};
use crate::rules::types::Kind;
use crate::rules::unify::{Operand, unify};
use crate::rules::{literal, value::Value};
use crate::sql::postgres::is_reserved;

/// Most nodes of a rule's tree.
const MOST_NODES: usize = 2000;
/// How deep its steps may stand one in another.
const MOST_STEPS: usize = 64;

pub(super) type Read<T> = Result<T, Refusal>;

/// Reads one rule.
pub(super) struct ExprReader<'s> {
    pub(super) scope: &'s Scope,
    /// The columns that the rule reads, in the order of their first appearance.
    pub(super) inputs: Vec<Input>,
    /// Where the newest expression that has a position begins.
    at: Location,
    depth: usize,
    nodes: usize,
}

impl<'s> ExprReader<'s> {
    pub fn new(scope: &'s Scope) -> ExprReader<'s> {
        ExprReader { scope, inputs: Vec::new(), at: Location { line: 1, column: 1 }, depth: 0, nodes: 0 }
    }

    /// An expression that is true, false or unknown.
    pub fn truth(&mut self, expr: &ast::Expr) -> Read<Expr> {
        let operand = self.operand(expr)?;
        self.locate(expr);
        let truth = self.checked(operand.into(&Kind::Bool))?;
        match truth.kind {
            Kind::Bool => Ok(truth),
            kind => Err(self.refusal(format!("{kind} where a boolean is needed: compare it with something"))),
        }
    }

    /// An expression of a kind of its own; a literal in quotes is text.
    pub(super) fn typed(&mut self, expr: &ast::Expr) -> Read<Expr> {
        let operand = self.operand(expr)?;
        self.locate(expr);
        self.checked(operand.into(&Kind::Text))
    }

    pub(super) fn operand(&mut self, expr: &ast::Expr) -> Read<Operand> {
        self.locate(expr);
        self.depth += 1;
        if self.depth > MOST_STEPS {
            return Err(self.refusal(format!(
                "an expression of more than {} steps one in another: use parentheses, or two rules",
                MOST_STEPS
            )));
        }
        let operand = self.dispatch(expr)?;
        self.depth -= 1;
        self.count(1)?;
        Ok(operand)
    }

    /// Nodes that are made, copies among them, are counted.
    pub(super) fn count(&mut self, nodes: usize) -> Read<()> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MOST_NODES {
            return Err(self.refusal(format!("a rule of more than {MOST_NODES} steps: make it two")));
        }
        Ok(())
    }

    fn dispatch(&mut self, expr: &ast::Expr) -> Read<Operand> {
        use ast::Expr as E;
        let node = match expr {
            E::Nested(inner) => return self.operand(inner),
            E::Value(value) => return self.value(&value.value, false),
            E::Identifier(name) => self.column(std::slice::from_ref(name))?,
            E::CompoundIdentifier(names) => self.column(names)?,
            E::UnaryOp { op: UnaryOperator::Not, expr } => Expr::boolean(Node::Not(Box::new(self.truth(expr)?))),
            E::UnaryOp { op: UnaryOperator::Minus, expr } => return self.negated(expr),
            E::UnaryOp { op: UnaryOperator::Plus, expr } => return self.operand(expr),
            E::BinaryOp { left, op, right } => return self.binary(expr, left, op, right).map(Operand::Typed),
            E::IsNull(inner) | E::IsUnknown(inner) => self.is(Test::Null, inner, matches!(expr, E::IsUnknown(_)))?,
            E::IsNotNull(inner) | E::IsNotUnknown(inner) => {
                not(self.is(Test::Null, inner, matches!(expr, E::IsNotUnknown(_)))?)
            }
            E::IsTrue(inner) => self.is(Test::True, inner, true)?,
            E::IsNotTrue(inner) => not(self.is(Test::True, inner, true)?),
            E::IsFalse(inner) => self.is(Test::False, inner, true)?,
            E::IsNotFalse(inner) => not(self.is(Test::False, inner, true)?),
            E::IsDistinctFrom(a, b) => self.distinct(a, b)?,
            E::IsNotDistinctFrom(a, b) => not(self.distinct(a, b)?),
            E::In { expr, target: InTarget::List(list), negated, global: false } => {
                self.one_of(expr, Comparison::Equal, &list.iter().collect::<Vec<_>>(), *negated)?
            }
            E::AnyOp { left, compare_op: BinaryOperator::Eq, right, is_some: false } => {
                let list = self.array(right)?;
                self.one_of(left, Comparison::Equal, &list, false)?
            }
            E::AllOp { left, compare_op: BinaryOperator::NotEq, right } => {
                let list = self.array(right)?;
                self.one_of(left, Comparison::Equal, &list, true)?
            }
            E::Between { expr, negated, low, high } => {
                let between = self.between([expr, low, high])?;
                if *negated { not(between) } else { between }
            }
            E::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref())?
            }
            E::Like { negated, any: false, expr, pattern, escape_char } => {
                self.like(expr, pattern, escape_char.as_deref(), false, *negated)?
            }
            E::ILike { negated, any: false, expr, pattern, escape_char } => {
                self.like(expr, pattern, escape_char.as_deref(), true, *negated)?
            }
            E::Cast { kind: ast::CastKind::Cast | ast::CastKind::DoubleColon, expr, data_type, format: None } => {
                return self.cast(expr, data_type);
            }
            E::TypedString(typed) => return self.typed_string(typed),
            E::Trim { trim_where, trim_what, expr, trim_characters: None } => {
                self.trim(*trim_where, trim_what.as_deref(), expr)?
            }
            E::Extract { field, expr, .. } => self.extract(&field.to_string(), expr)?,
            E::Function(function) => return self.function(function),
            E::Interval(_) => {
                return Err(self.refusal("an interval stands beside a date only: say date_column + INTERVAL '1 month'"));
            }
            other => return Err(self.beyond(other)),
        };
        Ok(Operand::Typed(node))
    }

    pub(super) fn value(&mut self, value: &ast::Value, negative: bool) -> Read<Operand> {
        let expr = match value {
            ast::Value::Number(text, false) => self.checked(literal::of_number(text, negative))?,
            ast::Value::Boolean(truth) => Expr::boolean(Node::Literal(Value::Bool(*truth))),
            ast::Value::Null => return Ok(Operand::Null),
            ast::Value::SingleQuotedString(text) => return Ok(Operand::Text(text.clone())),
            ast::Value::Placeholder(name) => self.limit(name)?,
            other => {
                return Err(self.refusal(format!(
                    "beyond the subset: the literal {other}: say it as a number, or a text in single quotes"
                )));
            }
        };
        Ok(Operand::Typed(expr))
    }

    fn limit(&mut self, placeholder: &str) -> Read<Expr> {
        let name = placeholder.strip_prefix(':').unwrap_or(placeholder);
        let scope = self.scope;
        let known = || scope.limits.iter().map(|limit| format!(":{}", limit.name)).collect::<Vec<_>>().join(", ");
        match scope.limits.iter().find(|limit| limit.name == name) {
            Some(limit) => self.checked(literal::of_text(&limit.value, &limit.ty.kind(false))),
            None => Err(self.refusal(format!(
                "no limit {placeholder}; [limits] has {}",
                if scope.limits.is_empty() { "none".to_owned() } else { known() }
            ))),
        }
    }

    fn column(&mut self, names: &[ast::Ident]) -> Read<Expr> {
        let scope = self.scope;
        let mut folded = Vec::new();
        for name in names {
            let lower = name.value.to_ascii_lowercase();
            match name.quote_style {
                Some(_) => folded.push(name.value.clone()),
                None if is_reserved(&lower) => {
                    return Err(
                        self.refusal(format!("{lower} is a reserved word of PostgreSQL: say \"{lower}\", in quotes"))
                    );
                }
                None => folded.push(lower),
            }
        }
        let input = match (folded.as_slice(), &scope.value) {
            ([name], Some(value)) if name == "value" => scope.own(value),
            ([name], _) => scope.own(name),
            ([reference, name], _) => scope.of_reference(reference, name),
            _ => Err("a name of more than two parts: say reference.column".to_owned()),
        };
        let input = self.checked(input)?;
        let kind = input.ty.kind(input.binary);
        let position = self.inputs.iter().position(|known| *known == input).unwrap_or_else(|| {
            self.inputs.push(input);
            self.inputs.len() - 1
        });
        Ok(Expr::new(Node::Input(position), kind))
    }

    /// Operands of one kind, and that kind.
    pub(super) fn same(&mut self, operands: Vec<Operand>) -> Read<(Vec<Expr>, Kind)> {
        let list = self.checked(unify(operands))?;
        // What is known of the size is known of all of them together.
        let numbers = || list.iter().filter_map(|expr| expr.kind.digits());
        let kind = match list.first().map(|expr| expr.kind.clone()) {
            Some(Kind::Number(mut digits)) => {
                digits.whole = numbers().all(|digits| digits.whole);
                digits.total = numbers().map(|digits| digits.total).max().unwrap_or(digits.total);
                Kind::Number(digits)
            }
            Some(kind) => kind,
            None => Kind::Text,
        };
        Ok((list, kind))
    }

    pub(super) fn unified<const N: usize>(&mut self, exprs: [&ast::Expr; N]) -> Read<[Expr; N]> {
        let list = self.unified_list(&exprs)?;
        <[Expr; N]>::try_from(list).map_err(|_| self.refusal("an operand is missing"))
    }

    pub(super) fn unified_list(&mut self, exprs: &[&ast::Expr]) -> Read<Vec<Expr>> {
        let mut operands = Vec::new();
        for expr in exprs {
            operands.push(self.operand(expr)?);
        }
        if let Some(first) = exprs.first() {
            self.locate(first);
        }
        self.checked(unify(operands))
    }

    fn locate(&mut self, expr: &ast::Expr) {
        let start = start_of(expr);
        if start.line > 0 {
            self.at = start;
        }
    }

    pub(super) fn refusal(&self, message: impl Into<String>) -> Refusal {
        parse::refusal(self.at, message)
    }

    pub(super) fn checked<T>(&self, result: Result<T, String>) -> Read<T> {
        result.map_err(|message| self.refusal(message))
    }
}

pub(super) fn not(expr: Expr) -> Expr {
    Expr::boolean(Node::Not(Box::new(expr)))
}

/// Where an expression begins: its first word, found without recursion.
fn start_of(mut expr: &ast::Expr) -> Location {
    use ast::Expr as E;
    loop {
        expr = match expr {
            E::BinaryOp { left: inner, .. } | E::AnyOp { left: inner, .. } | E::AllOp { left: inner, .. } => inner,
            E::IsNull(inner)
            | E::IsNotNull(inner)
            | E::IsTrue(inner)
            | E::IsNotTrue(inner)
            | E::IsFalse(inner)
            | E::IsNotFalse(inner) => inner,
            E::IsUnknown(inner)
            | E::IsNotUnknown(inner)
            | E::IsDistinctFrom(inner, _)
            | E::IsNotDistinctFrom(inner, _) => inner,
            E::Nested(expr)
            | E::Cast { expr, .. }
            | E::Between { expr, .. }
            | E::In { expr, .. }
            | E::UnaryOp { expr, .. } => expr,
            E::Like { expr, .. }
            | E::ILike { expr, .. }
            | E::SimilarTo { expr, .. }
            | E::Extract { expr, .. }
            | E::Trim { expr, .. } => expr,
            E::Function(function) => return function.name.span().start,
            E::Case { case_token, .. } => return case_token.0.span.start,
            E::Interval(interval) => &interval.value,
            E::Identifier(_) | E::CompoundIdentifier(_) | E::Value(_) | E::TypedString(_) => return expr.span().start,
            _ => return Location { line: 0, column: 0 },
        };
    }
}

/// Without the parentheses around it.
pub(super) fn bare(mut expr: &ast::Expr) -> &ast::Expr {
    while let ast::Expr::Nested(inner) = expr {
        expr = inner;
    }
    expr
}
