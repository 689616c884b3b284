//! The usual build: what is touched only.

use anyhow::Result;

use crate::derived::number::Build;
use crate::derived::run::Run;
use crate::derived::table::list;
use crate::derived::work::Work;
use crate::derived::{Derived, survey, touched};
use crate::ledger::News;

const ROWS: &str = include_str!("rows.sql");
const MARKERS: &str = include_str!("markers.sql");

/// Rows first, delete markers second: a row that moves to another partition is shown all the time.
///
/// # Errors
/// The server is gone or refuses; a signal has come.
pub fn what_is_touched(run: &mut Run, build: &Build, news: &News) -> Result<()> {
    let mut work = Work::note(run, build, &touched::by_news(&run.derived, news))?;
    run.totals.touched = survey::count(run, &work.touched)?;
    run.failpoint("touched-written")?;
    if work.touched.is_empty() {
        return Ok(());
    }
    work.find_members(run, build)?;
    write_rows(run, build, &work, run.derived.target())?;
    build.execute(run, "writing delete markers", &markers(&run.derived, &work.keys().all()))?;
    run.failpoint("markers-written")?;
    work.forget_members(run, build)?;
    survey::heal(run, build, &work)
}

/// Writes the rows into a table, batch by batch. Returns how many there are, those that are set aside and left out too.
///
/// # Errors
/// The server is gone or refuses; a signal has come.
pub fn write_rows(run: &mut Run, build: &Build, work: &Work, table: &str) -> Result<u64> {
    let mut found = 0;
    for rows in work.rows() {
        found += survey::set_rows_aside(run, build, &rows)?;
        let insert = ROWS.replace("{table}", table).replace("{columns}", &run.derived.columns());
        build.execute(run, "writing rows", &insert.replace("{rows}", &rows.fitting()))?;
        run.failpoint("rows-written")?;
    }
    Ok(found)
}

fn markers(derived: &Derived, touched: &str) -> String {
    // Columns by which the table is partitioned, and which are no part of the key: any value of that partition will do.
    let columns = derived.partition_columns();
    let behind = |columns: String| if columns.is_empty() { columns } else { format!(", {columns}") };
    let any = columns.iter().map(|name| format!("any({name})")).collect::<Vec<_>>().join(", ");
    let partition = derived.spec.partition_by.as_ref().map(|expression| expression.value.clone()).unwrap_or_default();
    MARKERS
        .replace("{table}", derived.target())
        .replace("{key}", &derived.key())
        .replace("{partition_columns}", &behind(list(columns.iter().copied())))
        .replace("{any_partition_columns}", &behind(any))
        .replace("{partition}", &behind(partition))
        .replace("{touched}", touched)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::Pipeline;

    #[test]
    fn a_marker_is_written_for_each_partition() {
        let markers = markers(&Derived::all(Pipeline::embedded())[0], "(SELECT 1, 2)");
        assert!(markers.contains("(`order_id`, `product_id`, `order_date`, _version"), "{markers}");
        assert!(markers.contains("SELECT `order_id`, `product_id`, any(order_date), {marker_version}"), "{markers}");
        assert!(markers.contains("GROUP BY `order_id`, `product_id`, toYYYYMM(order_date)\n"), "{markers}");
    }
}
