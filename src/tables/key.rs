//! The columns of a primary key.

/// A key column: its name, and the type it has in PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyColumn {
    /// Column name, the same in source and warehouse.
    pub name: &'static str,
    /// PostgreSQL type, as in a cast.
    pub source_type: &'static str,
}
