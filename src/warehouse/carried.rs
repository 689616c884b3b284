//! What the warehouse has of a row in place of unchanged TOAST values: in the column itself, or for a column that the row type does not
//! know in `_extra`, as it was sent. Long values are only described first (their length, their hash), and read when they are sent on.

use std::collections::HashMap;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::cdc::{Fields, TopicPartition, forms, is_placeholder};
use crate::rows::{Carried, LONG, Missing, identity_of};

use crate::tables::Table;
use crate::types::{ColumnType, Kind};
use crate::warehouse::newest::{key_in, key_text};
use crate::warehouse::{Warehouse, chunks, identifier, quote};

/// Where the value of a column is, and how it is asked for.
enum KeptIn {
    /// A text column.
    Text(String),
    /// A text column of JSON, which is sent as it stands.
    Json(String),
    /// A column that is short in any case.
    Other(String),
    /// In `_extra`; and the column that was added for it, if it has values in the form in which they are sent.
    Extra(Option<String>),
}

/// The state of each key below the version beside it, unless the key has an open quarantine record between the two: the missing columns, in
/// the form in which they are sent.
///
/// A window that was inserted before a crash may have replaced that state by its own rows (a merge keeps the newest alone).
/// Then the key's newest row stands in for it: the rerun's events up to that row cannot win against it, and what comes
/// after it builds on it.
///
/// # Errors
/// The server is gone or refuses.
pub fn carried_rows(
    warehouse: &Warehouse,
    table: &Table,
    at: TopicPartition<'_>,
    missing: &Missing,
) -> Result<HashMap<String, Carried>> {
    let mut carried = HashMap::new();
    if missing.keys.is_empty() {
        return Ok(carried);
    }
    let places = places(warehouse, table, &missing.columns)?;
    let columns = selected(&places, KeptIn::described, described_extra());
    for chunk in runs(&missing.keys) {
        let sql = format!(
            "WITH {}, newest_rejected AS (
                 SELECT row_key, max(version) AS newest FROM {}.rejected FINAL
                 WHERE topic = {} AND topic_id = {} AND status = 'open' AND row_key IN ({}) AND version < {}
                 GROUP BY row_key
             )
             SELECT state.*, newest_rejected.newest > state.__state_version AS newer_rejected
             FROM state LEFT JOIN newest_rejected ON newest_rejected.row_key = state.__state_key
             SETTINGS output_format_json_quote_64bit_integers = 0",
            state(warehouse, table, chunk, &columns),
            warehouse.ops,
            quote(at.topic),
            quote(at.topic_id),
            chunk.iter().map(|(key, _)| quote(key)).collect::<Vec<_>>().join(", "),
            below(chunk, "row_key"),
        );
        let belows: HashMap<&str, u64> = chunk.iter().map(|(key, below)| (key.as_str(), *below)).collect();
        let lines = warehouse.json_lines("looking up rows to carry TOAST values from", &sql)?;
        for json in lines.lines() {
            let line = Line(Fields::parse(json)?);
            let key: String = line.read("__state_key")?;
            let is_own = line.read::<u64>("__state_version")? >= belows.get(key.as_str()).copied().unwrap_or(u64::MAX);
            if line.read::<u8>("newer_rejected")? != 0 {
                carried.insert(key, Carried::Quarantined);
            } else if line.read::<u8>("__state_deleted")? == 0 || is_own {
                carried.insert(key, Carried::Row(line.row(&places, &missing.columns)?));
            }
        }
    }
    Ok(carried)
}

/// The long values of these keys, by their stand-ins. A value that has changed since it was described has another one.
///
/// # Errors
/// The server is gone or refuses.
pub fn long_values(
    warehouse: &Warehouse,
    table: &Table,
    keys: &[(String, u64)],
    columns: &[String],
) -> Result<HashMap<String, String>> {
    let mut loaded = HashMap::new();
    if keys.is_empty() {
        return Ok(loaded);
    }
    let places = places(warehouse, table, columns)?;
    let selected = selected(&places, KeptIn::whole, whole_extra());
    for chunk in runs(keys) {
        let sql = format!("WITH {} SELECT * FROM state", state(warehouse, table, chunk, &selected));
        let lines = warehouse.json_lines("reading long values to carry forward", &sql)?;
        for json in lines.lines() {
            Line(Fields::parse(json)?).long_values(&places, columns, &mut loaded)?;
        }
    }
    Ok(loaded)
}

/// A row of the warehouse's answer.
struct Line<'m>(Fields<'m>);

impl<'m> Line<'m> {
    /// Something that is there.
    fn value(&self, name: &str) -> Option<&'m RawValue> {
        self.0.get(name).filter(|value| value.get() != "null")
    }

    fn read<V: DeserializeOwned>(&self, name: &str) -> Result<V> {
        let value = self.0.get(name).with_context(|| format!("no {name} in the warehouse's answer"))?;
        Ok(serde_json::from_str(value.get())?)
    }

    /// The columns that the warehouse has a value of; one that it has added for `_extra` must not be NULL: the value was long, so it is not known.
    fn row(&self, places: &[KeptIn], columns: &[String]) -> Result<String> {
        let has_extra = places.iter().any(|place| matches!(place, KeptIn::Extra(_)));
        let extra: String = if has_extra { self.read("__extra")? } else { String::new() };
        let identity: String = if has_extra { self.read("__extra_identity")? } else { String::new() };
        let in_long: Vec<String> = if has_extra { self.read("__extra_columns")? } else { Vec::new() };
        let sent = Fields::parse(&extra).unwrap_or_default();
        let mut row: Vec<(String, String)> = Vec::new();
        for (i, (place, column)) in places.iter().zip(columns).enumerate() {
            let kept = self.0.get(&format!("__v{i}"));
            let value = match place {
                KeptIn::Text(_) | KeptIn::Other(_) => kept.map(|value| value.get().to_owned()),
                KeptIn::Json(_) => {
                    kept.map(|value| serde_json::from_str(value.get()).unwrap_or_else(|_| value.get().to_owned()))
                }
                KeptIn::Extra(_) if in_long.contains(column) => Some(in_extra(&identity, column)),
                KeptIn::Extra(_) => match sent.get(column).filter(|value| !is_placeholder(value)) {
                    Some(value) => Some(value.get().to_owned()),
                    None => self.value(&format!("__v{i}")).map(|value| value.get().to_owned()),
                },
            };
            row.extend(value.map(|value| (column.clone(), value)));
        }
        let fields: Vec<String> =
            row.iter().map(|(column, value)| format!("{}:{value}", Value::from(column.as_str()))).collect();
        Ok(format!("{{{}}}", fields.join(",")))
    }

    fn long_values(&self, places: &[KeptIn], columns: &[String], loaded: &mut HashMap<String, String>) -> Result<()> {
        for i in 0..places.len() {
            if let (Some(identity), Some(value)) = (self.value(&format!("__i{i}")), self.value(&format!("__v{i}"))) {
                loaded.insert(identity.get().to_owned(), value.get().to_owned());
            }
        }
        if self.value("__extra").is_none() {
            return Ok(());
        }
        let (extra, identity): (String, String) = (self.read("__extra")?, self.read("__extra_identity")?);
        let sent = Fields::parse(&extra).unwrap_or_default();
        for column in columns {
            if let Some(value) = sent.get(column) {
                loaded.insert(in_extra(&identity, column), value.get().to_owned());
            }
        }
        Ok(())
    }
}

fn places(warehouse: &Warehouse, table: &Table, columns: &[String]) -> Result<Vec<KeptIn>> {
    let is_known = |column: &String| table.column_type(column).is_some();
    let added = if columns.iter().all(is_known) { Vec::new() } else { warehouse.columns(table.target)? };
    let place = |column: &String| match table.column_type(column).map(ColumnType::kind) {
        Some(Kind::Text | Kind::Bpchar) => KeptIn::Text(identifier(column)),
        Some(Kind::Array(_) | Kind::Vector | Kind::Sent) => KeptIn::Json(identifier(column)),
        Some(_) => KeptIn::Other(identifier(column)),
        None => {
            let kept = added.iter().find(|kept| kept.name == *column && is_text(&kept.column_type));
            KeptIn::Extra(kept.map(|kept| identifier(&kept.name)))
        }
    };
    Ok(columns.iter().map(place).collect())
}

fn is_text(column_type: &str) -> bool {
    column_type.starts_with("String") || column_type.starts_with("Nullable(String)")
}

impl KeptIn {
    /// The column that is read.
    fn column(&self) -> Option<&str> {
        match self {
            KeptIn::Text(column) | KeptIn::Json(column) | KeptIn::Other(column) => Some(column),
            KeptIn::Extra(kept) => kept.as_deref(),
        }
    }

    /// The `i`th column as SQL: its value, or what describes a long one.
    fn described(&self, i: usize) -> Option<String> {
        let column = self.column()?;
        Some(match self {
            KeptIn::Json(_) | KeptIn::Other(_) => format!("{column} AS __v{i}"),
            _ => format!("if(length({column}) > {LONG}, {}, {column}) AS __v{i}", identity_of('k', column)),
        })
    }

    /// The `i`th column as SQL, if it is long: its value, and what describes it.
    fn whole(&self, i: usize) -> Option<String> {
        let column = self.column().filter(|_| !matches!(self, KeptIn::Json(_) | KeptIn::Other(_)))?;
        let if_long = |value: &str| format!("if(length({column}) > {LONG}, {value}, NULL)");
        Some(format!("{} AS __v{i}, {} AS __i{i}", if_long(column), if_long(&identity_of('k', column))))
    }
}

/// `_extra`, or what describes a long one, with the columns of which it has a value.
fn described_extra() -> String {
    let placeholders = forms().iter().map(|form| quote(form)).collect::<Vec<_>>().join(", ");
    let is_long = format!("length(_extra) > {LONG}");
    format!(
        "if({is_long}, '', _extra) AS __extra, if({is_long}, {}, '') AS __extra_identity,
         arrayFilter(c -> NOT has([{placeholders}], JSONExtractRaw(_extra, c)), if({is_long}, JSONExtractKeys(_extra), [])) AS __extra_columns",
        identity_of('e', "_extra")
    )
}

/// A long `_extra`, and what describes it.
fn whole_extra() -> String {
    let if_long = |value: &str| format!("if(length(_extra) > {LONG}, {value}, NULL)");
    format!("{} AS __extra, {} AS __extra_identity", if_long("_extra"), if_long(&identity_of('e', "_extra")))
}

/// The columns of a query.
fn selected(places: &[KeptIn], of: fn(&KeptIn, usize) -> Option<String>, extra: String) -> String {
    let mut columns: Vec<String> = places.iter().enumerate().filter_map(|(i, place)| of(place, i)).collect();
    columns.extend(places.iter().any(|place| matches!(place, KeptIn::Extra(_))).then_some(extra));
    columns.iter().map(|column| format!(", {column}")).collect()
}

/// The stand-in, as JSON, for a column's value in a long `_extra`.
fn in_extra(identity: &str, column: &str) -> String {
    Value::from(format!("{identity}:{column}")).to_string()
}

/// Keys for a query, which lists each of them five times.
fn runs(keys: &[(String, u64)]) -> Vec<&[(String, u64)]> {
    let listed = |(key, below): &(String, u64)| 5 * chunks::literal(key) + 2 * chunks::number(*below);
    chunks::by_bytes(keys, chunks::MOST_KEYS, listed)
}

/// SQL for the version below which the state of a key is wanted.
fn below(keys: &[(String, u64)], key: &str) -> String {
    let texts = keys.iter().map(|(key, _)| quote(key)).collect::<Vec<_>>().join(", ");
    let versions = keys.iter().map(|(_, below)| below.to_string()).collect::<Vec<_>>().join(", ");
    format!("transform({key}, [{texts}], [{versions}], toUInt64(0))")
}

/// SQL for the state of each key, with these columns.
fn state(warehouse: &Warehouse, table: &Table, keys: &[(String, u64)], columns: &str) -> String {
    let texts: Vec<&str> = keys.iter().map(|(key, _)| key.as_str()).collect();
    format!(
        "state AS (
             SELECT {key} AS __state_key, _version AS __state_version, _deleted AS __state_deleted{columns}
             FROM {db}.{target} WHERE {key_in}
             ORDER BY __state_version < {below} DESC, __state_version DESC LIMIT 1 BY __state_key
         )",
        key = key_text(&table.key),
        db = warehouse.db,
        target = table.target,
        key_in = key_in(&table.key, &texts),
        below = below(keys, "__state_key"),
    )
}
