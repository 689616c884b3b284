//! The version of the books: which executable they fit, and whose they are.

use anyhow::Result;
use clickhouse::Row;
use serde::Deserialize;

use crate::exit::needs_person;
use crate::ledger::installation::{Installation, other_warehouse};
use crate::ledger::migrations::{INSTALLING, MIGRATIONS, Migration, SCHEMA_VERSION};
use crate::source::LockPlace;
use crate::warehouse::{Warehouse, quote};

/// From this version on, books say where they belong.
const INSTALLATION: u32 = 5;

/// A row of `{ops}.schema_migrations`.
#[derive(Debug, Clone, Row, Deserialize)]
struct Recorded {
    version: u32,
    warehouse: String,
    applied_by: String,
    applied_at: i64,
}

/// What the books say of themselves, for one warehouse database.
#[derive(Debug)]
pub struct Versions {
    books: String,
    warehouse: String,
    recorded: Vec<Recorded>,
    /// Where the books belong, if they say so.
    installation: Option<Installation>,
    /// Is there any table of ours, in the books or in the warehouse?
    any_table: bool,
}

impl Versions {
    /// The highest version of this warehouse; 0 if none is recorded.
    pub fn newest(&self) -> u32 {
        self.of_warehouse().map(|row| row.version).max().unwrap_or(0)
    }

    /// The highest version of the books, of whatever warehouse it was said; 0 if none is recorded.
    pub fn newest_of_books(&self) -> u32 {
        self.recorded.iter().map(|row| row.version).max().unwrap_or(0)
    }

    /// Where the books belonged until now, if that is not here.
    pub fn elsewhere(&self, locks: &LockPlace) -> Option<&Installation> {
        self.installation.as_ref().filter(|there| there.warehouse != self.warehouse || !there.locks().may_be(locks))
    }

    /// Is everything applied that this executable knows?
    pub fn is_current(&self) -> bool {
        self.missing().next().is_none()
    }

    /// Nothing is there, or what an installation has begun.
    pub(super) fn is_fresh(&self) -> bool {
        if self.recorded.is_empty() { !self.any_table } else { self.newest_of_books() == INSTALLING.0 }
    }

    /// Books that a newer executable has changed are not ours to touch.
    ///
    /// # Errors
    /// Exit 78: they are newer.
    pub fn refuse_newer(&self) -> Result<()> {
        let newer: Vec<&Recorded> = self.recorded.iter().filter(|row| row.version > SCHEMA_VERSION).collect();
        let Some(last) = newer.last() else { return Ok(()) };
        let mut versions: Vec<String> = newer.iter().map(|row| row.version.to_string()).collect();
        versions.dedup();
        Err(needs_person(format!(
            "{} is newer than this executable: versions {} (by lockstep {}), where this one knows {SCHEMA_VERSION}; use that executable",
            self.books,
            versions.join(", "),
            last.applied_by
        )))
    }

    /// Books are of one warehouse. Older ones could have several, and do not say which: the one whose tables were made first.
    ///
    /// # Errors
    /// Exit 78: they are another one's.
    pub fn refuse_other_warehouse(&self) -> Result<()> {
        let first = || self.recorded.iter().min_by_key(|row| row.applied_at).map(|row| &row.warehouse);
        match self.installation.as_ref().map(|installation| &installation.warehouse).or_else(first) {
            Some(owner) if *owner != self.warehouse => Err(other_warehouse(&self.books, owner, &self.warehouse)),
            _ => Ok(()),
        }
    }

    /// Do the jobs lock here, as far as the books say so?
    ///
    /// # Errors
    /// Exit 78: they lock elsewhere.
    pub fn refuse_other_locks(&self, here: &LockPlace) -> Result<()> {
        self.installation.as_ref().map_or(Ok(()), |installation| installation.refuse_other_locks(&self.books, here))
    }

    /// What every job asks before it works.
    ///
    /// # Errors
    /// Exit 78: the books are older than this executable, or newer, or another warehouse's.
    pub fn fit(&self) -> Result<()> {
        self.refuse_newer()?;
        self.refuse_other_warehouse()?;
        let missing: Vec<String> = self.missing().map(|migration| migration.version.to_string()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let books = &self.books;
        let is = match self.newest() {
            0 if self.recorded.is_empty() => "has no version".to_owned(),
            0 => "has no version: its installation was cut short".to_owned(),
            newest => format!("is at version {newest}"),
        };
        Err(needs_person(format!(
            "{books} {is}, older than this executable, which needs {SCHEMA_VERSION}: run `migrate` first (missing: {})",
            missing.join(", ")
        )))
    }

    fn of_warehouse(&self) -> impl Iterator<Item = &Recorded> {
        self.recorded.iter().filter(|row| row.warehouse == self.warehouse)
    }

    pub(super) fn missing(&self) -> impl Iterator<Item = &'static Migration> {
        MIGRATIONS.iter().filter(|migration| !self.of_warehouse().any(|row| row.version == migration.version))
    }

    /// Has any warehouse of these books had it?
    pub(super) fn books_have(&self, version: u32) -> bool {
        self.recorded.iter().any(|row| row.version == version)
    }
}

impl Warehouse {
    /// What is recorded. A table of versions that is missing says that nothing is.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn versions(&self) -> Result<Versions> {
        #[derive(Row, Deserialize)]
        struct Table {
            name: String,
        }
        let sql = format!(
            "SELECT if(database = {ops}, name, '') AS name FROM system.tables WHERE database IN ({ops}, {})",
            quote(&self.db),
            ops = quote(&self.ops)
        );
        let tables = self.rows::<Table>("looking for the books", &sql)?;
        let is_there = |name: &str| tables.iter().any(|table| table.name == name);
        let recorded = if is_there("schema_migrations") { self.recorded()? } else { Vec::new() };
        let installation = if is_there("installation") { self.installation()? } else { None };
        let any_table = tables.iter().any(|table| !matches!(table.name.as_str(), "schema_migrations" | "installation"));
        Ok(Versions { books: self.ops.clone(), warehouse: self.db.clone(), recorded, installation, any_table })
    }

    /// Do the books fit this executable and this warehouse? Every job asks that first. Returns where they belong.
    ///
    /// # Errors
    /// Exit 78: they are older, or newer, or not there, or another warehouse's; the server is gone.
    pub fn fits(&self) -> Result<Installation> {
        let recorded = self.recorded()?;
        // Books that are older do not have the table.
        let is_there = recorded.iter().any(|row| row.version >= INSTALLATION);
        let installation = if is_there { self.installation()? } else { None };
        let (books, warehouse) = (self.ops.clone(), self.db.clone());
        let versions = Versions { books, warehouse, recorded, installation, any_table: true };
        versions.fit()?;
        versions
            .installation
            .ok_or_else(|| needs_person(format!("{} does not say where it belongs: run `migrate` first", self.ops)))
    }

    fn recorded(&self) -> Result<Vec<Recorded>> {
        let sql = format!(
            "SELECT version, warehouse, applied_by, toUnixTimestamp64Milli(schema_migrations.applied_at) AS applied_at
             FROM {}.schema_migrations FINAL ORDER BY version",
            self.ops
        );
        self.rows("asking for the version of the books", &sql)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(recorded: &[(u32, &str)], any_table: bool) -> Versions {
        let row = |(version, warehouse): &(u32, &str)| Recorded {
            version: *version,
            warehouse: (*warehouse).to_owned(),
            applied_by: "0.1.0".to_owned(),
            applied_at: i64::from(*version),
        };
        Versions {
            books: "shop_ops".to_owned(),
            warehouse: "shop_dw".to_owned(),
            recorded: recorded.iter().map(row).collect(),
            installation: None,
            any_table,
        }
    }

    #[test]
    fn an_installation_that_was_cut_short_is_no_older_book() {
        assert!(versions(&[], false).is_fresh());
        assert!(!versions(&[], true).is_fresh(), "tables without a version: older books");
        assert!(versions(&[(0, "shop_dw")], true).is_fresh(), "begun, and not ended");
        assert!(versions(&[(0, "shadow_dw")], true).is_fresh(), "begun with another warehouse");
        assert!(!versions(&[(0, "shadow_dw"), (1, "shadow_dw")], true).is_fresh());
    }

    #[test]
    fn books_of_another_version_are_refused_in_words() {
        let all: Vec<(u32, &str)> = (0..=SCHEMA_VERSION).map(|version| (version, "shop_dw")).collect();
        assert!(versions(&all, true).fit().is_ok());
        let refusal = |recorded: &[(u32, &str)]| versions(recorded, true).fit().unwrap_err().to_string();
        assert!(refusal(&[]).contains("has no version, older than this executable"));
        assert!(refusal(&[(0, "shop_dw")]).contains("cut short"));
        let first = refusal(&[(1, "shadow_dw"), (2, "shop_dw")]);
        assert!(first.contains("books of the warehouse shadow_dw, not of shop_dw"), "{first}");
        let newer = refusal(&[&all[..], &[(9998, "shop_dw"), (9999, "shop_dw")]].concat());
        assert!(newer.contains("newer than this executable: versions 9998, 9999 (by lockstep 0.1.0)"), "{newer}");
    }
}
