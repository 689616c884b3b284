//! Rules: one text, three judges.
//!
//! A rule is a boolean expression in PostgreSQL's spelling. Its text is parsed once, typed, and becomes one tree, which is evaluated over the
//! values of a row here, and printed for PostgreSQL and for ClickHouse. The user's text is sent to neither server: dozens of expressions mean
//! different things there, some of them silently (`n = '9.801'` is true in ClickHouse for 9.80). What the three do not agree on is printed in
//! a way that they do, or refused with the words to say it in; no expression that is accepted can fail at run time.
//!
//! Unknown is no offence, as in a CHECK: a row breaks a rule if it is false.

mod calendar;
mod clickhouse;
mod clickhouse_literal;
mod evaluate;
mod like;
mod literal;
mod number;
mod offenders;
mod parse;
mod pattern;
mod pattern_class;
mod postgres;
mod read;
mod read_casts;
mod read_comparisons;
mod read_dates;
mod read_functions;
mod read_operators;
mod read_text;
mod refusal;
mod scope;
#[cfg(test)]
mod tests;
mod tree;
mod types;
mod unify;
mod value;

pub use clickhouse::CLICKHOUSE_SETTINGS;
pub use ethnum::i256;
pub use offenders::Relations;
pub use postgres::POSTGRES_SETTINGS;
pub use refusal::Refusal;
pub use scope::{Input, Limit, Reading, Reference, Scope, ScopeColumn};
pub use types::{Labels, MOST_DIGITS, Type};
pub use value::Value;

use tree::Expr;

/// The alias of the judged row, in what is printed for the servers. A parent's alias is its reference's name.
pub const ROW: &str = "_row";

/// Stack of the thread that reads a rule, in bytes.
const STACK: usize = 32 << 20;

/// Who judges besides Rust.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// The source.
    Postgres,
    /// The warehouse.
    ClickHouse,
}

impl Server {
    /// A name in quotes.
    pub fn name(self, name: &str) -> String {
        match self {
            Server::Postgres => postgres::name(name),
            Server::ClickHouse => clickhouse_literal::name(name),
        }
    }

    /// A column of the judged row, or of the row that a reference leads to.
    pub fn column(self, reference: Option<&str>, column: &str) -> String {
        format!("{}.{}", self.name(reference.unwrap_or(ROW)), self.name(column))
    }
}

/// A rule that every judge understands.
#[derive(Debug, Clone)]
pub struct Rule {
    expr: Expr,
    inputs: Vec<Input>,
    references: Vec<Reference>,
}

impl Rule {
    /// Reads a rule's text.
    ///
    /// # Errors
    /// Where it is wrong or beyond the subset, and how to say it instead.
    pub fn parse(text: &str, scope: &Scope) -> Result<Rule, Refusal> {
        // The steps of sqlparser are large and a caller's stack may be small: no text may overflow it.
        let read = std::thread::scope(|threads| {
            let reader = std::thread::Builder::new().stack_size(STACK);
            let reader = reader.spawn_scoped(threads, || Rule::read(text, scope)).ok()?;
            reader.join().ok()
        });
        read.unwrap_or_else(|| {
            Err(Refusal { line: 1, column: 1, message: "the rule cannot be read here: no thread for it".to_owned() })
        })
    }

    fn read(text: &str, scope: &Scope) -> Result<Rule, Refusal> {
        let syntax = parse::parse(text)?;
        let mut reader = read::ExprReader::new(scope);
        let expr = reader.truth(&syntax)?;
        let inputs = reader.inputs;
        let is_used =
            |reference: &&Reference| inputs.iter().any(|input| input.reference.as_ref() == Some(&reference.name));
        let references = scope.references.iter().filter(is_used).cloned().collect();
        Ok(Rule { expr, inputs, references })
    }

    /// The columns that the rule reads: [`Rule::evaluate`] takes their values in this order.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// The references that it uses. While a parent is not there though the key is set, the rule is undecided and is not asked.
    pub fn references(&self) -> &[Reference] {
        &self.references
    }

    /// True, false, or `None` for unknown. A row breaks the rule if it is `Some(false)`.
    pub fn evaluate<'v>(&'v self, inputs: &'v [Value<'v>]) -> Option<bool> {
        evaluate::evaluate(&self.expr, inputs).truth()
    }

    /// The rule as a boolean expression of a server; columns are `"_row"."column"` and `"reference"."column"`.
    pub fn text(&self, server: Server) -> String {
        match server {
            Server::Postgres => postgres::Printer::new(&self.inputs, &self.expr).print(&self.expr),
            Server::ClickHouse => clickhouse::Printer::new(&self.inputs).print(&self.expr),
        }
    }
}
