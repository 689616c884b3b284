//! A window's rows for the books: quarantine and ledger.

use std::collections::HashMap;

use anyhow::Result;
use chrono::Utc;

use crate::batch::Batch;
use crate::jobs::ingest::counts::WindowCounts;
use crate::jobs::ingest::plan::{Planned, ReadPlan};
use crate::jobs::ingest::run::Run;
use crate::kafka::Window;
use crate::ledger::WindowRow;
use crate::quarantine::{Quarantined, RejectedRow};
use crate::rows::Event;

/// A window of a compacted topic may have as many gaps as records.
const LISTED_GAPS: usize = 100;

impl Run {
    /// The records that are rejected, as quarantine rows.
    pub fn rejected_rows<'r>(
        &'r self,
        plan: &'r ReadPlan,
        window: &Window<'_>,
        batch: &'r Batch<'_>,
        earlier: &HashMap<i64, Quarantined>,
    ) -> Result<Vec<RejectedRow<'r>>> {
        let now_ms = Utc::now().timestamp_millis();
        let mut rows = Vec::new();
        for (i, (record, event)) in batch.records.iter().zip(&batch.events).enumerate() {
            let Event::Rejected(violation, row_key) = event else { continue };
            let attempt = match earlier.get(&record.offset) {
                None => 1,
                Some(before) if before.status == "open" => before.attempt,
                Some(closed) => closed.attempt + 1,
            };
            rows.push(RejectedRow {
                table: batch.table.name,
                topic: &self.topic,
                topic_id: &plan.topic_id,
                partition: record.partition,
                offset: record.offset,
                key: record.key.unwrap_or_default(),
                row_key: row_key.clone().unwrap_or_default(),
                payload: record.value.unwrap_or_default(),
                headers: window.headers(i),
                record_ts: record.timestamp_ms.unwrap_or_default(),
                version: plan.numbers.version(record.partition, record.offset)?.get(),
                lsn: crate::cdc::lsn_of(record),
                rule: violation.rule,
                detail: violation.detail.clone(),
                run_id: &self.run.id,
                attempt,
                status: "open",
                rejected_at: now_ms,
            });
        }
        Ok(rows)
    }

    /// The ledger row.
    pub fn window_row(
        &self,
        plan: &ReadPlan,
        planned: &Planned,
        window: &Window<'_>,
        counts: &WindowCounts,
        token: &str,
    ) -> WindowRow {
        WindowRow {
            source: self.table.name.to_owned(),
            group_id: self.group.clone(),
            topic: self.topic.clone(),
            stream: plan.mode.stream(window.partition),
            seq: planned.seq,
            topic_id: plan.topic_id.clone(),
            partition: window.partition,
            generation: plan.number_of(window),
            mode: plan.mode.name().to_owned(),
            start_offset: window.span.start,
            end_offset: window.span.end,
            written: counts.written,
            rejected: counts.rejected.values().sum(),
            tombstones: counts.tombstones,
            truncates: counts.truncates,
            gaps: counts.gaps,
            gap_spans: window.gaps.iter().take(LISTED_GAPS).map(|gap| (gap.start, gap.end)).collect(),
            partitions: plan.partitions,
            token: token.to_owned(),
            job: self.run.job.clone(),
            run_id: self.run.id.clone(),
            reason: match window.gaps.len().saturating_sub(LISTED_GAPS) {
                0 => String::new(),
                more => format!("{more} more spans without a record"),
            },
            source_id: self.source_id.clone(),
        }
    }
}
