//! `build-<name>`: a derived table, kept up to date from the ledger.
//!
//! lock → which windows has no build taken up? → take a number → which rows do they touch? → where did these belong, where do they belong now? → write
//! rows, batch by batch; what does not fit is set aside → write delete markers → forget where they do not belong any more → still the newest build?
//! → note the windows down as consumed.
//!
//! The list of windows is fixed at the beginning, while the rows are made from what the tables hold at that moment. That may be
//! newer; then it belongs to a window which is not in the list, and the next build touches its rows again. Nothing is marked as
//! consumed before everything is written, so a killed build is done again by the next one, under a higher number.

use anyhow::Result;

use crate::cli::Call;
use crate::cli::Report;
use crate::derived::args::BuildArgs;
use crate::derived::number::Build;
use crate::derived::run::Run;
use crate::derived::{Derived, rebuild, survey, update};
use crate::exit::Exit;
use crate::jobs::{Job, Kind};
use crate::ledger::{Consumer, News};
use crate::tables::Pipeline;

/// The jobs, one for each derived table.
pub fn jobs(pipeline: &'static Pipeline) -> impl Iterator<Item = Job> {
    Derived::all(pipeline).into_iter().map(move |derived| {
        let name = derived.spec.build_job();
        let examples = format!("  {name}\n  {name} --dry-run\n  {name} --full");
        let about = format!("Bring {} up to date with its source tables", derived.target());
        super::job(pipeline, &name, &about, &examples, Kind::Build, move |call, args| run(call, derived, args))
    })
}

fn run(call: &Call<'_>, derived: Derived, args: BuildArgs) -> Result<Report> {
    let mut run = Run::open(call.job, derived, args, call.stop)?;
    let result = work(&mut run);
    Ok(run.close(result))
}

fn work(run: &mut Run) -> Result<Exit> {
    run.failpoint("opened")?;
    run.lock()?;
    let news = run.warehouse.news(&run.run.job, &run.derived.sources())?;
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
    if let Some(warning) = run.warning() {
        tracing::warn!("{}: {warning}", run.run.job);
    }
    news.is_whole()?;
    Ok(Exit::Done)
}

fn build(run: &mut Run, news: &News) -> Result<()> {
    let build = Build::take(run)?;
    match write(run, &build, news) {
        // A later build drops the tables of this one: then that is what there is to say.
        Err(error) if Exit::of(&error) != Exit::Stopped => build.is_newest(run).and(Err(error)),
        result => result,
    }
}

fn write(run: &mut Run, build: &Build, news: &News) -> Result<()> {
    if run.args.full {
        rebuild::all_rows(run, build)?;
    } else {
        update::what_is_touched(run, build, news)?;
    }
    build.count_what_was_written(run)?;
    build.is_newest(run)?;
    build.drop_own(run)?;
    let consumer = Consumer { name: &run.run.job, run_id: &run.run.id, failpoint: &|_| {} };
    run.warehouse.ack(consumer, &run.derived.sources(), news, None)?;
    run.failpoint("windows-consumed")
}
