//! The pipeline that this process runs.

use anyhow::Result;

use crate::exit::{needs_person, usage};
use crate::pipeline::{Origin, PipelineSpec, Problem, Problems, RuleSpec, TableSpec};
use crate::rows::Column;
use crate::tables::{RuleLimits, Table, reference, rule};
use crate::types::{ColumnType, Connector};

/// A pipeline that has been read, checked and worked out. It lives as long as the process.
#[derive(Debug)]
pub struct Pipeline {
    /// What its file says.
    pub spec: &'static PipelineSpec,
    /// Which file that is.
    pub origin: Origin,
    /// Its tables, each behind those that it references.
    pub tables: Vec<Table>,
}

impl Pipeline {
    /// Reads a pipeline.
    ///
    /// # Errors
    /// Exit 78 with everything that is wrong, a line each.
    pub fn load(origin: Origin) -> Result<&'static Pipeline> {
        Pipeline::read(origin).map_err(|problems| needs_person(problems.to_string()))
    }

    /// As [`Pipeline::load`], with the problems one by one.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn read(origin: Origin) -> std::result::Result<&'static Pipeline, Problems> {
        let spec: &'static PipelineSpec = Box::leak(Box::new(PipelineSpec::read(&origin)?));
        let mut problems = Vec::new();
        let columns: Vec<Vec<Column>> = spec.tables.iter().map(|table| columns(spec, table, &mut problems)).collect();
        if problems.is_empty() {
            let tables = spec.tables.iter().zip(columns);
            let tables: Vec<Table> =
                tables.filter_map(|(table, columns)| Table::of(spec, table, columns, &mut problems)).collect();
            let mut pipeline = Pipeline { spec, origin, tables };
            if problems.is_empty() {
                reference_each_other(&mut pipeline);
                problems = [reference::problems(&pipeline), rule::problems(&pipeline)].concat();
            }
            if problems.is_empty() {
                return Ok(Box::leak(Box::new(pipeline)));
            }
        }
        problems.sort();
        problems.dedup();
        Err(Problems(problems))
    }

    /// The table of this name.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }

    /// The tables with these names, or all of them.
    ///
    /// # Errors
    /// There is no table of that name.
    pub fn chosen(&'static self, names: &[String]) -> Result<Vec<&'static Table>> {
        if let Some(unknown) = names.iter().find(|name| self.table(name).is_none()) {
            let known: Vec<&str> = self.tables.iter().map(|table| table.name).collect();
            return Err(usage(format!("--table {unknown}: there is no such table; there are {}", known.join(", "))));
        }
        let is_chosen = |table: &&Table| names.is_empty() || names.iter().any(|name| name == table.name);
        Ok(self.tables.iter().filter(is_chosen).collect())
    }

    /// What a client of Kafka is called that commits nothing: `<pipeline>.doctor`.
    pub fn client(&self, what: &str) -> String {
        format!("{}.{what}", self.spec.name)
    }

    /// The topic of the heartbeat's table.
    pub fn heartbeat_topic(&self, prefix: &str) -> String {
        self.spec.connector.heartbeat.topic(prefix)
    }

    /// The script that makes what the source has to have: the one that `init` has written beside the pipeline's file, else the project's.
    pub fn source_script(&self) -> String {
        self.beside("source.sql").unwrap_or_else(|| "postgres/init/02_replication_user.sql".to_owned())
    }

    /// The connector's file, likewise.
    pub fn connector_file(&self) -> String {
        self.beside("connector.json").unwrap_or_else(|| self.spec.connector_file())
    }

    fn beside(&self, name: &str) -> Option<String> {
        let path = self.origin.folder()?.join(name);
        path.exists().then(|| path.display().to_string())
    }

    /// The limits as the file has them.
    pub fn limits(&self) -> RuleLimits {
        RuleLimits::of(self.spec)
    }

    /// The one that is compiled in, for unit tests.
    #[cfg(test)]
    pub fn embedded() -> &'static Pipeline {
        static EMBEDDED: std::sync::OnceLock<&'static Pipeline> = std::sync::OnceLock::new();
        EMBEDDED.get_or_init(|| Pipeline::read(Origin::Embedded).unwrap_or_else(|problems| panic!("{problems}")))
    }
}

/// The connector's settings, as the types need them.
pub(super) fn connector(spec: &PipelineSpec) -> Connector {
    let connector = &spec.connector;
    Connector {
        decimal: connector.decimal_handling,
        time: connector.time_precision,
        binary: connector.binary_handling,
        ..Connector::default()
    }
}

/// A table's columns with their types; what is wrong with a type is a problem.
fn columns(spec: &PipelineSpec, table: &TableSpec, problems: &mut Vec<Problem>) -> Vec<Column> {
    let connector = connector(spec);
    let mut columns = Vec::new();
    for column in &table.columns {
        let null = if column.nullable { "null" } else { "not null" };
        let declared = format!("{} {null}", column.source_type);
        let kept_as = column.warehouse_type.as_ref().map(|kept| kept.as_str());
        match ColumnType::parse(&declared, kept_as, &connector) {
            Ok(column_type) => columns.push(Column {
                name: column.name.to_string(),
                was: column.was.as_ref().map(|was| was.to_string()),
                column_type,
            }),
            Err(why) => {
                let at = column.warehouse_type.as_ref().map_or(&column.source_type.at, |kept| &kept.at);
                problems.push(Problem::new(&spec.texts, at, format!("{}.{}: {why}", table.name, column.name), ""));
            }
        }
    }
    columns
}

/// What a reference knows of the table that it leads to is known when all tables are there.
fn reference_each_other(pipeline: &mut Pipeline) {
    let facts = rule::facts(pipeline);
    let parents: Vec<_> = pipeline.tables.iter().map(Table::as_parent).collect();
    for (table, facts) in pipeline.tables.iter_mut().zip(facts) {
        for (reference, facts) in table.references.iter_mut().zip(facts) {
            if let Some(parent) = parents.iter().find(|parent| parent.name == reference.parent.name) {
                reference.parent = parent.clone();
                reference.facts = facts;
                let is_watched = |rule: &RuleSpec| rule.unchanged.iter().any(|name| name.as_str() == reference.name);
                reference.is_watched = table.spec.rules.iter().any(is_watched);
            }
        }
    }
}
