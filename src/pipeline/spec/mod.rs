//! A pipeline that has been read and checked: what the engine knows of the tables it moves.

mod connector;
mod derived;
mod table;

use super::name::{DatabaseName, LimitName, PipelineName, TopicPrefix};
use super::number::Number;
use super::text::{Located, Texts};

pub use connector::Connector;
pub use derived::{DerivedColumn, DerivedSpec, TouchedBy};
pub use table::{
    ClickHouseSpec, ColumnSpec, DroppedPartitions, Example, ExcludedColumn, ReferenceSpec, RuleSeverity, RuleSpec,
    SourceTable, TableSpec,
};

/// A pipeline.
#[derive(Debug, Clone)]
pub struct PipelineSpec {
    /// Its name.
    pub name: PipelineName,
    /// The first part of its topics' names.
    pub topic_prefix: TopicPrefix,
    /// What Debezium is told.
    pub connector: Connector,
    /// The databases in ClickHouse.
    pub warehouse: Warehouse,
    /// The values that rules name, in the order of the file.
    pub limits: Vec<Limit>,
    /// The tables, each behind those that it references.
    pub tables: Vec<TableSpec>,
    /// The tables that are made of them, in the order of the file.
    pub derived: Vec<DerivedSpec>,
    /// The files that say all this.
    pub texts: Texts,
}

/// The databases in ClickHouse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warehouse {
    /// That of the tables.
    pub database: DatabaseName,
    /// That of ledger, quarantine and runs.
    pub ops: DatabaseName,
}

/// A value that rules name and flags can change: `:discount`.
#[derive(Debug, Clone)]
pub struct Limit {
    /// Its name.
    pub name: Located<LimitName>,
    /// Its type, as PostgreSQL writes it.
    pub limit_type: Located<String>,
    /// Its value, a decimal number.
    pub value: Located<String>,
    /// The least value a flag may give it.
    pub min: Option<Located<String>>,
    /// The greatest.
    pub max: Option<Located<String>>,
}

impl PipelineSpec {
    /// The connector's file, below a project's folder.
    pub fn connector_file(&self) -> String {
        format!("connectors/debezium-{}.json", self.name)
    }

    /// The table of a name.
    pub fn table(&self, name: &str) -> Option<&TableSpec> {
        self.tables.iter().find(|table| table.name.as_str() == name)
    }
}

impl Limit {
    /// Is this a number that a flag may give the limit?
    ///
    /// # Errors
    /// It is none, or lies outside of its bounds.
    pub fn accepts(&self, value: &str) -> Result<(), String> {
        let number = Number::parse(value).ok_or("it is no decimal number, as in 0.25")?;
        let bound = |text: &Option<Located<String>>| text.as_ref().and_then(|text| Number::parse(text));
        match (bound(&self.min), bound(&self.max)) {
            (Some(min), _) if number < min => Err(format!("it is below {}", self.min.as_ref().map_or("", |min| min))),
            (_, Some(max)) if number > max => Err(format!("it is above {}", self.max.as_ref().map_or("", |max| max))),
            _ => Ok(()),
        }
    }
}
