//! The CHECK constraints of a table, and of the domains of its columns, as PostgreSQL writes them out.

use anyhow::{Context, Result};
use postgres::Client;

/// A CHECK constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint {
    /// Its name.
    pub name: String,
    /// What has to hold.
    pub expression: String,
    /// The column that `VALUE` stands for, if it is a domain's.
    pub value: Option<String>,
    /// Has PostgreSQL looked at the rows that are older than it?
    pub is_validated: bool,
}

impl Constraint {
    /// What people call it.
    pub fn shown(&self) -> String {
        match &self.value {
            None => format!("CHECK {}", self.name),
            Some(column) => format!("CHECK {} of {column}'s domain", self.name),
        }
    }
}

/// A domain's constraints hold for the domains that are made of it.
const CONSTRAINTS: &str = "
WITH RECURSIVE resolved AS (
    SELECT attname, attnum, atttypid AS type FROM pg_attribute
    WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT r.attname, r.attnum, t.typbasetype FROM resolved r JOIN pg_type t ON t.oid = r.type WHERE t.typtype = 'd'
)
SELECT conname::text, pg_get_expr(conbin, conrelid), NULL::text, convalidated, 0 AS place
FROM pg_constraint WHERE contype = 'c' AND conrelid = $1::text::regclass
UNION ALL
SELECT c.conname::text, pg_get_expr(c.conbin, 0), r.attname::text, c.convalidated, r.attnum
FROM resolved r JOIN pg_constraint c ON c.contypid = r.type WHERE c.contype = 'c'
ORDER BY place, 1";

/// Reads the CHECK constraints of a table (its name as SQL).
///
/// # Errors
/// PostgreSQL is gone, refuses, or has no such table.
pub fn constraints(client: &mut Client, relation: &str) -> Result<Vec<Constraint>> {
    let rows = client.query(CONSTRAINTS, &[&relation]);
    let rows = rows.with_context(|| format!("reading the CHECK constraints of {relation} in PostgreSQL"))?;
    let constraint = |row: &postgres::Row| Constraint {
        name: row.get(0),
        expression: row.get(1),
        value: row.get(2),
        is_validated: row.get(3),
    };
    Ok(rows.iter().map(constraint).collect())
}
