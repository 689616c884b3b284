//! The one tree that a rule's text becomes: typed, names resolved, every conversion a node of its own.

use crate::rules::calendar::{Field, Interval};
use crate::rules::like::Like;
use crate::rules::pattern::Pattern;
use crate::rules::types::Kind;
use crate::rules::value::Value;

/// An expression and its type.
#[derive(Debug, Clone)]
pub(super) struct Expr {
    pub node: Node,
    pub kind: Kind,
}

/// Two operands.
pub(super) type Pair = Box<[Expr; 2]>;

/// What an expression does.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Literal(Value<'static>),
    /// A column, by its position in the rule's inputs.
    Input(usize),
    Not(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    /// Both operands are of one kind; numbers have one scale.
    Compare(Comparison, Pair),
    Distinct(Pair),
    Is(Test, Box<Expr>),
    Between(Box<[Expr; 3]>),
    Case(Vec<(Expr, Expr)>, Box<Expr>),
    Coalesce(Vec<Expr>),
    NullIf(Pair),
    /// NULLs are skipped.
    Extreme(Extreme, Vec<Expr>),
    /// To the kind of this expression.
    Convert(Box<Expr>),
    Arithmetic(Arithmetic, Pair),
    /// A quotient that is rounded to the scale of this expression.
    Divide(Pair),
    Round(Box<Expr>, i16),
    Negate(Box<Expr>),
    Absolute(Box<Expr>),
    Like(Box<Expr>, Like),
    Match(Box<Expr>, Pattern),
    Length(Box<Expr>),
    Upper(Box<Expr>),
    Lower(Box<Expr>),
    Trim(TrimSide, Box<Expr>),
    Concat(Pair),
    AddDays(Box<Expr>, i32),
    DaysBetween(Pair),
    AddInterval(Box<Expr>, Interval),
    Extract(Field, Box<Expr>),
    /// Position of an enum's label, from 1.
    Position(Box<Expr>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// The same in both servers.
    pub fn sign(self) -> &'static str {
        match self {
            Comparison::Equal => "=",
            Comparison::NotEqual => "<>",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        }
    }

    pub fn is_order(self) -> bool {
        !matches!(self, Comparison::Equal | Comparison::NotEqual)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Test {
    Null,
    True,
    False,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extreme {
    Greatest,
    Least,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    /// Of integers, without a fraction.
    Quotient,
    Remainder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TrimSide {
    Both,
    Leading,
    Trailing,
}

impl Expr {
    pub fn new(node: Node, kind: Kind) -> Expr {
        Expr { node, kind }
    }

    pub fn boolean(node: Node) -> Expr {
        Expr { node, kind: Kind::Bool }
    }

    pub fn null(kind: Kind) -> Expr {
        Expr { node: Node::Literal(Value::Null), kind }
    }

    /// The operands, in their order.
    pub fn children(&self) -> Vec<&Expr> {
        match &self.node {
            Node::Literal(_) | Node::Input(_) => Vec::new(),
            Node::And(list) | Node::Or(list) | Node::Coalesce(list) | Node::Extreme(_, list) => list.iter().collect(),
            Node::Compare(_, pair)
            | Node::Distinct(pair)
            | Node::NullIf(pair)
            | Node::Arithmetic(_, pair)
            | Node::Divide(pair)
            | Node::Concat(pair)
            | Node::DaysBetween(pair) => pair.iter().collect(),
            Node::Between(three) => three.iter().collect(),
            Node::Case(branches, otherwise) => {
                branches.iter().flat_map(|(when, then)| [when, then]).chain([otherwise.as_ref()]).collect()
            }
            Node::Not(one)
            | Node::Is(_, one)
            | Node::Convert(one)
            | Node::Round(one, _)
            | Node::Negate(one)
            | Node::Absolute(one)
            | Node::Like(one, _)
            | Node::Match(one, _)
            | Node::Length(one)
            | Node::Upper(one)
            | Node::Lower(one)
            | Node::Trim(_, one)
            | Node::AddDays(one, _)
            | Node::AddInterval(one, _)
            | Node::Extract(_, one)
            | Node::Position(one) => vec![one],
        }
    }

    /// Number of nodes.
    pub fn size(&self) -> usize {
        1 + self.children().into_iter().map(Expr::size).sum::<usize>()
    }

    /// Is there such a node in it?
    pub fn any(&self, is: &dyn Fn(&Expr) -> bool) -> bool {
        is(self) || self.children().into_iter().any(|child| child.any(is))
    }

    /// A date or timestamp that is not a column's: it can lie beyond what the warehouse holds.
    pub fn moves_dates(&self) -> bool {
        self.any(&|expr| matches!(expr.node, Node::AddDays(..) | Node::AddInterval(..)))
    }

    /// Something is computed from a date, so that a date of PostgreSQL's far ends could fail.
    pub fn computes_dates(&self) -> bool {
        self.any(&|expr| match &expr.node {
            Node::AddDays(..) | Node::AddInterval(..) | Node::DaysBetween(_) | Node::Extract(..) => true,
            Node::Convert(inner) => inner.kind.is_moment(),
            _ => false,
        })
    }

    pub fn divides(&self) -> bool {
        let divides = |node: &Node| {
            matches!(node, Node::Divide(_) | Node::Arithmetic(Arithmetic::Quotient | Arithmetic::Remainder, _))
        };
        self.any(&|expr| divides(&expr.node))
    }
}
