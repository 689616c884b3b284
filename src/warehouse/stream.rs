//! Rows as they come, one JSON line each: a table of any size in flat memory.

use anyhow::{Context, Result};
use clickhouse::query::BytesCursor;

use crate::warehouse::Warehouse;

/// For JSON rows that are decoded: 64-bit numbers as numbers.
pub const PLAIN_NUMBERS: &str = "SETTINGS output_format_json_quote_64bit_integers = 0";

/// A query's result, line by line.
pub struct JsonLines<'w> {
    warehouse: &'w Warehouse,
    what: String,
    cursor: BytesCursor,
    buffer: Vec<u8>,
    /// Start of what has not been handed out.
    position: usize,
}

impl Warehouse {
    /// Starts a query whose result is read as it comes.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn stream_json(&self, what: &str, sql: &str) -> Result<JsonLines<'_>> {
        // The server must not wait for the query's end before it sends the first row.
        let query = self.client.query_raw(sql).with_setting("wait_end_of_query", "0");
        let cursor = query.fetch_bytes("JSONEachRow").with_context(|| what.to_owned())?;
        Ok(JsonLines { warehouse: self, what: what.to_owned(), cursor, buffer: Vec::new(), position: 0 })
    }
}

impl JsonLines<'_> {
    /// The next line, or nothing at the end.
    ///
    /// # Errors
    /// The server is gone, or the query failed half-way.
    pub fn next_line(&mut self) -> Result<Option<&str>> {
        loop {
            if let Some(length) = memchr::memchr(b'\n', &self.buffer[self.position..]) {
                let start = self.position;
                self.position += length + 1;
                let line = std::str::from_utf8(&self.buffer[start..start + length]);
                return line.map(Some).with_context(|| format!("{}: the answer is not UTF-8", self.what));
            }
            self.buffer.drain(..self.position);
            self.position = 0;
            match self.warehouse.wait(&self.what, self.cursor.next())? {
                Some(bytes) => self.buffer.extend_from_slice(&bytes),
                None => return Ok(None),
            }
        }
    }
}
