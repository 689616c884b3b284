//! A row image (`after`, a message key) in one pass: each field's value goes to its column's cell, whatever the order.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::cdc::is_placeholder;
use crate::rows::schema::{Field, Schema};
use crate::rows::store::{Mark, Rows};
use crate::types::CellSeed;

/// No cell was written for this column.
const NONE: (u32, u32) = (u32::MAX, 0);

/// What is needed beside the rows while an image is read; kept from one record to the next, for its room.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Where the cells of a row are that did not come in the schema's order.
    places: Vec<(u32, u32)>,
    bytes: Vec<u8>,
    /// JSON of the columns that the schema does not know, without the last brace; or empty.
    pub extra: String,
}

/// Reads `after` behind the rows that are there.
pub struct ImageSeed<'a> {
    pub schema: &'a Schema,
    pub rows: &'a mut Rows,
    pub scratch: &'a mut Scratch,
}

impl<'de> DeserializeSeed<'de> for ImageSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ImageSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row as an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let ImageSeed { schema, rows, scratch } = self;
        let mark = rows.mark();
        scratch.extra.clear();
        // As long as the columns come in the schema's order, their bytes already stand where they belong.
        let mut next = 0;
        while let Some((field, name)) = map.next_key_seed(NameSeed { schema, expected: next })? {
            match field {
                Field::Column(place) if place == next => {
                    map.next_value_seed(cell(schema, place, true, &mut rows.bytes))?;
                    rows.end_cell(mark);
                    next += 1;
                }
                Field::Column(place) => return rest_in_any_order(schema, rows, scratch, mark, next, place, map),
                other => skip(other, name, &mut map, &mut scratch.extra)?,
            }
        }
        if next < schema.columns().len() {
            let places = &mut scratch.places;
            start_places(schema, rows, mark, next, places);
            return in_order(schema, rows, places, &mut scratch.bytes, mark);
        }
        Ok(())
    }
}

/// The columns come in another order, or some are missing: the bytes are put in order at the end.
fn rest_in_any_order<'de, A: MapAccess<'de>>(
    schema: &Schema,
    rows: &mut Rows,
    scratch: &mut Scratch,
    mark: Mark,
    known: usize,
    mut place: usize,
    mut map: A,
) -> Result<(), A::Error> {
    start_places(schema, rows, mark, known, &mut scratch.places);
    loop {
        if scratch.places[place] != NONE {
            return Err(duplicate(schema, place));
        }
        let start = rows.bytes.len() - mark.bytes;
        map.next_value_seed(cell(schema, place, true, &mut rows.bytes))?;
        scratch.places[place] = (start as u32, (rows.bytes.len() - mark.bytes) as u32);
        place = loop {
            match map.next_key_seed(NameSeed { schema, expected: place + 1 })? {
                Some((Field::Column(place), _)) => break place,
                Some((other, name)) => skip(other, name, &mut map, &mut scratch.extra)?,
                None => return in_order(schema, rows, &scratch.places, &mut scratch.bytes, mark),
            }
        };
    }
}

fn cell<'a>(schema: &'a Schema, place: usize, placeholders: bool, out: &'a mut Vec<u8>) -> CellSeed<'a> {
    let column_type = &schema.columns()[place].column_type;
    CellSeed { kind: column_type.kind(), nullable: column_type.nullable(), placeholders, out }
}

/// Notes where the first `known` cells are.
fn start_places(schema: &Schema, rows: &Rows, mark: Mark, known: usize, places: &mut Vec<(u32, u32)>) {
    places.clear();
    let mut start = 0;
    for end in &rows.ends[mark.ends..mark.ends + known] {
        places.push((start, *end));
        start = *end;
    }
    places.resize(schema.columns().len(), NONE);
}

/// Puts the cells in the schema's order; a nullable column that is not there is NULL.
fn in_order<E: de::Error>(
    schema: &Schema,
    rows: &mut Rows,
    places: &[(u32, u32)],
    scratch: &mut Vec<u8>,
    mark: Mark,
) -> Result<(), E> {
    scratch.clear();
    scratch.extend_from_slice(&rows.bytes[mark.bytes..]);
    rows.back_to(mark);
    for (column, place) in schema.columns().iter().zip(places) {
        match *place {
            NONE if column.column_type.nullable() => column.column_type.write_default(&mut rows.bytes),
            NONE => return Err(E::custom(format_args!("missing field `{}`", column.name))),
            (start, end) => rows.bytes.extend_from_slice(&scratch[start as usize..end as usize]),
        }
        rows.end_cell(mark);
    }
    Ok(())
}

fn duplicate<E: de::Error>(schema: &Schema, place: usize) -> E {
    E::custom(format_args!("duplicate field `{}`", schema.columns()[place].name))
}

fn skip<'de, A: MapAccess<'de>>(
    field: Field,
    name: Option<Cow<'de, str>>,
    map: &mut A,
    extra: &mut String,
) -> Result<(), A::Error> {
    let (Field::Unknown, Some(name)) = (field, name) else {
        return map.next_value::<IgnoredAny>().map(|_| ());
    };
    let value: &RawValue = map.next_value()?;
    if is_placeholder(value) {
        return Err(de::Error::custom("the unchanged value was not sent"));
    }
    extra.push(if extra.is_empty() { '{' } else { ',' });
    extra.push_str(&serde_json::Value::from(name).to_string());
    extra.push(':');
    extra.push_str(value.get());
    Ok(())
}

/// The cells of a key, in the key's order, from an object that may have more fields.
#[derive(Debug, Default)]
pub struct KeyCells {
    bytes: Vec<u8>,
    places: Vec<(u32, u32)>,
}

impl KeyCells {
    /// Reads the key's columns of an object.
    pub fn read(&mut self, schema: &Schema, json: &[u8]) -> serde_json::Result<()> {
        let mut json = serde_json::Deserializer::from_slice(json);
        KeySeed { schema, cells: self }.deserialize(&mut json)?;
        json.end()
    }

    /// The cell of a key's column.
    pub fn cell(&self, n: usize) -> &[u8] {
        let (start, end) = self.places[n];
        &self.bytes[start as usize..end as usize]
    }

    /// Canonical text.
    pub fn text(&self, schema: &Schema) -> String {
        schema.key_text(|place| self.cell_of(schema, place))
    }

    /// The cell of the column at a place of the schema.
    pub fn cell_of(&self, schema: &Schema, place: usize) -> &[u8] {
        let n = schema.key().iter().position(|key| *key == place);
        n.map_or(&[], |n| self.cell(n))
    }
}

struct KeySeed<'a> {
    schema: &'a Schema,
    cells: &'a mut KeyCells,
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for KeySeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key as an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let KeySeed { schema, cells } = self;
        let KeyCells { bytes, places } = cells;
        bytes.clear();
        places.clear();
        places.resize(schema.key().len(), NONE);
        let mut next = 0;
        loop {
            let expected = schema.key().get(next).copied().unwrap_or(0);
            let Some((field, _)) = map.next_key_seed(NameSeed { schema, expected })? else { break };
            let Field::Column(place) = field else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let Some(n) = schema.key().iter().position(|key| *key == place) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if places[n] != NONE {
                return Err(duplicate(schema, place));
            }
            let start = bytes.len() as u32;
            map.next_value_seed(cell(schema, place, false, bytes))?;
            places[n] = (start, bytes.len() as u32);
            next = n + 1;
        }
        match places.iter().position(|place| *place == NONE) {
            None => Ok(()),
            Some(n) => {
                let name = &schema.columns()[schema.key()[n]].name;
                Err(de::Error::custom(format_args!("missing field `{name}`")))
            }
        }
    }
}

/// A field's name.
struct NameSeed<'a> {
    schema: &'a Schema,
    expected: usize,
}

impl<'de> DeserializeSeed<'de> for NameSeed<'_> {
    type Value = (Field, Option<Cow<'de, str>>);

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for NameSeed<'_> {
    type Value = (Field, Option<Cow<'de, str>>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a column's name")
    }

    fn visit_borrowed_str<E: de::Error>(self, name: &'de str) -> Result<Self::Value, E> {
        let field = self.schema.field(name, self.expected);
        Ok((field, (field == Field::Unknown).then_some(Cow::Borrowed(name))))
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
        let field = self.schema.field(name, self.expected);
        Ok((field, (field == Field::Unknown).then(|| Cow::Owned(name.to_owned()))))
    }
}
