//! Offsets without a record, as the ledger has them.

use anyhow::Result;
use clickhouse::Row;
use serde::Deserialize;

use crate::warehouse::{Warehouse, quote};

/// What the windows of the last day say of one partition.
#[derive(Debug, Clone, Row, Deserialize)]
#[allow(missing_docs)]
pub struct RecentGaps {
    pub topic: String,
    pub partition: i32,
    /// How many offsets.
    pub offsets: u64,
    /// Where, as far as the ledger lists them.
    pub spans: Vec<(i64, i64)>,
}

impl Warehouse {
    /// The offsets without a record that these groups' plans have met in the last 24 hours; `groups` are pairs of group and topic.
    ///
    /// # Errors
    /// The server is gone, or `migrate` has not run.
    pub fn recent_gaps(&self, groups: &[(&str, &str)]) -> Result<Vec<RecentGaps>> {
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let pair = |(group, topic): &(&str, &str)| format!("({}, {})", quote(group), quote(topic));
        let pairs = groups.iter().map(pair).collect::<Vec<_>>().join(", ");
        let sql = format!(
            "SELECT topic, partition, sum(gaps) AS offsets, arraySort(groupArrayArray(gap_spans)) AS spans
             FROM {}.windows
             WHERE (group_id, topic) IN ({pairs}) AND mode = 'plan' AND gaps > 0 AND closed_at > now64(3) - INTERVAL 1 DAY
             GROUP BY topic, partition
             ORDER BY topic, partition",
            self.ops
        );
        self.rows("reading the gaps of the last day", &sql)
    }
}
