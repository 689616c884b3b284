//! The row image `after`: decoded by its row type, watched for columns that this type does not know.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::cdc::{Fields, Violation};
use crate::old::{RowOf, Table, Text};

/// The name of the rule that a record breaks when it cannot be decoded.
pub const DECODE: &str = "decode";
/// The name of the rule that a number breaks which is none.
pub const NOT_FINITE: &str = "not-finite";
/// As Debezium sends them.
const NOT_FINITE_VALUES: [&str; 3] = [r#""NaN""#, r#""Infinity""#, r#""-Infinity""#];

/// A row, and whether there were fields that it has no place for.
pub struct Watched<R> {
    /// The row.
    pub row: R,
    /// There were more columns.
    pub has_unknown: bool,
}

impl<'de, R: Deserialize<'de>> Deserialize<'de> for Watched<R> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_map(Object(PhantomData))
    }
}

/// Takes an object only: serde would read an array, too, column by column in the row type's order.
struct Object<R>(PhantomData<R>);

impl<'de, R: Deserialize<'de>> Visitor<'de> for Object<R> {
    type Value = Watched<R>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row as an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let has_unknown = Cell::new(false);
        let row = R::deserialize(MapAccessDeserializer::new(Watch { map, has_unknown: &has_unknown }))?;
        Ok(Watched { row, has_unknown: has_unknown.get() })
    }
}

/// Notices fields that are skipped. (`serde_ignored` does this for any depth, and allocates every field's name for it: a tenth of
/// the whole job's time.)
struct Watch<'w, A> {
    map: A,
    has_unknown: &'w Cell<bool>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Watch<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.map.next_key_seed(seed)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        // A derived type reads a field that it does not know as `IgnoredAny`, the only value that takes no room.
        if size_of::<V::Value>() == 0 {
            self.has_unknown.set(true);
        }
        self.map.next_value_seed(seed)
    }
}

/// The columns that the row type does not know, as a JSON object.
///
/// # Errors
/// It is no object.
pub fn unknown_columns<'m, T: Table>(json: &'m str) -> Result<Text<'m>, Violation> {
    let known = <RowOf<'m, T> as clickhouse::Row>::COLUMN_NAMES;
    let mut fields = Fields::parse(json).map_err(|e| explain(json, &e))?;
    fields.0.retain(|(name, _)| !known.contains(&name.as_ref()));
    Ok(Text(Cow::Owned(fields.to_json())))
}

/// What is wrong with a row.
pub fn explain(json: &str, error: &serde_json::Error) -> Violation {
    let fields = Fields::parse(json).unwrap_or_default();
    match column_at(json, &fields, error) {
        Some((column, value)) => {
            let rule = if NOT_FINITE_VALUES.contains(&value.get()) { NOT_FINITE } else { DECODE };
            Violation::new(rule, format!("after: {column}: {error}"))
        }
        None => Violation::new(DECODE, format!("after: {error}")),
    }
}

/// Why a row type refuses a row: the column, and the reason.
pub fn refusal(json: &str, error: &serde_json::Error) -> String {
    let fields = Fields::parse(json).unwrap_or_default();
    column_at(json, &fields, error).map_or_else(|| error.to_string(), |(column, _)| format!("{column}: {error}"))
}

/// serde names the place; people want the column that stands there.
fn column_at<'f>(json: &str, fields: &'f Fields<'_>, error: &serde_json::Error) -> Option<(&'f str, &'f RawValue)> {
    let line: usize = json.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let place = line + error.column();
    let is_there = |value: &RawValue| {
        let start = value.get().as_ptr() as usize - json.as_ptr() as usize;
        (start..=start + value.get().len()).contains(&place)
    };
    fields.0.iter().find(|(_, value)| is_there(value)).map(|(column, value)| (column.as_ref(), *value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::old::Customers;

    fn said(json: &str) -> String {
        match serde_json::from_str::<Watched<RowOf<'_, Customers>>>(json) {
            Ok(_) => "nothing".to_owned(),
            Err(error) => explain(json, &error).detail,
        }
    }

    #[test]
    fn the_column_is_named() {
        assert!(
            said(r#"{"customer_id":null,"company_name":"x"}"#).starts_with("after: customer_id: invalid type: null")
        );
        assert!(
            said("{\n \"customer_id\": \"X\",\n \"company_name\": 5\n}")
                .starts_with("after: company_name: invalid type")
        );
        assert!(
            said(r#"{"customer_id":"X","company_name":"x","fax":{"a":[]}}"#).starts_with("after: fax: invalid type")
        );
        assert!(said(r#"{"customer_id":"X"}"#).starts_with("after: missing field `company_name`"));
        assert_eq!(said(r#"{"customer_id":"X","company_name":"x","more":{"a":[]}}"#), "nothing");
    }

    #[test]
    fn a_row_in_an_array_is_no_row() {
        let row = r#"["X","x",null,null,null,null,null,null,null,null,null]"#;
        assert!(said(row).contains("expected a row as an object"), "{}", said(row));
    }
}
