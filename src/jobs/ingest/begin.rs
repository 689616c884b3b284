//! The beginning of a run: take the locks, continue the open plan or write a new one.

use anyhow::Result;
use serde_json::json;

use crate::cdc::{Generation, TopicPartition};
use crate::exit::needs_person;
use crate::jobs::ingest::lineage::{self, Taken};
use crate::jobs::ingest::plan::{Planned, ReadPlan};
use crate::jobs::ingest::run::Run;
use crate::jobs::ingest::source_alarm;
use crate::kafka::{self, Committed, Span, TopicInfo};
use crate::ledger::{LedgerEnd, LedgerRow, Lineages, Mode, WindowRow};
use crate::source;

/// Everything that the brokers and the ledger say.
pub struct GroupState {
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
pub fn plan(run: &mut Run) -> Result<Option<ReadPlan>> {
    let ledger = run.warehouse.ledger_ends(Some(run.table.name), &run.group, &run.topic)?;
    let Some(topic) = kafka::describe(&run.consumer, &run.topic)? else {
        return topic_missing(run, &ledger).map(|()| None);
    };
    let shard = run.args.shard;
    let partitions: Vec<i32> =
        topic.partitions.iter().copied().filter(|p| shard.is_none_or(|shard| shard.takes(*p))).collect();
    let backfill = run.args.backfill()?;
    if backfill.is_none() && !run.args.dry_run {
        source::lock(&mut run.source, &run.group, &run.topic, &partitions)?;
        run.locked = true;
        run.failpoint("locked");
    }
    // Under the lock, everything is asked anew: another run may just have ended.
    let (partitions, log) = run.reachable(partitions)?;
    let committed = kafka::committed(&run.consumer, &run.topic, &partitions)?;
    let ledger = run.warehouse.ledger_ends(Some(run.table.name), &run.group, &run.topic)?;
    let lineages = lineage::enter(run, &topic)?;
    let mut state = GroupState { topic, partitions, log, committed, ledger, lineages };
    source_alarm::warn_if_changed(run, &state.ledger)?;
    let plan = match backfill {
        Some(backfill) => {
            let backfill = run.without_late(backfill);
            let spans = backfill.spans(&run.consumer, &run.topic, &state.partitions, &state.log, &state.committed)?;
            state.backfill_plan(run, spans)?
        }
        None => state.group_plan(run)?,
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
    if !run.args.dry_run {
        // Not before the plan is made: a run that was refused has declared nothing.
        run.warehouse.declare_side_by_side(&run.declares, &run.run.id)?;
    }
    run.kin = lineage::kin(run, &state.topic, &state.lineages, plan.generation);
    Ok(Some(plan))
}

fn topic_missing(run: &Run, ledger: &[LedgerRow]) -> Result<()> {
    if ledger.is_empty() {
        tracing::info!(
            "topic {} does not exist yet: nothing to do (Debezium makes a topic with a table's first event)",
            run.topic
        );
        if !(run.args.replaced.is_empty() && run.args.beside.side_by_side.is_empty()) {
            tracing::warn!(
                "what --side-by-side and --replaced say is not noted: the topic is not there yet; say it again when it is"
            );
        }
        return Ok(());
    }
    Err(needs_person(format!(
        "topic {} does not exist, but the ledger has read it before: it was deleted, or --kafka points at another cluster; \
         when it is there again, choose --resume-from log-start",
        run.topic
    )))
}

impl GroupState {
    pub fn partition_count(&self) -> u32 {
        self.topic.partitions.len() as u32
    }

    /// Rows of the topic as it is now: this id, this number of partitions.
    pub fn current(&self) -> impl Iterator<Item = &LedgerEnd> {
        let is_current = |end: &&LedgerEnd| end.topic_id == self.topic.id && end.partitions == self.partition_count();
        self.ledger.iter().map(|row| &row.end).filter(is_current)
    }

    /// Has somebody read another topic of this name, or this group this one with other partitions?
    pub fn is_another(&self, name: &str) -> bool {
        let is_known = self.lineages.of(&self.topic.id, self.partition_count()).is_some();
        let knows_another = !self.ledger.is_empty() && self.current().next().is_none();
        knows_another || (!is_known && self.lineages.know_another(name, &self.topic.id))
    }

    pub fn ledger_of(&self, partition: i32) -> Option<&LedgerEnd> {
        self.ledger
            .iter()
            .map(|row| (row.partition, &row.end))
            .find(|(p, end)| *p == partition && end.topic_id == self.topic.id)
            .map(|(_, end)| end)
    }

    pub fn next_seq(&self, partition: i32) -> u64 {
        self.ledger.iter().filter(|row| row.partition == partition).map(|row| row.end.seq).max().unwrap_or(0) + 1
    }

    /// The plan of these spans. What has a lower number comes first: the value that a placeholder stands for is carried from it.
    pub fn plan(&self, mode: Mode, Taken { generation, rose }: Taken, mut spans: Vec<Planned>) -> ReadPlan {
        let numbers = self.lineages.numbers(&self.topic.id, self.partition_count()).unwrap_or_default();
        spans.sort_by_key(|planned| {
            (numbers.at(planned.partition, planned.span.start), std::cmp::Reverse(planned.span.len()))
        });
        ReadPlan {
            mode,
            topic_id: self.topic.id.clone(),
            partitions: self.partition_count(),
            generation,
            numbers,
            rose,
            spans,
            cut: Vec::new(),
        }
    }

    /// One of its partitions, under a number.
    pub fn topic_partition<'a>(&'a self, run: &'a Run, i: usize, generation: Generation) -> TopicPartition<'a> {
        TopicPartition { topic: &run.topic, topic_id: &self.topic.id, generation, partition: self.partitions[i] }
    }

    /// A ledger row that is no window: origin or reset, which moves the group over a span.
    pub fn marker_row(&self, run: &Run, at: TopicPartition<'_>, mode: Mode, moved: Span, reason: &str) -> WindowRow {
        WindowRow {
            source: run.table.name.to_owned(),
            group_id: run.group.clone(),
            topic: at.topic.to_owned(),
            stream: mode.stream(at.partition),
            topic_id: at.topic_id.to_owned(),
            partition: at.partition,
            generation: at.generation,
            mode: mode.name().to_owned(),
            seq: self.next_seq(at.partition),
            start_offset: moved.start,
            end_offset: moved.end,
            partitions: self.partition_count(),
            job: run.run.job.clone(),
            run_id: run.run.id.clone(),
            reason: reason.to_owned(),
            source_id: run.source_id.clone(),
            ..WindowRow::default()
        }
    }
}
