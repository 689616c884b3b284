//! One record → one event. A good record is decoded in one pass over its bytes, its row straight into RowBinary; everything else (a delete,
//! key columns missing, unchanged TOAST values, what is wrong) takes the second, slower way.

use std::borrow::Cow;

use anyhow::Result;
use serde::de::DeserializeSeed;
use serde_json::value::RawValue;

use crate::cdc::{
    EventMeta, Fields, Generation, Op, RawEnvelope, Record, Truncate, Version, Violation, is_about, is_placeholder,
    key_object,
};
use crate::rows::envelope::EnvelopeSeed;
use crate::rows::event::{Change, Event, IncompleteChange};
use crate::rows::explain::{bad, explain};
use crate::rows::image::{ImageSeed, KeyCells, Scratch};
use crate::rows::store::{Mark, Stamp};
use crate::rows::{Rows, Schema};

/// Decodes the records of one table.
#[derive(Debug)]
pub struct Decoder<'s> {
    schema: &'s Schema,
    generation: Generation,
    now: u32,
    scratch: Scratch,
    key: KeyCells,
}

impl<'s> Decoder<'s> {
    /// `now` becomes `_updated_at` (seconds since the epoch).
    pub fn new(schema: &'s Schema, generation: Generation, now: u32) -> Decoder<'s> {
        Decoder { schema, generation, now, scratch: Scratch::default(), key: KeyCells::default() }
    }

    /// What it decodes by.
    pub fn schema(&self) -> &'s Schema {
        self.schema
    }

    /// Decodes one record; its row goes behind `rows`.
    ///
    /// # Errors
    /// The offset does not fit in a version. A record that cannot be decoded is no error but [`Event::Rejected`].
    pub fn decode<'m>(&mut self, record: &Record<'m>, rows: &mut Rows) -> Result<Event<'m>> {
        let Some(value) = record.value else { return Ok(Event::Tombstone) };
        let version = Version::of(self.generation, record.offset)?;
        let mark = rows.mark();
        if let Some(change) = self.decode_usual(record, version, value, rows, mark) {
            return Ok(Event::Change(change));
        }
        rows.back_to(mark);
        let event = self.decode_any(record, version, value, rows);
        Ok(event.unwrap_or_else(|violation| {
            rows.back_to(mark);
            Event::Rejected(violation, self.key_text(record))
        }))
    }

    /// The usual shape: `after` complete, under the message's key. `None` if it is anything else.
    fn decode_usual(
        &mut self,
        record: &Record<'_>,
        version: Version,
        value: &[u8],
        rows: &mut Rows,
        mark: Mark,
    ) -> Option<Change> {
        if value.first() != Some(&b'{') {
            return None;
        }
        // Checking UTF-8 once for all is cheaper than string by string.
        let text = std::str::from_utf8(value).ok()?;
        let mut json = serde_json::Deserializer::from_str(text);
        let image = ImageSeed { schema: self.schema, rows, scratch: &mut self.scratch };
        let meta = EnvelopeSeed::new(image).deserialize(&mut json).ok()??;
        json.end().ok()?;
        let key = record.key?;
        if self.key.read(self.schema, key).is_err() {
            self.key.read(self.schema, key_object(key)?.as_bytes()).ok()?;
        }
        let agrees = |(n, place): (usize, &usize)| self.key.cell(n) == rows.cell(mark, *place);
        if !self.schema.key().iter().enumerate().all(agrees) {
            return None;
        }
        self.stamped(record, version, meta, rows, mark).ok()
    }

    fn decode_any<'m>(
        &mut self,
        record: &Record<'m>,
        version: Version,
        value: &'m [u8],
        rows: &mut Rows,
    ) -> Result<Event<'m>, Violation> {
        let envelope = RawEnvelope::parse(value).map_err(bad)?;
        is_about(self.schema.table(), value).map_err(bad)?;
        let letter = envelope.op.as_deref().ok_or_else(|| bad("no `op`: not a Debezium envelope"))?;
        let op = letter.parse().map_err(|_| bad(format!("unknown op {letter:?}")))?;
        let meta = EventMeta { op, source: envelope.source.unwrap_or_default() };
        match op {
            Op::Truncate => {
                let lsn = meta
                    .source
                    .own_lsn
                    .ok_or_else(|| bad("a truncate without source.lsn says nothing about which rows are gone"))?;
                Ok(Event::Truncate(Truncate { lsn, ts_ms: committed_at(&meta, record)? }))
            }
            Op::Delete => self.decode_delete(record, version, meta, &envelope, rows),
            Op::Read | Op::Create | Op::Update => {
                let after = envelope.after.ok_or_else(|| bad(format!("op {letter:?} without `after`")))?;
                self.decode_after(record, version, meta, after, rows)
            }
        }
    }

    /// Key columns only: with REPLICA IDENTITY DEFAULT the other columns of `before` are placeholders.
    fn decode_delete<'m>(
        &mut self,
        record: &Record<'m>,
        version: Version,
        meta: EventMeta,
        envelope: &RawEnvelope<'m>,
        rows: &mut Rows,
    ) -> Result<Event<'m>, Violation> {
        let from_key = record.key.and_then(key_object);
        let found = [from_key, envelope.before.map(RawValue::get)]
            .into_iter()
            .flatten()
            .any(|json| self.key.read(self.schema, json.as_bytes()).is_ok());
        if !found {
            return Err(bad(format!("no key column ({}) in the message key or in `before`", self.key_names())));
        }
        let mark = rows.mark();
        self.scratch.extra.clear();
        for (place, column) in self.schema.columns().iter().enumerate() {
            match self.schema.key().iter().position(|key| *key == place) {
                Some(n) => rows.bytes.extend_from_slice(self.key.cell(n)),
                None => column.column_type.write_default(&mut rows.bytes),
            }
            rows.end_cell(mark);
        }
        self.stamped(record, version, meta, rows, mark).map(Event::Change)
    }

    fn decode_after<'m>(
        &mut self,
        record: &Record<'m>,
        version: Version,
        meta: EventMeta,
        after: &'m RawValue,
        rows: &mut Rows,
    ) -> Result<Event<'m>, Violation> {
        let mut fields = Fields::parse(after.get()).map_err(|error| explain(after.get(), &error))?;
        let complete = self.fill_key(record, &mut fields)?;
        self.schema.rename(&mut fields);
        if fields.0.iter().any(|(_, value)| is_placeholder(value)) {
            let json = fields.to_json();
            self.key.read(self.schema, json.as_bytes()).map_err(|error| explain(&json, &error))?;
            self.schema.check_key(|place| self.key.cell_of(self.schema, place)).map_err(bad)?;
            return Ok(Event::ToastIncomplete(IncompleteChange {
                meta,
                key: self.key.text(self.schema),
                after: fields,
            }));
        }
        let json = if complete { Cow::Borrowed(after.get()) } else { Cow::Owned(fields.to_json()) };
        self.row_of(record, version, meta, &json, rows).map(Event::Change)
    }

    /// Takes key columns that `after` does not have from the message key. `Ok(true)` if there was nothing to take.
    fn fill_key<'m>(&mut self, record: &Record<'m>, fields: &mut Fields<'m>) -> Result<bool, Violation> {
        let absent = |name: &str| bad(format!("no key column {name} in the message key or in `after`"));
        let Some(key_json) = record.key.and_then(key_object) else {
            return match self.schema.key_names().find(|name| fields.get(name).is_none()) {
                Some(name) => Err(absent(name)),
                None => Ok(true),
            };
        };
        let from_key = Fields::parse(key_json).unwrap_or_default();
        let mut complete = true;
        for name in self.schema.key_names() {
            if fields.get(name).is_none() {
                let value = from_key.get(name).ok_or_else(|| absent(name))?;
                fields.0.push((Cow::Owned(name.to_owned()), value));
                complete = false;
            }
        }
        self.agree(key_json, fields)?;
        Ok(complete)
    }

    /// A message key that names another row than `after` is a broken record, not a matter of taste.
    fn agree(&mut self, key_json: &str, fields: &Fields<'_>) -> Result<(), Violation> {
        if self.key.read(self.schema, key_json.as_bytes()).is_err() {
            return Ok(());
        }
        let key = self.key.text(self.schema);
        let json = fields.to_json();
        self.key.read(self.schema, json.as_bytes()).map_err(|error| explain(&json, &error))?;
        let after = self.key.text(self.schema);
        if key == after {
            return Ok(());
        }
        Err(bad(format!("the message key says {key:?}, `after` says {after:?}")))
    }

    /// Decodes a complete `after` and stamps it; unknown columns go to `_extra`.
    ///
    /// # Errors
    /// A column's value is not what its type expects.
    pub fn row_of(
        &mut self,
        record: &Record<'_>,
        version: Version,
        meta: EventMeta,
        json: &str,
        rows: &mut Rows,
    ) -> Result<Change, Violation> {
        let mark = rows.mark();
        let image = ImageSeed { schema: self.schema, rows, scratch: &mut self.scratch };
        let mut reader = serde_json::Deserializer::from_str(json);
        image.deserialize(&mut reader).map_err(|error| explain(json, &error))?;
        self.stamped(record, version, meta, rows, mark)
    }

    fn stamped(
        &mut self,
        record: &Record<'_>,
        version: Version,
        meta: EventMeta,
        rows: &mut Rows,
        mark: Mark,
    ) -> Result<Change, Violation> {
        self.schema.check_key(|place| rows.cell(mark, place)).map_err(bad)?;
        let ts_ms = committed_at(&meta, record)?;
        let src_ts = u32::try_from(ts_ms.div_euclid(1000))
            .map_err(|_| bad(format!("source.ts_ms {ts_ms} is outside 1970..2106")))?;
        if !self.scratch.extra.is_empty() {
            self.scratch.extra.push('}');
        }
        let stamp = Stamp {
            meta: &meta,
            version: version.get(),
            updated_at: self.now,
            src_ts,
            source_ts_ms: ts_ms,
            partition: record.partition,
            offset: record.offset,
            extra: &self.scratch.extra,
        };
        Ok(Change { meta, row: rows.finish(mark, &stamp) })
    }

    fn key_names(&self) -> String {
        self.schema.key_names().collect::<Vec<_>>().join(", ")
    }

    /// The row's key as far as the record shows it, for the quarantine.
    fn key_text(&mut self, record: &Record<'_>) -> Option<String> {
        let from_key = record.key.and_then(key_object);
        let envelope = record.value.and_then(|value| RawEnvelope::parse(value).ok());
        let image = envelope.and_then(|envelope| envelope.after.or(envelope.before)).map(RawValue::get);
        let read = |json: &&str| self.key.read(self.schema, json.as_bytes()).is_ok();
        [from_key, image].into_iter().flatten().find(read)?;
        Some(self.key.text(self.schema))
    }
}

fn committed_at(meta: &EventMeta, record: &Record<'_>) -> Result<i64, Violation> {
    let known = meta.source.ts_ms.or(record.timestamp_ms);
    known.ok_or_else(|| bad("neither source.ts_ms nor a record timestamp"))
}
