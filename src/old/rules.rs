//! Rules: declared once, in the table's own file, as data and pure functions. Ingest, replay and `lockstep rules` read the
//! same declaration; what a rule needs to know of other tables is looked up for all rows of a window before.

use std::borrow::Cow;

use crate::old::{Decimal, KeyColumn, RowOf, Table};

/// What happens to a row that breaks a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Quarantine.
    Reject,
    /// Written, and recorded in `{ops}.warnings`.
    Warn,
}

impl Severity {
    /// As it is written on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Reject => "reject",
            Severity::Warn => "warn",
        }
    }
}

/// The key of the row that a row points at; `None` if it points at nothing.
type KeyOfParent<T> = for<'a, 'r> fn(&'r RowOf<'a, T>) -> Option<Cow<'r, str>>;

/// A rule's judgement: what is wrong, with values.
type Check<T> = for<'a, 'r, 'k> fn(&'r RowOf<'a, T>, &'r Known<'k>) -> Result<(), String>;

/// A column, or columns, that point at a row of another table: a foreign key, whether the source enforces it or not.
pub struct Reference<T: Table> {
    /// Name of the rule "that row exists".
    pub rule: &'static str,
    /// The column that points.
    pub column: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// Columns of a row that break it, as JSON.
    pub example: &'static str,
    /// Source table that it points at.
    pub table: &'static str,
    /// The same in the warehouse.
    pub target: &'static str,
    /// Primary key of that table.
    pub key: &'static [KeyColumn],
    /// More columns of that row which rules need to know: in the source …
    pub facts: &'static [&'static str],
    /// … and in the warehouse.
    pub warehouse_facts: &'static [&'static str],
    /// The key that the row points at.
    pub key_of: KeyOfParent<T>,
}

impl<T: Table> Reference<T> {
    /// A reference to table `P`.
    pub const fn to<P: Table>(
        rule: &'static str,
        column: &'static str,
        why: &'static str,
        example: &'static str,
        key_of: KeyOfParent<T>,
    ) -> Reference<T> {
        Reference {
            rule,
            column,
            why,
            example,
            table: P::SOURCE,
            target: P::TARGET,
            key: P::KEY,
            facts: &[],
            warehouse_facts: &[],
            key_of,
        }
    }

    /// Looks up more than whether the row exists.
    pub const fn with_facts(
        mut self,
        facts: &'static [&'static str],
        warehouse_facts: &'static [&'static str],
    ) -> Reference<T> {
        self.facts = facts;
        self.warehouse_facts = warehouse_facts;
        self
    }
}

/// A business rule.
pub struct Rule<T: Table> {
    /// Its name, in summaries and in the quarantine.
    pub name: &'static str,
    /// What happens to a row that breaks it, unless a flag says otherwise.
    pub severity: Severity,
    /// Why it matters.
    pub why: &'static str,
    /// Columns of a row that break it, as JSON.
    pub example: &'static str,
    /// The judgement.
    pub check: Check<T>,
}

/// A row that another one points at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parent {
    /// [`Reference::facts`], as PostgreSQL's text.
    pub facts: Vec<Option<String>>,
    /// [`Reference::warehouse_facts`], as ClickHouse's text; empty if the warehouse does not have the row.
    pub warehouse_facts: Vec<Option<String>>,
}

impl Parent {
    /// A fact of the source.
    pub fn fact(&self, i: usize) -> Option<&str> {
        self.facts.get(i).and_then(Option::as_deref)
    }

    /// A fact of the warehouse.
    pub fn warehouse_fact(&self, i: usize) -> Option<&str> {
        self.warehouse_facts.get(i).and_then(Option::as_deref)
    }
}

/// What a rule may know besides the row.
#[derive(Debug)]
pub struct Known<'k> {
    /// The rows that it points at, in the order of [`Table::REFERENCES`]; `None` if it points at nothing or the row is not there.
    pub parents: &'k [Option<&'k Parent>],
    /// The event's position in PostgreSQL's log.
    pub lsn: Option<u64>,
    /// Limits that flags can move.
    pub limits: Limits,
}

impl Known<'_> {
    /// The row that reference `i` points at.
    pub fn parent(&self, i: usize) -> Option<&Parent> {
        self.parents.get(i).copied().flatten()
    }
}

/// Limits that flags can move.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Highest discount of an order line, as a share.
    pub discount: Decimal,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { discount: Decimal(2_500) }
    }
}

/// `Err(text)` unless `holds`.
pub(crate) fn require(holds: bool, text: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(text()) }
}

/// "Not negative" for an amount that may be missing.
pub(crate) fn not_negative(name: &str, amount: Option<Decimal>) -> Result<(), String> {
    match amount.filter(|amount| *amount < Decimal(0)) {
        Some(amount) => Err(format!("{name} is {amount}, below 0")),
        None => Ok(()),
    }
}
