//! Reading rows of any table without naming its type: for jobs that compare both sides of tables.

use crate::old::{KeyOf, RowKey, RowOf, SourceRow, System, Table};

/// A row's key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Compares as `ORDER BY` the key does.
    pub sort_key: Vec<u8>,
    /// Canonical text.
    pub text: String,
}

/// How a table's rows are read from JSON and written down again.
#[derive(Debug, Clone, Copy)]
pub struct Codec {
    key: fn(&str) -> serde_json::Result<Key>,
    canonical: fn(&str) -> serde_json::Result<String>,
}

impl Codec {
    /// That of table `T`.
    pub const fn of<T: Table>() -> Codec {
        Codec { key: key::<T>, canonical: canonical::<T> }
    }

    /// The key of a row; other columns may be missing.
    ///
    /// # Errors
    /// The key's columns are not there, or are not what the table says.
    pub fn key(self, json: &str) -> serde_json::Result<Key> {
        (self.key)(json)
    }

    /// The row as both sides write it: one encoder, so that 9.8, 9.80 and "9.8" are the same. The system columns are empty.
    ///
    /// # Errors
    /// A column cannot be decoded.
    pub fn canonical(self, json: &str) -> serde_json::Result<String> {
        (self.canonical)(json)
    }
}

fn key<T: Table>(json: &str) -> serde_json::Result<Key> {
    let key: KeyOf<'_, T> = serde_json::from_str(json)?;
    Ok(Key { sort_key: key.sort_key(), text: key.text().into_owned() })
}

fn canonical<T: Table>(json: &str) -> serde_json::Result<String> {
    let mut row: RowOf<'_, T> = serde_json::from_str(json)?;
    row.stamp(System::default());
    serde_json::to_string(&row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::old::OrderDetails;

    #[test]
    fn both_sides_write_a_row_the_same_way() {
        let codec = Codec::of::<OrderDetails>();
        let source = r#"{"order_id":10248,"product_id":11,"unit_price":14.0,"quantity":12,"discount":0.15}"#;
        let warehouse = r#"{"order_id":10248,"product_id":11,"unit_price":"14","quantity":12,"discount":0.15000000596046448,"_lsn":7}"#;
        assert_eq!(codec.canonical(source).unwrap(), codec.canonical(warehouse).unwrap());
        assert_eq!(codec.key(source).unwrap().text, "10248\u{1f}11");
        assert!(codec.key(source).unwrap() < codec.key(r#"{"order_id":10248,"product_id":101}"#).unwrap());
    }
}
