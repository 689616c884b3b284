//! `migrate`: brings ClickHouse's schema up to date. Run it as often as you like.

use anyhow::Result;
use clap::Args;
use serde_json::{Map, Value};

use crate::cli::{ClickHouseArgs, Exit, OutputArgs, Report, Stop};
use crate::jobs::{Job, JobArgs, Kind};
use crate::warehouse::{self, Warehouse};

/// Flags of `migrate`.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    #[command(flatten)]
    clickhouse: ClickHouseArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl JobArgs for MigrateArgs {
    fn output(&self) -> &OutputArgs {
        &self.output
    }
}

/// The job.
pub fn job() -> Job {
    let examples = "  migrate\n  CLICKHOUSE_HOST=ch.internal CLICKHOUSE_PASSWORD_FILE=/run/secrets/ch migrate\n  migrate --clickhouse-db shadow_dw";
    super::job("migrate", "Create or update the tables in ClickHouse", examples, Kind::Tool, run)
}

fn run(_: &str, args: MigrateArgs, _: &Stop) -> Result<Report> {
    let statements = warehouse::migrate(&Warehouse::new(&args.clickhouse)?)?;
    let fields = Map::from_iter([("statements".to_owned(), Value::from(statements))]);
    Ok(Report { exit: Exit::Done, fields })
}
