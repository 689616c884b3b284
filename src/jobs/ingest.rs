//! `ingest-<table>`: the loop. Bounded run, window by window:
//! read → decode → look up and judge → insert rejected → insert rows → look at truncates → resolve quarantine → close the
//! accounts → locks still held? → **ledger row** → locks still held? → commit.
//!
//! The ledger row is the point of no return: a crash before it leaves the window open, and the rerun does it again with
//! the same token. While an insert waits for its acknowledgement, the next window is read and decoded.

mod args;
mod backfill_plan;
mod begin;
mod counts;
mod fingerprints;
mod gaps;
mod group_plan;
mod grown;
mod late;
mod lineage;
mod pending;
mod plan;
mod records;
mod resume;
pub(crate) mod run;
mod settle;
mod source_alarm;
mod totals;
mod validate;
mod verify;
mod write;

use std::time::Instant;

use anyhow::Result;
use typed_arena::Arena;

use crate::batch::Batch;
use crate::cli::Call;
use crate::cli::{Progress, Report, Stop};
use crate::exit::Exit;
use crate::kafka::{LogReader, Reading, Span};
use crate::tables::Table;

use args::OnGaps;
use pending::Pending;
use plan::{Late, Planned, ReadPlan};
use run::Run;

pub use args::{IngestArgs, examples};

/// The job.
///
/// # Errors
/// The run could not even be entered into the books; every later failure is in the report.
pub fn run(call: &Call<'_>, table: &'static Table, args: IngestArgs) -> Result<Report> {
    let mut run = Run::open(call, table, args)?;
    call.stop.remember(run.shutdown_summary());
    let result = work(&mut run, call.stop);
    Ok(run.close(result))
}

fn work(run: &mut Run, stop: &Stop) -> Result<Exit> {
    let Some(plan) = begin::plan(run)? else { return Ok(run.nothing_to_do()) };
    if plan.spans.iter().all(|planned| planned.span.is_empty()) && run.late.is_empty() {
        tracing::info!("{}, group {}: nothing to do, no offset to read", run.topic, run.group);
        return Ok(run.nothing_to_do());
    }
    let Rest { unfinished, late } = drain(run, &plan, stop)?;
    run.leaves(&plan, &unfinished);
    if stop.asked() {
        return Ok(Exit::Stopped);
    }
    if !unfinished.is_empty() {
        run.end_early(&plan, &unfinished)?;
    }
    if run.late.is_empty() { Ok(Exit::Done) } else { Err(run.ends_late(&plan, &late)) }
}

/// What is left of a plan.
#[derive(Default)]
struct Rest {
    /// Time ran out, or a signal came.
    unfinished: Vec<Planned>,
    /// The partition made no progress.
    late: Vec<Planned>,
}

/// Works through the plan; returns what is left of it.
fn drain(run: &mut Run, plan: &ReadPlan, stop: &Stop) -> Result<Rest> {
    let deadline = run.args.max_duration.map(|limit| Instant::now() + limit);
    // However little time there is, one window is done: runs that are repeated get somewhere.
    let mut begun = false;
    let out_of_time =
        |begun: bool| stop.asked() || (begun && deadline.is_some_and(|deadline| Instant::now() >= deadline));
    let consumer = run.consumer.clone();
    let topic = run.topic.clone();
    let mut reader =
        LogReader::new(&consumer, &topic, run.args.limits(), run.args.lose_record)?.with_patience(run.args.patience);
    let mut progress = Progress::new(&run.run.job, plan.spans.iter().map(|planned| planned.span.len()).sum());
    let mut pending: Option<Pending> = None;
    let mut spans = plan.spans.iter().cloned();
    let mut left = Rest::default();

    'plan: for planned in spans.by_ref() {
        let mut rest = planned;
        if !run.late.is_empty() || rest.was_late() {
            reader.hurry();
        }
        while !rest.span.is_empty() {
            let reading = match out_of_time(begun) {
                true => Reading::OutOfTime,
                false => {
                    let piece = plan.numbers.piece(rest.partition, rest.span);
                    reader.window(rest.partition, piece, deadline.filter(|_| begun), stop)?
                }
            };
            let window = match reading {
                Reading::Window(window) => window,
                Reading::OutOfTime => {
                    left.unfinished.push(rest);
                    break 'plan;
                }
                Reading::Late(why) => {
                    run.goes_on_without(Late { partition: rest.partition, span: Some(rest.span), why });
                    left.late.push(rest);
                    continue 'plan;
                }
            };
            begun = true;
            if !window.gaps.is_empty() && run.args.on_gaps == OnGaps::Stop {
                run.settle(pending.take(), &mut progress)?;
                return Err(run.stops_at_gaps(&window));
            }
            run.failpoint("read");
            stop.remember(run.shutdown_summary());
            let arena = Arena::new();
            let mut batch = Batch::decode(run.table, plan.number_of(&window), window.records())?;
            run.totals.count_redelivered(&batch);
            if batch.lacks_values() {
                // What is carried forward may be in the insert that is still in flight.
                run.settle(pending.take(), &mut progress)?;
                run.carry(plan, &window, &mut batch, &arena)?;
            }
            run.validate(&mut batch)?;
            run.failpoint("validated");
            run.settle(pending.take(), &mut progress)?;
            run.within_reject_ratio(&batch)?;
            pending = run.write(plan, &rest, &window, &batch)?;
            rest.span = Span { start: window.span.end, end: rest.span.end };
            rest.seq += 1;
        }
    }
    run.settle(pending.take(), &mut progress)?;
    left.unfinished.extend(spans);
    Ok(left)
}
