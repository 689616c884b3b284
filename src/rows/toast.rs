//! Unchanged TOAST values.
//!
//! An update that does not touch a large value sends a placeholder instead of it, unless the table has REPLICA
//! IDENTITY FULL. The placeholder is never written. The value is carried forward from the newest earlier event of the
//! key in this window, else from the warehouse, else the record is rejected. Reading it from PostgreSQL *now* would be
//! a race: the value may already be a later one.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use typed_arena::Arena;
use xxhash_rust::xxh3::Xxh3;

use crate::cdc::{Fields, Generation, Op, RawEnvelope, Record, Version, Violation, is_placeholder};
use crate::rows::{Decoder, Event, IncompleteChange, LongRow, Rows, Schema, Unloaded};

/// The name of the rule that a record breaks when its missing values are nowhere to be found.
pub const TOAST_UNAVAILABLE: &str = "toast-unavailable";

const REJECTED: &str = "an earlier event of this key was rejected";

/// What the warehouse has for a key before this window.
#[derive(Debug, Clone)]
pub enum Carried {
    /// The missing columns of the live row, as JSON in the form in which they are sent; stand-ins for the long ones.
    Row(String),
    /// A newer event of the key lies in quarantine: the row is not the latest state.
    Quarantined,
}

/// What a window has to ask the warehouse for.
#[derive(Debug, Default)]
pub struct Missing {
    /// Keys whose first event is incomplete, each with the version below which its state is wanted.
    pub keys: Vec<(String, u64)>,
    /// The columns that were not sent, of any key.
    pub columns: Vec<String>,
}

impl Missing {
    /// What these events lack; `below` is the bound for a key whose first event stands at this place.
    pub fn of(schema: &Schema, rows: &Rows, events: &[Event<'_>], below: impl Fn(usize) -> u64) -> Missing {
        let mut missing = Missing::default();
        let mut seen = HashSet::new();
        let mut columns = HashSet::new();
        for (i, event) in events.iter().enumerate() {
            match event {
                Event::Change(change) => {
                    seen.insert(schema.key_of(rows.row(change.row)));
                }
                Event::ToastIncomplete(incomplete) => {
                    columns.extend(incomplete.unavailable().map(str::to_owned));
                    if seen.insert(incomplete.key.clone()) {
                        missing.keys.push((incomplete.key.clone(), below(i)));
                    }
                }
                Event::Rejected(_, Some(key)) => {
                    seen.insert(key.clone());
                }
                Event::Truncate(_) | Event::Tombstone | Event::Rejected(_, None) => {}
            }
        }
        missing.columns = columns.into_iter().collect();
        missing.columns.sort_unstable();
        missing
    }
}

/// What was carried forward in a window.
#[derive(Debug, Default)]
pub struct Completion<'m> {
    /// Stands for the rows that were completed, long values and all: it is part of what the window's token stands for.
    pub hash: Option<u128>,
    /// Rows whose long values are put in when they are sent, by offset.
    pub long: HashMap<i64, LongRow<'m>>,
    /// These values.
    pub unloaded: Unloaded<'m>,
    /// What the warehouse was asked for.
    pub missing: Missing,
}

/// The state of a key as the window goes by.
enum KeyState<'m> {
    Row(Fields<'m>),
    Nothing(&'static str),
}

/// Replaces every incomplete event by the complete change, or by the reason why that cannot be. Long values have stand-ins.
///
/// # Errors
/// An offset does not fit in a version.
pub fn resolve<'m>(
    events: &mut [Event<'m>],
    rows: &mut Rows,
    records: &[Record<'m>],
    decoder: &mut Decoder<'_>,
    generation: Generation,
    warehouse: HashMap<String, Carried>,
    arena: &'m Arena<String>,
) -> Result<Completion<'m>> {
    let schema = decoder.schema();
    let wanted: HashSet<String> = events
        .iter()
        .filter_map(
            |event| if let Event::ToastIncomplete(incomplete) = event { Some(incomplete.key.clone()) } else { None },
        )
        .collect();
    let mut completion = Completion::default();
    let mut states: HashMap<String, KeyState<'m>> = HashMap::new();
    for (key, carried) in warehouse {
        states.insert(key, from_warehouse(carried, &mut completion.unloaded, arena));
    }
    let mut hash = Xxh3::new();
    for (event, record) in events.iter_mut().zip(records) {
        match event {
            Event::Change(change) => {
                let key = schema.key_of(rows.row(change.row));
                if wanted.contains(key.as_str()) {
                    states.insert(key, state_after(schema, change.meta.op, record));
                }
            }
            Event::Rejected(_, Some(key)) if wanted.contains(key.as_str()) => {
                states.insert(key.clone(), KeyState::Nothing(REJECTED));
            }
            Event::Truncate(_) => {
                for state in states.values_mut() {
                    *state = KeyState::Nothing("the table was truncated before");
                }
            }
            Event::ToastIncomplete(incomplete) => {
                let version = Version::of(generation, record.offset)?;
                let shorten = |column: &str, value| completion.unloaded.shortened(schema, column, value, arena);
                *event = match complete(incomplete, states.get(&incomplete.key), shorten) {
                    Ok(fields) => {
                        let json: &'m str = arena.alloc(fields.to_json());
                        hash.update(json.as_bytes());
                        if let Some((bytes, is_kept)) = completion.unloaded.weigh(&fields) {
                            let (key, meta) = (incomplete.key.clone(), incomplete.meta);
                            completion.long.insert(record.offset, LongRow { key, meta, json, bytes, is_kept });
                        }
                        states.insert(incomplete.key.clone(), KeyState::Row(fields));
                        match decoder.row_of(record, version, incomplete.meta, json, rows) {
                            Ok(change) => Event::Change(change),
                            Err(violation) => Event::Rejected(violation, Some(incomplete.key.clone())),
                        }
                    }
                    Err(why) => {
                        let columns = incomplete.unavailable().collect::<Vec<_>>().join(", ");
                        let detail = format!("the unchanged value of {columns} was not sent and {why}");
                        states.insert(incomplete.key.clone(), KeyState::Nothing(REJECTED));
                        Event::Rejected(Violation::new(TOAST_UNAVAILABLE, detail), Some(incomplete.key.clone()))
                    }
                };
            }
            _ => {}
        }
    }
    completion.hash = (!wanted.is_empty()).then(|| hash.digest128());
    Ok(completion)
}

fn from_warehouse<'m>(carried: Carried, unloaded: &mut Unloaded<'m>, arena: &'m Arena<String>) -> KeyState<'m> {
    match carried {
        Carried::Quarantined => KeyState::Nothing("a newer event of this key lies in quarantine"),
        Carried::Row(json) => match Fields::parse(arena.alloc(json)) {
            Ok(fields) => {
                unloaded.take_note(&fields);
                KeyState::Row(fields)
            }
            Err(_) => KeyState::Nothing("the warehouse's row cannot be read"),
        },
    }
}

fn state_after<'m>(schema: &Schema, op: Op, record: &Record<'m>) -> KeyState<'m> {
    if op == Op::Delete {
        return KeyState::Nothing("the row was deleted before");
    }
    let after = record.value.and_then(|value| RawEnvelope::parse(value).ok()).and_then(|envelope| envelope.after);
    match after.map(|after| Fields::parse(after.get())) {
        Some(Ok(mut fields)) => {
            schema.rename(&mut fields);
            KeyState::Row(fields)
        }
        _ => KeyState::Nothing("the earlier event of this key has no readable row"),
    }
}

/// `after` with every placeholder replaced by the known value, which `shorten` may replace by a stand-in.
fn complete<'m>(
    incomplete: &IncompleteChange<'m>,
    state: Option<&KeyState<'m>>,
    mut shorten: impl FnMut(&str, &'m serde_json::value::RawValue) -> &'m serde_json::value::RawValue,
) -> Result<Fields<'m>, String> {
    let row = match state {
        Some(KeyState::Row(fields)) => fields,
        Some(KeyState::Nothing(why)) => return Err((*why).to_owned()),
        None => return Err("neither this window nor the warehouse has the row".to_owned()),
    };
    let missing: HashSet<&str> = incomplete.unavailable().collect();
    let mut fields = Fields(Vec::with_capacity(incomplete.after.0.len()));
    for (name, value) in &incomplete.after.0 {
        let value = if missing.contains(name.as_ref()) {
            match row.get(name) {
                None => return Err(format!("the known row has no column {name}")),
                Some(value) if is_placeholder(value) => {
                    return Err(format!("the known row has no value of {name} either"));
                }
                Some(value) => shorten(name, value),
            }
        } else {
            *value
        };
        fields.0.push((name.clone(), value));
    }
    Ok(fields)
}
