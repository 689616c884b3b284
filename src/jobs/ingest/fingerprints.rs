//! The rows that the table has to show, for `--verify`.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

use crate::rows::Row;
use crate::tables::Table;
use crate::warehouse::{ShownRow, chunks, shown_names};

/// So much may a query answer.
pub const ANSWER_BYTES: usize = 8 << 20;

/// The rows that the table has to show for the keys of a window.
#[derive(Debug, Default)]
pub struct Fingerprints {
    /// By key.
    pub rows: BTreeMap<String, Fingerprint>,
    /// Bytes of the longest row.
    longest: usize,
}

/// A row: a hash of each column, so that the one that differs can be named.
#[derive(Debug)]
pub struct Fingerprint {
    pub version: u64,
    columns: Box<[u64]>,
}

impl Fingerprints {
    /// Takes in a row as it is sent. Offsets rise, so the last one of a key is its newest.
    pub fn take_in(&mut self, table: &Table, row: Row<'_>) {
        let system = row.system();
        let own = table.columns().iter().enumerate();
        let own = own.map(|(place, column)| hash(column.column_type.text(row.cell(place)).as_deref()));
        let columns = own.chain(system.texts().iter().map(|text| hash(text.as_deref()))).collect();
        self.longest = self.longest.max(row.bytes().len());
        let fingerprint = Fingerprint { version: system.standing.version, columns };
        self.rows.insert(table.schema.key_of(row), fingerprint);
    }

    /// Keys in runs for a query: whole rows are the answer, and long ones must not come all at once.
    pub fn runs<'k>(&self, keys: &'k [&'k str]) -> impl Iterator<Item = &'k [&'k str]> {
        let most = (ANSWER_BYTES / self.longest.max(1)).max(1);
        chunks::of_keys(keys, 1).into_iter().flat_map(move |run| run.chunks(most))
    }
}

impl Fingerprint {
    /// The first column in which the row that is shown differs, with its value there.
    pub fn differs<'s>(&self, table: &Table, shown: &'s ShownRow) -> Option<(&'static str, &'s str)> {
        let mut names = shown_names(table).zip(&shown.texts).zip(&*self.columns);
        let ((name, text), _) = names.find(|((_, text), written)| hash(text.as_deref()) != **written)?;
        Some((name, text.as_deref().unwrap_or("NULL")))
    }
}

/// NULL is no text.
fn hash(text: Option<&str>) -> u64 {
    text.map_or(0, |text| xxh3_64(text.as_bytes()))
}
