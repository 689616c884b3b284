//! A row of the source, of the warehouse or of an event, as the texts of a [`Layout`].

use anyhow::Result;
use serde_json::value::RawValue;

use crate::cdc::{Fields, Lsn};
use crate::exit::needs_person;
use crate::reconcile::key::Key;
use crate::reconcile::layout::Layout;
use crate::reconcile::rows::{EventOf, SideRow};
use crate::rows::{Column, Row};

impl Layout<'_> {
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
    use serde_json::json;

    use super::*;
    use crate::reconcile::layout::tests::{kept, layout, source};

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
