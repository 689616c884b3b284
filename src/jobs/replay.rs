//! `replay-rejected`: what lies in quarantine is decoded and judged again, by the same code as in the ingest jobs. It is
//! written, found to be out of date, or refused again. No Kafka is needed: the bytes are in the quarantine.
//!
//! A batch: read → decode → what the warehouse has already is not decided again → complete, look up and judge → insert rows →
//! look at truncates → lock still held? → ledger row → lock still held? → **close in quarantine**. Closing is to a replay what the
//! commit is to an ingest run: one insert for the whole batch, the last thing that happens. Before it nothing has changed in the
//! quarantine, and a rerun does the batch again: it finds its rows in the warehouse by their versions.
//!
//! One replay per table at a time: two would judge the same record at different moments, and the one that refused it could have the
//! last word about a record that the other one has written. Ingest jobs need not wait: they write higher versions. What stands above
//! the ledger's end is left to them: its window is open, and rows of it may be missing that a later record builds on.

mod args;
mod batch;
mod counts;
mod run;
mod turn;
mod turns;
mod validate;
mod windows;
mod write;

use anyhow::Result;

use crate::cli::Call;
use crate::cli::{Progress, Report, Stop};
use crate::exit::Exit;
use crate::jobs::{Job, Kind, some_tables};
use crate::kafka::Span;
use crate::quarantine::{Kept, QuarantineRange};
use crate::tables::{Pipeline, Table};
use crate::validate::{NOT_IN_POSTGRES, all_rules};

use args::ReplayArgs;
use batch::Replayed;
use run::Replay;
use turn::Turn;
use typed_arena::Arena;

/// The job.
pub fn job(pipeline: &'static Pipeline) -> Job {
    let table = some_tables(pipeline, 1);
    let mut examples = format!("  replay-rejected\n  replay-rejected{table} --only-rule {NOT_IN_POSTGRES}\n");
    if let Some(rule) = all_rules(pipeline).first() {
        examples += &format!("  replay-rejected --only-rule {rule} --rule {rule}=warn\n", rule = rule.name);
    }
    super::job(
        pipeline,
        "replay-rejected",
        "Judge rejected records again, and write what is good now",
        &examples,
        Kind::Tool,
        run,
    )
}

fn run(call: &Call<'_>, args: ReplayArgs) -> Result<Report> {
    let chosen = call.pipeline.chosen(&args.table)?;
    let mut replay = Replay::open(call, args)?;
    call.stop.remember(replay.shutdown_summary());
    let result = work(&mut replay, &chosen, call.stop);
    Ok(replay.close(result))
}

fn work(replay: &mut Replay, chosen: &[&'static Table], stop: &Stop) -> Result<Exit> {
    replay.lock(chosen)?;
    let names: Vec<&str> = chosen.iter().map(|table| table.name).collect();
    let ranges = names.iter().map(|table| replay.ranges(table)).collect::<Result<Vec<_>>>()?;
    let mut progress = Progress::new(&replay.run.job, replay.planned());
    let turns = turns::share(replay, &names, ranges)?;
    for (table, turns) in chosen.iter().zip(&turns) {
        replay_table(replay, table, turns, &mut progress, stop)?;
    }
    Ok(if stop.asked() { Exit::Stopped } else { Exit::Done })
}

fn replay_table(
    replay: &mut Replay,
    table: &'static Table,
    turns: &[Turn],
    progress: &mut Progress,
    stop: &Stop,
) -> Result<()> {
    for turn in turns {
        let range = &turn.range;
        let mut rest = Span { start: range.start, end: range.end };
        while !rest.is_empty() && replay.goes_on() && !stop.asked() {
            let (span, kept) = replay.read(turn, rest)?;
            replay.failpoint("read");
            batch(replay, table, range, span, &kept)?;
            progress.advance(kept.len() as u64);
            stop.remember(replay.shutdown_summary());
            rest.start = span.end;
        }
    }
    Ok(())
}

fn batch(replay: &mut Replay, table: &'static Table, range: &QuarantineRange, span: Span, kept: &[Kept]) -> Result<()> {
    let arena = Arena::new();
    let mut batch = Replayed::decode(table, range, span, kept)?;
    batch.set_aside_what_is_known(&replay.warehouse)?;
    batch.complete(&replay.warehouse, &arena)?;
    replay.validate(&mut batch)?;
    replay.failpoint("validated");
    replay.write(&batch)
}
