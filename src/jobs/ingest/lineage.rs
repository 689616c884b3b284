//! The generation that a run writes under. It belongs to the table and the topic, whichever group reads: a known topic has its number,
//! an unknown one gets one above everything in the books and in the table.
//!
//! Whoever writes to a table holds its lock together with others; a number is taken by one who holds it alone. So while a run
//! writes nobody gets a number above its own without its knowing.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};

use crate::cdc::{Generation, MAX_GENERATION, Version};
use crate::cli::Declared;
use crate::exit::needs_person;
use crate::jobs::ingest::grown::Grown;
use crate::jobs::ingest::run::Run;
use crate::kafka::TopicInfo;
use crate::ledger::{Kin, Lineage, Lineages};
use crate::source::TargetLock;

/// For others who take a number, which takes them a moment; not for those who write.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

/// The run's generation, and why it is a new one.
pub struct Taken {
    pub generation: Generation,
    /// Empty for a known topic, and for a table's first.
    pub rose: String,
}

/// Locks the table together with others, and reads its books; looks whether the table knows more than they do.
///
/// # Errors
/// Exit 78: the books are older than the table. 75: somebody takes a number for the table.
pub fn enter(run: &mut Run, topic: &TopicInfo) -> Result<Lineages> {
    let mut known = run.warehouse.side_by_side()?;
    let replaced = known.replace(&run.args.replaced, &run.topic)?;
    run.declares = Declared { topics: run.args.beside.learn(known)?, replaced };
    if !run.args.dry_run {
        let lock = lock_of(run);
        let deadline = Instant::now() + PATIENCE;
        while !lock.share(&mut run.source)? {
            if Instant::now() >= deadline {
                return Err(lock.busy(&mut run.source, "a run is taking a new generation for it"));
            }
            std::thread::sleep(PAUSE);
        }
        run.locked = true;
    }
    let lineages = run.warehouse.lineages(run.table.target)?;
    if of(&lineages, topic).is_some() {
        not_above_the_books(run, &lineages)?;
    }
    Ok(lineages)
}

/// The number of the run's topic. An unknown topic takes one; if `takes` is false (a dry run, nothing to read), it is only computed.
///
/// # Errors
/// Exit 75: others write to the table, and a number needs it alone. 78: there are no numbers left.
pub fn generation(run: &mut Run, topic: &TopicInfo, lineages: &mut Lineages, takes: bool) -> Result<Taken> {
    let known = of(lineages, topic);
    let taken = match known {
        Some(generation) => Taken { generation, rose: String::new() },
        None if takes && !run.args.dry_run => take_alone(run, topic, lineages)?,
        None => {
            // As if it had been taken: the plan is checked against it.
            let (next, rose) = next(run, topic, lineages, Grown::find(run, topic)?)?;
            lineages.taken.extend(next);
            Taken { generation: lineages.newest().unwrap_or(1), rose }
        }
    };
    if !taken.rose.is_empty() {
        tracing::warn!("{}", taken.rose);
    }
    Ok(taken)
}

/// Rows of an older topic lose against those of a newer one, so they are not even read; unless no key is in both.
///
/// # Errors
/// Exit 78, with what to do.
pub fn refuse_older(run: &Run, lineages: &Lineages, generation: Generation) -> Result<()> {
    let newer: Vec<String> = lineages
        .after(generation)
        .filter(|lineage| !run.args.beside.has(&run.topic, &lineage.topic))
        .map(describe)
        .collect();
    if newer.is_empty() {
        return Ok(());
    }
    Err(needs_person(format!(
        "{topic} (generation {generation}) has something to read, but {target} has since been read from {newer}: rows of the older topic would \
         lose against those of the newer one. Nothing was read. If no key is in both, say so: --side-by-side {topic},… with all such \
         topics, in the jobs of all of them. If the newer topic has replaced this one, end this job. If the connector has gone back \
         to this one, give it a new topic (topic.prefix) instead",
        topic = run.topic,
        target = run.table.target,
        newer = newer.join(" and from ")
    )))
}

/// May a topic that is not known take a number? One that grew, or was made anew, does not pass by the one that came after it; and the
/// order of its changes has to be known. How it grew is for whoever takes the number: it begins at the log's end that was looked at here.
///
/// # Errors
/// Exit 78, with what to do.
pub fn refuse_number(run: &Run, topic: &TopicInfo, lineages: &Lineages) -> Result<Option<Grown>> {
    if of(lineages, topic).is_some() {
        return Ok(None);
    }
    if let Some(last) = lineages.last_of(&topic.id, &run.topic) {
        refuse_older(run, lineages, last)?;
    }
    let grown = Grown::find(run, topic)?;
    if let Some(grown) = &grown {
        grown.refuse_unordered(run)?;
    }
    Ok(grown)
}

/// Those of the run's topic, for its truncates.
pub fn kin(run: &Run, topic: &TopicInfo, lineages: &Lineages, generation: Generation) -> Kin {
    Kin::of(lineages, &run.topic, &topic.id, generation, &run.args.beside)
}

fn of(lineages: &Lineages, topic: &TopicInfo) -> Option<Generation> {
    lineages.of(&topic.id, topic.partitions.len() as u32)
}

fn lock_of(run: &Run) -> TargetLock {
    TargetLock::of(&run.warehouse.db, run.table.target)
}

/// Alone with the table. Runs that start at once wait for each other here: one of them takes the number, the others find it.
fn take_alone(run: &mut Run, topic: &TopicInfo, lineages: &mut Lineages) -> Result<Taken> {
    let lock = lock_of(run);
    lock.unshare(&mut run.source)?;
    run.failpoint("number-wanted");
    let deadline = Instant::now() + PATIENCE;
    loop {
        if lock.own(&mut run.source)? {
            let taken = take(run, topic, lineages);
            // Together with others first: between the two nobody else may have it alone.
            lock.share(&mut run.source)?;
            lock.disown(&mut run.source)?;
            return taken;
        }
        if lock.share(&mut run.source)? {
            *lineages = run.warehouse.lineages(run.table.target)?;
            if let Some(generation) = of(lineages, topic) {
                return Ok(Taken { generation, rose: String::new() });
            }
            lock.unshare(&mut run.source)?;
        }
        if Instant::now() >= deadline {
            let why = format!(
                "{} is new to it and needs a new generation, which cannot be taken while another run writes",
                run.topic
            );
            return Err(lock.busy(&mut run.source, &why));
        }
        std::thread::sleep(PAUSE);
    }
}

fn take(run: &mut Run, topic: &TopicInfo, lineages: &mut Lineages) -> Result<Taken> {
    *lineages = run.warehouse.lineages(run.table.target)?;
    if let Some(generation) = of(lineages, topic) {
        return Ok(Taken { generation, rose: String::new() });
    }
    // Asked anew: whoever had the lock before may have read the topic that replaced this one.
    let grown = refuse_number(run, topic, lineages)?;
    let (next, rose) = next(run, topic, lineages, grown)?;
    for lineage in next {
        take_one(run, lineage, lineages)?;
    }
    let generation = of(lineages, topic)
        .with_context(|| format!("the number that was taken is not in {}.generations", run.warehouse.ops))?;
    Ok(Taken { generation, rose })
}

/// A number that is not ours is somebody else's: the next one.
fn take_one(run: &Run, wanted: Lineage, lineages: &mut Lineages) -> Result<()> {
    let above = lineages.newest().map_or(wanted.generation, |newest| wanted.generation.max(newest + 1));
    for generation in above..=MAX_GENERATION {
        if run.warehouse.take_generation(&Lineage { generation, ..wanted.clone() })? {
            run.failpoint("generation-taken");
            *lineages = run.warehouse.lineages(run.table.target)?;
            return Ok(());
        }
    }
    Err(used_up(run, ""))
}

/// What the topic would take: the number above the books and the table, 1 if both are empty; and why. If it grew, and the books do not know
/// the number that it had before, then that one first.
fn next(run: &Run, topic: &TopicInfo, lineages: &Lineages, grown: Option<Grown>) -> Result<(Vec<Lineage>, String)> {
    let now = topic.partitions.len() as u32;
    let mut counts = grown.as_ref().map(Grown::before).unwrap_or_default();
    counts.retain(|count| lineages.of(&topic.id, *count).is_none());
    counts.push(now);
    let in_books = lineages.newest();
    let in_table = run.warehouse.generation_in_table(run.table.target)?;
    let highest = in_books.max(in_table);
    let rose = highest.map(|highest| why(run, topic, lineages, in_table, highest + counts.len() as Generation));
    if usize::from(highest.unwrap_or(0)) + counts.len() > usize::from(MAX_GENERATION) {
        let known = known(run, lineages, in_table);
        return Err(used_up(run, &format!(": {known}")));
    }
    let lineage = |(generation, partitions): (Generation, u32)| Lineage {
        target: run.table.target.to_owned(),
        generation,
        topic: run.topic.clone(),
        topic_id: topic.id.clone(),
        partitions,
        starts: grown.as_ref().map(|grown| grown.starts(partitions)).unwrap_or_default(),
        run_id: run.run.id.clone(),
        taken_at: Utc::now().timestamp_millis(),
    };
    let next = (highest.unwrap_or(0) + 1..).zip(counts).map(lineage).collect();
    Ok((next, rose.unwrap_or_default()))
}

fn known(run: &Run, lineages: &Lineages, in_table: Option<Generation>) -> String {
    match (lineages.taken.last().map(describe), in_table) {
        (Some(newest), Some(rows)) if in_table > lineages.newest() => {
            format!("the books end with {newest}, but {} has rows of generation {rows}", run.table.target)
        }
        (Some(newest), _) => format!("it was read from {newest} before"),
        (None, rows) => {
            format!("the books know no topic of it, but the table has rows of generation {}", rows.unwrap_or(0))
        }
    }
}

fn why(
    run: &Run,
    topic: &TopicInfo,
    lineages: &Lineages,
    in_table: Option<Generation>,
    generation: Generation,
) -> String {
    let known = known(run, lineages, in_table);
    let lost = match in_table > lineages.newest() {
        true => {
            ": the books were lost, or somebody wrote rows by hand; this topic's rows win over all that are there, so older values may \
             show until it is read to its end"
        }
        false => ": its rows win over all that are there",
    };
    format!(
        "{}: {} (id {}, {} partition(s)) is new to it and gets generation {generation}; {known}{lost}",
        run.table.target,
        run.topic,
        topic.id,
        topic.partitions.len()
    )
}

fn used_up(run: &Run, known: &str) -> anyhow::Error {
    needs_person(format!(
        "{target} would need generation {}, and versions have room for {MAX_GENERATION}{known}. Nothing was read. Delete rows that \
         were written by hand; else let the table be made anew: rename it, remove its rows from {ops}.generations, `migrate`, then \
         read the topic with --from-beginning. If partitions were ever added to it, what was unread then is ordered anew: \
         check-reconcile --plan after it",
        u32::from(MAX_GENERATION) + 1,
        target = run.table.target,
        ops = run.warehouse.ops
    ))
}

fn not_above_the_books(run: &Run, lineages: &Lineages) -> Result<()> {
    let newest = lineages.newest().unwrap_or_default();
    let Some(version) = run.warehouse.version_above(run.table.target, newest)? else { return Ok(()) };
    let floor = Version::floor(newest + 1).get();
    Err(needs_person(format!(
        "{target} has rows of generation {} (WHERE _version >= {floor}), but its books, {ops}.generations, end with generation {newest}: \
         they are older than the table, or somebody wrote these rows by hand. What this run wrote would lose against them. Nothing was read. Restore \
         books and table of one moment; or run the job of the later topic, which takes a number above all rows; rows written by hand \
         have to be deleted",
        Version::generation_of(version),
        target = run.table.target,
        ops = run.warehouse.ops
    )))
}

fn describe(lineage: &Lineage) -> String {
    let since = DateTime::from_timestamp_millis(lineage.taken_at).unwrap_or_default();
    format!(
        "{} (generation {}, {} partition(s), since {})",
        lineage.topic,
        lineage.generation,
        lineage.partitions,
        since.format("%Y-%m-%d %H:%M UTC")
    )
}
