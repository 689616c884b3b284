//! Removing closed quarantine records for good.

use anyhow::Result;
use clickhouse::Row;
use serde::Deserialize;

use crate::quarantine::Selection;
use crate::warehouse::{Warehouse, quote};

/// Records that are removed together: the server keeps a list of them in memory meanwhile.
const MOST: u64 = 1_000_000;

/// The lists' names begin like this.
const LIST: &str = "rejected_pruned_";

#[derive(Row, Deserialize)]
struct Count {
    records: u64,
}

#[derive(Row, Deserialize)]
struct Name {
    name: String,
}

impl Warehouse {
    /// Removes the selected records, which are closed; returns how many. One run at a time does that.
    ///
    /// A record may still have rows of earlier attempts, among them open ones that its newest row hides. These go first, and only
    /// then the newest: whenever this is cut short, no closed record is open again. A row that was written since has a higher
    /// attempt, and stays. The server makes the list of records, with their newest attempts, and removes by it: what a subquery in the
    /// DELETE itself finds would change from part to part, while rows are going.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn prune_rejected(&self, closed: &Selection, run_id: &str) -> Result<u64> {
        let list = format!("{}.{LIST}{}", self.ops, run_id.replace('-', "_"));
        let mut removed = 0;
        loop {
            let records = self.list_closed(&list, closed)?;
            if records > 0 {
                self.remove_listed(&list, "<")?;
                self.remove_listed(&list, "=")?;
            }
            self.drop_lists()?;
            removed += records;
            if records < MOST {
                return Ok(removed);
            }
        }
    }

    /// Writes down which records are selected, and their newest attempts.
    fn list_closed(&self, list: &str, closed: &Selection) -> Result<u64> {
        let sql = format!(
            "CREATE TABLE {list} ENGINE = Join(ANY, LEFT, topic, topic_id, partition, `offset`) AS
             SELECT topic, topic_id, partition, rejected.`offset` AS offset, attempt FROM {}.rejected FINAL
             WHERE {} LIMIT {MOST}",
            self.ops,
            closed.sql()
        );
        self.execute("listing closed quarantine records", &sql)?;
        Ok(self
            .row::<Count>("counting closed quarantine records", &format!("SELECT count() AS records FROM {list}"))?
            .records)
    }

    /// Of a record that is not on the list the newest attempt is NULL, so its rows stay.
    fn remove_listed(&self, list: &str, attempts: &str) -> Result<()> {
        let sql = format!(
            "ALTER TABLE {}.rejected DELETE
             WHERE attempt {attempts} joinGetOrNull({}, 'attempt', topic, topic_id, partition, `offset`) SETTINGS mutations_sync = 1",
            self.ops,
            quote(list)
        );
        self.execute("removing closed quarantine records", &sql)
    }

    /// Drops this run's list, and those of runs that were killed; but for one by which the server is still removing: without it that would fail
    /// for ever, and hold up whatever comes after it.
    fn drop_lists(&self) -> Result<()> {
        let ops = quote(&self.ops);
        let sql = format!(
            "SELECT name FROM system.tables
             WHERE database = {ops} AND startsWith(name, '{LIST}') AND NOT arrayExists(
                 command -> position(command, name) > 0,
                 (SELECT groupArray(command) FROM system.mutations WHERE database = {ops} AND table = 'rejected' AND NOT is_done)
             )",
        );
        for Name { name } in self.rows("looking for lists of closed quarantine records", &sql)? {
            self.execute(
                "dropping a list of closed quarantine records",
                &format!("DROP TABLE IF EXISTS {}.{name} SYNC", self.ops),
            )?;
        }
        Ok(())
    }
}
