//! A table's columns and key, as the decoder needs them.

use std::borrow::Cow;

use crate::cdc::Fields;
use crate::rows::Row;
use crate::rows::image::KeyCells;
use crate::types::{ColumnType, KEY_SEPARATOR, Kind, join_key};

/// The names of the system columns.
pub const SYSTEM_COLUMNS: [&str; 11] = [
    "op",
    "src_ts",
    "_version",
    "_deleted",
    "_updated_at",
    "_source_ts_ms",
    "_lsn",
    "_tx_id",
    "_partition",
    "_offset",
    "_extra",
];

/// A column.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name, in the source and in the warehouse.
    pub name: String,
    /// A name that older events have.
    pub was: Option<String>,
    /// Its type.
    pub column_type: ColumnType,
}

/// What the events of a table are decoded by.
#[derive(Debug, Clone)]
pub struct Schema {
    table: String,
    columns: Vec<Column>,
    key: Vec<usize>,
    excluded: Vec<String>,
}

/// What a field of an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The column at this place.
    Column(usize),
    /// Excluded, or a system column's name: never read.
    Ignored,
    /// The schema does not know it.
    Unknown,
}

impl Schema {
    /// Of a source table (without its schema), its columns in the order in which they are written, the names of the key's, and the names of
    /// those that are never read.
    ///
    /// # Errors
    /// A key column is not there, or cannot be one; a name is there twice.
    pub fn new(table: &str, columns: Vec<Column>, key: &[&str], excluded: Vec<String>) -> Result<Schema, String> {
        let place = |name: &&str| {
            let place = columns.iter().position(|column| column.name == **name);
            place.ok_or_else(|| format!("the key's column {name} is not among the columns of {table}"))
        };
        let key = key.iter().map(place).collect::<Result<Vec<usize>, String>>()?;
        for place in &key {
            columns[*place].column_type.key_type().map_err(|why| format!("{table}.{}: {why}", columns[*place].name))?;
        }
        for (n, column) in columns.iter().enumerate() {
            let name = &column.name;
            if SYSTEM_COLUMNS.contains(&name.as_str()) {
                return Err(format!("{table}.{name} has the name of a system column"));
            }
            if columns[..n].iter().any(|other| other.name == *name) {
                return Err(format!("{table}.{name} is there twice"));
            }
        }
        Ok(Schema { table: table.to_owned(), columns, key, excluded })
    }

    /// The source table.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Its columns, in the order in which they are written.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The places of the key's columns.
    pub fn key(&self) -> &[usize] {
        &self.key
    }

    /// The names of the key's columns.
    pub fn key_names(&self) -> impl Iterator<Item = &str> {
        self.key.iter().map(|place| self.columns[*place].name.as_str())
    }

    /// The columns of an insert: those of the source, then the system columns.
    pub fn written(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str()).chain(SYSTEM_COLUMNS)
    }

    /// The canonical text of a key whose cells `cell` has.
    pub fn key_text<'c>(&self, cell: impl Fn(usize) -> &'c [u8]) -> String {
        self.joined(&self.key, cell).unwrap_or_default()
    }

    /// The canonical text of a key whose parts stand at these places; `None` if one is NULL.
    pub fn joined<'c>(&self, places: &[usize], cell: impl Fn(usize) -> &'c [u8]) -> Option<String> {
        let text = |place: &usize| self.columns[*place].column_type.text(cell(*place));
        Some(join_key(places.iter().map(text).collect::<Option<Vec<_>>>()?))
    }

    /// Can its text be told from those of all other keys?
    ///
    /// # Errors
    /// Not if a part that is not the last has the character that separates the parts.
    pub fn check_key<'c>(&self, cell: impl Fn(usize) -> &'c [u8]) -> Result<(), String> {
        let parts = self.key.split_last().map_or(&[][..], |(_, parts)| parts);
        for place in parts {
            let Column { name, column_type, .. } = &self.columns[*place];
            let is_text = matches!(column_type.kind(), Kind::Text | Kind::Bpchar);
            if is_text && column_type.text(cell(*place)).is_some_and(|text| text.contains(KEY_SEPARATOR)) {
                return Err(format!("{name} has the character U+001F, which stands between the parts of a key"));
            }
        }
        Ok(())
    }

    /// The canonical text of the key of a JSON object, which may have more fields.
    ///
    /// # Errors
    /// The key's columns are not there, or are not what their types say.
    pub fn key_in(&self, json: &str) -> serde_json::Result<String> {
        let mut key = KeyCells::default();
        key.read(self, json.as_bytes())?;
        Ok(key.text(self))
    }

    /// Is this a column that the schema does not know: one whose values are kept in `_extra`?
    pub fn is_unknown(&self, name: &str) -> bool {
        self.field(name, usize::MAX) == Field::Unknown
    }

    /// The place of a column.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// The type of a column.
    pub fn column_type(&self, name: &str) -> Option<&ColumnType> {
        self.place(name).map(|place| &self.columns[place].column_type)
    }

    /// The canonical text of a row's key.
    pub fn key_of(&self, row: Row<'_>) -> String {
        self.key_text(|place| row.cell(place))
    }

    /// Gives fields under older names their columns' names, and leaves out what is never read.
    pub(super) fn rename(&self, fields: &mut Fields<'_>) {
        fields.0.retain_mut(|(name, _)| {
            let field = self.field(name, 0);
            if let Field::Column(place) = field
                && self.columns[place].name != *name
            {
                *name = Cow::Owned(self.columns[place].name.clone());
            }
            field != Field::Ignored
        });
    }

    /// What the field `name` is; most often the column at `expected`.
    pub(super) fn field(&self, name: &str, expected: usize) -> Field {
        if self.columns.get(expected).is_some_and(|column| column.name == name) {
            return Field::Column(expected);
        }
        let named = |column: &Column| column.name == name;
        let was = |column: &Column| column.was.as_deref() == Some(name);
        match self.columns.iter().position(named).or_else(|| self.columns.iter().position(was)) {
            Some(place) => Field::Column(place),
            None if self.excluded.iter().any(|excluded| excluded == name) => Field::Ignored,
            None if SYSTEM_COLUMNS.contains(&name) => Field::Ignored,
            None => Field::Unknown,
        }
    }
}
