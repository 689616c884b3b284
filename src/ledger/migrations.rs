//! Migrations: what brings older books, and the warehouse beside them, to the schema of this executable.
//!
//! [`crate::ledger::schema`] has the schema of today; a fresh installation runs it whole and is recorded as having had every migration. Books
//! that were there before get `clickhouse/migrations` in order, each recorded after its last statement. Every statement may be run
//! twice, so `migrate` can be killed anywhere and run again.

use anyhow::Result;
use chrono::Utc;
use clickhouse::Row;
use serde::Serialize;

use crate::ledger::schema::{DATABASES, VERSIONS};
use crate::ledger::versions::Versions;
use crate::source::LockPlace;
use crate::tables::Pipeline;
use crate::warehouse::schema::statements;
use crate::warehouse::{Warehouse, quote};

/// One step of the schema's history. Once released it is never changed: what was forgotten is the next one.
pub(super) struct Migration {
    pub version: u32,
    name: &'static str,
    /// Statements, each ended by a semicolon at the end of a line; `{db}` and `{ops}` stand for the databases.
    sql: &'static str,
}

macro_rules! sql {
    ($version:literal, $name:literal, $file:literal) => {
        Migration { version: $version, name: $name, sql: include_str!(concat!("../../clickhouse/migrations/", $file)) }
    };
}

/// All of them, numbered from 1 without holes.
pub(super) const MIGRATIONS: &[Migration] = &[
    sql!(1, "baseline", "0001_baseline.sql"),
    sql!(2, "ledger", "0002_ledger.sql"),
    sql!(3, "generation", "0003_generation.sql"),
    sql!(4, "health", "0004_health.sql"),
    sql!(5, "belonging", "0005_belonging.sql"),
    sql!(6, "starts", "0006_starts.sql"),
    sql!(7, "replaced_topics", "0007_replaced_topics.sql"),
    sql!(8, "derived", "0008_derived.sql"),
];

/// Recorded when a fresh installation begins: tables without a version are then no older books.
pub(super) const INSTALLING: (u32, &str) = (0, "installing");

/// The version that this executable was built for.
pub const SCHEMA_VERSION: u32 = MIGRATIONS[MIGRATIONS.len() - 1].version;

#[derive(Row, Serialize)]
struct NewRecord {
    version: u32,
    warehouse: String,
    name: String,
    applied_by: String,
    applied_at: i64,
}

/// What a `migrate` has done, by the names of the migrations.
#[derive(Debug, Default)]
pub struct Migrated {
    /// Those that the books did not have.
    pub applied: Vec<&'static str>,
    /// Those that the books had, of the warehouse under another name: its tables have been through them, unless it is an older copy.
    pub repeated: Vec<&'static str>,
}

impl Warehouse {
    /// Ends what the server still does for a `migrate` that was killed: statements with its comment.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn end_statements(&self, comment: &str) -> Result<()> {
        let kill = format!("KILL QUERY WHERE Settings['log_comment'] = {} SYNC", quote(comment));
        self.execute("ending the statements of a killed migrate", &kill)
    }

    /// Says where the books belong, before anything else is done: of two that lock in different databases one goes no further.
    ///
    /// # Errors
    /// Exit 78: they belong elsewhere, and have not `moved` here. The server is gone or refuses.
    pub fn begin_books(&self, locks: &LockPlace, moved: bool) -> Result<()> {
        for statement in statements(DATABASES.1).chain(statements(VERSIONS.1)) {
            self.execute("making the tables of versions and place", &self.named(statement)?)?;
        }
        if moved { self.move_books(locks) } else { self.claim_books(locks) }
    }

    /// Brings everything to the version of this executable, whose `schema` of today is applied last; says what was done. `failpoint` is told after every step.
    ///
    /// # Errors
    /// The server is gone or refuses. Run it again: it goes on where it was.
    pub fn migrate(
        &self,
        schema: &[(String, String)],
        pipeline: &'static Pipeline,
        versions: &Versions,
        failpoint: &dyn Fn(&str),
    ) -> Result<Migrated> {
        let missing: Vec<&'static Migration> = versions.missing().collect();
        if versions.is_fresh() {
            self.record(&[INSTALLING])?;
            failpoint("installing");
            self.apply_schema(schema, pipeline, failpoint)?;
            self.record(&missing.iter().map(|migration| (migration.version, migration.name)).collect::<Vec<_>>())?;
            failpoint("recorded");
            return Ok(Migrated::default());
        }
        let mut migrated = Migrated::default();
        for migration in missing {
            let Migration { version, name, .. } = migration;
            let books_have_it = versions.books_have(*version);
            let of = if books_have_it { format!(", which the books have, for {}", self.db) } else { String::new() };
            tracing::info!("{}: migration {version} ({name}){of}", self.ops);
            self.apply(migration, books_have_it, failpoint)?;
            self.record(&[(*version, name)])?;
            if books_have_it { &mut migrated.repeated } else { &mut migrated.applied }.push(*name);
            failpoint("recorded");
        }
        self.apply_schema(schema, pipeline, failpoint)?;
        Ok(migrated)
    }

    /// A warehouse under another name, whose books have moved with it: only what is done to its own tables is missing.
    fn apply(&self, migration: &Migration, books_have_it: bool, failpoint: &dyn Fn(&str)) -> Result<()> {
        let what = format!("migration {} ({})", migration.version, migration.name);
        let wanted = |statement: &&str| !books_have_it || statement.contains("{db}");
        for statement in statements(migration.sql).filter(wanted) {
            self.execute(&what, &self.named(statement)?)?;
            failpoint("statement");
        }
        Ok(())
    }

    fn record(&self, migrations: &[(u32, &str)]) -> Result<()> {
        let row = |(version, name): &(u32, &str)| NewRecord {
            version: *version,
            warehouse: self.db.clone(),
            name: (*name).to_owned(),
            applied_by: crate::VERSION.to_owned(),
            applied_at: Utc::now().timestamp_millis(),
        };
        let rows: Vec<NewRecord> = migrations.iter().map(row).collect();
        let token = format!("{}/{:?}/{}", self.db, migrations, Utc::now().timestamp_micros());
        self.insert::<NewRecord>(&self.ops, "schema_migrations", &token, rows.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_count_from_one_without_holes() {
        assert!(MIGRATIONS.iter().map(|migration| migration.version).eq(1..=SCHEMA_VERSION));
    }
}
