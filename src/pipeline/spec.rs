//! A pipeline that has been read and checked: what the engine knows of the tables it moves.

use serde_json::{Map, Value};

use super::derived_type::DerivedType;
use super::name::{
    ColumnName, ConnectorName, DatabaseName, DerivedColumnName, LimitName, PipelineName, ReferenceName, RuleName,
    SlotName, SourceName, TableName, TargetName, TopicPrefix,
};
use super::number::Number;
use super::text::{Located, SqlFile, Texts};

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

/// What the connector is, and what makes its messages look as they do.
#[derive(Debug, Clone)]
pub struct Connector {
    /// Its name in Kafka Connect.
    pub name: ConnectorName,
    /// The database that it captures.
    pub database: SourceName,
    /// The role it connects as.
    pub role: SourceName,
    /// Its replication slot.
    pub slot: SlotName,
    /// The publication it reads.
    pub publication: SourceName,
    /// The table it writes to, so that the slot moves on while the source is idle.
    pub heartbeat: SourceTable,
    /// The table by which it is asked to send rows again.
    pub signal: SourceTable,
    /// How it sends decimals.
    pub decimal_handling: DecimalHandling,
    /// How it sends dates and times.
    pub time_precision: TimePrecision,
    /// How it sends bytes.
    pub binary_handling: BinaryHandling,
}

/// The databases in ClickHouse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warehouse {
    /// That of the tables.
    pub database: DatabaseName,
    /// That of ledger, quarantine and runs.
    pub ops: DatabaseName,
}

macro_rules! words {
    ($($(#[$doc:meta])* $Name:ident { $($(#[$variant_doc:meta])* $Variant:ident = $word:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $Name { $($(#[$variant_doc])* $Variant,)* }

        impl $Name {
            /// Every one of them.
            pub const ALL: &'static [$Name] = &[$($Name::$Variant),*];

            /// As the file says it.
            pub fn word(self) -> &'static str {
                match self { $($Name::$Variant => $word,)* }
            }
        }
    )*};
}

words! {
    /// Debezium's `decimal.handling.mode`.
    DecimalHandling {
        /// As text, exactly.
        String = "string",
        /// As a binary floating-point number.
        Double = "double",
        /// As bytes in base64.
        Precise = "precise",
    }
    /// Debezium's `time.precision.mode`.
    TimePrecision {
        /// In the column's own unit.
        Adaptive = "adaptive",
        /// The same, but times of day in microseconds.
        AdaptiveTimeMicroseconds = "adaptive_time_microseconds",
        /// In milliseconds.
        Connect = "connect",
        /// As ISO 8601 text.
        IsoString = "isostring",
        /// In microseconds.
        Microseconds = "microseconds",
        /// In nanoseconds.
        Nanoseconds = "nanoseconds",
    }
    /// Debezium's `binary.handling.mode`.
    BinaryHandling {
        /// In JSON the same as base64.
        Bytes = "bytes",
        /// Base64.
        Base64 = "base64",
        /// Base64 with the alphabet for URLs.
        Base64UrlSafe = "base64-url-safe",
        /// Hexadecimal digits.
        Hex = "hex",
    }
    /// What happens to a row that breaks a rule.
    Severity {
        /// It goes to the quarantine.
        Reject = "reject",
        /// It is written, and the breach is recorded.
        Warn = "warn",
        /// Nothing: the rule is not judged.
        Off = "off",
    }
}

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

/// A rule.
#[derive(Debug, Clone)]
pub struct RuleSpec {
    /// Its name.
    pub name: Located<RuleName>,
    /// What has to hold: an SQL expression, as PostgreSQL spells it.
    pub expect: Located<String>,
    /// What happens to a row for which it does not.
    pub severity: Severity,
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
