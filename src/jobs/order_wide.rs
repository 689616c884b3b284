//! `build-order-wide`: `order_wide`, one row per order line with all its names, kept up to date from the ledger.
//!
//! lock → which windows has no build taken up? → take a number → which lines do they touch? → does every value fit? → write rows →
//! write delete markers → still the newest build? → note the windows down as consumed.
//!
//! The list of windows is fixed at the beginning, while the rows are made from what the tables hold at that moment. That may be
//! newer; then it belongs to a window which is not in the list, and the next build touches its lines again. Nothing is marked as
//! consumed before everything is written, so a killed build is done again by the next one, under a higher number.

use anyhow::Result;

use crate::cli::Call;
use crate::cli::Report;
use crate::derived::order_wide::args::OrderWideArgs;
use crate::derived::order_wide::number::Build;
use crate::derived::order_wide::run::Run;
use crate::derived::order_wide::{rebuild, survey, touched, update};
use crate::exit::Exit;
use crate::jobs::{Job, Kind};
use crate::ledger::{Consumer, News};
use crate::tables::Pipeline;

/// The job.
pub fn job(pipeline: &'static Pipeline) -> Job {
    let examples = "  build-order-wide\n  build-order-wide --dry-run\n  build-order-wide --full";
    super::job(
        pipeline,
        "build-order-wide",
        "Bring order_wide up to date with its source tables",
        examples,
        Kind::Build,
        run,
    )
}

fn run(call: &Call<'_>, args: OrderWideArgs) -> Result<Report> {
    let mut run = Run::open(call.job, args, call.stop)?;
    let result = work(&mut run);
    Ok(run.close(result))
}

fn work(run: &mut Run) -> Result<Exit> {
    run.failpoint("opened")?;
    run.lock()?;
    let news = run.warehouse.news(&run.run.job, &touched::sources())?;
    run.totals.windows = news.windows;
    if news.windows == 0 && !run.args.full {
        news.is_whole()?;
        tracing::info!("{}: nothing to do, every window is taken up already", run.run.job);
        return Ok(Exit::Done);
    }
    if run.args.dry_run {
        survey::preview(run, &news)?;
    } else {
        build(run, &news)?;
    }
    news.is_whole()?;
    Ok(Exit::Done)
}

fn build(run: &mut Run, news: &News) -> Result<()> {
    let build = Build::take(run)?;
    if run.args.full {
        rebuild::all_lines(run, &build)?;
    } else {
        update::touched_lines(run, &build, news)?;
    }
    build.count_what_was_written(run)?;
    build.is_newest(run)?;
    let consumer = Consumer { name: &run.run.job, run_id: &run.run.id, failpoint: &|_| {} };
    run.warehouse.ack(consumer, &touched::sources(), news, None)?;
    run.failpoint("windows-consumed")
}
