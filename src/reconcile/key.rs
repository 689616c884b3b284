//! The key of a row, as both sides and the log have it.

use anyhow::{Error, Result};

use crate::rows::Schema;

/// A row's key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Compares as both servers sort keys.
    pub sort_key: Vec<u8>,
    /// Canonical text.
    pub text: String,
}

impl Key {
    /// Of the answers of a server, which stand in the schema's order.
    ///
    /// # Errors
    /// The warehouse's type cannot hold a part of it, or the key's text would be that of another one too.
    pub fn of(schema: &Schema, answers: &[Option<String>]) -> Result<Key> {
        let mut cells = Vec::with_capacity(schema.key().len());
        let mut sort_key = Vec::new();
        for place in schema.key() {
            let column = &schema.columns()[*place];
            let mut cell = Vec::new();
            let written = column.column_type.write_answer(answers[*place].as_deref(), &mut cell);
            written.map_err(|why| Error::msg(format!("{}: {why}", column.name)))?;
            column.column_type.sort_key(&cell, &mut sort_key);
            cells.push(cell);
        }
        let cell = |place| {
            let n = schema.key().iter().position(|key| *key == place);
            n.and_then(|n| cells.get(n)).map_or(&[][..], Vec::as_slice)
        };
        schema.check_key(cell).map_err(Error::msg)?;
        Ok(Key { text: schema.key_text(cell), sort_key })
    }
}
