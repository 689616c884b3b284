//! What a build has to do again: rows of the driving table, and the rows of the derived one that these belong to. It is noted down once, so that every
//! step is about the same ones, in batches, so that no statement is about more than the server has memory for.

use anyhow::Result;
use clickhouse::Row;
use serde::Deserialize;

use crate::derived::Derived;
use crate::derived::members::Members;
use crate::derived::number::Build;
use crate::derived::run::Run;
use crate::derived::select::Select;

/// Keys.
#[derive(Debug, Clone)]
pub enum Keys {
    /// In a table of the build's own.
    Noted {
        /// The table.
        table: String,
        /// Their columns, for SQL.
        columns: String,
        /// The numbers of the batches.
        batches: Vec<u64>,
    },
    /// As a query.
    Asked(String),
}

#[derive(Row, Deserialize)]
struct Batch {
    batch: u64,
}

impl Keys {
    /// Notes down what a query finds: `columns`, and the number of the batch as `_batch`.
    pub fn note(run: &Run, build: &Build, table: &str, columns: &str, query: &str) -> Result<Keys> {
        let insert = format!(
            "INSERT INTO {{db}}.{table} ({columns}, _batch)
             SELECT {columns}, _batch FROM (\n{query}\n) WHERE {{is_newest}}
             SETTINGS insert_deduplicate = 0"
        );
        build.execute(run, "noting down what is touched", &insert)?;
        let batches = format!("SELECT DISTINCT _batch AS batch FROM {}.{table} ORDER BY batch", run.warehouse.db);
        let batches: Vec<Batch> = run.warehouse.rows("asking for the batches", &batches)?;
        let batches = batches.into_iter().map(|row| row.batch).collect();
        Ok(Keys::Noted { table: table.to_owned(), columns: columns.to_owned(), batches })
    }

    /// All of them, as a table in SQL.
    pub fn all(&self) -> String {
        match self {
            Keys::Noted { table, columns, .. } => format!("(SELECT {columns} FROM {{db}}.{table})"),
            Keys::Asked(query) => format!("(\n{query}\n)"),
        }
    }

    /// The same, batch by batch.
    pub fn batches(&self) -> Vec<String> {
        match self {
            Keys::Noted { table, columns, batches } => batches
                .iter()
                .map(|batch| format!("(SELECT {columns} FROM {{db}}.{table} WHERE _batch = {batch})"))
                .collect(),
            Keys::Asked(_) => vec![self.all()],
        }
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        matches!(self, Keys::Noted { batches, .. } if batches.is_empty())
    }
}

/// What a build has to do again.
#[derive(Debug)]
pub struct Work {
    derived: Derived,
    /// Rows of the driving table.
    pub touched: Keys,
    /// Where they belong; none if they are themselves the rows to be made.
    members: Option<Members>,
}

impl Work {
    /// For a dry run. `query` is for the rows of the driving table.
    pub fn asked(derived: Derived, query: &str, full: bool) -> Work {
        let touched = Keys::Asked(distinct(&derived, query));
        let members = derived.spec.membership.as_ref().map(|sql| Members::asked(derived, sql, &touched, full));
        Work { derived, touched, members }
    }

    /// Notes down which rows of the driving table are touched, for a build. After one that was cut short, those that it may have left in two places
    /// are touched too.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn note(run: &Run, build: &Build, query: &str) -> Result<Work> {
        let derived = run.derived;
        let (key, size) = (derived.driving_key(), run.args.batch);
        let in_two_places = derived.spec.membership.as_ref().filter(|_| build.follows_cut_short);
        let query = match in_two_places {
            Some(_) => format!("{query}\nUNION ALL\n{}", Members::in_two_places(&derived)),
            None => query.to_owned(),
        };
        let numbered = format!(
            "SELECT {key}, intDiv(row_number() OVER (ORDER BY {key}) - 1, {size}) AS _batch FROM (\n{}\n)",
            distinct(&derived, &query)
        );
        let touched = Keys::note(run, build, &build.own("touched"), &key, &numbered)?;
        Ok(Work { derived, touched, members: None })
    }

    /// Finds out where they belong, and remembers it, before any row is written.
    ///
    /// # Errors
    /// The server is gone or refuses; a signal has come.
    pub fn find_members(&mut self, run: &mut Run, build: &Build) -> Result<()> {
        if let Some(sql) = &self.derived.spec.membership {
            self.members = Some(Members::note(run, build, sql, &self.touched)?);
        }
        Ok(())
    }

    /// Forgets where they do not belong any more, after every row is written.
    ///
    /// # Errors
    /// The server is gone or refuses; a signal has come.
    pub fn forget_members(&self, run: &Run, build: &Build) -> Result<()> {
        self.members.as_ref().map_or(Ok(()), |members| members.forget(run, build))
    }

    /// The keys of the rows that have to be made.
    pub fn keys(&self) -> &Keys {
        self.members.as_ref().map_or(&self.touched, |members| &members.keys)
    }

    /// The SELECT of the rows, batch by batch.
    pub fn rows(&self) -> Vec<Select> {
        let rows = |keys: String| match &self.members {
            Some(members) => self.derived.rows("{members}", &members.of(&keys)),
            None => self.derived.rows("{keys}", &keys),
        };
        self.keys().batches().into_iter().map(rows).collect()
    }

    /// The SELECT of the membership, batch by batch.
    pub fn memberships(&self) -> Vec<Select> {
        let membership = self.derived.spec.membership.as_ref();
        let batches = |sql| self.touched.batches().into_iter().map(move |keys| self.derived.memberships(sql, &keys));
        membership.into_iter().flat_map(batches).collect()
    }

    /// All keys that the build looks at, with their columns.
    pub fn seen(&self) -> impl Iterator<Item = (Vec<&'static str>, &Keys)> {
        let driving = self.derived.driving.key.iter().map(|column| column.name).collect();
        let own = self.derived.spec.key.iter().map(|column| column.as_str()).collect();
        // Without members the two are the same.
        [(driving, &self.touched)].into_iter().chain(self.members.as_ref().map(|members| (own, &members.keys)))
    }
}

fn distinct(derived: &Derived, query: &str) -> String {
    format!("SELECT DISTINCT {} FROM (\n{query}\n)", derived.driving_key())
}
