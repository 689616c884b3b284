//! Reads casts: those that cannot fail, and those that CHECK constraints are full of.

use sqlparser::ast::{self, DataType};

use crate::rules::literal;
use crate::rules::read::{ExprReader, Read, bare};
use crate::rules::read_operators::no_integer;
use crate::rules::scope::Reading;
use crate::rules::tree::{Expr, Node};
use crate::rules::types::{Digits, Kind};
use crate::rules::unify::{Operand, convert_moment, unify};
use crate::rules::value::Value;

/// What a value is cast to.
enum Target {
    Kind(Kind),
    /// `numeric(p, s)`: the scale.
    Scale(u8),
    /// `real`: of literals only.
    Real,
}

impl ExprReader<'_> {
    pub(super) fn cast(&mut self, expr: &ast::Expr, data_type: &DataType) -> Read<Operand> {
        let operand = self.operand(expr)?;
        let name = data_type.to_string().to_ascii_lowercase();
        let Some(target) = self.target(&name)? else {
            // The literal of an enum in a CHECK names the enum's type; what it is compared with knows the labels.
            return match operand {
                Operand::Text(_) if self.scope.reading == Reading::Check => Ok(operand),
                Operand::Typed(expr) if self.scope.reading == Reading::Check && matches!(expr.kind, Kind::Enum(_)) => {
                    Ok(Operand::Typed(expr))
                }
                _ => Err(self.refusal(format!("beyond the subset: a cast to {name}"))),
            };
        };
        let cast = match (operand, target) {
            (Operand::Typed(expr), target) => self.cast_typed(expr, target, &name)?,
            (Operand::Text(text), Target::Kind(kind)) => self.literal_text(&kind, &text)?,
            (Operand::Text(text), target) => {
                let number = self.literal_text(&Kind::Number(Digits { total: 1, scale: 0, whole: false }), &text)?;
                self.cast_typed(number, target, &name)?
            }
            (Operand::Null, Target::Kind(kind)) => Expr::null(kind),
            (Operand::Null, Target::Scale(_)) => Expr::null(Kind::Number(Digits { total: 1, scale: 0, whole: false })),
            (Operand::Null, Target::Real) => Expr::null(Kind::Double),
        };
        Ok(Operand::Typed(cast))
    }

    /// `None` for a type that only the source knows.
    fn target(&mut self, name: &str) -> Read<Option<Target>> {
        let (plain, arguments) = match name.split_once('(') {
            Some((plain, rest)) => (plain.trim_end(), rest.split_once(')').map(|(arguments, _)| arguments)),
            None => (name, None),
        };
        let kind = match (plain, arguments) {
            ("boolean" | "bool", None) => Kind::Bool,
            ("smallint" | "int2", None) => Kind::Number(Digits::whole(5)),
            ("integer" | "int" | "int4", None) => Kind::Number(Digits::whole(10)),
            ("bigint" | "int8", None) => Kind::Number(Digits::whole(19)),
            ("numeric" | "decimal", None) => Kind::Number(Digits { total: 1, scale: 0, whole: false }),
            ("numeric" | "decimal", Some(arguments)) => {
                let scale = arguments.split_once(',').map_or("0", |(_, scale)| scale.trim());
                return match scale.parse() {
                    Ok(scale) => Ok(Some(Target::Scale(scale))),
                    Err(_) => Err(self.refusal("the scale of a numeric is a number from 0 to 76")),
                };
            }
            ("double precision" | "double" | "float8" | "float", None) => Kind::Double,
            ("real" | "float4", None) => return Ok(Some(Target::Real)),
            ("text" | "character varying" | "varchar", None) => Kind::Text,
            ("bpchar", None) => Kind::Char,
            ("character varying" | "varchar" | "character" | "char", _) => {
                return Err(
                    self.refusal("beyond the subset: a cast that cuts text: say column::text, and LENGTH(column) <= n")
                );
            }
            ("date", None) => Kind::Date,
            ("timestamp" | "timestamp without time zone", None) => Kind::Timestamp,
            ("timestamptz" | "timestamp with time zone", None) => Kind::TimestampTz,
            ("uuid", None) => Kind::Uuid,
            _ => return Ok(None),
        };
        Ok(Some(Target::Kind(kind)))
    }

    fn cast_typed(&mut self, expr: Expr, target: Target, name: &str) -> Read<Expr> {
        match (expr.kind.clone(), target) {
            (Kind::Number(_), Target::Scale(scale)) => self.rounded(expr, i16::from(scale)),
            (Kind::Number(_), Target::Real) => match self.checked(literal::to_double(&expr))?.node {
                Node::Literal(Value::Double(double)) => {
                    Ok(Expr::new(Node::Literal(Value::Double(f64::from(double as f32))), Kind::Double))
                }
                _ => Err(self.refusal("only a literal is cast to real")),
            },
            (Kind::Number(from), Target::Kind(Kind::Number(to))) if !to.whole => Ok(no_integer(expr, from)),
            (Kind::Number(from), Target::Kind(Kind::Number(_))) if from.whole => Ok(expr),
            (Kind::Number(_), Target::Kind(Kind::Number(_))) => {
                let rounded = self.rounded(expr, 0)?;
                let digits = rounded.kind.digits().unwrap_or(Digits::whole(1));
                let kind = Kind::Number(Digits { whole: true, ..digits });
                Ok(match rounded.node {
                    Node::Round(..) => Expr { kind, ..rounded },
                    _ => Expr::new(Node::Round(Box::new(rounded), 0), kind),
                })
            }
            (Kind::Number(_), Target::Kind(Kind::Double)) => {
                let typed_double = Operand::Typed(Expr::null(Kind::Double));
                let mut list = self.checked(unify(vec![typed_double, Operand::Typed(expr)]))?;
                list.pop().ok_or_else(|| self.refusal("an operand is missing"))
            }
            (Kind::Text | Kind::Char | Kind::Uuid | Kind::Enum(_), Target::Kind(Kind::Text))
                if expr.kind != Kind::Text =>
            {
                Ok(Expr::new(Node::Convert(Box::new(expr)), Kind::Text))
            }
            (from, Target::Kind(to)) if from == to => Ok(expr),
            (from, Target::Kind(to)) if from.is_moment() && to.is_moment() => {
                if expr.moves_dates() {
                    return Err(self.refusal("beyond the subset: a cast of a moved date: compare the timestamps"));
                }
                self.checked(convert_moment(expr, &to))
            }
            (from, _) if from.is_text() => Err(self.refusal(format!(
                "beyond the subset: a cast of text to {name} can fail: say what the text looks like with ~"
            ))),
            (from, _) => Err(self.refusal(format!("beyond the subset: a cast of {from} to {name}"))),
        }
    }

    /// `DATE '2024-02-29'`.
    pub(super) fn typed_string(&mut self, typed: &ast::TypedString) -> Read<Operand> {
        if typed.uses_odbc_syntax {
            return Err(self.refusal("{d '…'} is no literal of PostgreSQL: say DATE '…'"));
        }
        self.cast(&ast::Expr::Value(typed.value.clone()), &typed.data_type)
    }

    /// The values of `ARRAY['a'::text, …]`, perhaps with a cast behind it.
    pub(super) fn array<'e>(&mut self, expr: &'e ast::Expr) -> Read<Vec<&'e ast::Expr>> {
        match bare(expr) {
            ast::Expr::Array(ast::Array { elem, named: true }) if !elem.is_empty() => Ok(elem.iter().collect()),
            ast::Expr::Cast { expr, data_type, .. } if data_type.to_string().ends_with("[]") => self.array(expr),
            other => Err(self.beyond(other)),
        }
    }
}
