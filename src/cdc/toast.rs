//! Unchanged TOAST values.
//!
//! An update that does not touch a large value sends a placeholder instead of it, unless the table has REPLICA
//! IDENTITY FULL. The placeholder is never written. The value is carried forward from the newest earlier event of the
//! key in this window, else from the warehouse, else the record is rejected. Reading it from PostgreSQL *now* would be
//! a race: the value may already be a later one.

use std::collections::{HashMap, HashSet};

use anyhow::Result;

use crate::cdc::decode::{Decoder, Event, Partial};
use crate::cdc::envelope::RawEnvelope;
use crate::cdc::{Fields, Generation, Op, Record, Version, Violation};
use crate::tables::{SourceRow, Table};
use typed_arena::Arena;

/// The name of the rule that a record breaks when its missing values are nowhere to be found.
pub const TOAST_UNAVAILABLE: &str = "toast-unavailable";

const REJECTED: &str = "an earlier event of this key was rejected";

/// What the warehouse has for a key before this window.
#[derive(Debug, Clone)]
pub enum Carried {
    /// The live row, as JSON.
    Row(String),
    /// A newer event of the key lies in quarantine: the row is not the latest state.
    Quarantined,
}

/// Keys whose first event of the window is partial, and where it stands: their values have to come from the warehouse.
pub fn first_partial_keys<T: Table>(events: &[Event<'_, T>]) -> Vec<(usize, String)> {
    let mut seen = HashSet::new();
    let mut wanted = Vec::new();
    for (i, event) in events.iter().enumerate() {
        match event {
            Event::Change(change) => {
                seen.insert(change.row.key_text().into_owned());
            }
            Event::Partial(partial) => {
                if seen.insert(partial.key.clone()) {
                    wanted.push((i, partial.key.clone()));
                }
            }
            Event::Bad(_, Some(key)) => {
                seen.insert(key.clone());
            }
            Event::Truncate(_) | Event::Tombstone | Event::Bad(_, None) => {}
        }
    }
    wanted
}

/// The state of a key as the window goes by.
enum Known<'m> {
    Row(Fields<'m>),
    Nothing(&'static str),
}

/// Replaces every partial event by the complete change, or by the reason why that cannot be.
/// Returns the values that were carried, in order: they are part of what the window's token stands for.
///
/// # Errors
/// An offset does not fit in a version.
pub fn resolve<'m, T: Table>(
    events: &mut [Event<'m, T>],
    records: &[Record<'m>],
    decoder: &Decoder<'m, T>,
    generation: Generation,
    warehouse: &HashMap<String, Carried>,
    arena: &'m Arena<String>,
) -> Result<Vec<String>> {
    let wanted: HashSet<String> = events
        .iter()
        .filter_map(|event| if let Event::Partial(partial) = event { Some(partial.key.clone()) } else { None })
        .collect();
    let mut known: HashMap<String, Known<'m>> = HashMap::new();
    for (key, carried) in warehouse {
        known.insert(key.clone(), from_warehouse(carried, arena));
    }
    let mut carried_values = Vec::new();
    for (event, record) in events.iter_mut().zip(records) {
        match event {
            Event::Change(change) if wanted.contains(change.row.key_text().as_ref()) => {
                let state = state_after(change.head.op, record);
                known.insert(change.row.key_text().into_owned(), state);
            }
            Event::Bad(_, Some(key)) if wanted.contains(key.as_str()) => {
                known.insert(key.clone(), Known::Nothing(REJECTED));
            }
            Event::Truncate(_) => {
                for state in known.values_mut() {
                    *state = Known::Nothing("the table was truncated before");
                }
            }
            Event::Partial(partial) => {
                let version = Version::of(generation, record.offset)?;
                *event = match complete(partial, known.get(&partial.key)) {
                    Ok(fields) => {
                        let json: &'m str = arena.alloc(fields.to_json());
                        carried_values.push(json.to_owned());
                        known.insert(partial.key.clone(), Known::Row(fields));
                        match decoder.row_of(record, version, partial.head, json) {
                            Ok(change) => Event::Change(change),
                            Err(violation) => Event::Bad(violation, Some(partial.key.clone())),
                        }
                    }
                    Err(why) => {
                        let columns = partial.unavailable().collect::<Vec<_>>().join(", ");
                        let detail = format!("the unchanged value of {columns} was not sent and {why}");
                        known.insert(partial.key.clone(), Known::Nothing(REJECTED));
                        Event::Bad(Violation::new(TOAST_UNAVAILABLE, detail), Some(partial.key.clone()))
                    }
                };
            }
            _ => {}
        }
    }
    Ok(carried_values)
}

fn from_warehouse<'m>(carried: &Carried, arena: &'m Arena<String>) -> Known<'m> {
    match carried {
        Carried::Quarantined => Known::Nothing("a newer event of this key lies in quarantine"),
        Carried::Row(json) => match Fields::parse(arena.alloc(json.clone())) {
            Ok(fields) => Known::Row(with_extra(fields, arena)),
            Err(_) => Known::Nothing("the warehouse's row cannot be read"),
        },
    }
}

/// Values of columns that the row type does not know stand in `_extra` as Debezium sent them; a warehouse column that was added for
/// one has it in another form.
fn with_extra<'m>(mut fields: Fields<'m>, arena: &'m Arena<String>) -> Fields<'m> {
    let extra =
        fields.get("_extra").and_then(|extra| serde_json::from_str::<String>(extra.get()).ok()).unwrap_or_default();
    fields.0.extend(Fields::parse(arena.alloc(extra)).unwrap_or_default().0);
    fields
}

fn state_after<'m>(op: Op, record: &Record<'m>) -> Known<'m> {
    if op == Op::Delete {
        return Known::Nothing("the row was deleted before");
    }
    let after = record.value.and_then(|value| RawEnvelope::parse(value).ok()).and_then(|envelope| envelope.after);
    match after.map(|after| Fields::parse(after.get())) {
        Some(Ok(fields)) => Known::Row(fields),
        _ => Known::Nothing("the earlier event of this key has no readable row"),
    }
}

/// `after` with every placeholder replaced by the known value.
fn complete<'m>(partial: &Partial<'m>, known: Option<&Known<'m>>) -> Result<Fields<'m>, String> {
    let row = match known {
        Some(Known::Row(fields)) => fields,
        Some(Known::Nothing(why)) => return Err((*why).to_owned()),
        None => return Err("neither this window nor the warehouse has the row".to_owned()),
    };
    let missing: Vec<&str> = partial.unavailable().collect();
    let mut fields = Fields(Vec::with_capacity(partial.after.0.len()));
    for (name, value) in &partial.after.0 {
        let value = if missing.contains(&name.as_ref()) {
            row.get(name).ok_or_else(|| format!("the known row has no column {name}"))?
        } else {
            *value
        };
        fields.0.push((name.clone(), value));
    }
    Ok(fields)
}
