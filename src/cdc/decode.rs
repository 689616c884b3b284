//! One record → one event. A good record of the usual shape is decoded in one pass over its bytes; everything else
//! (wrapper, unknown columns, key columns missing, unchanged TOAST values) takes the second, slower way.

use std::borrow::Cow;
use std::marker::PhantomData;

use anyhow::Result;
use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;
use typed_arena::Arena;

use crate::cdc::after::{DECODE, Watched, explain, unknown_columns};
use crate::cdc::envelope::{RawEnvelope, Source, is_about, key_object};
use crate::cdc::placeholder::{UNAVAILABLE, UNAVAILABLE_BASE64, is_placeholder};
use crate::cdc::{Fields, Generation, Head, Op, Record, Truncate, Version, Violation};

use crate::old::{KeyOf, RowKey, RowOf, SourceRow, System, Table, Text};

/// What a record says.
#[derive(Debug)]
pub enum Event<'m, T: Table> {
    /// A row was read, inserted, updated or deleted.
    Change(Change<'m, T>),
    /// As `Change`, but some column values were not sent.
    Partial(Partial<'m>),
    /// The table was truncated.
    Truncate(Truncate),
    /// A null value after a delete.
    Tombstone,
    /// It cannot be decoded; with the row's key, if that could be read.
    Bad(Violation, Option<String>),
}

/// A change of one row.
pub struct Change<'m, T: Table> {
    /// What happened.
    pub head: Head,
    /// The row, stamped with its system columns.
    pub row: RowOf<'m, T>,
}

impl<T: Table> std::fmt::Debug for Change<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Change").field("head", &self.head).field("key", &self.row.key_text()).finish()
    }
}

/// A change whose unchanged TOAST values have to be carried forward from an earlier state of the row.
#[derive(Debug, Clone)]
pub struct Partial<'m> {
    /// What happened.
    pub head: Head,
    /// The canonical text of the row's key.
    pub key: String,
    /// `after`, with placeholders.
    pub after: Fields<'m>,
}

impl<'m> Partial<'m> {
    /// The columns whose values were not sent.
    pub fn unavailable(&self) -> impl Iterator<Item = &str> {
        self.after.0.iter().filter(|(_, value)| is_placeholder(value)).map(|(name, _)| name.as_ref())
    }
}

/// Decodes the records of one window of one table.
pub struct Decoder<'m, T: Table> {
    generation: Generation,
    now: u32,
    arena: &'m Arena<String>,
    placeholder: memmem::Finder<'static>,
    placeholder_base64: memmem::Finder<'static>,
    table: PhantomData<T>,
}

impl<'m, T: Table> Decoder<'m, T> {
    /// `now` becomes `_updated_at` (seconds since the epoch); `arena` keeps JSON that had to be put together.
    pub fn new(generation: Generation, now: u32, arena: &'m Arena<String>) -> Self {
        Decoder {
            generation,
            now,
            arena,
            placeholder: memmem::Finder::new(UNAVAILABLE),
            placeholder_base64: memmem::Finder::new(UNAVAILABLE_BASE64),
            table: PhantomData,
        }
    }

    /// Decodes one record.
    ///
    /// # Errors
    /// The offset does not fit in a version. A record that cannot be decoded is no error but [`Event::Bad`].
    pub fn decode(&self, record: &Record<'m>) -> Result<Event<'m, T>> {
        let Some(value) = record.value else { return Ok(Event::Tombstone) };
        let version = Version::of(self.generation, record.offset)?;
        if let Some(change) = self.decode_usual(record, version, value) {
            return Ok(Event::Change(change));
        }
        Ok(self
            .decode_any(record, version, value)
            .unwrap_or_else(|violation| Event::Bad(violation, key_text::<T>(record))))
    }

    /// The usual shape: no wrapper, `after` complete, every column known. `None` if it is anything else.
    fn decode_usual(&self, record: &Record<'m>, version: Version, value: &'m [u8]) -> Option<Change<'m, T>> {
        let is_object = value.first() == Some(&b'{');
        if !is_object || self.placeholder.find(value).is_some() || self.placeholder_base64.find(value).is_some() {
            return None;
        }
        // Checking UTF-8 once for all is cheaper than string by string.
        let text = std::str::from_utf8(value).ok()?;
        let envelope: UsualEnvelope<'m, RowOf<'m, T>> = serde_json::from_str(text).ok()?;
        let head = Head { op: Op::parse(envelope.op)?, source: envelope.source? };
        let after = envelope.after?;
        if after.has_unknown || matches!(head.op, Op::Delete | Op::Truncate) {
            return None;
        }
        let key = serde_json::from_slice::<KeyOf<'m, T>>(record.key?).ok()?;
        if key.text() != after.row.key_text() {
            return None;
        }
        self.stamped(record, version, head, after.row, Text::default()).ok()
    }

    fn decode_any(&self, record: &Record<'m>, version: Version, value: &'m [u8]) -> Result<Event<'m, T>, Violation> {
        let envelope = RawEnvelope::parse(value).map_err(bad)?;
        is_about(T::SOURCE, value).map_err(bad)?;
        let letter = envelope.op.as_deref().ok_or_else(|| bad("no `op`: not a Debezium envelope"))?;
        let op = Op::parse(letter).ok_or_else(|| bad(format!("unknown op {letter:?}")))?;
        let head = Head { op, source: envelope.source.unwrap_or_default() };
        match op {
            Op::Truncate => {
                let lsn = head
                    .source
                    .own_lsn
                    .ok_or_else(|| bad("a truncate without source.lsn says nothing about which rows are gone"))?;
                let ts_ms = committed_at(&head, record)?;
                Ok(Event::Truncate(Truncate { lsn, ts_ms }))
            }
            Op::Delete => self.decode_delete(record, version, head, &envelope),
            Op::Read | Op::Create | Op::Update => {
                let after = envelope.after.ok_or_else(|| bad(format!("op {letter:?} without `after`")))?;
                self.decode_after(record, version, head, after)
            }
        }
    }

    fn decode_delete(
        &self,
        record: &Record<'m>,
        version: Version,
        head: Head,
        envelope: &RawEnvelope<'m>,
    ) -> Result<Event<'m, T>, Violation> {
        let from_key = record.key.and_then(key_object);
        let key = [from_key, envelope.before.map(RawValue::get)]
            .into_iter()
            .flatten()
            .find_map(|json| serde_json::from_str::<KeyOf<'m, T>>(json).ok())
            .ok_or_else(|| bad(format!("no key column ({}) in the message key or in `before`", key_names::<T>())))?;
        self.stamped(record, version, head, RowOf::<'m, T>::deleted(key), Text::default()).map(Event::Change)
    }

    fn decode_after(
        &self,
        record: &Record<'m>,
        version: Version,
        head: Head,
        after: &'m RawValue,
    ) -> Result<Event<'m, T>, Violation> {
        let mut fields = Fields::parse(after.get()).map_err(|e| explain(after.get(), &e))?;
        let complete = self.fill_key(record, &mut fields)?;
        if fields.0.iter().any(|(_, value)| is_placeholder(value)) {
            let json = fields.to_json();
            let key = serde_json::from_str::<KeyOf<'_, T>>(&json).map_err(|e| explain(&json, &e))?;
            return Ok(Event::Partial(Partial { head, key: key.text().into_owned(), after: fields }));
        }
        let json = if complete { after.get() } else { self.arena.alloc(fields.to_json()) };
        self.row_of(record, version, head, json).map(Event::Change)
    }

    /// Takes key columns that `after` does not have from the message key. `Ok(true)` if there was nothing to take.
    fn fill_key(&self, record: &Record<'m>, fields: &mut Fields<'m>) -> Result<bool, Violation> {
        let Some(key_json) = record.key.and_then(key_object) else {
            return match T::KEY.iter().find(|column| fields.get(column.name).is_none()) {
                Some(column) => Err(bad(format!("no key column {} in the message key or in `after`", column.name))),
                None => Ok(true),
            };
        };
        let from_key = Fields::parse(key_json).unwrap_or_default();
        let mut complete = true;
        for column in T::KEY {
            match (fields.get(column.name), from_key.get(column.name)) {
                (Some(_), _) => {}
                (None, Some(value)) => {
                    fields.0.push((Cow::Borrowed(column.name), value));
                    complete = false;
                }
                (None, None) => {
                    return Err(bad(format!("no key column {} in the message key or in `after`", column.name)));
                }
            }
        }
        self.agree(key_json, fields)?;
        Ok(complete)
    }

    /// A message key that names another row than `after` is a broken record, not a matter of taste.
    fn agree(&self, key_json: &'m str, fields: &Fields<'m>) -> Result<(), Violation> {
        let Ok(key) = serde_json::from_str::<KeyOf<'m, T>>(key_json) else { return Ok(()) };
        let after_json = fields.to_json();
        let after = serde_json::from_str::<KeyOf<'_, T>>(&after_json).map_err(|e| explain(&after_json, &e))?;
        if key.text() == after.text() {
            return Ok(());
        }
        Err(bad(format!("the message key says {:?}, `after` says {:?}", key.text(), after.text())))
    }

    /// Decodes a complete `after` and stamps it; unknown columns go to `_extra`.
    pub fn row_of(
        &self,
        record: &Record<'m>,
        version: Version,
        head: Head,
        json: &'m str,
    ) -> Result<Change<'m, T>, Violation> {
        let watched: Watched<RowOf<'m, T>> = serde_json::from_str(json).map_err(|e| explain(json, &e))?;
        let extra = if watched.has_unknown { unknown_columns::<T>(json)? } else { Text::default() };
        self.stamped(record, version, head, watched.row, extra)
    }

    fn stamped(
        &self,
        record: &Record<'m>,
        version: Version,
        head: Head,
        mut row: RowOf<'m, T>,
        extra: Text<'m>,
    ) -> Result<Change<'m, T>, Violation> {
        let ts_ms = committed_at(&head, record)?;
        let src_ts = u32::try_from(ts_ms.div_euclid(1000))
            .map_err(|_| bad(format!("source.ts_ms {ts_ms} is outside 1970..2106")))?;
        row.stamp(System {
            op: Text::from(head.op.letter()),
            src_ts,
            version: version.get(),
            deleted: head.op == Op::Delete,
            updated_at: self.now,
            source_ts_ms: ts_ms,
            lsn: head.source.lsn(),
            tx_id: head.source.tx_id,
            partition: record.partition,
            offset: record.offset,
            extra,
        });
        Ok(Change { head, row })
    }
}

fn committed_at(head: &Head, record: &Record<'_>) -> Result<i64, Violation> {
    let known = head.source.ts_ms.or(record.timestamp_ms);
    known.ok_or_else(|| bad("neither source.ts_ms nor a record timestamp"))
}

fn bad(detail: impl Into<String>) -> Violation {
    Violation::new(DECODE, detail)
}

fn key_names<T: Table>() -> String {
    T::KEY.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
}

/// The row's key as far as the record shows it, for the quarantine.
fn key_text<T: Table>(record: &Record<'_>) -> Option<String> {
    let from_key = record.key.and_then(key_object);
    let envelope = record.value.and_then(|value| RawEnvelope::parse(value).ok());
    let after = envelope.and_then(|e| e.after.or(e.before)).map(RawValue::get);
    [from_key, after]
        .into_iter()
        .flatten()
        .find_map(|json| serde_json::from_str::<KeyOf<'_, T>>(json).ok())
        .map(|key| key.text().into_owned())
}

/// The envelope in its usual shape, row and all in one pass.
#[derive(Deserialize)]
#[serde(bound(deserialize = "R: Deserialize<'de>, 'de: 'm"))]
struct UsualEnvelope<'m, R> {
    op: &'m str,
    after: Option<Watched<R>>,
    source: Option<Source>,
}
