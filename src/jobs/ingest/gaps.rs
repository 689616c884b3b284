//! What a run says of offsets without a record.

use anyhow::Error;

use crate::exit::{Exit, needs_person};
use crate::jobs::ingest::run::Run;
use crate::kafka::gaps::{GapList, are_expected, meaning};
use crate::kafka::{Window, topic_setting};

impl Run {
    /// Says at the end of a run what its gaps may be.
    pub fn tell_gaps(&self, exit: Exit) {
        if self.totals.gaps == 0 {
            return;
        }
        // After a signal there is no time to ask.
        let policy =
            if exit == Exit::Stopped { None } else { topic_setting(&self.consumer, &self.topic, "cleanup.policy") };
        let (topic, gaps, spans) = (&self.topic, self.totals.gaps, &self.totals.gap_spans);
        let text = format!("{topic}: {gaps} offsets hold no record ({spans}): {}", meaning(policy.as_deref()));
        if are_expected(policy.as_deref()) { tracing::info!("{text}") } else { tracing::warn!("{text}") }
    }

    /// With `--on-gaps stop`: why the window stays open.
    pub fn stops_at_gaps(&self, window: &Window<'_>) -> Error {
        let mut spans = GapList::default();
        window.gaps.iter().for_each(|gap| spans.add(window.partition, *gap));
        let policy = topic_setting(&self.consumer, &self.topic, "cleanup.policy");
        needs_person(format!(
            "{}, offsets {spans} (partition:from..to) hold no record, and --on-gaps is stop: {}; nothing of the window {} counts. Once it \
             is known what they were, run with --on-gaps warn",
            self.topic,
            meaning(policy.as_deref()),
            window.span
        ))
    }
}
