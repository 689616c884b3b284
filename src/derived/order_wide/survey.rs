//! Looking before writing: which lines a build is about, and whether order_wide can hold every value as it is.

use anyhow::Result;
use clickhouse::Row;
use serde::Deserialize;

use crate::derived::order_wide::run::Run;
use crate::derived::order_wide::touched;
use crate::exit::needs_person;
use crate::ledger::News;

const LINES: &str = include_str!("lines.sql");
const SURVEY: &str = include_str!("survey.sql");

#[derive(Row, Deserialize)]
struct Found {
    lines: u64,
    without_date: u64,
    misfit_lines: u64,
    examples: Vec<String>,
}

#[derive(Row, Deserialize)]
struct Count {
    n: u64,
}

/// The query for all lines.
pub fn all_lines() -> String {
    LINES.replace("{lines_touched}", "true").replace("{orders_touched}", "true")
}

/// The query for lines whose keys another query names.
pub fn lines_of(keys: &str) -> String {
    LINES
        .replace("{lines_touched}", &format!("(order_id, product_id) IN ({keys})"))
        .replace("{orders_touched}", &format!("order_id IN (SELECT order_id FROM ({keys}))"))
}

/// `--dry-run`: counts, and looks at every value, as the build would.
///
/// # Errors
/// As [`fits`].
pub fn preview(run: &mut Run, news: &News) -> Result<()> {
    if run.args.full {
        run.totals.touched = fits(run, &all_lines())?;
        return Ok(());
    }
    let keys = touched::query(news);
    run.totals.touched = count(run, &format!("SELECT count() AS n FROM ({keys})"))?;
    fits(run, &lines_of(&keys)).map(drop)
}

/// Counts what a query for keys finds.
///
/// # Errors
/// The server is gone or refuses.
pub fn count(run: &Run, sql: &str) -> Result<u64> {
    Ok(run.warehouse.row::<Count>("counting the lines touched", &run.warehouse.named(sql)?)?.n)
}

/// Returns how many live lines there are, unless one of them has a value that does not fit.
///
/// # Errors
/// Exit 78, naming orders; the server is gone or refuses.
pub fn fits(run: &mut Run, lines: &str) -> Result<u64> {
    let sql = run.warehouse.named(&SURVEY.replace("{lines}", lines))?;
    let found: Found = run.warehouse.row("looking at the lines to be written", &sql)?;
    run.totals.without_date = found.without_date;
    if found.misfit_lines == 0 {
        return Ok(found.lines);
    }
    let more = found.misfit_lines - found.examples.len() as u64;
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    Err(needs_person(format!(
        "{} line(s) have values that order_wide cannot hold as they are: {}{more}. Nothing of this build counts. Correct them in \
         PostgreSQL and let the ingest jobs bring the change: the next build takes it up together with everything that waits now",
        found.misfit_lines,
        found.examples.join("; ")
    )))
}
