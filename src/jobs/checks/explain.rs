//! `--explain`: the SQL of both sides, to be read and to be run by hand.

use anyhow::Result;

use crate::checks::args::{CheckArgs, Scope};
use crate::checks::settings::Settings;
use crate::checks::statement::{self, Side};
use crate::jobs::checks::check::Check;
use crate::jobs::checks::{integrity, rules, volume};
use crate::reconcile::offenders::Question;
use crate::source;
use crate::tables::{KeyColumn, Pipeline, Table};
use crate::warehouse::{self, key_names};

/// Prints the SQL of these checks.
///
/// # Errors
/// The settings are wrong (78).
pub fn print(pipeline: &'static Pipeline, checks: &[Check], args: &CheckArgs, tables: &[&'static Table]) -> Result<()> {
    let settings = Settings::read(args.config.as_deref(), pipeline)?;
    if args.scope != Scope::Full {
        println!(
            "-- With --scope new or recent, {{rows}} are those whose key stands in one of the windows looked at.\n"
        );
    }
    for check in checks {
        for table in tables {
            match check {
                Check::Freshness => {
                    println!("-- freshness of {}: asks Kafka (see lockstep lag) and the replication slot\n", table.name)
                }
                Check::Volume => {
                    println!(
                        "-- volume of {}\n-- ClickHouse\n{};\n",
                        table.name,
                        volume::statement(args, &settings, table, &[])
                    );
                }
                Check::Integrity => integrity::questions(pipeline, table)
                    .iter()
                    .for_each(|question| both(pipeline, question, args, &settings)),
                Check::Rules => {
                    rules::questions(table).iter().for_each(|question| both(pipeline, question, args, &settings))
                }
                Check::Reconcile => reconcile(args, table),
            }
        }
    }
    Ok(())
}

fn both(pipeline: &Pipeline, question: &Question<'_>, args: &CheckArgs, settings: &Settings) {
    let of = |side| statement::fill(pipeline, &question.file, question.table, &settings.rules, side, "true");
    let (check, table) = (question.check, question.table.name);
    println!("-- {check} of {table}\n-- PostgreSQL\n{};", of(Side::Source));
    println!("-- ClickHouse\n{};\n", of(Side::Warehouse(&args.clickhouse.clickhouse_db)));
}

fn reconcile(args: &CheckArgs, table: &Table) {
    let listed = |name: fn(&str) -> String| table.source_columns().map(name).collect::<Vec<_>>().join(", ");
    let (in_source, in_warehouse) = (listed(source::identifier), listed(warehouse::identifier));
    let key = table.key.iter().map(KeyColumn::in_source).collect::<Vec<_>>().join(", ");
    let (kept_key, name, relation) = (key_names(&table.key), table.name, &table.relation);
    println!(
        "-- reconcile of {name}\n-- PostgreSQL\nBEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\nSET LOCAL lock_timeout = '2s';\n\
         LOCK TABLE {relation} IN ACCESS SHARE MODE;\nSELECT pg_current_snapshot(), pg_current_wal_insert_lsn();\n\
         SELECT {in_source} FROM {relation} ORDER BY {key};\nCOMMIT;\n\
         -- ClickHouse\nSELECT {in_warehouse}, _version, _deleted, _tx_id, _partition, _offset\nFROM {}.{}\n\
         ORDER BY {kept_key}, _version DESC LIMIT 1 BY {kept_key};\n",
        args.clickhouse.clickhouse_db, table.target
    );
}
