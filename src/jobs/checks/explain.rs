//! `--explain`: the SQL of both sides, to be read and to be run by hand.

use anyhow::Result;

use crate::checks::args::{CheckArgs, Scope};
use crate::checks::catalogue::CONSTRAINTS;
use crate::checks::settings::Settings;
use crate::checks::sql_check::SqlCheck;
use crate::checks::statement::ServerSide;
use crate::cli::say::{say, sayln};
use crate::jobs::checks::check::Check;
use crate::jobs::checks::{integrity, rules, volume};
use crate::sql;
use crate::tables::{KeyColumn, Pipeline, Table};
use crate::warehouse::{identifier, key_names};

/// Prints the SQL of these checks.
///
/// # Errors
/// The settings are wrong (78), or a limit is (2).
pub fn print(pipeline: &'static Pipeline, checks: &[Check], args: &CheckArgs, tables: &[&'static Table]) -> Result<()> {
    let settings = Settings::read(args.config.as_deref(), pipeline)?;
    let limits = args.limits.limits(pipeline)?;
    let db = &args.clickhouse.clickhouse_db;
    if args.scope != Scope::Full {
        sayln!(
            "-- With --scope new or recent, the rows (WHERE true) are those whose key stands in one of the windows looked at.\n"
        );
    }
    for check in checks {
        for table in tables {
            match check {
                Check::Freshness => {
                    sayln!("-- freshness of {}: asks Kafka (see lockstep lag) and the replication slot\n", table.name)
                }
                Check::Volume => {
                    sayln!(
                        "-- volume of {}\n-- ClickHouse\n{};\n",
                        table.name,
                        volume::statement(args, &settings, table, &[])?
                    );
                }
                Check::Integrity => {
                    integrity::sql_checks(table).iter().for_each(|sql_check| say!("{}", both(sql_check, db)));
                    sayln!(
                        "-- {CONSTRAINTS} of {}: what PostgreSQL has in pg_constraint, asked of ClickHouse\n",
                        table.name
                    );
                }
                Check::Rules => {
                    let sql_checks = rules::sql_checks(pipeline, table, &limits, &settings)?;
                    sql_checks.iter().for_each(|sql_check| say!("{}", both(sql_check, db)));
                }
                Check::Reconcile => reconcile(args, table),
            }
        }
    }
    Ok(())
}

/// What both sides are asked, to be run by hand.
pub fn both(sql_check: &SqlCheck, db: &str) -> String {
    let of = |side: ServerSide<'_>| side.by_hand(&sql_check.sql(side, "true"));
    let part = sql_check.part().map(|part| format!(" ({part})")).unwrap_or_default();
    let (check, table) = (sql_check.name, sql_check.table.name);
    format!(
        "-- {check}{part} of {table}\n-- PostgreSQL\n{}\n-- ClickHouse\n{}\n\n",
        of(ServerSide::Source),
        of(ServerSide::Warehouse(db))
    )
}

fn reconcile(args: &CheckArgs, table: &Table) {
    let listed = |quoted: fn(&str) -> String| table.source_columns().map(quoted).collect::<Vec<_>>().join(", ");
    let key: Vec<String> = table.key.iter().map(KeyColumn::in_source).collect();
    let (name, relation, in_source) = (table.name, &table.relation, listed(sql::postgres::identifier));
    sayln!(
        "-- reconcile of {name}\n-- PostgreSQL\nBEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\nSET LOCAL lock_timeout = '2s';\n\
         LOCK TABLE {relation} IN ACCESS SHARE MODE;\nSELECT pg_current_snapshot(), pg_current_wal_insert_lsn();\n\
         SELECT {in_source} FROM {relation} ORDER BY {};\nCOMMIT;",
        key.join(", ")
    );
    let (key, in_warehouse) = (key_names(&table.key), listed(identifier));
    sayln!(
        "-- ClickHouse\nSELECT {in_warehouse}, _version, _deleted, _tx_id, _partition, _offset\nFROM {}.{}\n\
         ORDER BY {key}, _version DESC LIMIT 1 BY {key};\n",
        args.clickhouse.clickhouse_db,
        table.target
    );
}
