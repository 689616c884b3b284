//! Statements of checks, for one side: its rows, the columns that are shown of them, and the settings that it is asked under.

use std::fmt::Write;

use crate::rules::{CLICKHOUSE_SETTINGS, POSTGRES_SETTINGS, Server};
use crate::types::ColumnType;

/// Offenders beyond these are not told apart.
pub const MOST_OFFENDERS: usize = 100_000;

/// Where a statement runs.
#[derive(Debug, Clone, Copy)]
pub enum ServerSide<'s> {
    /// PostgreSQL.
    Source,
    /// This database of ClickHouse.
    Warehouse(&'s str),
}

/// A table's name on both sides.
#[derive(Debug, Clone, Copy)]
pub struct Names<'t> {
    /// In PostgreSQL, schema and all, as SQL.
    pub relation: &'t str,
    /// In the warehouse.
    pub target: &'t str,
}

impl ServerSide<'_> {
    /// Who answers.
    pub fn server(self) -> Server {
        match self {
            ServerSide::Source => Server::Postgres,
            ServerSide::Warehouse(_) => Server::ClickHouse,
        }
    }

    /// The live rows of a table that fulfil a condition, as a subquery with these columns; with all of them, if there are none.
    pub fn rows(self, table: Names<'_>, columns: &[&str], condition: &str) -> String {
        let names: Vec<String> = columns.iter().map(|column| self.server().name(column)).collect();
        let names = if names.is_empty() { "*".to_owned() } else { names.join(", ") };
        match self {
            ServerSide::Source => format!("(SELECT {names} FROM {} WHERE {condition})", table.relation),
            ServerSide::Warehouse(db) => format!("(SELECT {names} FROM {db}.{} FINAL WHERE {condition})", table.target),
        }
    }

    /// A statement that ends with more offenders than are told apart. ClickHouse's settings are a part of it; PostgreSQL's are its transaction's.
    pub fn finish(self, mut sql: String) -> String {
        let _ = write!(sql, "\nLIMIT {}", MOST_OFFENDERS + 1);
        if let ServerSide::Warehouse(_) = self {
            let settings = CLICKHOUSE_SETTINGS.iter().map(|(name, value)| format!("{name} = '{value}'"));
            let _ = write!(sql, "\nSETTINGS {}", settings.collect::<Vec<_>>().join(", "));
        }
        sql
    }

    /// A statement with all that it takes to run it by hand.
    pub fn by_hand(self, sql: &str) -> String {
        match self {
            ServerSide::Source => {
                let settings = POSTGRES_SETTINGS.iter().map(|(name, value)| format!("SET LOCAL {name} = '{value}';"));
                format!("BEGIN READ ONLY;\n{}\n{sql};\nCOMMIT;", settings.collect::<Vec<_>>().join(" "))
            }
            ServerSide::Warehouse(_) => format!("{sql};"),
        }
    }
}

/// A column that a statement shows: as canonical text, the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownColumn {
    /// What it is called in the answer: `discount`, `product.units_in_stock`.
    pub name: String,
    reference: Option<&'static str>,
    column: &'static str,
    column_type: &'static ColumnType,
}

impl ShownColumn {
    /// A column of the table, or of the row that a reference leads to.
    pub fn new(reference: Option<&'static str>, column: &'static str, column_type: &'static ColumnType) -> ShownColumn {
        let name = reference.map_or_else(|| column.to_owned(), |reference| format!("{reference}.{column}"));
        ShownColumn { name, reference, column, column_type }
    }

    /// What is selected; nothing of a type that has no text in the source.
    pub fn select(&self, server: Server) -> Option<String> {
        let value = server.column(self.reference, self.column);
        let in_source = self.column_type.in_postgres(&value)?;
        let text = match server {
            Server::Postgres => in_source,
            Server::ClickHouse => self.column_type.in_clickhouse(&value),
        };
        Some(format!("{text} AS {}", server.name(&self.name)))
    }

    /// A server's answer as canonical text; as it is, where the warehouse's type could not hold it.
    pub fn canonical(&self, answer: &str) -> String {
        self.column_type.canonical(answer).unwrap_or_else(|_| answer.to_owned())
    }
}
