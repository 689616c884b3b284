//! The columns of a primary key.

use crate::sql::postgres;
use crate::types::ColumnType;

/// A key column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyColumn {
    /// Column name, the same in source and warehouse.
    pub name: &'static str,
    /// PostgreSQL type, as in a cast.
    pub source_type: &'static str,
    /// Its type on all sides.
    pub column_type: ColumnType,
}

impl KeyColumn {
    /// Its name in PostgreSQL, as SQL.
    pub fn in_source(&self) -> String {
        postgres::identifier(self.name)
    }

    /// SQL for its canonical text in PostgreSQL.
    pub fn text_in_source(&self) -> String {
        let name = self.in_source();
        self.column_type.in_postgres(&name).unwrap_or_else(|| format!("{name}::text"))
    }

    /// A column of this declared type, for unit tests.
    #[cfg(test)]
    pub fn of(name: &'static str, declared: &str) -> KeyColumn {
        let column_type = ColumnType::parse(declared, None, &crate::types::Connector::default());
        let column_type = column_type.unwrap_or_else(|why| panic!("{why}"));
        KeyColumn { name, source_type: column_type.key_type().unwrap_or("text"), column_type }
    }
}
