//! `sync-schema`: brings the warehouse's columns in line with PostgreSQL's, table by table, and says what only a person can do.

mod compare;
mod identity;

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use clickhouse::Row;
use postgres::Client;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::cli::Call;
use crate::cli::{ClickHouseArgs, JobArgs, OutputArgs, PostgresArgs, Report, Stop, parse_duration};
use crate::exit::{Exit, told};
use crate::jobs::{Job, Kind, some_tables};
use crate::ledger::plain_run::PlainRun;
use crate::source;
use crate::sql;
use crate::tables::{Pipeline, Table};
use crate::warehouse::{Warehouse, has, quote, view_of};
use compare::{AlterPlan, Sides, compare};

/// Flags of `sync-schema`.
#[derive(Debug, Args)]
pub struct SyncSchemaArgs {
    /// Look at this table only, as PostgreSQL names it; may be repeated [default: every table that has a job]
    #[arg(long, value_name = "TABLE")]
    table: Vec<String>,
    /// Change nothing, only say what would be changed (exit 10 if something would)
    #[arg(long)]
    check: bool,
    /// How long to wait for a column that ClickHouse writes anew, as in 8m, 4h; afterwards it goes on without this run
    #[arg(long, value_name = "TIME", default_value = "8m", value_parser = parse_duration)]
    wait: Duration,
    #[command(flatten)]
    postgres: PostgresArgs,
    #[command(flatten)]
    clickhouse: ClickHouseArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl JobArgs for SyncSchemaArgs {
    fn output(&self) -> &OutputArgs {
        &self.output
    }
}

/// The job.
pub fn job(pipeline: &'static Pipeline) -> Job {
    let examples = format!("  sync-schema\n  sync-schema --check\n  sync-schema{}", some_tables(pipeline, 2));
    let about = "Add PostgreSQL's new columns to ClickHouse, and say which changes need a person";
    super::job(pipeline, "sync-schema", about, &examples, Kind::Tool, run)
}

fn run(call: &Call<'_>, args: SyncSchemaArgs) -> Result<Report> {
    let tables = call.pipeline.chosen(&args.table)?;
    let run = PlainRun::begin(call.job, call.job.to_owned(), &args.clickhouse)?;
    let mut run = if args.check { run.only_asking() } else { run };
    match Sync::open(&mut run, &args) {
        Ok(mut sync) => {
            let synced = sync.tables(&tables, call.stop);
            Ok(run.close(synced))
        }
        Err(error) => Ok(run.close(Err(error))),
    }
}

/// What was found, and done, about a table.
#[derive(Default)]
struct Found {
    table: &'static str,
    changes: Vec<String>,
    problems: Vec<(Exit, String)>,
    notes: Vec<String>,
}

struct Sync {
    source: Client,
    warehouse: Warehouse,
    check: bool,
    wait: Duration,
}

#[derive(Row, Deserialize)]
struct Count {
    rows: u64,
}

impl Sync {
    fn open(run: &mut PlainRun, args: &SyncSchemaArgs) -> Result<Sync> {
        let mut source = source::connect(&args.postgres, &run.session_name())?;
        let warehouse = Warehouse::new(&args.clickhouse)?;
        match args.check {
            true => _ = warehouse.fits()?,
            false => run.open(&mut source)?,
        }
        Ok(Sync { source, warehouse, check: args.check, wait: args.wait })
    }

    fn tables(&mut self, tables: &[&'static Table], stop: &Stop) -> Result<Report> {
        let mut found = Vec::new();
        for table in tables {
            if stop.asked() {
                return Ok(Report { exit: Exit::Stopped, ..report(self.check, &found) });
            }
            found.push(self.table(table)?);
        }
        Ok(report(self.check, &found))
    }

    fn table(&mut self, table: &'static Table) -> Result<Found> {
        let target = format!("{}.{}", self.warehouse.db, table.target);
        let mut found = Found { table: table.name, ..Found::default() };
        let source = source::catalogue(&mut self.source, &table.relation, &table.connector)?;
        let warehouse = self.warehouse.columns(table.target)?;
        match source {
            _ if warehouse.is_empty() => found.for_a_person(format!("there is no table {target}: run `migrate`")),
            None => found.for_a_person(format!("there is no table {} in PostgreSQL", table.relation)),
            Some(source) => {
                let plan = compare(&Sides { table, source: &source, warehouse: &warehouse, target: &target });
                self.carry_out(table, &target, plan, &mut found)?;
            }
        }
        for note in &found.notes {
            tracing::warn!("sync-schema: {}: {note}", found.table);
        }
        Ok(found)
    }

    fn carry_out(&mut self, table: &Table, target: &str, plan: AlterPlan, found: &mut Found) -> Result<()> {
        let AlterPlan { alters, problems, notes, unknown_before } = plan;
        problems.into_iter().for_each(|problem| found.for_a_person(problem));
        found.notes = notes;
        for column in unknown_before {
            found.notes.extend(self.unknown_rows(table, target, &column)?);
        }
        let mut view = !alters.is_empty();
        for alter in alters {
            let sql = format!("ALTER TABLE {target} {}", alter.sql);
            self.change(found, alter.what, &sql, |_| self.alter(table, &sql));
        }
        let columns = self.warehouse.columns(table.target)?;
        view |= !self.warehouse.view_is_current(table, &columns)?;
        if view {
            let what = format!("CREATE OR REPLACE VIEW {}", view_of(table));
            let sql = what.clone();
            self.change(found, what, &sql, |warehouse| warehouse.replace_view(table, &columns));
        }
        Ok(())
    }

    /// An ALTER. One that writes a column anew is a mutation: the server goes on with it when nobody waits any more.
    fn alter(&self, table: &Table, sql: &str) -> Result<()> {
        let target = format!("{}.{}", self.warehouse.db, table.target);
        let id = format!("sync-schema/{}", uuid::Uuid::now_v7());
        let altered = self.warehouse.execute_within(self.wait, &id, &format!("altering {target}"), sql);
        let Err(error) = altered else { return Ok(()) };
        let at_work = format!(
            "system.mutations WHERE database = {} AND table = {} AND NOT is_done",
            quote(&self.warehouse.db),
            quote(table.target)
        );
        let sql = format!("SELECT count() AS rows FROM {at_work}");
        let count = self.warehouse.rows::<Count>("looking for what ClickHouse still writes", &sql);
        let goes_on = count.is_ok_and(|count| count.iter().any(|count| count.rows > 0));
        let hint = format!(
            "the column is being written anew, which goes on in ClickHouse (SELECT * FROM {at_work}); nothing is lost: run again when that is empty, or \
             wait longer with --wait"
        );
        Err(if goes_on && Exit::of(&error) == Exit::TryAgain { error.context(hint) } else { error })
    }

    /// Makes a change, or only says what it would be. One that ClickHouse refuses does not hold up the other tables.
    fn change(&self, found: &mut Found, what: String, sql: &str, make: impl FnOnce(&Warehouse) -> Result<()>) {
        if self.check {
            tracing::info!("sync-schema: {}: would be done: {sql}", found.table);
        } else {
            tracing::info!("sync-schema: {}: {sql}", found.table);
            if let Err(error) = make(&self.warehouse) {
                found.problems.push((Exit::of(&error), told(&error)));
                return;
            }
        }
        found.changes.push(what);
    }

    /// Live rows whose event was older than the column, if there are any: nobody knows what they have in it.
    fn unknown_rows(&self, table: &Table, target: &str, column: &str) -> Result<Option<String>> {
        let sql = format!("SELECT count() AS rows FROM {target} FINAL WHERE NOT {}", has(column));
        let rows = self.warehouse.rows::<Count>(&format!("counting rows without {column}"), &sql)?;
        let rows = rows.first().map_or(0, |count| count.rows);
        Ok((rows > 0).then(|| resend(table, column, rows)))
    }
}

/// How values come that only the source knows. To send the table again leaves its rows alone; an UPDATE works with any connector.
fn resend(table: &Table, column: &str, rows: u64) -> String {
    let (relation, job, send_again) = (&table.relation, table.ingest_job(), table.send_again());
    let name = sql::postgres::identifier(column);
    format!(
        "{column}: {rows} row(s) are older than the column, and PostgreSQL's catalogue does not say what they have in it (a volatile \
         default, an identity, or the table was rewritten since), so it is NULL here; let the connector send them again: \
         {send_again}, or where it has no signal table: \
         UPDATE {relation} SET {name} = {name}; then {job}"
    )
}

impl Found {
    fn for_a_person(&mut self, problem: String) {
        self.problems.push((Exit::NeedsPerson, problem));
    }

    fn is_told(&self) -> bool {
        !(self.changes.is_empty() && self.problems.is_empty() && self.notes.is_empty())
    }

    fn json(&self) -> Value {
        let problems: Vec<&str> = self.problems.iter().map(|(_, problem)| problem.as_str()).collect();
        json!({"table": self.table, "changes": self.changes, "problems": problems, "notes": self.notes})
    }
}

fn report(check: bool, found: &[Found]) -> Report {
    let total = |count: fn(&Found) -> usize| found.iter().map(count).sum::<usize>();
    let changes = total(|found| found.changes.len());
    let problems = || found.iter().flat_map(|found| found.problems.iter().map(|problem| (found.table, problem)));
    // What a retry does not mend outweighs what it does.
    let exit = [Exit::Bug, Exit::NeedsPerson, Exit::TryAgain]
        .into_iter()
        .find(|exit| problems().any(|(_, problem)| problem.0 == *exit))
        .unwrap_or(if check && changes > 0 { Exit::CheckFailed } else { Exit::Done });
    let mut fields = Map::new();
    fields.insert("check".to_owned(), json!(check));
    fields.insert("compared".to_owned(), json!(found.len()));
    fields.insert("changes".to_owned(), json!(changes));
    fields.insert("problems".to_owned(), json!(problems().count()));
    fields.insert("notes".to_owned(), json!(total(|found| found.notes.len())));
    fields.insert("tables".to_owned(), found.iter().filter(|found| found.is_told()).map(Found::json).collect());
    let error = problems().map(|(table, (_, problem))| format!("{table}: {problem}")).collect::<Vec<_>>().join("; ");
    if !error.is_empty() {
        fields.insert("error".to_owned(), Value::from(error));
    }
    Report { exit, fields }
}
