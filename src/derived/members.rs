//! To which rows of a derived table the rows of the driving one belong. A row that has moved, or is gone, does not say any more where it was: a merge
//! has removed it, or an insert that had both. So the warehouse remembers it, in `<target>_members`.
//!
//! What is remembered is all that is ever counted: a row of the derived table is made of the members that the build has noted down, not of what a join
//! would find at that moment. Before it is written, every member of it is remembered; after it is written, what moved away is forgotten.
//! So whenever a build is killed, each row that shows a member is remembered of it, and is made again when the member is touched.

use anyhow::Result;

use crate::derived::Derived;
use crate::derived::number::Build;
use crate::derived::run::Run;
use crate::derived::survey;
use crate::derived::work::Keys;
use crate::pipeline::SqlFile;

/// Where the touched rows of the driving table belong.
#[derive(Debug)]
pub struct Members {
    derived: Derived,
    /// The rows of the derived table that they belonged to, or belong to now.
    pub keys: Keys,
    /// The touched rows.
    touched: String,
    /// Where they belong now.
    new: String,
    /// Are all rows of the driving table touched?
    full: bool,
}

impl Members {
    /// For a dry run.
    pub fn asked(derived: Derived, sql: &SqlFile, touched: &Keys, full: bool) -> Members {
        let touched = touched.all();
        let columns = derived.member_columns();
        let new = format!("(SELECT {columns} FROM (\n{}\n))", derived.memberships(sql, &touched).fitting());
        let key = derived.key();
        let mut keys = format!("SELECT {key} FROM {new}");
        if !full {
            keys += &format!(" UNION DISTINCT SELECT {key} FROM {}", of_driving(&derived, &touched));
        }
        Members { derived, keys: Keys::Asked(keys), touched, new, full }
    }

    /// Notes down where the touched rows belong now, and remembers it beside where they belonged.
    ///
    /// # Errors
    /// The server is gone or refuses; a signal has come.
    pub fn note(run: &mut Run, build: &Build, sql: &SqlFile, touched: &Keys) -> Result<Members> {
        let (derived, full, size) = (run.derived, run.args.full, run.args.batch);
        let (columns, key) = (derived.member_columns(), derived.key());
        let (noted, members) = (build.own("members"), derived.spec.members());
        build.execute(
            run,
            "making the table of new members",
            &format!("CREATE TABLE {{db}}.{noted} AS {{db}}.{members}"),
        )?;
        for batch in touched.batches() {
            let select = derived.memberships(sql, &batch);
            survey::set_members_aside(run, build, &select)?;
            let from = format!("(\n{}\n)", select.fitting());
            build.execute(run, "noting down new members", &insert(&noted, &columns, &from, "{is_newest}", 0))?;
        }
        run.failpoint("members-noted")?;
        let new = format!("(SELECT {columns} FROM {{db}}.{noted} FINAL)");
        build.execute(run, "remembering new members", &insert(&members, &columns, &new, "{is_newest}", 0))?;
        run.failpoint("members-written")?;
        let touched = touched.all();
        let belong = if full { new.clone() } else { remembered_in(&derived, &of_driving(&derived, &touched)) };
        let table = build.own("keys");
        let create = format!(
            "CREATE TABLE {{db}}.{table} ({}, _batch UInt64) ENGINE = MergeTree ORDER BY _batch",
            derived.key_declared()
        );
        build.execute(run, "making the table of keys", &create)?;
        // A batch has about so many members, however they are spread over the keys.
        let numbered = format!(
            "SELECT {key}, intDiv(sum(_members) OVER (ORDER BY {key} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - 1, {size}) AS _batch
             FROM (SELECT {key}, count() AS _members FROM {belong} GROUP BY {key})"
        );
        let keys = Keys::note(run, build, &table, &key, &numbered)?;
        run.failpoint("keys-written")?;
        Ok(Members { derived, keys, touched, new, full })
    }

    /// The members of some rows of the derived table, as a table in SQL: as noted down for those that are touched, as remembered for the others.
    pub fn of(&self, keys: &str) -> String {
        let (columns, key, driving) = (self.derived.member_columns(), self.derived.key(), self.derived.driving_key());
        let new = format!("SELECT {columns} FROM {} WHERE ({key}) IN {keys}", self.new);
        if self.full {
            return format!("({new})");
        }
        let others = remembered_in(&self.derived, keys);
        let touched = &self.touched;
        format!("({new} UNION ALL SELECT {columns} FROM {others} WHERE ({driving}) NOT IN {touched})")
    }

    /// Forgets where the touched rows do not belong any more.
    ///
    /// # Errors
    /// The server is gone or refuses; a signal has come.
    pub fn forget(&self, run: &Run, build: &Build) -> Result<()> {
        let columns = self.derived.member_columns();
        let members = self.derived.spec.members();
        let from = if self.full {
            format!("(SELECT {columns} FROM {{db}}.{members} FINAL)")
        } else {
            of_driving(&self.derived, &self.touched)
        };
        let gone = format!("({columns}) NOT IN {} AND {{is_newest}}", self.new);
        build.execute(run, "forgetting old members", &insert(&members, &columns, &from, &gone, 1))?;
        run.failpoint("members-forgotten")
    }

    /// A query for the rows of the driving table that are remembered in more than one place, as a build that was cut short leaves them.
    pub fn in_two_places(derived: &Derived) -> String {
        let (key, members) = (derived.driving_key(), derived.spec.members());
        format!("SELECT {key} FROM {{db}}.{members} FINAL GROUP BY {key} HAVING count() > 1")
    }
}

fn insert(table: &str, columns: &str, from: &str, condition: &str, deleted: u8) -> String {
    format!(
        "INSERT INTO {{db}}.{table} ({columns}, _version, _deleted)
         SELECT {columns}, {{row_version}}, {deleted} FROM {from} WHERE {condition}
         SETTINGS join_use_nulls = 0, insert_deduplicate = 0"
    )
}

/// What is remembered of rows of the driving table.
fn of_driving(derived: &Derived, rows: &str) -> String {
    let (columns, key, members) = (derived.member_columns(), derived.driving_key(), derived.spec.members());
    format!("(SELECT {columns} FROM {{db}}.{members} FINAL WHERE ({key}) IN {rows})")
}

/// What is remembered of rows of the derived table.
fn remembered_in(derived: &Derived, keys: &str) -> String {
    let (columns, key, members) = (derived.member_columns(), derived.key(), derived.spec.members());
    format!("(SELECT {columns} FROM {{db}}.{members} FINAL WHERE ({key}) IN (SELECT {key} FROM {keys}))")
}
