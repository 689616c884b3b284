//! Looking before writing: what a build is about, and which rows have a value that the table cannot hold as it is. Such a row stops itself alone: it
//! stands in `derived_rejected`, and whatever it was before is gone from the table, until the next change of what it is made of.

use anyhow::Result;
use clickhouse::Row;
use serde::Deserialize;

use crate::derived::number::Build;
use crate::derived::run::Run;
use crate::derived::select::{Select, key_text};
use crate::derived::touched;
use crate::derived::work::{Keys, Work};
use crate::exit::needs_person;
use crate::ledger::News;
use crate::warehouse::quote;

#[derive(Row, Deserialize)]
struct Found {
    found: u64,
    left_out: Vec<u64>,
    misfits: u64,
    examples: Vec<String>,
    doubled: u64,
}

#[derive(Row, Deserialize)]
struct Key {
    _key: String,
}

#[derive(Row, Deserialize)]
struct Count {
    n: u64,
}

/// `--dry-run`: counts, and looks at every value, as the build would.
///
/// # Errors
/// The server is gone or refuses.
pub fn preview(run: &mut Run, news: &News) -> Result<()> {
    let (derived, full) = (run.derived, run.args.full);
    let query = if full { touched::all(&derived) } else { touched::by_news(&derived, news) };
    let work = Work::asked(derived, &query, full);
    if !full {
        run.totals.touched = count(run, &work.touched)?;
    }
    for members in work.memberships() {
        look(run, &members)?;
    }
    for rows in work.rows() {
        let found = look(run, &rows)?;
        each_key_once(run, &rows, &found)?;
        let found = found.found;
        run.totals.touched += if full { found } else { 0 };
    }
    Ok(())
}

/// Counts keys.
///
/// # Errors
/// The server is gone or refuses.
pub fn count(run: &Run, keys: &Keys) -> Result<u64> {
    let sql = format!("SELECT count() AS n FROM {}", keys.all());
    Ok(run.warehouse.row::<Count>("counting what is touched", &run.warehouse.named(&sql)?)?.n)
}

/// As a dry run looks at rows of the table; what does not fit is set aside. Returns how many rows there are.
///
/// # Errors
/// The server is gone or refuses; two rows have one key (78).
pub fn set_rows_aside(run: &mut Run, build: &Build, select: &Select) -> Result<u64> {
    let found = set_aside(run, build, select)?;
    each_key_once(run, select, &found)?;
    Ok(found.found)
}

/// The same of a membership, in which a row of the driving table may belong to several keys.
///
/// # Errors
/// The server is gone or refuses.
pub fn set_members_aside(run: &mut Run, build: &Build, select: &Select) -> Result<()> {
    set_aside(run, build, select).map(drop)
}

fn set_aside(run: &mut Run, build: &Build, select: &Select) -> Result<Found> {
    let before = run.totals.rejected;
    let found = look(run, select)?;
    if run.totals.rejected > before {
        let sql = format!(
            "INSERT INTO {{ops}}.derived_rejected (derived, key, misfits, build, rejected_at, healed)
             SELECT {}, _key, _misfits, {}, now64(3), 0 FROM (\n{}\n) WHERE {{is_newest}}
             SETTINGS join_use_nulls = 0, insert_deduplicate = 0",
            quote(run.derived.spec.name.as_str()),
            build.number,
            select.misfits()
        );
        build.execute(run, "setting rows aside", &sql)?;
    }
    Ok(found)
}

/// What earlier builds have set aside and this one has not is healed, or gone.
///
/// # Errors
/// The server is gone or refuses.
pub fn heal(run: &Run, build: &Build, work: &Work) -> Result<()> {
    let name = quote(run.derived.spec.name.as_str());
    let seen: Vec<String> =
        work.seen().map(|(key, keys)| format!("key IN (SELECT {} FROM {})", key_text(&key), keys.all())).collect();
    let seen = if run.args.full { "true".to_owned() } else { seen.join(" OR ") };
    let sql = format!(
        "INSERT INTO {{ops}}.derived_rejected (derived, key, misfits, build, rejected_at, healed)
         SELECT derived, key, misfits, {number}, now64(3), 1
         FROM (SELECT derived, key, misfits FROM {{ops}}.derived_rejected FINAL WHERE derived = {name} AND healed = 0 AND build < {number})
         WHERE ({seen}) AND {{is_newest}}
         SETTINGS insert_deduplicate = 0",
        number = build.number
    );
    build.execute(run, "noting down what is healed", &sql)
}

fn look(run: &mut Run, select: &Select) -> Result<Found> {
    let found: Found =
        run.warehouse.row("looking at the rows to be written", &run.warehouse.named(&select.survey())?)?;
    for (total, more) in run.totals.left_out.iter_mut().zip(&found.left_out) {
        *total += more;
    }
    run.totals.rejected += found.misfits;
    run.totals.misfits.extend(found.examples.iter().cloned());
    run.totals.misfits.truncate(5);
    Ok(found)
}

/// Of two rows with one key the table would show one, and nobody could say which.
fn each_key_once(run: &Run, select: &Select, found: &Found) -> Result<()> {
    if found.doubled == 0 {
        return Ok(());
    }
    let keys: Vec<Key> =
        run.warehouse.rows("asking for doubled keys", &run.warehouse.named(&select.doubled_keys())?)?;
    let keys: Vec<&str> = keys.iter().map(|row| row._key.as_str()).collect();
    let (sql, table) = (&run.derived.spec.sql.name, run.derived.target());
    Err(needs_person(format!(
        "{sql} gives {} row(s) of {table} a key that another one has: {}. Nothing of this batch was written. Does a JOIN find more than one row? \
         Make each key once, or take the column that tells them apart into the key",
        found.doubled,
        keys.join("; ")
    )))
}
