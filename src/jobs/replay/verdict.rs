//! The verdict on a batch, by the ingest jobs' own validator.

use anyhow::Result;

use crate::jobs::replay::batch::Batch;
use crate::jobs::replay::run::Replay;
use crate::old::Table;
use crate::tables::Table;
use crate::validate::Servers;

impl Replay {
    /// Turns every change that must not be written into a rejection. Rows from before a truncate that is known by now are gone,
    /// whether PostgreSQL has them or not: they are accepted and marked, as in the truncate's own window.
    ///
    /// # Errors
    /// A server is gone, refuses or is late.
    pub fn judge<T: Table>(&mut self, batch: &mut Batch<'_, T>) -> Result<()> {
        let shelf = batch.shelf;
        let is_beside = |other: &str| self.args.beside.has(&shelf.topic, other);
        let truncates =
            self.warehouse.truncates(&TableFacts::of::<T>(), &shelf.topic_id, shelf.generation, is_beside)?;
        let servers = Servers { source: &mut self.source, look_ups: &mut self.look_ups, warehouse: &self.warehouse };
        batch.warnings = self.validator.judge::<T>(servers, &mut batch.events, &truncates)?;
        Ok(())
    }
}
