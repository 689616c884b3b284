//! The warehouse's tables: do they fit what the jobs write?

use anyhow::Result;
use clickhouse::Row;
use serde::Deserialize;

use crate::health::finding::{Finding, fail, ok};
use crate::ledger::schema::OPS_DDL;
use crate::tables::Table;
use crate::warehouse::{Unfit, Warehouse, quote};

/// A table of `system.tables`.
#[derive(Debug, Row, Deserialize)]
pub struct Existing {
    database: String,
    name: String,
    engine_full: String,
}

/// The tables of both databases.
pub fn existing(warehouse: &Warehouse) -> Result<Vec<Existing>> {
    let sql = format!(
        "SELECT database, name, engine_full FROM system.tables WHERE database IN ({}, {})",
        quote(&warehouse.db),
        quote(&warehouse.ops)
    );
    warehouse.rows("looking for the tables", &sql)
}

/// One of them.
pub fn find<'e>(existing: &'e [Existing], database: &str, name: &str) -> Option<&'e Existing> {
    existing.iter().find(|table| table.database == database && table.name == name)
}

/// The pipeline's books, as the DDL has them.
fn books() -> impl Iterator<Item = &'static str> {
    OPS_DDL
        .iter()
        .flat_map(|(_, file)| file.lines())
        .filter_map(|line| line.strip_prefix("CREATE TABLE IF NOT EXISTS {ops}."))
        .map(str::trim)
}

/// Are all the tables there?
pub fn tables(warehouse: &Warehouse, wanted: &[&'static Table], existing: &[Existing]) -> Finding {
    let targets = wanted.iter().map(|table| (&warehouse.db, table.target));
    let all: Vec<(&String, &str)> = targets.chain(books().map(|name| (&warehouse.ops, name))).collect();
    let missing: Vec<String> = all
        .iter()
        .filter(|(db, name)| find(existing, db, name).is_none())
        .map(|(db, name)| format!("{db}.{name}"))
        .collect();
    if missing.is_empty() {
        ok(format!("{} table(s) and {} of the pipeline's books", wanted.len(), all.len() - wanted.len()))
    } else {
        fail(format!("there is no table {}", missing.join(", ")), "lockstep migrate")
    }
}

/// The jobs insert their columns by name and type.
pub fn columns(warehouse: &Warehouse, wanted: &[&Table]) -> Result<Finding> {
    for table in wanted {
        let unfit = Unfit::of(table, &warehouse.columns(table.target)?);
        if !unfit.is_empty() {
            let name = format!("{}.{}", warehouse.db, table.target);
            let said: Vec<String> = unfit.iter().map(Unfit::to_string).collect();
            let alters: Vec<String> = unfit.iter().map(Unfit::alter).collect();
            return Ok(fail(
                format!("{name}: {}", said.join(", ")),
                format!("ALTER TABLE {name} {}", alters.join(", ")),
            ));
        }
    }
    Ok(ok("every column that the jobs write is there"))
}

/// The newest version of a row wins, and a deleted one is hidden, only with this engine.
pub fn engine(warehouse: &Warehouse, wanted: &[&Table], existing: &[Existing]) -> Finding {
    let fits = |full: &str| {
        full.split_once("ReplacingMergeTree(").is_some_and(|(_, rest)| {
            rest.split_once(')').is_some_and(|(arguments, _)| arguments.ends_with("_version, _deleted"))
        })
    };
    for table in wanted {
        let Some(found) = find(existing, &warehouse.db, table.target) else { continue };
        if !fits(&found.engine_full) {
            let name = format!("{}.{}", warehouse.db, table.target);
            let engine = found.engine_full.split(" ORDER BY").next().unwrap_or_default();
            return fail(
                format!(
                    "{name} has the engine {engine} instead of ReplacingMergeTree(_version, _deleted): old versions and deleted rows stay"
                ),
                format!(
                    "RENAME TABLE {name} TO {name}_old, then lockstep migrate and lockstep ingest-{} --from-beginning",
                    table.name.replace('_', "-")
                ),
            );
        }
    }
    ok("ReplacingMergeTree(_version, _deleted)")
}

#[derive(Row, Deserialize)]
struct Setting {
    value: String,
}

/// Without a window, ClickHouse forgets the tokens at once, and a window that is written again is there twice.
pub fn deduplication(warehouse: &Warehouse, wanted: &[&Table], existing: &[Existing]) -> Result<Finding> {
    const NAME: &str = "non_replicated_deduplication_window";
    let default = format!("SELECT value FROM system.merge_tree_settings WHERE name = '{NAME}'");
    let default = warehouse.rows::<Setting>("asking for the server's deduplication window", &default)?;
    let default = default.first().map_or("0", |setting| setting.value.as_str());
    let targets = wanted.iter().map(|table| (&warehouse.db, table.target));
    for (database, name) in targets.chain(books().map(|name| (&warehouse.ops, name))) {
        let Some(table) = find(existing, database, name) else { continue };
        // Replicated tables have a window of their own, which is not 0 by default.
        let replicated = ["Replicated", "Shared"].iter().any(|prefix| table.engine_full.starts_with(prefix));
        if !replicated && setting(&table.engine_full, NAME).unwrap_or(default) == "0" {
            return Ok(fail(
                format!("{database}.{name} has {NAME} = 0: a window that is written again would be there twice"),
                format!("ALTER TABLE {database}.{name} MODIFY SETTING {NAME} = 10000"),
            ));
        }
    }
    Ok(ok(format!("{NAME} > 0 everywhere")))
}

/// A setting's value out of `… SETTINGS a = 1, b = 2`.
fn setting<'f>(engine_full: &'f str, name: &str) -> Option<&'f str> {
    let (_, settings) = engine_full.rsplit_once(" SETTINGS ")?;
    settings.split(", ").find_map(|pair| pair.split_once(" = ").filter(|(key, _)| *key == name).map(|(_, value)| value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_books_are_read_from_their_ddl() {
        let books: Vec<&str> = books().collect();
        assert!(books.contains(&"windows") && books.contains(&"runs") && books.len() >= 6, "{books:?}");
    }

    #[test]
    fn settings_are_found_by_their_whole_name() {
        let full = "ReplacingMergeTree(_version, _deleted) ORDER BY id SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192";
        assert_eq!(setting(full, "non_replicated_deduplication_window"), Some("10000"));
        assert_eq!(setting(full, "deduplication_window"), None);
    }
}
