//! The build's number, which decides who may write.
//!
//! A killed build may have left a statement that still runs in the server, and a build that has lost its lock does not know it. So
//! the highest number is the only one that writes: every INSERT of a build asks for it in its own WHERE, and whoever takes a new
//! number first ends the statements of older builds and drops their half-made tables. After that nothing older can write any more.

use anyhow::Result;
use chrono::Utc;
use clickhouse::Row;
use serde::{Deserialize, Serialize};

use crate::derived::run::Run;
use crate::exit::try_again;
use crate::warehouse::{identifier, quote};

/// A build that has its number.
pub struct Build {
    /// From 1. Never used twice.
    pub number: u64,
    /// Has the one before it left tables of its own? Then it did not end what it had begun.
    pub follows_cut_short: bool,
    run_id: String,
    /// A query: how many runs have a higher number, or the same.
    others: String,
    query_id: String,
    /// What the names of the builds' own tables begin with.
    tables: String,
}

#[derive(Row, Serialize)]
struct BuildRow {
    job: String,
    build: u64,
    run_id: String,
    taken_at: i64,
}

#[derive(Row, Deserialize)]
struct Number {
    n: u64,
}

#[derive(Row, Deserialize)]
struct Name {
    name: String,
}

#[derive(Row, Deserialize)]
struct Written {
    rows: u64,
    markers: u64,
}

impl Build {
    /// Takes the next number and ends whatever older builds have left.
    ///
    /// # Errors
    /// The server is gone or refuses; another build came in between (75).
    pub fn take(run: &mut Run) -> Result<Build> {
        let number = last_number(run)? + 1;
        let taken = BuildRow {
            job: run.run.job.clone(),
            build: number,
            run_id: run.run.id.clone(),
            taken_at: Utc::now().timestamp_millis(),
        };
        run.warehouse.insert::<BuildRow>(&run.warehouse.ops, "builds", &run.run.id, [taken].iter())?;
        run.totals.build = Some(number);
        run.failpoint("number-taken")?;
        let others = format!(
            "SELECT count() AS n FROM {{ops}}.builds WHERE job = {} AND build >= {number} AND run_id != {}",
            quote(&run.run.job),
            quote(&run.run.id)
        );
        let mut build = Build {
            number,
            follows_cut_short: false,
            run_id: run.run.id.clone(),
            others,
            query_id: format!("{}/{}/", run.run.job, run.warehouse.db),
            tables: run.derived.spec.builds(),
        };
        build.is_newest(run)?;
        build.end_older_builds(run)?;
        run.failpoint("older-ended")?;
        Ok(build)
    }

    /// `_version` of this build's rows.
    pub fn row_version(&self) -> u64 {
        2 * self.number + 1
    }

    /// `_version` of this build's delete markers. Below that of the rows: `FINAL` merges across partitions, and of a marker and a
    /// moved row of the same version it would keep the marker.
    pub fn marker_version(&self) -> u64 {
        2 * self.number
    }

    /// The table that `--full` fills.
    pub fn shadow(&self) -> String {
        format!("{}{}", self.tables, self.number)
    }

    /// Another table of this build's own.
    pub fn own(&self, what: &str) -> String {
        format!("{}_{what}", self.shadow())
    }

    /// Runs one of the build's statements, with its placeholders filled in, under an id that a later build can find.
    ///
    /// # Errors
    /// The server is gone or refuses, or a later build has ended it.
    pub fn execute(&self, run: &Run, what: &str, sql: &str) -> Result<()> {
        let sql = sql
            .replace("{row_version}", &self.row_version().to_string())
            .replace("{marker_version}", &self.marker_version().to_string())
            .replace("{is_newest}", &format!("({}) = 0", self.others));
        let id = format!("{}{}/{what}", self.query_id, self.run_id);
        run.warehouse.execute_as(&id, what, &run.warehouse.named(&sql)?)
    }

    /// Before a step that cannot ask for itself. If this is the newest build now, it was so in every statement before.
    ///
    /// # Errors
    /// Exit 75: a later build, or one of the same number, is at work.
    pub fn is_newest(&self, run: &Run) -> Result<()> {
        if run.warehouse.row::<Number>("asking for later builds", &run.warehouse.named(&self.others)?)?.n == 0 {
            return Ok(());
        }
        Err(try_again(format!(
            "{}, build {}: the lock was lost and another build has begun; it does this one's work; run again",
            run.run.job, self.number
        )))
    }

    /// Counts this build's rows and markers: they are the newest of their keys, so no merge has taken one away.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn count_what_was_written(&self, run: &mut Run) -> Result<()> {
        let (rows, markers) = (self.row_version(), self.marker_version());
        let sql = format!(
            "SELECT countIf(_version = {rows}) AS rows, countIf(_version = {markers}) AS markers
             FROM {}.{} WHERE _version IN ({markers}, {rows})",
            run.warehouse.db,
            run.derived.target()
        );
        let written: Written = run.warehouse.row("counting the rows written", &sql)?;
        (run.totals.written, run.totals.deleted) = (written.rows, written.markers);
        Ok(())
    }

    /// Drops what this build has made for itself; what it was for is written.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn drop_own(&self, run: &Run) -> Result<()> {
        self.tables(run)?.iter().filter(|name| self.is_own(name)).try_for_each(|name| self.drop(run, name))
    }

    /// Its first table stands before those of older builds are gone: that one was cut short is not forgotten by being killed.
    fn end_older_builds(&mut self, run: &Run) -> Result<()> {
        let kill = format!("KILL QUERY WHERE startsWith(query_id, {}) SYNC", quote(&self.query_id));
        run.warehouse.execute("ending the statements of older builds", &kill)?;
        let left = self.tables(run)?;
        self.follows_cut_short = !left.is_empty();
        let key = run.derived.driving_key_declared();
        let key: Vec<String> =
            key.iter().map(|(name, column_type)| format!("{} {column_type}", identifier(name))).collect();
        let create = format!(
            "CREATE TABLE {{db}}.{} ({}, _batch UInt64) ENGINE = MergeTree ORDER BY _batch",
            self.own("touched"),
            key.join(", ")
        );
        self.execute(run, "making the table of what is touched", &create)?;
        left.iter().try_for_each(|name| self.drop(run, name))
    }

    /// The tables that builds have made for themselves and not dropped.
    fn tables(&self, run: &Run) -> Result<Vec<String>> {
        let sql = format!(
            "SELECT name FROM system.tables WHERE database = {} AND match(name, {})",
            quote(&run.warehouse.db),
            quote(&format!("^{}[0-9]+(_touched|_members|_keys)?$", self.tables))
        );
        let names: Vec<Name> = run.warehouse.rows("looking for tables of builds", &sql)?;
        Ok(names.into_iter().map(|row| row.name).collect())
    }

    fn is_own(&self, name: &str) -> bool {
        name.strip_prefix(&self.shadow()).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    }

    fn drop(&self, run: &Run, name: &str) -> Result<()> {
        let drop = format!("DROP TABLE IF EXISTS {}.{name} SYNC", run.warehouse.db);
        run.warehouse.execute("dropping a build's table", &drop)
    }
}

/// The highest number that was ever taken. Books that were restored from an old copy do not know it; the tables themselves do.
fn last_number(run: &Run) -> Result<u64> {
    let derived = &run.derived;
    let members = derived.spec.membership.as_ref().map(|_| derived.spec.members());
    let versions = [derived.target().to_owned()].into_iter().chain(members);
    let versions: String =
        versions.map(|table| format!(" UNION ALL SELECT intDiv(max(_version), 2) FROM {{db}}.{table}")).collect();
    let sql = format!(
        "SELECT max(number) AS n FROM
         (SELECT max(build) AS number FROM {{ops}}.builds WHERE job = {}{versions})",
        quote(&run.run.job)
    );
    Ok(run.warehouse.row::<Number>("asking for the last build's number", &run.warehouse.named(&sql)?)?.n)
}
