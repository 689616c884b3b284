//! A derived table: its names, and its columns as SQL.

use crate::derived::select::Select;
use crate::pipeline::{DerivedSpec, DerivedType, SqlFile, has_word};
use crate::tables::{Pipeline, Table};
use crate::warehouse::identifier;

/// A derived table of the pipeline.
#[derive(Debug, Clone, Copy)]
pub struct Derived {
    /// What the file says.
    pub spec: &'static DerivedSpec,
    /// The table whose rows it is made of.
    pub driving: &'static Table,
}

impl Derived {
    /// Those of a pipeline.
    pub fn all(pipeline: &'static Pipeline) -> Vec<Derived> {
        let derived = |spec| Some(Derived { spec, driving: pipeline.table(spec.driven_by.as_str())? });
        pipeline.spec.derived.iter().filter_map(derived).collect()
    }

    /// Its name in the warehouse.
    pub fn target(&self) -> &'static str {
        self.spec.target.as_str()
    }

    /// The tables that it is made of, as the pipeline calls them.
    pub fn sources(&self) -> Vec<&'static str> {
        self.spec.touched_by.iter().map(|touched| touched.table.as_str()).collect()
    }

    /// The names of all columns, for SQL.
    pub fn columns(&self) -> String {
        list(self.spec.columns.iter().map(|column| column.name.as_str()))
    }

    /// The names of its key's columns, for SQL.
    pub fn key(&self) -> String {
        list(self.spec.key.iter().map(|column| column.as_str()))
    }

    /// Its key's columns, as a CREATE TABLE says them.
    pub fn key_declared(&self) -> String {
        self.key_types()
            .map(|(name, column_type)| format!("{} {column_type}", identifier(name)))
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// The names of the columns of the driving table's key, for SQL.
    pub fn driving_key(&self) -> String {
        list(self.driving_columns().into_iter())
    }

    /// The columns of the driving table's key, as a CREATE TABLE says them.
    pub fn driving_key_declared(&self) -> Vec<(&'static str, String)> {
        self.driving.key.iter().map(|column| (column.name, column.column_type.clickhouse_type())).collect()
    }

    /// The columns of the membership table: the driving table's key, then those of this one's that are others.
    pub fn member_columns(&self) -> String {
        let own = self.spec.key.iter().map(|column| column.as_str()).filter(|name| !self.is_driving_column(name));
        list(self.driving_columns().into_iter().chain(own))
    }

    /// The columns by which it is partitioned and which are no part of its key: they may change.
    pub fn partition_columns(&self) -> Vec<&'static str> {
        let expression = self.spec.partition_by.as_ref().map(|it| it.as_str()).unwrap_or_default();
        let in_key = |name: &str| self.spec.key.iter().any(|column| column.as_str() == name);
        let columns = self.spec.columns.iter().map(|column| column.name.as_str());
        columns.filter(|name| !in_key(name) && has_word(expression, name)).collect()
    }

    /// Is that a column of the driving table's key?
    pub fn is_driving_column(&self, name: &str) -> bool {
        self.driving.key.iter().any(|column| column.name == name)
    }

    /// The SELECT of its rows, asked for some.
    pub fn rows(&self, placeholder: &str, relation: &str) -> Select {
        let columns = self.spec.columns.iter().map(|column| (column.name.as_str(), &column.column_type)).collect();
        Select {
            sql: self.spec.sql.text.replace(placeholder, relation),
            key: self.spec.key.iter().map(|column| column.as_str()).collect(),
            columns,
            left_out: &self.spec.left_out,
        }
    }

    /// The SELECT of the membership, asked for some rows of the driving table.
    pub fn memberships(&self, membership: &SqlFile, keys: &str) -> Select {
        Select {
            sql: membership.text.replace("{keys}", keys),
            key: self.driving_columns(),
            columns: self.key_types().collect(),
            left_out: &[],
        }
    }

    /// Its key's columns with their types.
    pub fn key_types(&self) -> impl Iterator<Item = (&'static str, &'static DerivedType)> {
        let of = |name: &str| self.spec.columns.iter().find(|column| column.name.as_str() == name);
        self.spec.key.iter().filter_map(move |name| Some((name.as_str(), &of(name.as_str())?.column_type)))
    }

    fn driving_columns(&self) -> Vec<&'static str> {
        self.driving.key.iter().map(|column| column.name).collect()
    }
}

/// Names, one behind the other.
pub fn list<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.map(identifier).collect::<Vec<_>>().join(", ")
}
