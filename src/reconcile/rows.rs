//! Rows of both sides in one form: a canonical text for each column.

use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Read, Seek, Write};

use anyhow::{Context, Error, Result};
use serde::Deserialize;

use crate::cdc::Lsn;
use crate::exit::needs_person;
use crate::reconcile::key::Key;
use crate::reconcile::layout::Layout;
use crate::source;
use crate::warehouse::JsonLines;

/// A row of either side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SideRow {
    /// Its key.
    pub key: Key,
    /// The texts of [`Layout::columns`].
    pub texts: Vec<Option<String>>,
    /// Of a row of the source: what an event would have in `_extra`.
    pub extra: String,
    /// Columns whose value the warehouse cannot hold: there they are NULL.
    pub misfits: Vec<String>,
    /// Of a row of the source that no event can bring: the column, and the reason.
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
    pub lsn: Option<Lsn>,
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

/// The texts of a warehouse row.
#[derive(Deserialize)]
struct Texts {
    #[serde(rename = "_texts")]
    texts: Vec<Option<String>>,
}

impl SideRow {
    /// A row of the warehouse.
    ///
    /// # Errors
    /// It is not a row of this table.
    pub fn of_warehouse(layout: &Layout<'_>, json: &str) -> Result<SideRow> {
        let what = || format!("a row of {}: {json}", layout.table.target);
        let event: EventOf = serde_json::from_str(json).with_context(what)?;
        let Texts { texts } = serde_json::from_str(json).with_context(what)?;
        layout.of_warehouse(texts, event).with_context(what)
    }

    /// Is it there? The warehouse also has rows that say "this key is gone".
    pub fn is_live(&self) -> bool {
        self.event.as_ref().is_none_or(|event| event.deleted == 0)
    }

    /// What its texts take.
    pub fn bytes(&self) -> usize {
        let texts: usize = self.texts.iter().flatten().map(String::len).sum();
        self.key.text.len() + texts + self.extra.len()
    }
}

/// Rows of one side, in the order of the key.
pub trait SideRows {
    /// The next row.
    ///
    /// # Errors
    /// The server, or the disk, fails.
    fn next(&mut self, layout: &Layout<'_>) -> Result<Option<SideRow>>;

    /// All that is left of it.
    ///
    /// # Errors
    /// As [`SideRows::next`].
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

impl SideRows for BufReader<File> {
    fn next(&mut self, layout: &Layout<'_>) -> Result<Option<SideRow>> {
        let mut length = [0; 4];
        match self.read_exact(&mut length) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error).context("reading a temporary file"),
        }
        let mut json = vec![0; u32::from_le_bytes(length) as usize];
        self.read_exact(&mut json).context("reading a temporary file")?;
        layout.of_source(std::str::from_utf8(&json).context("a row that is not UTF-8")?).map(Some)
    }
}

impl SideRows for JsonLines<'_> {
    fn next(&mut self, layout: &Layout<'_>) -> Result<Option<SideRow>> {
        self.next_line()?.map(|line| SideRow::of_warehouse(layout, line)).transpose()
    }
}

impl SideRows for std::vec::IntoIter<SideRow> {
    fn next(&mut self, _: &Layout<'_>) -> Result<Option<SideRow>> {
        Ok(Iterator::next(self))
    }
}
