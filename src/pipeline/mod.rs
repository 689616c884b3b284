//! A pipeline is a file: which tables there are, where their rows come from, what they look like, what they have to keep.
//!
//! ```text
//! find   --pipeline, PIPELINE, ./lockstep.toml or the one that is compiled in; and what it includes
//!   │    TOML, with the place of every key and value
//! read   sections → names, columns, references, rules; unknown keys and wrong types are reported
//! check  tables side by side: names that two have, where references lead; each table behind those that it references;
//!   │    derived tables: what their SQL reads and gives
//!   ▼
//! PipelineSpec
//!   │ ddl         the warehouse's tables
//!   │ connector   the keys of the connector's file that follow from it
//!   ▼ source_sql  publication and grants in PostgreSQL
//! ```
//!
//! Everything that is wrong with the files is reported at once: place, what is wrong, what to write instead.

mod check;
mod columns;
mod connector;
mod ddl;
mod derived;
mod derived_check;
mod derived_type;
mod example;
mod find;
mod name;
mod number;
mod order;
mod placeholders;
mod problem;
mod read;
mod section;
mod source_sql;
mod spec;
mod sql;
mod sql_fickle;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod topic_groups;

use std::collections::HashMap;

use toml::Spanned;
use toml::de::DeTable;

use crate::exit::needs_person;
use problem::Report;
use section::Section;
use table::ReadTable;

pub use connector::{connector_file, connector_settings, table_include_list};
pub use ddl::{SYSTEM_COLUMNS, SystemColumn, WarehouseColumn, create_table};
pub(crate) use ddl::{identifier, quoted};
pub use derived_type::{DerivedType, Holds};
pub(crate) use find::fits;
pub use find::{Origin, flag};
pub use name::{
    ColumnName, ConnectorName, DatabaseName, DerivedColumnName, LimitName, PipelineName, ReferenceName, RuleName,
    SlotName, SourceName, TableName, TargetName, TopicPrefix,
};
pub use placeholders::fill;
pub use problem::{Problem, Problems};
pub use source_sql::{grants, name_in_sql, schemas, source};
pub use spec::{
    ClickHouseSpec, ColumnSpec, Connector, DerivedColumn, DerivedSpec, DroppedPartitions, Example, ExcludedColumn,
    Limit, PipelineSpec, ReferenceSpec, RuleSeverity, RuleSpec, SourceTable, TableSpec, Warehouse,
};
pub use table::ENGINE_RULES;
pub(crate) use table::has_word;
pub use text::{At, Located, SqlFile, TextFile, Texts};

impl PipelineSpec {
    /// Reads a pipeline.
    ///
    /// # Errors
    /// Exit 78 with everything that is wrong, a line each.
    pub fn load(origin: &Origin) -> anyhow::Result<PipelineSpec> {
        PipelineSpec::read(origin).map_err(|problems| needs_person(problems.to_string()))
    }

    /// As [`PipelineSpec::load`], with the problems one by one.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn read(origin: &Origin) -> Result<PipelineSpec, Problems> {
        let find::Found { texts, toml, problems } = find::read(origin);
        parse(texts, toml, problems)
    }
}

/// The sections of all files.
#[derive(Default)]
struct Sections {
    pipeline: Option<read::Head>,
    connector: Option<Connector>,
    warehouse: Option<Warehouse>,
    limits: Vec<Limit>,
    tables: Vec<ReadTable>,
    /// The names of all tables, of those with problems too.
    declared: Vec<Located<String>>,
    derived: Vec<DerivedSpec>,
}

/// Makes a pipeline of its texts: the file that was asked for, those that it includes, which together are `toml`, and the SQL that
/// they name. `problems` have been found before.
fn parse(texts: Texts, toml: usize, problems: Vec<Problem>) -> Result<PipelineSpec, Problems> {
    if texts.0.is_empty() {
        return Err(Problems(problems));
    }
    let report = Report::new(&texts);
    report.add(problems);
    let parsed: Vec<Option<Spanned<DeTable<'_>>>> =
        texts.0.iter().take(toml).enumerate().map(|(file, text)| toml_table(file, &text.text, &report)).collect();
    let mut sections = Sections::default();
    for (file, table) in parsed.iter().enumerate() {
        let Some(table) = table else { continue };
        sections.read(Section::new(String::new(), At::new(file, 0..0), table.get_ref(), &report), file == 0);
    }
    // Where a file is no TOML, tables may be missing only because they could not be read.
    if parsed.iter().any(Option::is_none) {
        return Err(report.into_problems());
    }
    let Sections { pipeline, connector, warehouse, limits, tables, declared, derived } = sections;
    if declared.is_empty() {
        report.say(&At::new(0, 0..0), "there is no table", "write [tables.orders], with a table's name");
    }
    let tables = check::tables(tables, &declared, &report);
    if let Some((pipeline, connector)) = pipeline.as_ref().zip(connector.as_ref()) {
        check::beside_the_connector(&tables, &pipeline.topic_prefix, connector, &report);
    }
    derived_check::derived_tables(&derived, &tables, &declared, &report);
    match (report.is_empty(), pipeline, connector, warehouse) {
        (true, Some(head), Some(connector), Some(warehouse)) => {
            let read::Head { name, topic_prefix } = head;
            Ok(PipelineSpec { name, topic_prefix, connector, warehouse, limits, tables, derived, texts })
        }
        _ => Err(report.into_problems()),
    }
}

fn toml_table<'t>(file: usize, text: &'t str, report: &Report<'_>) -> Option<Spanned<DeTable<'t>>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let at = At::new(file, error.span().unwrap_or_default());
        report.say(&at, format!("this is no TOML: {}", error.message()), "");
    }
    errors.is_empty().then_some(table)
}

impl Sections {
    /// Reads a file. Only the main one says what there is once.
    fn read(&mut self, mut file: Section<'_>, main: bool) {
        if main {
            file.texts("include");
            let pipeline = file.main_section("pipeline");
            // Examples of what to write are made of the pipeline's name, if it has a good one.
            self.pipeline = pipeline.and_then(read::head);
            let name = self.pipeline.as_ref().map_or("shop", |head| head.name.as_str()).to_owned();
            let connector = file.main_section("connector");
            self.connector = connector.and_then(|section| read::connector(section, &name));
            let warehouse = file.main_section("warehouse");
            self.warehouse = warehouse.and_then(|section| read::warehouse(section, &name));
            self.limits = file.section("limits").map(read::limits).unwrap_or_default();
        }
        if let Some(tables) = file.section("tables") {
            self.read_tables(tables);
        }
        if let Some(derived) = file.section("derived") {
            self.read_derived(derived);
        }
        file.finish();
    }

    fn read_derived(&mut self, mut derived: Section<'_>) {
        let report = derived.report;
        for entry in derived.rest() {
            let key = Located { value: entry.key.value.to_owned(), at: entry.key.at.clone() };
            let name = TableName::read(key, report);
            let section = entry.section(derived.member(entry.key.value), report);
            self.derived.extend(section.and_then(|section| derived::derived(name, section)));
        }
    }

    fn read_tables(&mut self, mut tables: Section<'_>) {
        let report = tables.report;
        let declared: HashMap<String, At> =
            self.declared.iter().map(|name| (name.value.clone(), name.at.clone())).collect();
        for entry in tables.rest() {
            let key = Located { value: entry.key.value.to_owned(), at: entry.key.at.clone() };
            if declared.contains_key(&key.value) {
                report.say(&key.at, format!("another file has a table {key} too"), "give it another name");
            }
            self.declared.push(key.clone());
            let name = TableName::read(key, report);
            let section = entry.section(tables.member(entry.key.value), report);
            self.tables.extend(section.and_then(|section| table::table(name, section)));
        }
    }
}
