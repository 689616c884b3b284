//! The beginning of a run: take the locks, continue the open plan or write a new one.

use anyhow::Result;
use serde_json::json;

use crate::cdc::Generation;
use crate::cli::needs_person;
use crate::jobs::ingest::lineage::{self, Taken};
use crate::jobs::ingest::run::Run;
use crate::jobs::ingest::source_alarm;
use crate::source;
use crate::stream::{self, Committed, LedgerEnd, PartitionState, PlanMark, Span, Start, TopicInfo, decide, share};
use crate::warehouse::{LedgerRow, Lineages, Mode, WindowRow};

/// What this run is going to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Plan or range.
    pub mode: Mode,
    /// Topic id.
    pub topic_id: String,
    /// Number of partitions of the topic.
    pub partitions: u32,
    /// Generation of the topic.
    pub generation: Generation,
    /// Why it is a new one; empty if it is not.
    pub rose: String,
    /// Partition by partition, the longest first, so that no partition waits for ever behind `--max-duration`.
    pub spans: Vec<Planned>,
    /// What `--max-records` has cut off an explicit range.
    pub cut: Vec<(i32, Span)>,
}

impl Plan {
    /// What is left when these spans are: a new plan finds the rest of a plan by itself, an explicit range keeps its own.
    pub fn left(&self, mut left: Vec<(i32, Span)>) -> Vec<(i32, Span)> {
        for (partition, cut) in &self.cut {
            match left.iter_mut().find(|(p, span)| p == partition && span.end == cut.start) {
                Some((_, span)) => span.end = cut.end,
                None => left.push((*partition, *cut)),
            }
        }
        left
    }
}

/// A partition's part of the plan.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Partition.
    pub partition: i32,
    /// What is to be read.
    pub span: Span,
    /// Sequence number of its next ledger row; 0 outside of plans.
    pub seq: u64,
    /// The plan's mark in the commit metadata.
    pub mark: Option<PlanMark>,
}

impl Planned {
    /// Is it what is left of a plan whose partition made no progress?
    pub fn was_late(&self) -> bool {
        self.mark.as_ref().is_some_and(|mark| mark.late)
    }
}

/// Everything that the brokers and the ledger say.
pub struct Books {
    pub topic: TopicInfo,
    pub partitions: Vec<i32>,
    pub log: Vec<Span>,
    pub committed: Vec<Option<Committed>>,
    pub ledger: Vec<LedgerRow>,
    pub lineages: Lineages,
}

/// Makes the plan. `None` if the topic does not exist and never did: a table without rows has no topic.
///
/// # Errors
/// Another run is at work (75); the books disagree (78); a server is gone.
pub fn plan(run: &mut Run) -> Result<Option<Plan>> {
    let ledger = run.warehouse.ledger_ends(Some(run.table), &run.group, &run.topic)?;
    let Some(topic) = stream::describe(&run.consumer, &run.topic)? else {
        return topic_missing(run, &ledger).map(|()| None);
    };
    let shard = run.args.shard;
    let partitions: Vec<i32> =
        topic.partitions.iter().copied().filter(|p| shard.is_none_or(|shard| shard.takes(*p))).collect();
    let explicit = run.args.explicit()?;
    if explicit.is_none() && !run.args.dry_run {
        source::lock(&mut run.source, &run.group, &run.topic, &partitions)?;
        run.locked = true;
        run.passes("locked");
    }
    // Under the lock, everything is asked anew: another run may just have ended.
    let (partitions, log) = run.reachable(partitions)?;
    let committed = stream::committed(&run.consumer, &run.topic, &partitions)?;
    let ledger = run.warehouse.ledger_ends(Some(run.table), &run.group, &run.topic)?;
    let lineages = lineage::enter(run, &topic)?;
    let mut books = Books { topic, partitions, log, committed, ledger, lineages };
    source_alarm::look(run, &books.ledger)?;
    let plan = match explicit {
        Some(explicit) => {
            let explicit = run.without_late(explicit);
            let spans = explicit.spans(&run.consumer, &run.topic, &books.partitions, &books.log, &books.committed)?;
            books.range_plan(run, spans)?
        }
        None => books.group_plan(run)?,
    };
    let spans: Vec<_> = plan
        .spans
        .iter()
        .map(|p| json!({"partition": p.partition, "start": p.span.start, "end": p.span.end}))
        .collect();
    run.plan =
        json!({"mode": plan.mode.name(), "topic_id": plan.topic_id, "generation": plan.generation, "spans": spans});
    if !plan.rose.is_empty() {
        run.plan["generation_rose"] = json!(plan.rose);
    }
    run.kin = lineage::kin(run, &books.topic, &books.lineages, plan.generation);
    Ok(Some(plan))
}

fn topic_missing(run: &Run, ledger: &[LedgerRow]) -> Result<()> {
    if ledger.is_empty() {
        tracing::info!(
            "topic {} does not exist yet: nothing to do (Debezium makes a topic with a table's first event)",
            run.topic
        );
        return Ok(());
    }
    Err(needs_person(format!(
        "topic {} does not exist, but the ledger has read it before: it was deleted, or --kafka points at another cluster; \
         when it is there again, choose --resume-from log-start",
        run.topic
    )))
}

impl Books {
    fn partition_count(&self) -> u32 {
        self.topic.partitions.len() as u32
    }

    /// Rows of the topic as it is now: this id, this number of partitions.
    fn current(&self) -> impl Iterator<Item = &LedgerEnd> {
        let is_current = |end: &&LedgerEnd| end.topic_id == self.topic.id && end.partitions == self.partition_count();
        self.ledger.iter().map(|row| &row.end).filter(is_current)
    }

    /// Has somebody read a topic of this name that is not the one of now, or had other partitions?
    fn is_another(&self, name: &str) -> bool {
        let is_known = self.lineages.of(&self.topic.id, self.partition_count()).is_some();
        let knows_another = !self.ledger.is_empty() && self.current().next().is_none();
        knows_another || (!is_known && self.lineages.know_name(name))
    }

    pub fn ledger_of(&self, partition: i32) -> Option<&LedgerEnd> {
        self.ledger
            .iter()
            .map(|row| (row.partition, &row.end))
            .find(|(p, end)| *p == partition && end.topic_id == self.topic.id)
            .map(|(_, end)| end)
    }

    fn next_seq(&self, partition: i32) -> u64 {
        self.ledger.iter().filter(|row| row.partition == partition).map(|row| row.end.seq).max().unwrap_or(0) + 1
    }

    fn plan(&self, mode: Mode, Taken { generation, rose }: Taken, mut spans: Vec<Planned>) -> Plan {
        spans.sort_by_key(|planned| std::cmp::Reverse(planned.span.len()));
        Plan {
            mode,
            topic_id: self.topic.id.clone(),
            partitions: self.partition_count(),
            generation,
            rose,
            spans,
            cut: Vec::new(),
        }
    }

    /// An explicit range: it needs the topic's generation, and nothing from the ledger. Of a topic that came in place of another one not
    /// a part is read first: what stands above it in the log would be below it in the table.
    fn range_plan(&mut self, run: &mut Run, spans: Vec<(i32, Span)>) -> Result<Plan> {
        if self.is_another(&run.topic) {
            return Err(needs_person(format!(
                "{} is not the topic that the ledger knows (it was recreated, or has other partitions): \
                 run the job once with --resume-from log-start before reading explicit ranges",
                run.topic
            )));
        }
        let budget = run.args.max_records.unwrap_or(u64::MAX);
        let lengths: Vec<u64> = spans.iter().map(|(_, span)| span.len()).collect();
        let mut taken = Vec::new();
        let mut cut = Vec::new();
        for ((partition, span), take) in spans.into_iter().zip(share(budget, &lengths)) {
            let middle = span.start + take as i64;
            taken.push(Planned { partition, span: Span { start: span.start, end: middle }, seq: 0, mark: None });
            cut.push((partition, Span { start: middle, end: span.end }));
        }
        taken.retain(|planned| !planned.span.is_empty());
        cut.retain(|(_, span)| !span.is_empty());
        let number = lineage::generation(run, &self.topic, &mut self.lineages, !taken.is_empty())?;
        if !taken.is_empty() {
            lineage::refuse_older(run, &self.lineages, number.generation)?;
            lineage::refuse_moved(run, &self.lineages, number.generation, places(&taken))?;
        }
        Ok(Plan { cut, ..self.plan(Mode::Range, number, taken) })
    }

    /// "What is new": continue the open plan, or write a new one.
    fn group_plan(&mut self, run: &mut Run) -> Result<Plan> {
        let mut starts: Vec<Start> = (0..self.partitions.len()).map(|i| self.decide(i)).collect();
        // A stop first: nobody takes a number for a run that does not go on.
        let answers = self.answers(run, &starts)?;
        let number = lineage::generation(run, &self.topic, &mut self.lineages, true)?;
        let generation = number.generation;
        if answers.iter().any(|(i, at)| *at < self.log[*i].end) {
            lineage::refuse_older(run, &self.lineages, generation)?;
        }
        let from = answers.iter().map(|(i, at)| (self.partitions[*i], Span { start: *at, end: self.log[*i].end }));
        lineage::refuse_moved(run, &self.lineages, generation, from)?;
        let reset = self.reset(run, &mut starts, &answers, generation)?;
        let late = |i: usize| self.committed[i].as_ref().and_then(|c| c.plan.as_ref()).is_some_and(|plan| plan.late);
        let open = starts.iter().enumerate().any(|(i, start)| matches!(start, Start::Continue(..)) && !late(i));
        let origins: Vec<WindowRow> = (0..starts.len())
            .filter(|i| matches!(starts[*i], Start::Origin(_)))
            .map(|i| self.marker_row(run, i, Mode::Origin, generation, self.log[i].start, self.log[i].start, ""))
            .collect();
        let available: Vec<u64> =
            starts.iter().zip(&self.log).map(|(start, log)| if open { 0 } else { to_read(start, *log) }).collect();
        let taken = share(run.args.max_records.unwrap_or(u64::MAX), &available);
        let mut spans = Vec::new();
        let mut commits = Vec::new();
        for (i, start) in starts.iter().enumerate() {
            let partition = self.partitions[i];
            let has_marker = matches!(start, Start::Origin(_)) || reset.contains(&i);
            let seq = self.next_seq(partition) + u64::from(has_marker);
            let (span, mark) = match start {
                Start::Continue(span, plan_run) => {
                    (*span, PlanMark { late: late(i), ..PlanMark::new(span.end, plan_run) })
                }
                Start::Origin(at) | Start::Fresh(at) | Start::Close(at) => {
                    let span = Span { start: *at, end: at + taken[i] as i64 };
                    let mark = PlanMark::new(span.end, &run.id);
                    let plan = (!span.is_empty()).then(|| mark.clone());
                    if plan.is_some() || matches!(start, Start::Close(_)) {
                        commits.push((partition, Committed { offset: *at, plan }));
                    }
                    (span, mark)
                }
                Start::Stop(_) => continue,
            };
            if !span.is_empty() {
                spans.push(Planned { partition, span, seq, mark: Some(mark) });
            }
        }
        if !spans.is_empty() {
            lineage::refuse_older(run, &self.lineages, generation)?;
            lineage::refuse_moved(run, &self.lineages, generation, places(&spans))?;
        }
        if !run.args.dry_run {
            self.write_ahead(run, &origins, &commits)?;
        }
        Ok(self.plan(Mode::Plan, number, spans))
    }

    fn decide(&self, i: usize) -> Start {
        let partition = self.partitions[i];
        let ledger = self.ledger_of(partition);
        decide(&PartitionState {
            committed: self.committed[i].clone(),
            ledger,
            foreign_ledger: ledger.is_none() && !self.ledger.is_empty() && self.current().next().is_none(),
            log: self.log[i],
            partitions: self.partition_count(),
        })
    }

    /// The origin rows first, then the plan: a crash between them is "the group's offsets have expired".
    fn write_ahead(&self, run: &Run, origins: &[WindowRow], commits: &[(i32, Committed)]) -> Result<()> {
        if !origins.is_empty() {
            run.warehouse.write_windows(origins)?;
            run.passes("origin-written");
        }
        if !commits.is_empty() {
            stream::commit(&run.consumer, &run.topic, commits)?;
            run.passes("plan-committed");
        }
        Ok(())
    }

    /// A ledger row that is no window: origin or reset.
    #[allow(clippy::too_many_arguments)] // two offsets, and what they are about
    pub fn marker_row(
        &self,
        run: &Run,
        i: usize,
        mode: Mode,
        generation: Generation,
        start: i64,
        end: i64,
        reason: &str,
    ) -> WindowRow {
        WindowRow {
            source: run.table.to_owned(),
            group_id: run.group.clone(),
            topic: run.topic.clone(),
            stream: mode.stream(self.partitions[i]),
            topic_id: self.topic.id.clone(),
            partition: self.partitions[i],
            generation,
            mode: mode.name().to_owned(),
            seq: self.next_seq(self.partitions[i]),
            start_offset: start,
            end_offset: end,
            partitions: self.partition_count(),
            job: run.job.clone(),
            run_id: run.id.clone(),
            reason: reason.to_owned(),
            source_id: run.source_id.clone(),
            ..WindowRow::default()
        }
    }
}

fn places(planned: &[Planned]) -> impl Iterator<Item = (i32, Span)> {
    planned.iter().map(|planned| (planned.partition, planned.span))
}

fn to_read(start: &Start, log: Span) -> u64 {
    match start {
        Start::Origin(at) | Start::Fresh(at) | Start::Close(at) => Span { start: *at, end: log.end }.len(),
        Start::Continue(..) | Start::Stop(_) => 0,
    }
}
