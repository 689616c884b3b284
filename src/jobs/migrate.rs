//! `migrate`: makes the tables in ClickHouse, or brings older ones up to date. Run it as often as you like.
//!
//! Do the books belong here? → is there anything to apply? → the books alone, when the jobs have ended → what a killed `migrate` left running is ended → migrations in
//! order → the schema of today, where something is missing. With nothing to apply it runs beside the jobs.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use crate::cli::Call;
use crate::cli::{ClickHouseArgs, JobArgs, OutputArgs, PostgresArgs, Report, StopAt, parse_duration};
use crate::exit::Exit;
use crate::generate::schema;
use crate::jobs::{Job, Kind};
use crate::ledger::{Installation, SCHEMA_VERSION, Versions};
use crate::source::{self, LockPlace};
use crate::tables::Pipeline;
use crate::warehouse::Warehouse;

/// A migration may have to write a table anew; one statement may take this long.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(4 * 3600);

/// Flags of `migrate`.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// How long to wait for jobs that are at work, as in 60s, 5m; meanwhile no other job begins
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_duration)]
    wait: Duration,
    /// The warehouse has another name now, or the source is another server or database: the books belong here from now on
    #[arg(long)]
    moved: bool,
    #[command(flatten)]
    postgres: PostgresArgs,
    #[command(flatten)]
    clickhouse: ClickHouseArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// For tests: freeze at a named point
    #[arg(long, hide = true, value_name = "POINT[:N]")]
    stop_at: Option<StopAt>,
}

impl JobArgs for MigrateArgs {
    fn output(&self) -> &OutputArgs {
        &self.output
    }
}

/// The job.
pub fn job(pipeline: &'static Pipeline) -> Job {
    let examples = "  migrate\n  migrate --wait 10m\n  CLICKHOUSE_HOST=ch.internal CLICKHOUSE_PASSWORD_FILE=/run/secrets/ch migrate\n  migrate --moved --clickhouse-db renamed_dw";
    super::job(pipeline, "migrate", "Create or update the tables in ClickHouse", examples, Kind::Tool, run)
}

fn run(call: &Call<'_>, args: MigrateArgs) -> Result<Report> {
    let warehouse = Warehouse::new(&args.clickhouse)?.with_query_timeout(STATEMENT_TIMEOUT);
    let mut session = source::connect(&args.postgres, call.job)?;
    let locks = LockPlace::of(&mut session)?;
    let versions = here(&warehouse, &locks, args.moved)?;
    let comment = format!("lockstep migrate of {}", warehouse.ops);
    if versions.is_current() && !args.moved {
        source::share_books(&mut session, &warehouse.ops)?;
    } else {
        source::take_books(&mut session, &warehouse.ops, args.wait)?;
        warehouse.end_statements(&comment)?;
    }
    // Under the lock it is asked anew: another migrate may just have ended.
    let versions = here(&warehouse, &locks, args.moved)?;
    let warehouse = warehouse.with_comment(&comment);
    let failpoint = |point: &str| {
        if let Some(stop_at) = &args.stop_at {
            stop_at.pass(point);
        }
    };
    warehouse.begin_books(&locks, args.moved)?;
    failpoint("versions-made");
    let schema = schema::files(call.pipeline, &warehouse.db, &warehouse.ops)?;
    let migrated = warehouse.migrate(&schema, call.pipeline, &versions, &failpoint)?;
    let fields = [
        ("from_version", json!(if args.moved { versions.newest_of_books() } else { versions.newest() })),
        ("version", json!(SCHEMA_VERSION)),
        ("applied", Value::from(migrated.applied)),
    ];
    let moved = [
        ("repeated", Value::from(migrated.repeated)),
        ("moved_from", versions.elsewhere(&locks).map_or(Value::Null, place)),
    ];
    let fields = fields.into_iter().chain(moved.into_iter().filter(|_| args.moved));
    Ok(Report { exit: Exit::Done, fields: fields.map(|(name, value)| (name.to_owned(), value)).collect() })
}

/// Where books belong, for the summary.
fn place(installation: &Installation) -> Value {
    json!({"warehouse": installation.warehouse, "locks": installation.locks().to_string()})
}

/// What is recorded, if it is for this executable and, unless they have moved, of books that belong here.
fn here(warehouse: &Warehouse, locks: &LockPlace, moved: bool) -> Result<Versions> {
    let versions = warehouse.versions()?;
    versions.refuse_newer()?;
    if !moved {
        versions.refuse_other_warehouse()?;
        versions.refuse_other_locks(locks)?;
    }
    Ok(versions)
}
