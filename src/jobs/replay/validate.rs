//! The verdict on a batch, by the ingest jobs' own validator.

use anyhow::Result;

use crate::jobs::replay::batch::Replayed;
use crate::jobs::replay::run::Replay;

use crate::validate::Servers;

impl Replay {
    /// Turns every change that must not be written into a rejection. Rows from before a truncate that is known by now are gone,
    /// whether PostgreSQL has them or not: they are accepted and marked, as in the truncate's own window.
    ///
    /// # Errors
    /// A server is gone, refuses or is late.
    pub fn validate(&mut self, replayed: &mut Replayed<'_>) -> Result<()> {
        let range = replayed.range;
        let is_beside = |other: &str| self.args.beside.has(&range.topic, other);
        let table = replayed.batch.table;
        let truncates = self.warehouse.truncates(table, &range.topic_id, range.generation, is_beside)?;
        let servers = Servers { source: &mut self.source, look_ups: &mut self.look_ups, warehouse: &self.warehouse };
        self.validator.validate(servers, &mut replayed.batch, &truncates)
    }
}
