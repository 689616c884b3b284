//! Are the source's columns those that the pipeline's file knows, and what of their values does the connector lose?

use std::collections::BTreeMap;

use anyhow::Result;
use postgres::Client;

use super::wanted::Wanted;
use crate::health::finding::{Finding, fail, ok, warn};
use crate::source::{self, Drift};
use crate::tables::Table;

/// Columns that are named for a caveat.
const MOST_NAMED: usize = 3;

/// Compares the catalogue with the file.
pub fn types(client: &mut Client, wanted: &Wanted) -> Result<Finding> {
    let mut note = None;
    for table in &wanted.tables {
        let Some(source) = source::catalogue(client, &table.relation, &table.connector)? else { continue };
        let target = format!("{}.{}", wanted.args.clickhouse.clickhouse_db, table.target);
        let drift = Drift::of(table, &source, &target);
        if let Some(problem) = drift.problems.first() {
            return Ok(fail(format!("{}: {}", table.name, problem.what), problem.remedy.as_str()));
        }
        let noted = drift.notes.first();
        note =
            note.or_else(|| noted.map(|noted| warn(format!("{}: {}", table.name, noted.what), noted.remedy.as_str())));
    }
    Ok(note.unwrap_or_else(|| {
        let caveats = caveats(&wanted.tables);
        ok(format!("{} table(s) have the columns of the pipeline's file{caveats}", wanted.tables.len()))
    }))
}

/// What the connector loses, with the columns that it concerns.
fn caveats(tables: &[&Table]) -> String {
    let mut columns: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for table in tables {
        for column in table.columns() {
            if let Some(caveat) = column.column_type.caveat(&table.connector) {
                columns.entry(caveat).or_default().push(format!("{}.{}", table.name, column.name));
            }
        }
    }
    let said = columns.into_iter().map(|(caveat, columns)| {
        let more = columns.len().saturating_sub(MOST_NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("; {caveat} ({}{more})", columns.into_iter().take(MOST_NAMED).collect::<Vec<_>>().join(", "))
    });
    said.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::Pipeline;

    #[test]
    fn a_caveat_names_some_of_its_columns() {
        let pipeline = Pipeline::embedded();
        let orders: Vec<&Table> = pipeline.tables.iter().filter(|table| table.name == "orders").collect();
        assert_eq!(
            caveats(&orders),
            "; a snapshot sends dates before Christ as dates after it (orders.order_date, orders.required_date, orders.shipped_date)"
        );
        let all: Vec<&Table> = pipeline.tables.iter().collect();
        assert!(caveats(&all).ends_with(" and 2 more)"), "{}", caveats(&all));
    }
}
