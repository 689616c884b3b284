//! The rows that the table has to show, for `--verify`.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_64;

use crate::cdc::Fields;
use crate::old::{RowOf, SourceRow, Table};
use crate::warehouse::chunks;

/// What is not compared: times of writing, and the same time twice.
pub const NOT_COMPARED: [&str; 2] = ["_updated_at", "src_ts"];

/// So much may a query answer.
pub const ANSWER_BYTES: usize = 8 << 20;

/// The rows that the table has to show for the keys of a window.
#[derive(Debug, Default)]
pub struct Shown {
    /// By key.
    pub rows: BTreeMap<String, Fingerprint>,
    /// Bytes of the longest row, as JSON.
    longest: usize,
}

/// A row: a hash of each column, so that the one that differs can be named.
#[derive(Debug)]
pub struct Fingerprint {
    pub version: u64,
    pub columns: Box<[u64]>,
}

#[derive(Deserialize)]
pub struct Line {
    #[serde(rename = "_version")]
    pub version: u64,
    #[serde(rename = "_partition")]
    pub partition: i32,
}

impl Shown {
    /// Takes in a row as it is sent. Offsets rise, so the last one of a key is its newest.
    ///
    /// # Errors
    /// The row cannot be written down.
    pub fn take_in<T: Table>(&mut self, row: &RowOf<'_, T>) -> Result<()> {
        let json = serde_json::to_string(row)?;
        let columns = columns_of(&json)?.iter().map(|(_, value)| xxh3_64(value.as_bytes())).collect();
        self.longest = self.longest.max(json.len());
        self.rows.insert(row.key_text().into_owned(), Fingerprint { version: row.version(), columns });
        Ok(())
    }

    /// Keys in runs for a query: whole rows are the answer, and long ones must not come all at once.
    pub fn runs<'k>(&self, keys: &'k [&'k str]) -> impl Iterator<Item = &'k [&'k str]> {
        let most = (ANSWER_BYTES / self.longest.max(1)).max(1);
        chunks::of_keys(keys, 1).into_iter().flat_map(move |run| run.chunks(most))
    }
}

pub fn columns_of(json: &str) -> Result<Vec<(String, String)>> {
    let fields = Fields::parse(json).context("reading a row")?;
    let compared = fields.0.into_iter().filter(|(name, _)| !NOT_COMPARED.contains(&name.as_ref()));
    Ok(compared.map(|(name, value)| (name.into_owned(), value.get().to_owned())).collect())
}
