//! A table: its columns and key, its names on all sides, its references.

use xxhash_rust::xxh3::xxh3_64;

use crate::pipeline::{
    PipelineSpec, Problem, SYSTEM_COLUMNS as SYSTEM, TableSpec, WarehouseColumn, create_table, name_in_sql,
};
use crate::rows::{Column, SYSTEM_COLUMNS, Schema};
use crate::sql::postgres::identifier;
use crate::tables::{KeyColumn, Parent, Reference};
use crate::types::{ColumnType, Connector};

/// A table of the pipeline.
#[derive(Debug)]
pub struct Table {
    /// As the pipeline calls it: in flags, in the books, in messages.
    pub name: &'static str,
    /// What the file says.
    pub spec: &'static TableSpec,
    /// In PostgreSQL, schema and all, as SQL.
    pub relation: String,
    /// Its name in the warehouse.
    pub target: &'static str,
    /// What its events are decoded by.
    pub schema: Schema,
    /// The primary key.
    pub key: Vec<KeyColumn>,
    /// The columns of an insert: those of the source, then the system columns.
    pub written: Vec<&'static str>,
    /// How its connector writes values.
    pub connector: Connector,
    /// Stands for what makes its rows what they are: columns, types and key.
    pub layout: u64,
    /// The rows of other tables that a row references.
    pub references: Vec<Reference>,
    pipeline: &'static PipelineSpec,
}

impl Table {
    /// As far as it can be known without the other tables.
    pub(super) fn of(
        pipeline: &'static PipelineSpec,
        spec: &'static TableSpec,
        columns: Vec<Column>,
        problems: &mut Vec<Problem>,
    ) -> Option<Table> {
        let key: Vec<&str> = spec.key.iter().map(|column| column.as_str()).collect();
        let excluded = spec.excluded.iter().map(|column| column.name.to_string()).collect();
        let schema = match Schema::new(spec.source.table.as_str(), columns, &key, excluded) {
            Ok(schema) => schema,
            Err(why) => {
                let at = spec.key.first().map_or(&spec.name.at, |key| &key.at);
                problems.push(Problem::new(&pipeline.texts, at, why, "name another column, or another type"));
                return None;
            }
        };
        let key_column = |(name, place): (&'static str, &usize)| KeyColumn {
            name,
            source_type: schema.columns()[*place].column_type.key_type().unwrap_or("text"),
            column_type: schema.columns()[*place].column_type.clone(),
        };
        let key = spec.key.iter().map(|column| column.as_str()).zip(schema.key()).map(key_column).collect();
        let references = spec.references.iter().map(|reference| Reference::of(reference, &schema)).collect();
        let connector = super::pipeline::connector(pipeline);
        Some(Table {
            name: spec.name.as_str(),
            spec,
            relation: name_in_sql(&spec.source),
            target: spec.target.as_str(),
            key,
            written: spec.columns.iter().map(|column| column.name.as_str()).chain(SYSTEM_COLUMNS).collect(),
            connector,
            layout: xxh3_64(layout(spec, &schema, &connector).as_bytes()),
            references,
            pipeline,
            schema,
        })
    }

    /// The statement that makes the warehouse's table, in this database.
    pub fn ddl(&self, database: &str) -> String {
        let kept = |column: &Column| WarehouseColumn {
            column_type: column.column_type.clickhouse_type(),
            comment: column.column_type.comment().map(str::to_owned),
        };
        create_table(self.pipeline, database, self.spec, &self.columns().iter().map(kept).collect::<Vec<_>>())
    }

    /// The columns of an insert, with the warehouse's types.
    pub fn written_types(&self) -> impl Iterator<Item = (&'static str, String)> {
        let own = self.columns().iter().map(|column| column.column_type.clickhouse_type());
        let system = SYSTEM.iter().map(|column| column.column_type.to_owned());
        self.written.iter().copied().zip(own.chain(system))
    }

    /// How the DDL declares a column that a table has: its type and comment.
    pub fn declaration(&self, name: &str) -> Option<String> {
        let own = self.column_type(name).map(|it| (it.clickhouse_type(), it.comment()));
        let system = || SYSTEM.iter().find(|it| it.name == name).map(|it| (it.column_type.to_owned(), it.comment));
        let (column_type, comment) = own.or_else(system)?;
        Some(comment.map_or_else(|| column_type.clone(), |comment| format!("{column_type} COMMENT '{comment}'")))
    }

    /// The columns that come from the source.
    pub fn columns(&self) -> &[Column] {
        self.schema.columns()
    }

    /// Their names.
    pub fn source_columns(&self) -> impl Iterator<Item = &'static str> {
        self.spec.columns.iter().map(|column| column.name.as_str())
    }

    /// The type of a column.
    pub fn column_type(&self, name: &str) -> Option<&ColumnType> {
        self.columns().iter().find(|column| column.name == name).map(|column| &column.column_type)
    }

    /// The name of its ingest job.
    pub fn ingest_job(&self) -> String {
        self.spec.ingest_job()
    }

    /// Its topic.
    pub fn topic(&self, prefix: &str) -> String {
        self.spec.topic(prefix)
    }

    /// The consumer group of its ingest job.
    pub fn group(&self, prefix: &str) -> String {
        format!("{prefix}.{}", self.ingest_job())
    }

    /// The warehouse's view of its live rows.
    pub fn view(&self) -> String {
        self.spec.view()
    }

    /// The statement by which the source has it sent again; the function stands beside the signal table.
    pub fn send_again(&self) -> String {
        let schema = identifier(self.pipeline.connector.signal.schema.as_str());
        format!("SELECT {schema}.send_again('{}')", self.relation.replace('\'', "''"))
    }

    /// What a reference to it knows of it.
    pub(super) fn as_parent(&self) -> Parent {
        Parent { name: self.name, relation: self.relation.clone(), target: self.target, key: self.key.clone() }
    }
}

/// What rows are made by, as text. No prose, no limits, no rules: whoever changes these writes the same rows.
fn layout(spec: &TableSpec, schema: &Schema, connector: &Connector) -> String {
    let Connector { decimal, time, binary, interval } = connector;
    let modes = [decimal.as_ref(), time.as_ref(), binary.as_ref(), interval.as_ref()].join(" ");
    let columns = schema.columns().iter().map(|column| {
        let Column { name, was, column_type } = column;
        let kept = column_type.clickhouse_type();
        format!("{name:?} {was:?} {:?} {} {kept}", column_type.source().text, column_type.nullable())
    });
    let key = schema.key_names().map(|name| format!("key {name:?}"));
    let excluded = spec.excluded.iter().map(|column| format!("not {:?}", column.name.as_str()));
    let source = format!("{:?} {:?}", spec.source.schema.as_str(), spec.source.table.as_str());
    [modes, source].into_iter().chain(columns).chain(key).chain(excluded).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::Pipeline;

    /// Tokens are made of it: a window that is open while another executable takes over would be written twice.
    #[test]
    fn the_layout_of_a_table_is_the_same_from_one_executable_to_the_next() {
        let table = Pipeline::embedded().table("region").unwrap();
        insta::assert_snapshot!(layout(table.spec, &table.schema, &table.connector), @r#"
        string adaptive bytes numeric
        "public" "region"
        "region_id" None "smallint" false Int64
        "region_description" None "bpchar" false String
        key "region_id"
        "#);
    }
}
