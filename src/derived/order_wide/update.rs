//! The usual build: the touched lines only.

use anyhow::Result;

use crate::derived::order_wide::number::Build;
use crate::derived::order_wide::run::Run;
use crate::derived::order_wide::{survey, touched};
use crate::ledger::News;

const ROWS: &str = include_str!("rows.sql");
const MARKERS: &str = include_str!("markers.sql");

/// Rows first, delete markers second: a line that moves to another month is shown all the time.
///
/// # Errors
/// A value does not fit (78); the server is gone or refuses; a signal has come.
pub fn touched_lines(run: &mut Run, build: &Build, news: &News) -> Result<()> {
    let keys = remember_touched(run, build, news)?;
    run.failpoint("touched-written")?;
    if run.totals.touched == 0 {
        return Ok(());
    }
    let lines = survey::lines_of(&keys);
    survey::fits(run, &lines)?;
    build.execute(run, "writing rows", &ROWS.replace("{table}", "order_wide").replace("{lines}", &lines))?;
    run.failpoint("rows-written")?;
    build.execute(run, "writing delete markers", &MARKERS.replace("{touched}", &keys))?;
    run.failpoint("markers-written")
}

/// The keys are noted down once, so that rows and markers are made for the same ones. Returns the query for them.
fn remember_touched(run: &mut Run, build: &Build, news: &News) -> Result<String> {
    let insert = format!(
        "INSERT INTO {{ops}}.touched_lines SELECT {}, order_id, product_id FROM (\n{}\n)",
        build.number,
        touched::query(news)
    );
    build.execute(run, "noting down the lines touched", &insert)?;
    let keys = format!("SELECT order_id, product_id FROM {{ops}}.touched_lines WHERE build = {}", build.number);
    run.totals.touched = survey::count(run, &format!("SELECT count() AS n FROM ({keys})"))?;
    Ok(keys)
}
