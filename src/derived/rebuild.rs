//! `--full`: every row anew, in a table beside the real one, which then takes its place.

use anyhow::Result;

use crate::derived::number::Build;
use crate::derived::run::Run;
use crate::derived::work::Work;
use crate::derived::{survey, touched, update};

/// A build that is killed leaves a table that the next one drops; until the swap nobody reads it.
///
/// # Errors
/// The server is gone or refuses; a signal has come.
pub fn all_rows(run: &mut Run, build: &Build) -> Result<()> {
    let mut work = Work::note(run, build, &touched::all(&run.derived))?;
    work.find_members(run, build)?;
    let (table, shadow) = (run.derived.target(), build.shadow());
    build.execute(run, "making the new table", &format!("CREATE TABLE {{db}}.{shadow} AS {{db}}.{table}"))?;
    run.totals.touched = update::write_rows(run, build, &work, &shadow)?;
    run.failpoint("shadow-filled")?;
    // A later build drops this one's table, so once it has begun, this swap fails.
    build.is_newest(run)?;
    let swap = format!("EXCHANGE TABLES {{db}}.{table} AND {{db}}.{shadow}");
    build.execute(run, "swapping the new table in", &swap)?;
    run.failpoint("swapped")?;
    work.forget_members(run, build)?;
    survey::heal(run, build, &work)?;
    build.execute(run, "dropping the old table", &format!("DROP TABLE IF EXISTS {{db}}.{shadow} SYNC"))?;
    run.failpoint("old-dropped")
}
