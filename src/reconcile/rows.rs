//! Rows of both sides in one form: decoded by the table's row type, as the ingest does, and written down again as JSON.

use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Read, Seek, Write};

use anyhow::{Context, Error, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::cdc::Fields;
use crate::exit::needs_person;
use crate::old::Key;
use crate::reconcile::layout::{Layout, Written};
use crate::rows::SYSTEM_COLUMNS;
use crate::source;
use crate::warehouse::JsonLines;

/// A row of either side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SideRow {
    /// Its key.
    pub key: Key,
    /// All columns, as JSON; what cannot be decoded stays as it is.
    pub columns: String,
    /// Of a row of the source: what an event would have in `_extra`.
    pub extra: String,
    /// Columns whose value the warehouse cannot hold: there they are NULL.
    pub misfits: Vec<String>,
    /// Of a row of the source that the row type refuses: the column, and the reason.
    pub refused: Option<String>,
    /// What the warehouse knows besides.
    pub event: Option<EventOf>,
}

/// The event that a warehouse row comes from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EventOf {
    /// `_version`.
    #[serde(rename = "_version")]
    pub version: u64,
    /// `_deleted`.
    #[serde(rename = "_deleted")]
    pub deleted: u8,
    /// `op`; `t` for the mark of a TRUNCATE.
    pub op: String,
    /// `_lsn`.
    #[serde(rename = "_lsn")]
    pub lsn: Option<u64>,
    /// `_tx_id`.
    #[serde(rename = "_tx_id")]
    pub tx_id: Option<u64>,
    /// `_source_ts_ms`.
    #[serde(rename = "_source_ts_ms")]
    pub ts_ms: i64,
    /// `_partition`.
    #[serde(rename = "_partition")]
    pub partition: i32,
    /// `_offset`.
    #[serde(rename = "_offset")]
    pub offset: i64,
}

impl EventOf {
    /// When it was written.
    pub fn written(&self) -> source::Written {
        source::Written { tx_id: self.tx_id, lsn: self.lsn, ts_ms: self.ts_ms }
    }
}

/// The added columns of a warehouse row, as texts.
#[derive(Deserialize)]
struct AddedTexts {
    #[serde(rename = "_added", default)]
    texts: Vec<Option<String>>,
}

impl SideRow {
    /// A row of the source.
    ///
    /// # Errors
    /// It has no key.
    pub fn of_source(layout: &Layout<'_>, json: &str) -> Result<SideRow> {
        let what = || format!("a row of {} has no key: {json}", layout.table.name);
        let key = crate::old::codec(layout.table.name).key(json).with_context(what)?;
        let Written { columns, extra, misfits, refused } = layout.of_source(json).with_context(what)?;
        Ok(SideRow { key, columns, extra, misfits, refused, event: None })
    }

    /// A row of the warehouse.
    ///
    /// # Errors
    /// It is not a row of this table.
    pub fn of_warehouse(layout: &Layout<'_>, json: &str) -> Result<SideRow> {
        let what = || format!("a row of {}: {json}", layout.table.target);
        let event: EventOf = serde_json::from_str(json).with_context(what)?;
        let key = crate::old::codec(layout.table.name).key(json).with_context(what)?;
        let texts = match layout.has_added() {
            true => serde_json::from_str::<AddedTexts>(json).with_context(what)?.texts,
            false => Vec::new(),
        };
        let Written { columns, extra, misfits, refused } = layout.of_warehouse(json, texts).with_context(what)?;
        Ok(SideRow { key, columns, extra, misfits, refused, event: Some(event) })
    }

    /// Is it there? The warehouse also has rows that say "this key is gone".
    pub fn is_live(&self) -> bool {
        self.event.as_ref().is_none_or(|event| event.deleted == 0)
    }

    /// What its texts take.
    pub fn bytes(&self) -> usize {
        self.key.text.len() + self.columns.len() + self.extra.len()
    }

    /// The source's columns alone, for people and for a repair.
    pub fn source_columns(&self) -> Map<String, Value> {
        let mut columns: Map<String, Value> = serde_json::from_str(&self.columns).unwrap_or_default();
        columns.retain(|name, _| !SYSTEM_COLUMNS.contains(&name.as_str()));
        columns
    }
}

/// The columns in which two rows differ, with both values.
pub fn differing_columns(source: &str, warehouse: &str) -> Vec<(String, String, String)> {
    let (source, warehouse) = (Fields::parse(source).unwrap_or_default(), Fields::parse(warehouse).unwrap_or_default());
    let text = |value: Option<&serde_json::value::RawValue>| value.map_or("nothing", |value| value.get()).to_owned();
    warehouse
        .0
        .iter()
        .filter(|(column, value)| source.get(column).map(|other| other.get()) != Some(value.get()))
        .map(|(column, value)| (column.to_string(), text(source.get(column)), text(Some(value))))
        .collect()
}

/// Rows of one side, in the order of the key.
pub trait Side {
    /// The next row.
    ///
    /// # Errors
    /// The server, or the disk, fails.
    fn next(&mut self, layout: &Layout<'_>) -> Result<Option<SideRow>>;

    /// All that is left of it.
    ///
    /// # Errors
    /// As [`Side::next`].
    fn all(&mut self, layout: &Layout<'_>) -> Result<Vec<SideRow>> {
        let mut rows = Vec::new();
        while let Some(row) = self.next(layout)? {
            rows.push(row);
        }
        Ok(rows)
    }
}

/// The source's rows, kept on disk while the transaction that read them is long over. The file has no name: it is gone with the process.
pub struct SpoolWriter {
    out: BufWriter<File>,
}

impl SpoolWriter {
    /// An empty spool.
    ///
    /// # Errors
    /// There is no place for temporary files (78).
    pub fn new() -> Result<SpoolWriter> {
        tempfile::tempfile().map(|file| SpoolWriter { out: BufWriter::new(file) }).map_err(|e| no_room(&e))
    }

    /// Appends a row.
    ///
    /// # Errors
    /// The disk is full (78).
    pub fn push(&mut self, json: &str) -> Result<()> {
        let length = u32::try_from(json.len()).context("a row of 4 GiB")?;
        self.out
            .write_all(&length.to_le_bytes())
            .and_then(|()| self.out.write_all(json.as_bytes()))
            .map_err(|e| no_room(&e))
    }

    /// Ready to be read.
    ///
    /// # Errors
    /// The disk is full (78).
    pub fn finish(self) -> Result<BufReader<File>> {
        let mut file = self.out.into_inner().map_err(|e| no_room(e.error()))?;
        file.rewind().context("reading a temporary file")?;
        Ok(BufReader::new(file))
    }
}

fn no_room(error: &std::io::Error) -> Error {
    needs_person(format!(
        "no room in {} for the source's rows while they are compared: {error}; set TMPDIR to a folder that takes a copy of the \
         table, or, in a container with a read-only root, mount one there (--tmpfs /tmp)",
        std::env::temp_dir().display()
    ))
}

impl Side for BufReader<File> {
    fn next(&mut self, layout: &Layout<'_>) -> Result<Option<SideRow>> {
        let mut length = [0; 4];
        match self.read_exact(&mut length) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error).context("reading a temporary file"),
        }
        let mut json = vec![0; u32::from_le_bytes(length) as usize];
        self.read_exact(&mut json).context("reading a temporary file")?;
        SideRow::of_source(layout, std::str::from_utf8(&json).context("a row that is not UTF-8")?).map(Some)
    }
}

impl Side for JsonLines<'_> {
    fn next(&mut self, layout: &Layout<'_>) -> Result<Option<SideRow>> {
        self.next_line()?.map(|line| SideRow::of_warehouse(layout, line)).transpose()
    }
}

impl Side for std::vec::IntoIter<SideRow> {
    fn next(&mut self, _: &Layout<'_>) -> Result<Option<SideRow>> {
        Ok(Iterator::next(self))
    }
}
