//! The rows of a window, one behind the other as they are sent, and where each column of each row begins.

use crate::cdc::{EventMeta, Lsn, Op, Source, Standing};
use crate::types::write_text;

/// The place of a row among those of its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RowId(usize);

impl RowId {
    /// How many rows stand before it.
    pub fn place(self) -> usize {
        self.0
    }
}

/// Rows as RowBinary.
#[derive(Debug, Default)]
pub struct Rows {
    /// Columns of the source.
    width: usize,
    pub(super) bytes: Vec<u8>,
    /// Where each cell ends, counted from its row's first byte.
    pub(super) ends: Vec<u32>,
    /// Where each row begins.
    starts: Vec<usize>,
}

/// A row: its columns, then its system columns.
#[derive(Debug, Clone, Copy)]
pub struct Row<'r> {
    bytes: &'r [u8],
    ends: &'r [u32],
}

/// The system columns of a row (design: `docs/DESIGN.md`, "Columns that every row has").
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp<'s> {
    pub meta: &'s EventMeta,
    pub version: u64,
    /// Seconds since the epoch.
    pub updated_at: u32,
    /// When the source committed it, seconds and milliseconds since the epoch.
    pub src_ts: u32,
    pub source_ts_ms: i64,
    pub partition: i32,
    pub offset: i64,
    /// JSON of columns that the schema does not know, or empty.
    pub extra: &'s str,
}

/// A place to go back to when a row cannot be finished.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub bytes: usize,
    pub ends: usize,
}

impl Rows {
    /// Of tables with this many columns.
    pub fn new(width: usize) -> Rows {
        Rows { width, ..Rows::default() }
    }

    /// As [`Rows::new`], with room for so many bytes.
    pub fn with_capacity(width: usize, bytes: usize) -> Rows {
        Rows { bytes: Vec::with_capacity(bytes), ..Rows::new(width) }
    }

    /// The rows from the `n`th on, in the order in which they were written.
    pub fn from(&self, n: usize) -> impl Iterator<Item = Row<'_>> {
        (n..self.starts.len()).map(|n| self.row(RowId(n)))
    }

    /// A row of it.
    pub fn row(&self, id: RowId) -> Row<'_> {
        let end = self.starts.get(id.0 + 1).copied().unwrap_or(self.bytes.len());
        Row { bytes: &self.bytes[self.starts[id.0]..end], ends: &self.ends[id.0 * self.width..(id.0 + 1) * self.width] }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Bytes of all rows.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets the rows and keeps the room that they had.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.starts.clear();
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { bytes: self.bytes.len(), ends: self.ends.len() }
    }

    pub(super) fn back_to(&mut self, mark: Mark) {
        self.bytes.truncate(mark.bytes);
        self.ends.truncate(mark.ends);
    }

    /// A cell of the row that begins at `mark` and is not finished.
    pub(super) fn cell(&self, mark: Mark, place: usize) -> &[u8] {
        let ends = &self.ends[mark.ends..];
        let start = if place == 0 { 0 } else { ends[place - 1] as usize };
        &self.bytes[mark.bytes + start..mark.bytes + ends[place] as usize]
    }

    /// Ends the cell that was written last.
    pub(super) fn end_cell(&mut self, mark: Mark) {
        self.ends.push((self.bytes.len() - mark.bytes) as u32);
    }

    /// Writes a row that no event has brought. `cell` appends the cell of the column at a place.
    ///
    /// # Errors
    /// Those of `cell`.
    pub fn put<E>(
        &mut self,
        cell: impl Fn(usize, &mut Vec<u8>) -> Result<(), E>,
        standing: &Standing,
        updated_at: u32,
        extra: &str,
    ) -> Result<RowId, E> {
        let mark = self.mark();
        for place in 0..self.width {
            cell(place, &mut self.bytes).inspect_err(|_| self.back_to(mark))?;
            self.end_cell(mark);
        }
        let Standing { version, partition, offset, lsn, ts_ms, deleted } = *standing;
        let meta = EventMeta {
            op: if deleted { Op::Delete } else { Op::Read },
            source: Source { own_lsn: lsn, ..Source::default() },
        };
        let src_ts = u32::try_from(ts_ms.div_euclid(1_000)).unwrap_or_default();
        let stamp = Stamp { meta: &meta, version, updated_at, src_ts, source_ts_ms: ts_ms, partition, offset, extra };
        Ok(self.finish(mark, &stamp))
    }

    /// Writes the system columns behind the cells: the row is complete.
    pub(super) fn finish(&mut self, mark: Mark, stamp: &Stamp<'_>) -> RowId {
        let out = &mut self.bytes;
        write_text(stamp.meta.op.letter(), out);
        out.extend_from_slice(&stamp.src_ts.to_le_bytes());
        out.extend_from_slice(&stamp.version.to_le_bytes());
        out.push(u8::from(stamp.meta.op == Op::Delete));
        out.extend_from_slice(&stamp.updated_at.to_le_bytes());
        out.extend_from_slice(&stamp.source_ts_ms.to_le_bytes());
        for number in [stamp.meta.source.lsn().map(Lsn::get), stamp.meta.source.tx_id] {
            match number {
                Some(number) => {
                    out.push(0);
                    out.extend_from_slice(&number.to_le_bytes());
                }
                None => out.push(1),
            }
        }
        out.extend_from_slice(&stamp.partition.to_le_bytes());
        out.extend_from_slice(&stamp.offset.to_le_bytes());
        write_text(stamp.extra, out);
        self.starts.push(mark.bytes);
        RowId(self.starts.len() - 1)
    }
}

impl<'r> Row<'r> {
    /// The row as it is sent.
    pub fn bytes(self) -> &'r [u8] {
        self.bytes
    }

    /// The bytes of the column at a place.
    pub fn cell(self, place: usize) -> &'r [u8] {
        let start = if place == 0 { 0 } else { self.ends[place - 1] as usize };
        &self.bytes[start..self.ends[place] as usize]
    }

    /// Where it stands.
    pub fn standing(self) -> Standing {
        self.system().standing
    }

    /// Its system columns.
    pub fn system(self) -> System<'r> {
        let mut rest = Rest(&self.bytes[self.ends.last().map_or(0, |end| *end as usize)..]);
        let op = rest.text();
        let _src_ts: [u8; 4] = rest.take();
        let version = u64::from_le_bytes(rest.take());
        let [deleted] = rest.take();
        let _updated_at: [u8; 4] = rest.take();
        let ts_ms = i64::from_le_bytes(rest.take());
        let lsn = rest.optional().map(Lsn);
        let tx_id = rest.optional();
        let partition = i32::from_le_bytes(rest.take());
        let offset = i64::from_le_bytes(rest.take());
        let standing = Standing { version, partition, offset, lsn, ts_ms, deleted: deleted != 0 };
        System { op, standing, tx_id, extra: rest.text() }
    }
}

/// The system columns of a row, without the times of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct System<'r> {
    /// Debezium's op.
    pub op: &'r str,
    /// Where it stands.
    pub standing: Standing,
    /// Top-level transaction id.
    pub tx_id: Option<u64>,
    /// JSON of columns that the schema does not know, or empty.
    pub extra: &'r str,
}

impl System<'_> {
    /// As texts: op, version, deleted, source_ts_ms, lsn, tx_id, partition, offset, extra.
    pub fn texts(&self) -> [Option<String>; 9] {
        let Standing { version, partition, offset, lsn, ts_ms, deleted } = self.standing;
        [
            Some(self.op.to_owned()),
            Some(version.to_string()),
            Some(u8::from(deleted).to_string()),
            Some(ts_ms.to_string()),
            lsn.map(|lsn| lsn.get().to_string()),
            self.tx_id.map(|tx_id| tx_id.to_string()),
            Some(partition.to_string()),
            Some(offset.to_string()),
            Some(self.extra.to_owned()),
        ]
    }
}

/// What is left of the system columns' bytes.
struct Rest<'r>(&'r [u8]);

impl<'r> Rest<'r> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (taken, rest) = self.0.split_first_chunk::<N>().map_or(([0; N], &[][..]), |(taken, rest)| (*taken, rest));
        self.0 = rest;
        taken
    }

    fn optional(&mut self) -> Option<u64> {
        let [is_null] = self.take();
        (is_null == 0).then(|| u64::from_le_bytes(self.take()))
    }

    /// Its length in LEB128, its bytes.
    fn text(&mut self) -> &'r str {
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let [byte] = self.take();
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 || shift > 28 {
                break;
            }
        }
        let (text, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        std::str::from_utf8(text).unwrap_or_default()
    }
}
