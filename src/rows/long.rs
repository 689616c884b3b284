//! Long values that are carried forward.
//!
//! A window holds what its messages hold, but the values that these leave out may be a hundred times as much. So a long one is not loaded
//! with its row: a stand-in takes its place, which says how long it is and has the hash of it. With that the row is judged, and the
//! window's token made; the value itself is put in when the row is sent, part by part of the window. The stand-in is a text that begins
//! with a NUL, as no text of PostgreSQL does.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::de::DeserializeSeed;
use serde_json::value::RawValue;
use typed_arena::Arena;
use xxhash_rust::xxh3::xxh3_128;

use crate::cdc::{EventMeta, Fields};
use crate::rows::Schema;
use crate::types::{CellSeed, ColumnType, Kind};

/// Values up to this many bytes are carried as they are.
pub const LONG: usize = 256;

/// What a value of the warehouse is known by: a letter, its length, its hash. SQL; the same in Rust is read by [`StandIns`].
pub fn identity_of(letter: char, value: &str) -> String {
    format!("concat(char(0), '{letter}', toString(length({value})), ':', hex(sipHash128({value})))")
}

/// A row in which stand-ins have the place of values.
#[derive(Debug, Clone)]
pub struct LongRow<'m> {
    /// Its key.
    pub key: String,
    /// What happened.
    pub meta: EventMeta,
    /// The row, with stand-ins.
    pub json: &'m str,
    /// What the values take that are not in it.
    pub bytes: usize,
    /// Are some of them in the warehouse only?
    pub is_kept: bool,
}

#[derive(Debug)]
struct StandIn<'m> {
    bytes: usize,
    /// Where it was sent; `None` if the warehouse keeps it.
    sent: Option<&'m RawValue>,
}

/// The stand-ins of a window, by their JSON.
#[derive(Debug, Default)]
pub struct Unloaded<'m> {
    stand_ins: HashMap<&'m str, StandIn<'m>>,
}

impl<'m> Unloaded<'m> {
    /// Takes note of those that the warehouse has given instead of values.
    pub fn take_note(&mut self, row: &Fields<'m>) {
        for (_, value) in &row.0 {
            let Some(identity) = value.get().strip_prefix(r#""\u0000"#) else { continue };
            let digits = identity.trim_start_matches(|c: char| c.is_ascii_alphabetic()).split(':').next();
            let bytes = digits.and_then(|digits| digits.parse().ok()).unwrap_or(0);
            self.stand_ins.insert(value.get(), StandIn { bytes, sent: None });
        }
    }

    /// A value that was sent, or what stands in for it.
    pub fn shortened(
        &mut self,
        schema: &Schema,
        column: &str,
        value: &'m RawValue,
        arena: &'m Arena<String>,
    ) -> &'m RawValue {
        if value.get().len() <= LONG {
            return value;
        }
        // Bytes are short once they are decoded; of what is not a text as it stands, nothing can take the place.
        let short = match schema.column_type(column) {
            Some(column_type) if matches!(column_type.kind(), Kind::Digest(_)) => digest(column_type, value.get()),
            Some(column_type) if !matches!(column_type.kind(), Kind::Text | Kind::Bpchar) => None,
            _ => Some(format!("\"\\u0000s{}:{:032x}\"", value.get().len(), xxh3_128(value.get().as_bytes()))),
        };
        let Some(short) = short.map(|json| &**arena.alloc(json)) else { return value };
        let Ok(stand_in) = serde_json::from_str::<&'m RawValue>(short) else { return value };
        if short.starts_with('"') {
            self.stand_ins.insert(short, StandIn { bytes: value.get().len(), sent: Some(value) });
        }
        stand_in
    }

    /// How many bytes the row's stand-ins stand for, and whether the warehouse has some of them; `None` if it has no stand-ins.
    pub fn weigh(&self, row: &Fields<'_>) -> Option<(usize, bool)> {
        let mut found = row.0.iter().filter_map(|(_, value)| self.stand_ins.get(value.get())).peekable();
        found.peek()?;
        Some(found.fold((0, false), |(bytes, is_kept), it| (bytes + it.bytes, is_kept || it.sent.is_none())))
    }

    /// The row with its values. `loaded` are those that the warehouse has, by their stand-ins.
    ///
    /// # Errors
    /// The column whose value is not among them.
    pub fn fill(&self, row: &LongRow<'_>, loaded: &HashMap<String, String>) -> Result<String, String> {
        let mut fields = Fields::parse(row.json).map_err(|error| error.to_string())?;
        for (name, value) in &mut fields.0 {
            let Some(stand_in) = self.stand_ins.get(value.get()) else { continue };
            let json = match stand_in.sent {
                Some(sent) => sent.get(),
                None => loaded.get(value.get()).ok_or_else(|| name.to_string())?,
            };
            *value = serde_json::from_str(json).map_err(|error| error.to_string())?;
        }
        Ok(fields.to_json())
    }
}

/// Length and hash of bytes, in the form that a column of them takes as well.
fn digest(column_type: &ColumnType, json: &str) -> Option<String> {
    let mut cell = Vec::new();
    let seed = CellSeed { kind: column_type.kind(), nullable: true, placeholders: false, out: &mut cell };
    seed.deserialize(&mut serde_json::Deserializer::from_str(json)).ok()?;
    column_type.text(&cell).map(Cow::into_owned)
}
