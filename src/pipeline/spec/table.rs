//! What a pipeline says of a table: where its rows come from, what they look like, what they have to keep.

use serde_json::{Map, Value};
use strum::{AsRefStr, VariantArray};

use crate::pipeline::name::{ColumnName, PipelineName, ReferenceName, RuleName, SourceName, TableName, TargetName};
use crate::pipeline::text::Located;

/// A table of PostgreSQL. Two fields, because a dot may be part of a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceTable {
    /// Its schema.
    pub schema: SourceName,
    /// Its name.
    pub table: SourceName,
}

impl SourceTable {
    /// Its topic, as Debezium names it: what Kafka does not allow in a topic's name becomes `_`.
    pub fn topic(&self, prefix: &str) -> String {
        let name = format!("{prefix}.{}.{}", self.schema, self.table);
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        // Java counts a letter outside the first 65,536 as two.
        let kept = |c: char| if allowed(c) { c.to_string() } else { "_".repeat(c.len_utf16()) };
        name.chars().map(kept).collect()
    }
}

/// A table: where its rows come from, what they look like, what they have to keep.
#[derive(Debug, Clone)]
pub struct TableSpec {
    /// As the pipeline calls it.
    pub name: Located<TableName>,
    /// In PostgreSQL.
    pub source: Located<SourceTable>,
    /// In the warehouse.
    pub target: Located<TargetName>,
    /// The columns of its key, in the key's order.
    pub key: Vec<Located<ColumnName>>,
    /// Its columns, in the order of the file.
    pub columns: Vec<ColumnSpec>,
    /// The columns of the source that are never read.
    pub excluded: Vec<ExcludedColumn>,
    /// The rows of other tables that its rows reference.
    pub references: Vec<ReferenceSpec>,
    /// The rules that its rows have to keep.
    pub rules: Vec<RuleSpec>,
    /// How many partitions the connector makes its topic with, where that is more than one.
    pub partitions: Option<Located<u32>>,
    /// What becomes of rows whose partition is gone.
    pub dropped_partitions: DroppedPartitions,
    /// What differs in the warehouse's table.
    pub clickhouse: ClickHouseSpec,
}

/// A column.
#[derive(Debug, Clone)]
pub struct ColumnSpec {
    /// Its name, the same in source and warehouse.
    pub name: Located<ColumnName>,
    /// Its type as PostgreSQL's catalogue writes it, without `null` and `not null`.
    pub source_type: Located<String>,
    /// May it be NULL in the source?
    pub nullable: bool,
    /// Its type in the warehouse, where that is not the default for the source's type; NULL apart.
    pub warehouse_type: Option<Located<String>>,
    /// The name it had before.
    pub was: Option<Located<ColumnName>>,
}

/// A column of the source that is never read, stored or shown.
#[derive(Debug, Clone)]
pub struct ExcludedColumn {
    /// Its name.
    pub name: Located<ColumnName>,
    /// Why.
    pub reason: String,
}

/// Columns that hold the key of a row of another table, or of the same one. Not checked where one of them is NULL.
#[derive(Debug, Clone)]
pub struct ReferenceSpec {
    /// Its name.
    pub name: Located<ReferenceName>,
    /// The columns, in the order of the other table's key.
    pub columns: Vec<Located<ColumnName>>,
    /// The other table.
    pub table: Located<TableName>,
    /// Why it matters that the row is there.
    pub why: String,
    /// Values that break it.
    pub example: Example,
}

/// What becomes of the warehouse's rows whose partition the source has dropped or detached: no event tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, AsRefStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum DroppedPartitions {
    /// They stay.
    Keep,
    /// They are differences, and a repair deletes them.
    Delete,
}

/// What happens to a row that breaks a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, AsRefStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum RuleSeverity {
    /// It goes to the quarantine.
    Reject,
    /// It is written, and the breach is recorded.
    Warn,
    /// Nothing: the rule is not judged.
    Off,
}

/// A rule.
#[derive(Debug, Clone)]
pub struct RuleSpec {
    /// Its name.
    pub name: Located<RuleName>,
    /// What has to hold: an SQL expression, as PostgreSQL spells it.
    pub expect: Located<String>,
    /// What happens to a row for which it does not.
    pub severity: RuleSeverity,
    /// Why it matters.
    pub why: String,
    /// Values that break it.
    pub example: Example,
    /// Judged at ingest only, and only while the rows that these references name have not changed since the event.
    pub unchanged: Vec<Located<ReferenceName>>,
}

/// Columns of a row with values that break a rule or a reference.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Example(pub Vec<(ColumnName, Value)>);

/// What differs in the warehouse's table from one that is made by default.
#[derive(Debug, Clone, Default)]
pub struct ClickHouseSpec {
    /// The key's columns in the order in which rows are sorted; empty is the key's own order.
    pub order_by: Vec<Located<ColumnName>>,
    /// Expression; of columns of the key alone, because nothing else of a row stays as it is.
    pub partition_by: Option<Located<String>>,
    /// Expression.
    pub ttl: Option<Located<String>>,
    /// More settings, as `name = value` says them.
    pub settings: Vec<(String, String)>,
}

impl TableSpec {
    /// The column of a name.
    pub fn column(&self, name: &str) -> Option<&ColumnSpec> {
        self.columns.iter().find(|column| column.name.as_str() == name)
    }

    /// The columns by which the warehouse sorts.
    pub fn order_by(&self) -> &[Located<ColumnName>] {
        if self.clickhouse.order_by.is_empty() { &self.key } else { &self.clickhouse.order_by }
    }

    /// How many partitions the connector makes its topic with.
    pub fn partitions(&self) -> u32 {
        self.partitions.as_ref().map_or(1, |partitions| partitions.value)
    }

    /// The name of its ingest job.
    pub fn ingest_job(&self) -> String {
        format!("ingest-{}", self.name.as_str().replace('_', "-"))
    }

    /// The consumer group of its ingest job.
    pub fn group(&self, pipeline: &PipelineName) -> String {
        format!("{pipeline}.{}", self.ingest_job())
    }

    /// Its topic.
    pub fn topic(&self, prefix: &str) -> String {
        self.source.topic(prefix)
    }

    /// The warehouse's view of its live rows.
    pub fn view(&self) -> String {
        format!("v_{}", self.name)
    }
}

impl ReferenceSpec {
    /// The name of the rule that the row is there.
    pub fn rule(&self) -> String {
        format!("{}-exists", self.name.as_str().replace('_', "-"))
    }
}

impl Example {
    /// As a JSON object.
    pub fn to_json(&self) -> Value {
        let fields = self.0.iter().map(|(column, value)| (column.to_string(), value.clone()));
        Value::Object(Map::from_iter(fields))
    }
}
