//! Reads functions: those that all three judges have, by the name that PostgreSQL knows them by.

use sqlparser::ast::{self, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments};

use crate::rules::calendar;
use crate::rules::read::{ExprReader, Read, bare};
use crate::rules::tree::{Expr, Extreme, Node, TrimSide};
use crate::rules::types::{Digits, Kind};
use crate::rules::unify::Operand;
use crate::rules::value::Value;

impl ExprReader<'_> {
    pub(super) fn function(&mut self, function: &ast::Function) -> Read<Operand> {
        let name = function.name.to_string().to_ascii_lowercase();
        if name == "current_date" && matches!(function.args, FunctionArguments::None) {
            let today = calendar::date(&self.scope.today.to_string());
            return Ok(Operand::Typed(Expr::new(Node::Literal(Value::Moment(self.checked(today)?)), Kind::Date)));
        }
        if matches!(name.as_str(), "count" | "sum" | "avg" | "min" | "max") {
            return Err(self.refusal("beyond the subset: a rule is about one row: an aggregate is a derived table's"));
        }
        let arguments = self.arguments(function)?;
        let expr = match (name.as_str(), arguments.as_slice()) {
            ("coalesce", [_, ..]) => self.coalesce(&arguments)?,
            ("nullif", [a, b]) => self.null_if(a, b)?,
            ("greatest", [_, ..]) => self.extreme(Extreme::Greatest, &arguments)?,
            ("least", [_, ..]) => self.extreme(Extreme::Least, &arguments)?,
            ("round", [x]) => self.round(x, 0, true)?,
            ("round", [x, to]) => {
                let to = self.whole_literal(to)?;
                self.round(x, to, false)?
            }
            ("abs", [x]) => self.absolute(x)?,
            ("mod", [a, b]) => self.remainder(a, b)?,
            ("length" | "char_length" | "character_length", [x]) => {
                Expr::new(Node::Length(Box::new(self.text(x)?)), Kind::Number(Digits::whole(10)))
            }
            ("upper", [x]) => Expr::new(Node::Upper(Box::new(self.text(x)?)), Kind::Text),
            ("lower", [x]) => Expr::new(Node::Lower(Box::new(self.text(x)?)), Kind::Text),
            ("btrim", [x]) => self.trimmed(TrimSide::Both, x, None)?,
            ("btrim", [x, what]) => self.trimmed(TrimSide::Both, x, Some(what))?,
            ("ltrim", [x]) => self.trimmed(TrimSide::Leading, x, None)?,
            ("ltrim", [x, what]) => self.trimmed(TrimSide::Leading, x, Some(what))?,
            ("rtrim", [x]) => self.trimmed(TrimSide::Trailing, x, None)?,
            ("rtrim", [x, what]) => self.trimmed(TrimSide::Trailing, x, Some(what))?,
            ("date_part", [field, moment]) => {
                let field = self.text_literal(field, "the part of a date")?;
                self.extract(&field, moment)?
            }
            ("now" | "current_timestamp" | "localtimestamp" | "current_time" | "localtime" | "clock_timestamp", _) => {
                return Err(self.refusal(
                    "beyond the subset: a moment that failpoint: say CURRENT_DATE, which is taken once for all judges",
                ));
            }
            ("user" | "current_user" | "session_user", _) => {
                return Err(self.refusal(format!(
                    "{name} is a function of PostgreSQL's: a column of that name is \"{name}\", in quotes"
                )));
            }
            _ => {
                return Err(
                    self.refusal(format!("beyond the subset: the function {name} with {} arguments", arguments.len()))
                );
            }
        };
        Ok(Operand::Typed(expr))
    }

    /// The arguments of a call that has nothing else.
    pub(super) fn arguments<'e>(&mut self, function: &'e ast::Function) -> Read<Vec<&'e ast::Expr>> {
        let is_plain = function.over.is_none()
            && function.filter.is_none()
            && function.null_treatment.is_none()
            && function.within_group.is_empty()
            && !function.uses_odbc_syntax
            && matches!(function.parameters, FunctionArguments::None);
        let list = match &function.args {
            FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses })
                if clauses.is_empty() =>
            {
                args.as_slice()
            }
            FunctionArguments::None => &[],
            _ => return Err(self.refusal("beyond the subset: a function of a subquery, or with DISTINCT or ORDER BY")),
        };
        if !is_plain {
            return Err(self.refusal("beyond the subset: a window, a filter or an aggregate: a rule is about one row"));
        }
        let argument = |argument: &'e FunctionArg| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
            _ => None,
        };
        match list.iter().map(argument).collect() {
            Some(arguments) => Ok(arguments),
            None => Err(self.refusal("beyond the subset: an argument with a name, or *")),
        }
    }

    fn coalesce(&mut self, list: &[&ast::Expr]) -> Read<Expr> {
        let mut operands = Vec::new();
        for expr in list {
            operands.push(self.operand(expr)?);
        }
        let (list, kind) = self.same(operands)?;
        Ok(Expr::new(Node::Coalesce(list), kind))
    }

    fn null_if(&mut self, a: &ast::Expr, b: &ast::Expr) -> Read<Expr> {
        let operands = vec![self.operand(a)?, self.operand(b)?];
        let is_whole = |operand: &Operand| match operand {
            Operand::Typed(expr) => expr.kind.digits().map(|digits| digits.whole),
            _ => None,
        };
        if let (Some(x), Some(y)) = (is_whole(&operands[0]), is_whole(&operands[1]))
            && x
            && !y
        {
            return Err(
                self.refusal("NULLIF of an integer and a decimal: say NULLIF(i, 0), or NULLIF(i::numeric, 0.5)")
            );
        }
        let (list, _) = self.same(operands)?;
        let Ok(pair) = <[Expr; 2]>::try_from(list) else { return Err(self.refusal("NULLIF has two arguments")) };
        let kind = pair[0].kind.clone();
        Ok(Expr::new(Node::NullIf(Box::new(pair)), kind))
    }

    fn round(&mut self, x: &ast::Expr, to: i16, takes_doubles: bool) -> Read<Expr> {
        if let ast::Expr::BinaryOp { left, op: ast::BinaryOperator::Divide, right } = bare(x) {
            return self.rounded_quotient(left, right, to);
        }
        let x = self.typed(x)?;
        match x.kind {
            Kind::Double if takes_doubles => Ok(Expr::new(Node::Round(Box::new(x), 0), Kind::Double)),
            Kind::Double => {
                Err(self.refusal("a floating-point number is not rounded to digits: PostgreSQL refuses it, too"))
            }
            _ => self.rounded(x, to),
        }
    }

    fn absolute(&mut self, x: &ast::Expr) -> Read<Expr> {
        let x = self.typed(x)?;
        match x.kind.clone() {
            kind @ (Kind::Number(_) | Kind::Double) => Ok(Expr::new(Node::Absolute(Box::new(x)), kind)),
            kind => Err(self.refusal(format!("{kind} where a number is needed"))),
        }
    }

    fn whole_literal(&mut self, expr: &ast::Expr) -> Read<i16> {
        let number = self.typed(expr)?;
        let whole = match (number.node, number.kind) {
            (Node::Literal(Value::Number(number)), Kind::Number(Digits { whole: true, .. })) => {
                i16::try_from(number).ok()
            }
            _ => None,
        };
        let whole = whole.filter(|digits| (-76..=76).contains(digits));
        whole.ok_or_else(|| self.refusal("a number is rounded to a literal number of digits, from -76 to 76"))
    }
}
