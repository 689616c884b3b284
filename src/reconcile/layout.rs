//! What of a table is compared: the columns of its row type, and those that `sync-schema` has added to the warehouse.

use std::fmt::Write;

use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::cdc::Fields;
use crate::reconcile::value::{Canonical, Kind};
use crate::rows::SYSTEM_COLUMNS;
use crate::rows::refusal;
use crate::source::{SourceColumn, sent_as};
use crate::tables::Table;
use crate::warehouse::{Column, Landing, Origin, identifier};

/// A table's columns, on both sides, at one moment.
#[derive(Debug)]
pub struct Layout<'t> {
    /// The table.
    pub table: &'t Table,
    /// Columns that are not compared, each with the reason.
    pub not_compared: Vec<String>,
    /// Columns of the source that cannot be written as an event would have them.
    pub unwritten: Vec<String>,
    added: Vec<Added>,
    /// Does the source have columns that the row type does not know?
    has_unknown: bool,
}

/// A column besides those of the row type.
#[derive(Debug)]
struct Added {
    name: String,
    kind: Kind,
    origin: Origin,
}

/// A row's columns as both sides write them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// All columns, as a JSON object.
    pub columns: String,
    /// What an event would have in `_extra`.
    pub extra: String,
    /// Columns whose value the warehouse cannot hold.
    pub misfits: Vec<String>,
    /// Why the row type refuses the row: the column, and the reason. Its columns are those that the source has.
    pub refused: Option<String>,
}

impl<'t> Layout<'t> {
    /// Of the columns that the source has, and those that the warehouse has.
    pub fn of(table: &'t Table, source: &[SourceColumn], warehouse: &[Column]) -> Layout<'t> {
        let is_known = |name: &str| table.written.contains(&name) || SYSTEM_COLUMNS.contains(&name);
        let mut layout =
            Layout { table, not_compared: Vec::new(), unwritten: Vec::new(), added: Vec::new(), has_unknown: false };
        for column in source.iter().filter(|column| !is_known(&column.name) && !column.generated) {
            layout.has_unknown = true;
            if sent_as(&column.source_type, &column.name).is_none() {
                layout.unwritten.push(column.name.clone());
            }
            match added(column, warehouse) {
                Ok(added) => layout.added.push(added),
                Err(why) => layout.not_compared.push(format!("{} {why}", column.name)),
            }
        }
        let is_gone = |name: &str| !source.iter().any(|column| column.name == name);
        let dropped = warehouse.iter().filter(|column| Origin::of(column).is_some() && is_gone(&column.name));
        layout.not_compared.extend(dropped.map(|column| format!("{} is no longer in PostgreSQL", column.name)));
        layout
    }

    /// A row as an event has it; `lsn` is the event's place in the log.
    ///
    /// # Errors
    /// A column of the row type cannot be decoded.
    pub fn of_event(&self, json: &str, lsn: Option<u64>) -> serde_json::Result<Written> {
        let columns = crate::old::codec(self.table.name).canonical(json)?;
        let mut written = Written { columns, ..Written::default() };
        self.add_to(&mut written, json, lsn)?;
        Ok(written)
    }

    /// A row as the source has it; what cannot be decoded stays as it is.
    ///
    /// # Errors
    /// It is no JSON object.
    pub fn of_source(&self, json: &str) -> serde_json::Result<Written> {
        let (columns, refused) = match crate::old::codec(self.table.name).canonical(json) {
            Ok(columns) => (columns, None),
            Err(error) => (json.to_owned(), Some(refusal(json, &error))),
        };
        let mut written = Written { columns, refused, ..Written::default() };
        self.add_to(&mut written, json, None)?;
        Ok(written)
    }

    fn add_to(&self, written: &mut Written, json: &str, lsn: Option<u64>) -> serde_json::Result<()> {
        if !self.has_unknown {
            return Ok(());
        }
        let mut fields = Fields::parse(json)?;
        for added in &self.added {
            let value = match added.of_event(&fields, lsn)? {
                Canonical::Null => None,
                Canonical::Text(text) => Some(text),
                Canonical::Misfit => {
                    written.misfits.push(added.name.clone());
                    None
                }
            };
            put(&mut written.columns, &added.name, value);
        }
        fields.0.retain(|(name, _)| !self.table.written.contains(&name.as_ref()));
        written.extra = fields.to_json();
        Ok(())
    }

    /// SQL for the added columns of a warehouse row, behind the others; with a comma before it, or nothing.
    pub fn added_in_warehouse(&self) -> String {
        if !self.has_added() {
            return String::new();
        }
        let texts: Vec<String> =
            self.added.iter().map(|added| added.kind.in_warehouse(&identifier(&added.name))).collect();
        format!(", [{}] AS _added", texts.join(", "))
    }

    /// A row of the warehouse, with the texts of its added columns.
    ///
    /// # Errors
    /// A column of the row type cannot be decoded.
    pub fn of_warehouse(&self, json: &str, texts: Vec<Option<String>>) -> serde_json::Result<Written> {
        let mut columns = crate::old::codec(self.table.name).canonical(json)?;
        for (added, text) in self.added.iter().zip(texts) {
            put(&mut columns, &added.name, text.map(|text| added.kind.of_warehouse(text)));
        }
        Ok(Written { columns, ..Written::default() })
    }

    /// Are there columns besides those of the row type?
    pub fn has_added(&self) -> bool {
        !self.added.is_empty()
    }
}

/// How a column is compared, or why it is not.
fn added(column: &SourceColumn, warehouse: &[Column]) -> Result<Added, String> {
    let (name, source) = (&column.name, &column.source_type);
    let Some(kept) = warehouse.iter().find(|kept| kept.name == *name) else {
        return Err("is not in the warehouse: sync-schema adds it".to_owned());
    };
    let Some(origin) = Origin::of(kept) else {
        return Err("was added to the warehouse by hand".to_owned());
    };
    if sent_as(source, name).is_none() {
        return Err(format!("is {}, of which it is not known what the connector makes of it", source.text));
    }
    if !origin.landing().holds(Landing::of(source)) {
        return Err(format!("was {} and is {} now: sync-schema says what to do", origin.postgres_type, source.text));
    }
    Ok(Added { name: name.clone(), kind: Kind { landing: origin.landing(), source: source.clone() }, origin })
}

impl Added {
    /// What the warehouse makes of an event: the column's value, or, for an event that is older than the column, what PostgreSQL shows.
    fn of_event(&self, fields: &Fields<'_>, lsn: Option<u64>) -> serde_json::Result<Canonical> {
        let untouched = self.origin.untouched.as_ref().filter(|it| lsn.is_none_or(|lsn| lsn < it.before_lsn));
        let before: Option<Box<RawValue>> = untouched.map(|it| to_raw_value(&it.value)).transpose()?;
        Ok(self.kind.of_event(fields.get(&self.name).or(before.as_deref())))
    }
}

/// Puts a field behind the others of a JSON object.
fn put(object: &mut String, name: &str, value: Option<String>) {
    object.pop();
    // To a String, writing cannot fail.
    let _ = write!(object, ",{}:{}}}", Value::from(name), Value::from(value));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceType;
    use crate::tables::Pipeline;
    use serde_json::json;

    fn source(name: &str, text: &str) -> SourceColumn {
        SourceColumn { name: name.to_owned(), source_type: SourceType::parse(text), ..SourceColumn::default() }
    }

    fn kept(name: &str, postgres_type: &str) -> Column {
        let comment = format!("from _extra: {}", json!({"postgres_type": postgres_type}));
        Column { name: name.to_owned(), comment, ..Column::default() }
    }

    fn layout(source: &[SourceColumn], warehouse: &[Column]) -> Layout<'static> {
        Layout::of(Pipeline::embedded().table("region").unwrap(), source, warehouse)
    }

    #[test]
    fn what_is_not_compared_is_named_with_the_reason() {
        let by_hand = Column { name: "mine".to_owned(), default_kind: "DEFAULT".to_owned(), ..Column::default() };
        let warehouse =
            [kept("place", "point"), kept("size", "integer"), kept("gone", "text"), by_hand, kept("fine", "text")];
        let columns = [
            source("place", "point"),
            source("size", "numeric(10,2)"),
            source("new", "text"),
            source("mine", "text"),
            source("fine", "character varying(9)"),
        ];
        let layout = layout(&columns, &warehouse);
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
    fn both_sides_write_an_added_column_the_same_way() {
        let layout = layout(&[source("price", "numeric(10,2)")], &[kept("price", "numeric(12,2)")]);
        let row = r#"{"region_id":1,"region_description":"x","price":"12.50"}"#;
        let of_source = layout.of_source(row).unwrap();
        let warehouse = r#"{"region_id":1,"region_description":"x"}"#;
        assert_eq!(of_source.columns, layout.of_warehouse(warehouse, vec![Some("12.5".to_owned())]).unwrap().columns);
        assert_eq!(of_source.extra, r#"{"price":"12.50"}"#);
        assert!(of_source.columns.ends_with(r#","price":"12.5"}"#), "{}", of_source.columns);
    }
}
