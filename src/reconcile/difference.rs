//! A key that differs, and what is said of it.

use std::sync::Arc;

use crate::cdc::Lsn;
use crate::checks::results::Failure;
use crate::reconcile::layout::ComparedColumn;
use crate::reconcile::rows::{EventOf, SideRow};

/// A key that differs.
#[derive(Debug, Clone)]
pub struct Difference {
    /// Canonical text.
    pub key: String,
    /// The source's row, if it has one.
    pub source: Option<SideRow>,
    /// The warehouse's newest row, if it has one; it may say "this key is gone".
    pub warehouse: Option<SideRow>,
    /// The columns of both.
    pub columns: Arc<[ComparedColumn]>,
    /// Where the log stood at the moment of the source's row.
    pub lsn: Lsn,
    /// What the source's clock said at that moment, in ms.
    pub ts_ms: i64,
}

impl Difference {
    /// The last event that the warehouse has of the key.
    pub fn event(&self) -> Option<&EventOf> {
        self.warehouse.as_ref().and_then(|row| row.event.as_ref())
    }

    /// What its rows take.
    pub fn bytes(&self) -> usize {
        self.source.iter().chain(&self.warehouse).map(SideRow::bytes).sum()
    }

    /// One failure for each column that differs; one for a row that is on one side only.
    pub fn failures(&self) -> Vec<Failure> {
        let event = self.event();
        let base = Failure {
            owner: "pipeline".to_owned(),
            row_key: self.key.clone(),
            partition: event.map(|event| event.partition),
            offset: event.map(|event| event.offset),
            ..Failure::default()
        };
        let is_live = event.is_some_and(|event| event.deleted == 0);
        let columns = |row: &SideRow| Some(self.shown(row));
        match (&self.source, &self.warehouse) {
            (Some(source), Some(warehouse)) if is_live => {
                let texts = source.texts.iter().zip(&warehouse.texts);
                let differing = self.columns.iter().zip(texts).filter(|(_, (source, warehouse))| source != warehouse);
                let failure =
                    |(column, (source, warehouse)): (&ComparedColumn, (&Option<String>, &Option<String>))| Failure {
                        column: column.name.clone(),
                        source_value: Some(column.shown(source.as_ref())),
                        warehouse_value: Some(column.shown(warehouse.as_ref())),
                        ..base.clone()
                    };
                differing.map(failure).collect()
            }
            (Some(source), deleted) => {
                let detail = if deleted.is_some() { "deleted in the warehouse" } else { "missing in the warehouse" };
                vec![Failure { source_value: columns(source), detail: detail.to_owned(), ..base }]
            }
            (None, warehouse) => {
                let warehouse_value = warehouse.as_ref().and_then(columns);
                vec![Failure { warehouse_value, detail: "not in the source any more".to_owned(), ..base }]
            }
        }
    }

    /// A row's columns, as a JSON object.
    pub fn shown(&self, row: &SideRow) -> String {
        let field = |(column, text): (&ComparedColumn, &Option<String>)| {
            format!("{}:{}", serde_json::Value::from(column.name.as_str()), column.shown(text.as_ref()))
        };
        let fields: Vec<String> = self.columns.iter().zip(&row.texts).map(field).collect();
        format!("{{{}}}", fields.join(","))
    }

    /// Why nobody can write the source's row to the warehouse: the column, and the reason.
    pub fn refused(&self) -> Option<&str> {
        self.source.as_ref().and_then(|row| row.refused.as_deref())
    }
}
