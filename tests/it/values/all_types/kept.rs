//! The executable with a table of every column that a pipeline's file can have.

use std::collections::BTreeMap;

use lockstep::types::Connector;
use lockstep::types::connector::IntervalMode;

use super::Read;
use super::cases::{CASES, Case, is_lost};
use crate::support::checks::Checked;
use crate::support::pipeline::OwnTable;

/// The columns that a pipeline's file can have with the connector's settings, and of each row those whose values fit.
pub struct Kept {
    read: Vec<Read>,
    rows: BTreeMap<i32, Vec<usize>>,
}

impl Kept {
    pub fn of(
        settings: &[(&str, &str)],
        connector: &Connector,
        read: Vec<Read>,
        columns: &[BTreeMap<i32, Result<Vec<u8>, String>>],
    ) -> Kept {
        let mut rows: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
        for (read, cells) in read.iter().zip(columns) {
            for (row, (id, cell)) in cells.iter().enumerate() {
                let value = read.case.values.get(row).copied().unwrap_or("NULL");
                let fits = cell.is_ok() && !is_lost(settings, read.case.declared, value);
                rows.entry(*id).or_default().extend(fits.then_some(read.n));
            }
        }
        // The file does not say how intervals are sent.
        let is_sayable =
            |read: &Read| connector.interval == IntervalMode::Numeric || !read.case.declared.starts_with("interval");
        Kept { read: read.into_iter().filter(is_sayable).collect(), rows }
    }

    fn table(&self) -> OwnTable<'static> {
        let column = |(n, case): (usize, &Case)| {
            let declared = match self.read.iter().any(|read| read.n == n) {
                false => "{ exclude = \"the connector loses it\" }".to_owned(),
                true => {
                    let kept_as = case.kept_as.map(|kept_as| format!(", as = {kept_as:?}")).unwrap_or_default();
                    format!("{{ type = {:?}{kept_as} }}", format!("{} null", case.declared))
                }
            };
            (format!("c{n}"), declared)
        };
        let id = ("id".to_owned(), "\"integer not null\"".to_owned());
        let columns = std::iter::once(id).chain(CASES.iter().enumerate().map(column)).collect();
        OwnTable { name: "kept", key: &["id"], columns }
    }
}

/// The real executable, by a pipeline's file: rows of all types are the same on both sides, a changed cell is found with its column, the log is
/// known to mend it, and a repair writes what the log does not have.
pub fn the_executable_carries_what_fits(shop: &mut Checked, kept: &Kept, modes: &str) {
    let copy = |from: i32, to: i32| {
        let names: String = kept.rows[&from].iter().map(|n| format!(", c{n}")).collect();
        format!("INSERT INTO kept (id{names}) SELECT {to}{names} FROM everything WHERE id = {from};")
    };
    let rows: String = kept.rows.keys().map(|id| copy(*id, *id)).collect();
    shop.world
        .postgres()
        .batch_execute(
            "CREATE TABLE kept (LIKE everything INCLUDING ALL); ALTER TABLE kept REPLICA IDENTITY FULL;
             GRANT SELECT ON kept TO debezium; ALTER PUBLICATION northwind_publication ADD TABLE kept;",
        )
        .unwrap();
    shop.change(&rows);
    shop.world.use_pipeline(&[kept.table()], modes);
    let ingested = shop.world.ingest_table("kept", &[]).expect_exit(0);
    assert_eq!((ingested.count("written"), ingested.count("rejected")), (kept.rows.len() as i64, 0), "{ingested:?}");
    let equal = |rows: usize| {
        let outcome = shop.reconcile(&[]).expect_exit(0);
        let detail = shop.detail(&outcome, "kept");
        assert!(detail.contains(&format!("{rows} the same, 0 different")), "{detail}");
    };
    equal(kept.rows.len());

    let first = &kept.rows[&0];
    let is_there = |read: &&Read| first.contains(&read.n) && read.column_type.in_postgres("v").is_some();
    let there: Vec<&Read> = kept.read.iter().filter(is_there).collect();
    let emptied = there.iter().map(|read| {
        let is_pair = read.column_type.clickhouse_type().starts_with("Tuple(");
        format!("c{} = {}", read.n, if is_pair { "(NULL, NULL)" } else { "NULL" })
    });
    let emptied = emptied.collect::<Vec<_>>().join(", ");
    shop.tamper(&format!("ALTER TABLE northwind_dw.own_kept UPDATE {emptied} WHERE id = 0"));
    let outcome = shop.reconcile(&[]).expect_exit(10);
    let mut found: Vec<String> = shop.failures(&outcome, "column").lines().map(str::to_owned).collect();
    let mut expected: Vec<String> = there.iter().map(|read| format!("c{}", read.n)).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    let plan = shop.reconcile(&["--plan"]).expect_exit(0);
    assert_eq!((plan.count("different"), plan.count("in_log")), (1, 1), "{}", plan.stdout);

    let mut client = shop.world.postgres();
    client
        .batch_execute("ALTER PUBLICATION northwind_publication DROP TABLE kept; DELETE FROM kept WHERE id = 0")
        .unwrap();
    client.batch_execute(&kept.rows.keys().map(|id| copy(*id, id + 1000)).collect::<String>()).unwrap();
    shop.world.wait_for_capture(&shop.connector);
    let repaired = shop.reconcile(&["--repair", "--yes"]).expect_exit(0);
    assert_eq!(repaired.count("repaired"), kept.rows.len() as i64 + 1, "{}", repaired.stdout);
    equal(2 * kept.rows.len() - 1);
}
