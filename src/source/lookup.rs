//! Which rows exist, and what else is asked about them? One query per table and window, by the source's own comparison.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result};
use postgres::Client;
use postgres::types::ToSql;
use xxhash_rust::xxh3::xxh3_128;

use crate::tables::{Fact, KeyColumn};
use crate::types::KEY_SEPARATOR;

/// Keys known to exist are remembered for the run, up to this many (16 bytes each).
const REMEMBERED: usize = 1 << 20;

/// Remembers keys that were found. Keys that were *not* found are asked again: they may be there by then.
#[derive(Debug, Default)]
pub struct Existence {
    found: HashSet<u128>,
}

impl Existence {
    /// Was this key found before?
    pub fn knows(&self, key: &str) -> bool {
        self.found.contains(&xxh3_128(key.as_bytes()))
    }

    /// Remembers that the key exists.
    pub fn remember(&mut self, key: &str) {
        if self.found.len() < REMEMBERED {
            self.found.insert(xxh3_128(key.as_bytes()));
        }
    }
}

/// What was asked of the rows that are there, by key: the cells of the facts.
pub type Found = HashMap<String, Vec<Vec<u8>>>;

/// The rows of a table with these keys (canonical texts, each once), by key, with the cells of `facts`. Keys that the table does not have
/// are left out.
///
/// # Errors
/// PostgreSQL is gone, refuses, or does not answer in time: never "all of them are missing".
pub fn look_up(
    client: &mut Client,
    relation: &str,
    key: &[KeyColumn],
    facts: &[Fact],
    wanted: &[&str],
) -> Result<Found> {
    let possible: Vec<&str> = wanted.iter().copied().filter(|text| is_possible(text)).collect();
    if possible.is_empty() {
        return Ok(HashMap::new());
    }
    let mut columns: Vec<Vec<&str>> = vec![Vec::with_capacity(possible.len()); key.len()];
    for text in possible {
        for (column, part) in columns.iter_mut().zip(text.splitn(key.len(), KEY_SEPARATOR)) {
            column.push(part);
        }
    }
    let parameters: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|column| column as &(dyn ToSql + Sync)).collect();
    let what = || format!("looking up {} rows of {relation} in PostgreSQL", wanted.len());
    let rows = client.query(&look_up_sql(relation, key, facts), &parameters).with_context(what)?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in rows {
        let cells = facts.iter().enumerate().map(|(n, fact)| fact.cell(row.get(n + 1)));
        found.insert(row.get(0), cells.collect());
    }
    Ok(found)
}

/// Can PostgreSQL have this key? Not with a NUL character: there is none in its texts, and it refuses the whole query that asks for one.
pub fn is_possible(key: &str) -> bool {
    !key.contains('\0')
}

fn look_up_sql(relation: &str, key: &[KeyColumn], facts: &[Fact]) -> String {
    let each = |form: &dyn Fn(usize, &KeyColumn) -> String, separator: &str| {
        key.iter().enumerate().map(|(i, column)| form(i + 1, column)).collect::<Vec<_>>().join(separator)
    };
    let text = each(&|_, c| c.text_in_source(), " || chr(31) || ");
    let facts: String = facts.iter().map(|fact| format!(", {}", fact.in_source())).collect();
    let names = each(&|_, c| c.in_source(), ", ");
    let wanted = each(&|i, c| format!("unnest(${i}::text[])::{}", c.source_type), ", ");
    format!("SELECT {text}{facts}\nFROM {relation}\nWHERE ({names}) IN (SELECT {wanted})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{ColumnType, Connector};

    #[test]
    fn the_comparison_is_made_in_the_sources_types() {
        let key = [KeyColumn::of("order_id", "integer not null"), KeyColumn::of("Customer", "bpchar not null")];
        let column_type = ColumnType::parse("real null", None, &Connector::default()).unwrap();
        let fact = Fact { column: "unit_price", column_type };
        insta::assert_snapshot!(look_up_sql("t", &key, &[fact]), @r#"
        SELECT order_id::text || chr(31) || "Customer"::text, unit_price::text
        FROM t
        WHERE (order_id, "Customer") IN (SELECT unnest($1::text[])::int8, unnest($2::text[])::bpchar)
        "#);
    }
}
