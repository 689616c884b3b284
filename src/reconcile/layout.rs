//! What of a table is compared: the columns of the pipeline's file, and those that `sync-schema` has added to the warehouse. Both servers are
//! asked for the text of each value; equal canonical texts are equal values.

use std::sync::Arc;

use crate::reconcile::added::Added;
use crate::rows::Column;
use crate::source::SourceColumn;
use crate::sql;
use crate::tables::Table;
use crate::types::{AddedType, ColumnType};
use crate::warehouse::{self, DerivedColumn, identifier};

/// No text.
const NULL_IN_WAREHOUSE: &str = "CAST(NULL, 'Nullable(String)')";

/// A table's columns, on both sides, at one moment.
#[derive(Debug)]
pub struct Layout<'t> {
    /// The table.
    pub table: &'t Table,
    /// The columns that are compared, in the order of a row's texts.
    pub columns: Arc<[ComparedColumn]>,
    /// Columns that are not compared, each with the reason.
    pub not_compared: Vec<String>,
    /// Columns of the source that cannot be written as an event would have them.
    pub unwritten: Vec<String>,
    /// Of each column of the file, what PostgreSQL is asked for; `None`: it is not compared.
    pub(super) asked: Vec<Option<String>>,
    pub(super) added: Vec<Added>,
    /// The other columns of the source: name, and value as an event has it.
    unknown: Vec<(String, String)>,
}

/// A column that is compared.
#[derive(Debug, Clone)]
pub struct ComparedColumn {
    /// Its name.
    pub name: String,
    /// Its type, if the file knows it.
    column_type: Option<ColumnType>,
}

impl ComparedColumn {
    /// A text of it, as people see it: JSON.
    pub fn shown(&self, text: Option<&String>) -> String {
        match (text, &self.column_type) {
            (None, _) => "null".to_owned(),
            (Some(text), Some(column_type)) => column_type.as_json(text),
            (Some(text), None) => serde_json::Value::from(text.as_str()).to_string(),
        }
    }
}

impl<'t> Layout<'t> {
    /// Of the columns that the source has, and those that the warehouse has.
    pub fn of(table: &'t Table, in_source: &[SourceColumn], in_warehouse: &[warehouse::ExistingColumn]) -> Layout<'t> {
        let mut layout = Layout {
            table,
            columns: Arc::default(),
            not_compared: Vec::new(),
            unwritten: Vec::new(),
            asked: Vec::new(),
            added: Vec::new(),
            unknown: Vec::new(),
        };
        for column in table.columns() {
            layout.own(column, in_source);
        }
        for column in in_source.iter().filter(|column| table.schema.is_unknown(&column.name) && !column.generated) {
            layout.unknown(column, in_warehouse);
        }
        let is_gone = |name: &str| !in_source.iter().any(|column| column.name == name);
        let dropped = in_warehouse.iter().filter(|column| DerivedColumn::of(column).is_some() && is_gone(&column.name));
        layout.not_compared.extend(dropped.map(|column| format!("{} is no longer in PostgreSQL", column.name)));
        let own = table.columns().iter().map(|column| (&column.name, Some(column.column_type.clone())));
        let added = layout.added.iter().map(|added| (&added.name, None));
        let all = own.chain(added).map(|(name, column_type)| ComparedColumn { name: name.clone(), column_type });
        layout.columns = all.collect();
        layout
    }

    /// A column of the file. Its value is read as of the type that the source has by now: what does not fit is refused then, as its events are.
    fn own(&mut self, column: &Column, in_source: &[SourceColumn]) {
        let named = |name: &str| in_source.iter().find(|it| it.name == name);
        let found = named(&column.name).or_else(|| named(column.was.as_deref()?));
        let Some(now) = found else {
            self.asked.push(Some("NULL::text".to_owned()));
            return;
        };
        let name = sql::postgres::identifier(&now.name);
        let known = &column.column_type;
        let asked = if known.source().text == now.source_type.text {
            known.in_postgres(&name)
        } else {
            let now = ColumnType::of(now.source_type.clone(), &self.table.connector).ok();
            Some(now.and_then(|now| now.in_postgres(&name)).unwrap_or_else(|| format!("{name}::text")))
        };
        if asked.is_none() {
            self.not_compared.push(format!(
                "{} is {}, which PostgreSQL writes in another way than the connector",
                column.name,
                known.source().text
            ));
        }
        self.asked.push(asked);
    }

    fn unknown(&mut self, column: &SourceColumn, in_warehouse: &[warehouse::ExistingColumn]) {
        let name = sql::postgres::identifier(&column.name);
        match AddedType::of(&column.source_type, &self.table.connector).sent(&name) {
            Some(sent) => self.unknown.push((name, sent)),
            None => self.unwritten.push(column.name.clone()),
        }
        match Added::of(column, in_warehouse, &self.table.connector) {
            Ok(added) => self.added.push(added),
            Err(why) => self.not_compared.push(format!("{} {why}", column.name)),
        }
    }

    /// SQL for a row of the source, as [`Layout::of_source`] reads it.
    pub fn in_source(&self) -> String {
        let own = self.asked.iter().map(|asked| asked.as_deref().unwrap_or("NULL::text"));
        let texts: Vec<&str> = own.chain(self.added.iter().map(|added| added.in_postgres.as_str())).collect();
        let unknown: Vec<String> = self.unknown.iter().map(|(name, sent)| format!("{sent} AS {name}")).collect();
        let extra = match unknown.as_slice() {
            [] => "NULL::json".to_owned(),
            unknown => {
                format!("(SELECT row_to_json(lockstep_row) FROM (SELECT {}) AS lockstep_row)", unknown.join(", "))
            }
        };
        format!("json_build_array(ARRAY[{}]::text[], {extra})::text", texts.join(", "))
    }

    /// SQL for the texts of a warehouse row.
    pub fn in_warehouse(&self) -> String {
        let own = self.table.columns().iter().zip(&self.asked).map(|(column, asked)| match asked {
            Some(_) => column.column_type.in_clickhouse(&identifier(&column.name)),
            None => NULL_IN_WAREHOUSE.to_owned(),
        });
        let texts: Vec<String> = own.chain(self.added.iter().map(|added| added.in_clickhouse.clone())).collect();
        format!("[{}]", texts.join(", "))
    }

    /// The columns of the file that are not compared, by place: a repair keeps what the warehouse has of them.
    pub fn kept(&self) -> impl Iterator<Item = usize> {
        self.asked.iter().enumerate().filter(|(_, asked)| asked.is_none()).map(|(place, _)| place)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::tables::Pipeline;
    use crate::types::SourceType;
    use serde_json::json;

    pub fn source(name: &str, text: &str) -> SourceColumn {
        SourceColumn {
            name: name.to_owned(),
            source_type: SourceType::of_catalogue(text, true),
            ..SourceColumn::default()
        }
    }

    pub fn kept(name: &str, postgres_type: &str) -> warehouse::ExistingColumn {
        let comment = format!("from _extra: {}", json!({"postgres_type": postgres_type}));
        warehouse::ExistingColumn { name: name.to_owned(), comment, ..warehouse::ExistingColumn::default() }
    }

    pub fn layout(columns: &[SourceColumn], in_warehouse: &[warehouse::ExistingColumn]) -> Layout<'static> {
        let own = [source("region_id", "smallint"), source("region_description", "bpchar")];
        Layout::of(Pipeline::embedded().table("region").unwrap(), &[&own, columns].concat(), in_warehouse)
    }

    #[test]
    fn what_is_not_compared_is_named_with_the_reason() {
        let by_hand = warehouse::ExistingColumn {
            name: "mine".to_owned(),
            default_kind: "DEFAULT".to_owned(),
            ..warehouse::ExistingColumn::default()
        };
        let in_warehouse =
            [kept("place", "point"), kept("size", "integer"), kept("gone", "text"), by_hand, kept("fine", "text")];
        let columns = [
            source("place", "point"),
            source("size", "numeric(10,2)"),
            source("new", "text"),
            source("mine", "text"),
            source("fine", "character varying(9)"),
        ];
        let layout = layout(&columns, &in_warehouse);
        assert_eq!((layout.added[0].name.as_str(), layout.added.len()), ("fine", 1));
        assert_eq!(layout.unwritten, ["place"]);
        let expected = [
            "place is point, of which it is not known what the connector makes of it",
            "size was integer and is numeric(10,2) now: sync-schema says what to do",
            "new is not in the warehouse: sync-schema adds it",
            "mine was added to the warehouse by hand",
            "gone is no longer in PostgreSQL",
        ];
        assert_eq!(layout.not_compared, expected);
    }
}
