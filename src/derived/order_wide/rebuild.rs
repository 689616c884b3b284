//! `--full`: every row anew, in a table beside the real one, which then takes its place.

use anyhow::Result;

use crate::derived::order_wide::number::Build;
use crate::derived::order_wide::run::Run;
use crate::derived::order_wide::survey;

const ROWS: &str = include_str!("rows.sql");

/// A build that is killed leaves a table that the next one drops; until the swap nobody reads it.
///
/// # Errors
/// A value does not fit (78); the server is gone or refuses; a signal has come.
pub fn all_lines(run: &mut Run, build: &Build) -> Result<()> {
    let lines = survey::all_lines();
    run.totals.touched = survey::fits(run, &lines)?;
    let shadow = build.shadow();
    build.execute(run, "making the new table", &format!("CREATE TABLE {{db}}.{shadow} AS {{db}}.order_wide"))?;
    build.execute(run, "writing rows", &ROWS.replace("{table}", &shadow).replace("{lines}", &lines))?;
    run.failpoint("shadow-filled")?;
    // A later build drops this one's table, so once it has begun, this swap fails.
    build.is_newest(run)?;
    let swap = format!("EXCHANGE TABLES {{db}}.order_wide AND {{db}}.{shadow}");
    build.execute(run, "swapping the new table in", &swap)?;
    run.failpoint("swapped")?;
    build.execute(run, "dropping the old table", &format!("DROP TABLE IF EXISTS {{db}}.{shadow} SYNC"))?;
    run.failpoint("old-dropped")
}
