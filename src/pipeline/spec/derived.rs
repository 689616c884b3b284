//! What a pipeline says of a derived table.

use crate::pipeline::derived_type::DerivedType;
use crate::pipeline::name::{DerivedColumnName, TableName, TargetName};
use crate::pipeline::text::{Located, SqlFile};

/// A table that is made of others.
#[derive(Debug, Clone)]
pub struct DerivedSpec {
    /// As the pipeline calls it: `build-<name>` is its job.
    pub name: Located<TableName>,
    /// What a row is, in a sentence.
    pub about: String,
    /// In the warehouse.
    pub target: Located<TargetName>,
    /// The table whose rows it is made of; the others are what these rows point at.
    pub driven_by: Located<TableName>,
    /// The columns of its key.
    pub key: Vec<Located<DerivedColumnName>>,
    /// Its columns, in the order of the file.
    pub columns: Vec<DerivedColumn>,
    /// The key's columns in the order in which rows are sorted; empty is the key's own order.
    pub order_by: Vec<Located<DerivedColumnName>>,
    /// Expression; of columns that may change too.
    pub partition_by: Option<Located<String>>,
    /// The SELECT that makes the rows.
    pub sql: SqlFile,
    /// The SELECT that says to which rows of this table a row of the driving one belongs.
    pub membership: Option<SqlFile>,
    /// For each table that it reads, the rows of the driving one that a changed row touches.
    pub touched_by: Vec<TouchedBy>,
    /// What its `_source_ts_ms` says, where that is not the newest change of all.
    pub source_time: Option<String>,
    /// Rows that are left out and counted: by which name in the summary, on which condition.
    pub left_out: Vec<(String, Located<String>)>,
    /// Views beside it.
    pub views: Vec<SqlFile>,
}

/// A column of a derived table.
#[derive(Debug, Clone)]
pub struct DerivedColumn {
    /// Its name.
    pub name: Located<DerivedColumnName>,
    /// Its type; a value that does not fit is set aside.
    pub column_type: DerivedType,
    /// What it holds, where its name does not say it.
    pub comment: Option<String>,
}

/// How a changed row of a table leads to rows of a derived one.
#[derive(Debug, Clone)]
pub struct TouchedBy {
    /// The table.
    pub table: Located<TableName>,
    /// A SELECT of the driving table's key, in which `{rows}` is the condition for the changed rows.
    pub sql: Located<String>,
}

impl DerivedSpec {
    /// The name of its job.
    pub fn build_job(&self) -> String {
        format!("build-{}", self.name.as_str().replace('_', "-"))
    }

    /// The table in the warehouse that remembers which rows belong to which.
    pub fn members(&self) -> String {
        format!("{}_members", self.target)
    }

    /// What the names of the tables begin with that a build makes for itself.
    pub fn builds(&self) -> String {
        format!("{}_build_", self.target)
    }

    /// The columns by which the warehouse sorts.
    pub fn order_by(&self) -> &[Located<DerivedColumnName>] {
        if self.order_by.is_empty() { &self.key } else { &self.order_by }
    }
}
