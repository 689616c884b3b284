//! `check-reconcile --plan` and `--repair`: what to do about rows that differ.
//!
//! If the log still has a key's last event, and that event says what the source says, reading it again mends the row. For anything
//! else (a delete that was never captured, rows older than the log) `--repair` writes what the source has.

mod log;
mod repair;
mod untold;

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::checks::args::ReconcileArgs;
use crate::checks::checker::Checker;
use crate::cli::Call;
use crate::cli::Report;
use crate::cli::say::sayln;
use crate::exit::Exit;
use crate::ledger::plain_run::PlainRun;
use crate::reconcile::difference::Difference;
use crate::reconcile::rounds::Compared;
use crate::tables::Table;

pub use untold::tell;

/// Characters of a row that are printed.
const MOST_PRINTED: usize = 2_000;

/// Keys that are printed of those that a run does not look at.
const MOST_NAMED: usize = 10;

/// What was found, and done, over all tables.
#[derive(Debug, Default)]
struct RepairTotals {
    different: u64,
    /// Mended by reading the log again.
    in_log: u64,
    /// Mended by a repair.
    to_repair: u64,
    repaired: u64,
    /// Of the source's rows, those that the warehouse cannot hold.
    not_repaired: u64,
    /// Differing keys that are more than a run looks at.
    not_looked_at: u64,
    undecided: u64,
    /// Keys are undecided that should not be.
    is_open: bool,
    /// The stage that is behind.
    behind: Option<String>,
    /// Columns that were not compared, each with the reason.
    not_compared: Vec<String>,
}

/// Runs either of them.
///
/// # Errors
/// A server is gone or refuses.
pub fn run(call: &Call<'_>, args: ReconcileArgs) -> Result<Report> {
    let job = call.job;
    let tables = call.pipeline.chosen(&args.check.table)?;
    let run = PlainRun::begin(job, format!("{job} --repair"), &args.check.clickhouse)?;
    let mut run = if args.yes { run } else { run.only_asking() };
    match Checker::open(call, &mut run, args.check.clone()) {
        Ok(mut checker) => {
            let mended = all(&mut checker, &args, &tables, &run.id);
            Ok(run.close(mended))
        }
        Err(error) => Ok(run.close(Err(error))),
    }
}

fn all(checker: &mut Checker<'_>, args: &ReconcileArgs, tables: &[&'static Table], run_id: &str) -> Result<Report> {
    let mut totals = RepairTotals::default();
    for table in tables {
        if checker.stop.asked() {
            return Ok(totals.stopped(run_id));
        }
        if args.yes {
            untold::tell(checker, table, run_id)?;
        }
        let slice = checker.slice(&checker.job, table)?;
        let Compared { tally, behind, not_compared, .. } = checker.compare(table, slice.keys.as_deref())?;
        totals.different += tally.different;
        totals.undecided += tally.open();
        totals.is_open |= checker.is_inconclusive(tally.open(), behind.as_ref());
        if !not_compared.is_empty() {
            sayln!("{}: not compared: {}", table.name, not_compared.join("; "));
            totals.not_compared.extend(not_compared.iter().map(|column| format!("{}.{column}", table.name)));
        }
        totals.behind = totals.behind.take().or(behind);
        let kept = tally.differing.len();
        if tally.different > kept as u64 {
            totals.not_looked_at += tally.different - kept as u64;
            let some: Vec<String> = tally.named_only.iter().take(MOST_NAMED).map(|key| format!("{key:?}")).collect();
            sayln!(
                "{}: {} keys differ; a run looks at {kept} of them, run again for the others (such as {})",
                table.name,
                tally.different,
                some.join(", ")
            );
        }
        let layout = checker.layout(table)?;
        let sorted = log::sort_out(checker, &layout, tally.differing)?;
        let Some((in_log, others)) = sorted.filter(|_| !checker.stop.asked()) else {
            return Ok(totals.stopped(run_id));
        };
        totals.in_log += in_log.len() as u64;
        let (refused, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|other| other.refused().is_some());
        totals.to_repair += others.len() as u64;
        totals.not_repaired += refused.len() as u64;
        print_plan(table, &in_log);
        print_refused(table, &refused);
        if !args.yes {
            print_others(table, &others, args);
            continue;
        }
        let repaired = repair::write(checker, table, &layout, run_id, &others)?;
        print_others(table, &others[..repaired], args);
        totals.repaired += repaired as u64;
        if repaired < others.len() {
            return Ok(totals.stopped(run_id));
        }
    }
    Ok(totals.report(run_id, args.yes))
}

impl RepairTotals {
    /// What is left to do says how the run ends; of what was not to be written only the look counts.
    fn report(&self, run_id: &str, was_to_write: bool) -> Report {
        let (exit, error) = match self {
            RepairTotals { not_repaired: rows @ 1.., .. } if was_to_write => (
                Exit::NeedsPerson,
                format!(
                    "{rows} keys were not repaired, because the warehouse cannot hold the source's row (each is named above, with the column): \
                     correct the row in PostgreSQL, or widen the column"
                ),
            ),
            RepairTotals { is_open: true, undecided, behind, .. } => {
                let why = behind.as_deref().unwrap_or("they are being changed");
                (Exit::TryAgain, format!("{undecided} keys are undecided: {why}"))
            }
            RepairTotals { not_looked_at: keys @ 1.., .. } if was_to_write => {
                (Exit::TryAgain, format!("{keys} keys that differ are more than one run repairs: run again"))
            }
            _ => return Report { exit: Exit::Done, fields: self.ended(run_id, was_to_write) },
        };
        let mut fields = self.ended(run_id, was_to_write);
        fields.insert("error".to_owned(), Value::from(error));
        Report { exit, fields }
    }

    /// The fields of a run that has looked at everything. A repair that has left something as it was says so.
    fn ended(&self, run_id: &str, was_to_write: bool) -> Map<String, Value> {
        let mut fields = self.fields(run_id);
        if was_to_write && self.in_log > 0 {
            let warning = format!(
                "{} keys still differ: the log has what they miss, so nothing was written for them; read them again by the commands above",
                self.in_log
            );
            tracing::warn!("{warning}");
            fields.insert("warning".to_owned(), Value::from(warning));
        }
        fields
    }

    /// Ended by a signal: of the last table nothing is decided, or not all of it written.
    fn stopped(&self, run_id: &str) -> Report {
        Report { exit: Exit::Stopped, fields: self.fields(run_id) }
    }

    fn fields(&self, run_id: &str) -> Map<String, Value> {
        let counts = [
            ("different", self.different),
            ("in_log", self.in_log),
            ("to_repair", self.to_repair),
            ("repaired", self.repaired),
            ("not_repaired", self.not_repaired),
            ("undecided", self.undecided),
        ];
        let counts = counts.into_iter().map(|(name, count)| (name.to_owned(), json!(count)));
        let not_compared = Some(("not_compared".to_owned(), json!(self.not_compared)));
        let not_compared = not_compared.filter(|_| !self.not_compared.is_empty());
        [("run".to_owned(), json!(run_id))].into_iter().chain(counts).chain(not_compared).collect()
    }
}

/// The command that reads the offsets again.
fn print_plan(table: &Table, in_log: &[log::InLog]) {
    if in_log.is_empty() {
        return;
    }
    let mut places: Vec<(i32, i64)> = in_log.iter().map(|found| (found.partition, found.offset)).collect();
    places.sort_unstable();
    let mut ranges: Vec<(i32, i64, i64)> = Vec::new();
    for (partition, offset) in places {
        match ranges.last_mut() {
            Some((last, _, end)) if *last == partition && *end == offset => *end += 1,
            _ => ranges.push((partition, offset, offset + 1)),
        }
    }
    let flags: Vec<String> = ranges.iter().map(|(p, start, end)| format!(" --offsets {p}:{start}..{end}")).collect();
    sayln!(
        "{}: the log has {} of the keys; read them again:\n  {}{}",
        table.name,
        in_log.len(),
        table.ingest_job(),
        flags.concat()
    );
}

/// What nobody can write as the source has it.
fn print_refused(table: &Table, refused: &[Difference]) {
    for difference in refused {
        let why = difference.refused().unwrap_or_default();
        sayln!("{} {:?}: {}; it is not repaired", table.name, difference.key, one_line(why));
    }
}

/// What only a repair can mend.
fn print_others(table: &Table, others: &[Difference], args: &ReconcileArgs) {
    if others.is_empty() {
        return;
    }
    let does = match (args.repair, args.yes) {
        (false, _) => "check-reconcile --repair would write",
        (true, false) => "with --yes would be written",
        (true, true) => "written",
    };
    sayln!("{}: {does}, from the source:", table.name);
    for difference in others {
        match &difference.source {
            Some(row) => sayln!("  {:?}: {}", difference.key, one_line(&difference.shown(row))),
            None => sayln!("  {:?}: deleted", difference.key),
        }
    }
}

/// As much as people read.
fn one_line(text: &str) -> String {
    match text.char_indices().nth(MOST_PRINTED) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}
