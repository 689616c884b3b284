//! A run: its clients, its place in the books, its summary.

use std::sync::Arc;

use anyhow::Result;
use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::Call;
use crate::cli::{Declared, Report};
use crate::exit::Exit;
use crate::jobs::ingest::args::IngestArgs;
use crate::jobs::ingest::plan::{Late, Planned, ReadPlan};
use crate::jobs::ingest::totals::{Counted, IngestTotals};
use crate::kafka::{self, Committed, Consumer, Span};
use crate::ledger::job_run::{JobRun, ended};
use crate::ledger::{Kin, Mode, RunRow};
use crate::source::{self, LookUps};

use crate::tables::Table;
use crate::validate::Validator;
use crate::warehouse::Warehouse;

/// One run of an ingest job.
pub struct Run {
    /// Its name, id and clock.
    pub run: JobRun,
    pub args: IngestArgs,
    pub table: &'static Table,
    pub topic: String,
    pub group: String,
    pub consumer: Arc<Consumer>,
    pub source: postgres::Client,
    pub look_ups: LookUps,
    pub validator: Validator,
    pub warehouse: Warehouse,
    /// Dry runs take no locks.
    pub locked: bool,
    /// The table's generations, as the topic sees them.
    pub kin: Kin,
    /// What its flags say of topics side by side, and the books do not know yet.
    pub declares: Declared,
    /// Which server the source is now, if it says so.
    pub source_id: String,
    /// Another one than when the last window was closed: the warning.
    pub source_changed: Option<String>,
    pub totals: IngestTotals,
    /// What the summary says about the plan.
    pub plan: Value,
    /// For a backfill that ended early: the flags that do the rest.
    pub next: Option<String>,
    /// Partitions that the run goes on without.
    pub late: Vec<Late>,
}

/// What a run says at its end.
#[derive(Serialize)]
struct Summary<'r> {
    topic: &'r str,
    group: &'r str,
    dry_run: bool,
    plan: &'r Value,
    #[serde(flatten)]
    totals: Counted<'r>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_changed: Option<&'r str>,
    unfinished: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'r str>,
}

impl Run {
    /// Connects, and writes the run's first row into the books.
    ///
    /// # Errors
    /// One of the servers is not there, or refuses.
    pub fn open(call: &Call<'_>, table: &'static Table, args: IngestArgs) -> Result<Run> {
        args.backfill()?;
        let job_run = JobRun::begin(call.job).freezing_at(args.stop_at.as_ref());
        let topic = args.topic.clone().unwrap_or_else(|| table.topic(&args.prefix.prefix));
        let group = args.group.clone().unwrap_or_else(|| table.group(&args.prefix.prefix));
        let consumer = Arc::new(kafka::connect(&args.kafka(), &group)?);
        let warehouse = Warehouse::new(&args.clickhouse)?;
        let name = job_run.session_name();
        let mut run = Run {
            run: job_run,
            table,
            topic,
            group,
            consumer,
            source: source::connect(&args.postgres, &name)?,
            look_ups: LookUps::connect(&args.postgres, &args.replica, &name)?,
            validator: Validator::new(call.pipeline, &args.rules)?,
            warehouse,
            locked: false,
            kin: Kin::default(),
            declares: Declared::default(),
            source_id: String::new(),
            source_changed: None,
            totals: IngestTotals::default(),
            plan: Value::Null,
            next: None,
            late: Vec::new(),
            args,
        };
        if run.args.dry_run {
            run.warehouse.fits()?;
        } else {
            let (topic, group_id) = (run.topic.clone(), run.group.clone());
            run.run.open(&run.warehouse, &mut run.source, |row| RunRow { topic, group_id, ..row })?;
        }
        run.failpoint("opened");
        Ok(run)
    }

    /// Writes the final row and makes the summary.
    pub fn close(mut self, result: Result<Exit>) -> Report {
        let (exit, error) = ended(&result);
        self.tell_gaps(exit);
        let mut report = self.report(exit, error);
        if !self.args.dry_run {
            self.run.close(&self.warehouse, &mut report, |row| self.counted(row));
        }
        if self.locked {
            source::unlock(&mut self.source);
        }
        // The process ends now. librdkafka's orderly goodbye would take 100 ms and change nothing.
        std::mem::forget(self);
        report
    }

    fn report(&self, exit: Exit, error: Option<String>) -> Report {
        let summary = Summary {
            topic: &self.topic,
            group: &self.group,
            dry_run: self.args.dry_run,
            plan: &self.plan,
            totals: self.totals.counted(),
            source_changed: self.source_changed.as_deref(),
            unfinished: json!(self.unfinished()),
            next: self.next.as_deref(),
        };
        self.run.report(exit, &summary, error)
    }

    /// The summary as it would be if the process had to end now.
    pub fn shutdown_summary(&self) -> String {
        let why = "stopped before the open window was finished; the next run finishes it";
        self.report(Exit::Stopped, Some(why.to_owned())).line(&self.run.job)
    }

    fn counted(&self, row: RunRow) -> RunRow {
        RunRow {
            topic: self.topic.clone(),
            group_id: self.group.clone(),
            written: self.totals.written,
            rejected: self.totals.rejected(),
            tombstones: self.totals.tombstones,
            truncates: self.totals.truncates,
            gaps: self.totals.gaps,
            ..row
        }
    }

    /// A named point for the crash tests.
    pub fn failpoint(&self, point: &str) {
        self.run.failpoint(point);
    }

    /// The exit code of a run that found nothing.
    pub fn nothing_to_do(&self) -> Exit {
        if self.args.skip_empty { Exit::NothingToDo } else { Exit::Done }
    }

    /// Puts into the summary what this run leaves. A backfill, of which no books are kept, says how to go on.
    pub fn leaves(&mut self, plan: &ReadPlan, unfinished: &[Planned]) {
        let mut left: Vec<(i32, Span)> = unfinished.iter().map(|rest| (rest.partition, rest.span)).collect();
        left.extend(self.late.iter().filter_map(|late| Some((late.partition, late.span?))));
        let left = plan.left(left);
        self.totals.remaining = left.iter().map(|(_, span)| span.len()).sum();
        if plan.mode == Mode::Backfill && !left.is_empty() {
            let ranges: Vec<String> = left.iter().map(|(partition, span)| format!("{partition}:{span}")).collect();
            self.next = Some(format!("--offsets {}", ranges.join(",")));
        }
    }

    /// Time ran out. A plan is closed where it stands, so that the next run makes a new one.
    ///
    /// # Errors
    /// The commit failed.
    pub fn end_early(&mut self, plan: &ReadPlan, unfinished: &[Planned]) -> Result<()> {
        if plan.mode == Mode::Backfill || self.args.dry_run {
            return Ok(());
        }
        source::still_held(&mut self.source)?;
        let offsets: Vec<(i32, Committed)> =
            unfinished.iter().map(|rest| (rest.partition, Committed { offset: rest.span.start, plan: None })).collect();
        kafka::commit(&self.consumer, &self.topic, &offsets)
    }
}
