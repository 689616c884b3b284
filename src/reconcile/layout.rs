//! What of a table is compared: the columns of the pipeline's file, and those that `sync-schema` has added to the warehouse. Both servers are
//! asked for the text of each value; equal canonical texts are equal values.

use std::sync::Arc;

use anyhow::Result;
use serde_json::value::RawValue;

use crate::cdc::{Fields, Lsn};
use crate::exit::needs_person;
use crate::reconcile::added::Added;
use crate::reconcile::key::Key;
use crate::reconcile::rows::{EventOf, SideRow};
use crate::rows::{Column, Row};
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
    asked: Vec<Option<String>>,
    added: Vec<Added>,
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

    /// A row as the source has it; what the warehouse cannot hold stays as it is, and is told.
    ///
    /// # Errors
    /// The warehouse cannot hold its key.
    pub fn of_source(&self, json: &str) -> Result<SideRow> {
        let (mut texts, extra): (Vec<Option<String>>, &RawValue) = serde_json::from_str(json)?;
        let key = Key::of(&self.table.schema, &texts).map_err(|why| {
            let relation = &self.table.relation;
            needs_person(format!(
                "the warehouse cannot hold a key of {relation}: {why}; correct the row in PostgreSQL: until then the table cannot be compared"
            ))
        })?;
        let mut refused = None;
        for ((column, asked), text) in self.table.columns().iter().zip(&self.asked).zip(&mut texts) {
            match canonical(column, text.as_deref()).filter(|_| asked.is_some()).transpose() {
                Ok(canonical) => *text = canonical,
                Err(why) => refused = refused.or(Some(format!("{}: {why}", column.name))),
            }
        }
        let mut misfits = Vec::new();
        for (added, text) in self.added.iter().zip(&mut texts[self.asked.len()..]) {
            let Some(answer) = text.take() else { continue };
            *text = added.added_type.canonical(&answer);
            if text.is_none() {
                misfits.push(added.name.clone());
            }
        }
        let extra = if extra.get() == "null" { String::new() } else { extra.get().to_owned() };
        Ok(SideRow { key, texts, extra, misfits, refused, event: None })
    }

    /// A row of the warehouse. What its types cannot have written stays as it is.
    ///
    /// # Errors
    /// Its key is not one of this table.
    pub fn of_warehouse(&self, mut texts: Vec<Option<String>>, event: EventOf) -> Result<SideRow> {
        let key = Key::of(&self.table.schema, &texts)?;
        for (column, text) in self.table.columns().iter().zip(&mut texts) {
            let canonical = text.as_ref().and_then(|text| column.column_type.canonical(text).ok());
            *text = canonical.or(text.take());
        }
        for (added, text) in self.added.iter().zip(&mut texts[self.asked.len()..]) {
            *text = text.take().and_then(|text| added.added_type.canonical_kept(text));
        }
        Ok(SideRow { key, texts, extra: String::new(), misfits: Vec::new(), refused: None, event: Some(event) })
    }

    /// The texts of a row that an event has brought; `lsn` is the event's place in the log.
    pub fn of_event(&self, row: Row<'_>, lsn: Option<Lsn>) -> Result<Vec<Option<String>>> {
        let text = |(place, column): (usize, &Column)| {
            let text = self.asked[place].as_ref().and_then(|_| column.column_type.text(row.cell(place)));
            text.map(|text| text.into_owned())
        };
        let mut texts: Vec<Option<String>> = self.table.columns().iter().enumerate().map(text).collect();
        let extra = row.system().extra;
        let fields = Fields::parse(if extra.is_empty() { "{}" } else { extra })?;
        for added in &self.added {
            texts.push(added.of_event(&fields, lsn)?);
        }
        Ok(texts)
    }

    /// The columns of the file that are not compared, by place: a repair keeps what the warehouse has of them.
    pub fn kept(&self) -> impl Iterator<Item = usize> {
        self.asked.iter().enumerate().filter(|(_, asked)| asked.is_none()).map(|(place, _)| place)
    }
}

/// The canonical text of what the source has; or why no event can bring it.
fn canonical(column: &Column, answer: Option<&str>) -> Option<Result<String, String>> {
    match answer {
        Some(answer) => Some(column.column_type.canonical(answer)),
        None if column.column_type.nullable() => None,
        None => Some(Err("it is NULL, or not there, and the pipeline's file says not null".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::Pipeline;
    use crate::types::SourceType;
    use serde_json::json;

    fn source(name: &str, text: &str) -> SourceColumn {
        SourceColumn {
            name: name.to_owned(),
            source_type: SourceType::of_catalogue(text, true),
            ..SourceColumn::default()
        }
    }

    fn kept(name: &str, postgres_type: &str) -> warehouse::ExistingColumn {
        let comment = format!("from _extra: {}", json!({"postgres_type": postgres_type}));
        warehouse::ExistingColumn { name: name.to_owned(), comment, ..warehouse::ExistingColumn::default() }
    }

    fn layout(columns: &[SourceColumn], in_warehouse: &[warehouse::ExistingColumn]) -> Layout<'static> {
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

    #[test]
    fn a_row_is_the_same_texts_on_both_sides() {
        let layout = layout(&[source("price", "numeric(10,2)")], &[kept("price", "numeric(12,2)")]);
        let of_source = layout.of_source(r#"[["1","x","12.5"],{"price":"12.50"}]"#).unwrap();
        let event: EventOf = serde_json::from_value(json!({
            "_version": 1, "_deleted": 0, "op": "c", "_lsn": null, "_tx_id": null, "_source_ts_ms": 0, "_partition": 0, "_offset": 0
        }))
        .unwrap();
        let texts = ["1", "x", "12.5"].map(|text| Some(text.to_owned())).to_vec();
        let of_warehouse = layout.of_warehouse(texts, event).unwrap();
        assert_eq!((&of_source.key, &of_source.texts), (&of_warehouse.key, &of_warehouse.texts));
        assert_eq!(of_source.extra, r#"{"price":"12.50"}"#);
    }

    #[test]
    fn what_no_event_can_bring_is_refused_and_what_an_added_column_cannot_hold_is_a_misfit() {
        let layout = layout(&[source("born", "date")], &[kept("born", "date")]);
        let row = layout.of_source(r#"[["1",null,"1815-06-18"],null]"#).unwrap();
        assert!(row.refused.is_some_and(|why| why.starts_with("region_description: it is NULL")));
        assert_eq!((row.misfits, row.texts[2].clone()), (vec!["born".to_owned()], None));
    }
}
