//! What the names in a rule stand for: the table's columns, its references, the limits.

use chrono::NaiveDate;

use crate::rules::types::Type;

/// A column, as the source names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeColumn {
    /// Its name in both servers.
    pub name: String,
    /// Its type.
    pub ty: Type,
}

/// A reference: a row of another table that a row references.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// By what a rule names it: `product` in `product.units_in_stock`.
    pub name: String,
    /// The columns that point, each with the column of the other table that it is equal to.
    pub key: Vec<(String, String)>,
    /// The other table's columns.
    pub columns: Vec<ScopeColumn>,
}

/// A limit that the pipeline declares: `:discount`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Its name, without the colon.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// Its value, as text.
    pub value: String,
}

/// How a text is meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reading {
    /// A rule of the pipeline file: a `real` that is kept as a Decimal is that decimal.
    #[default]
    Rule,
    /// A CHECK constraint of the source: a `real` is the binary number that PostgreSQL judges.
    Check,
}

/// What the names in a rule stand for.
#[derive(Debug, Clone)]
pub struct Scope {
    /// The table's columns.
    pub columns: Vec<ScopeColumn>,
    /// Its references.
    pub references: Vec<Reference>,
    /// The limits.
    pub limits: Vec<Limit>,
    /// CURRENT_DATE: taken once, for all judges.
    pub today: NaiveDate,
    /// How the text is meant.
    pub reading: Reading,
    /// The column that `VALUE` stands for in the CHECK of a domain.
    pub value: Option<String>,
}

/// A column that a rule reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The reference that leads to it; `None` for the table's own.
    pub reference: Option<String>,
    /// Its name.
    pub column: String,
    /// Its type.
    pub ty: Type,
    /// A `real` or `double precision` is read as the binary number.
    pub(super) binary: bool,
}

impl Scope {
    /// A table's own columns, and nothing else.
    pub fn of(columns: Vec<ScopeColumn>, today: NaiveDate) -> Scope {
        let (references, limits) = (Vec::new(), Vec::new());
        Scope { columns, references, limits, today, reading: Reading::Rule, value: None }
    }

    pub(super) fn own(&self, name: &str) -> Result<Input, String> {
        self.input(None, &self.columns, name).ok_or_else(|| {
            format!(
                "the table has no column {name:?}{}",
                nearest(name, self.columns.iter().map(|column| &*column.name))
            )
        })
    }

    pub(super) fn of_reference(&self, reference: &str, name: &str) -> Result<Input, String> {
        let found = self.references.iter().find(|known| known.name == reference).ok_or_else(|| {
            let hint = nearest(reference, self.references.iter().map(|known| &*known.name));
            format!(
                "the table has no reference {reference:?}{hint}; the table's own columns are written without its name"
            )
        })?;
        self.input(Some(reference), &found.columns, name).ok_or_else(|| {
            let hint = nearest(name, found.columns.iter().map(|column| &*column.name));
            format!("the table that {reference:?} refers to has no column {name:?}{hint}")
        })
    }

    fn input(&self, reference: Option<&str>, columns: &[ScopeColumn], name: &str) -> Option<Input> {
        let column = columns.iter().find(|column| column.name == name)?;
        let binary = self.reading == Reading::Check;
        Some(Input { reference: reference.map(str::to_owned), column: name.to_owned(), ty: column.ty.clone(), binary })
    }
}

/// ": do you mean …?", if a name differs in case only.
fn nearest<'n>(name: &str, mut known: impl Iterator<Item = &'n str>) -> String {
    match known.find(|other| other.eq_ignore_ascii_case(name)) {
        Some(other) => format!(": say \"{other}\", in quotes"),
        None => String::new(),
    }
}
