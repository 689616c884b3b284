//! The books of topics that stand side by side: `{ops}.side_by_side`.

use anyhow::Result;
use chrono::Utc;
use clickhouse::Row;
use serde::{Deserialize, Serialize};

use crate::cli::Declared;
use crate::warehouse::Warehouse;

#[derive(Row, Deserialize)]
struct Topic {
    topic: String,
    was_replaced: u8,
}

#[derive(Row, Serialize)]
struct Said<'a> {
    topic: &'a str,
    replaced: u8,
    run_id: &'a str,
    declared_at: i64,
}

impl Warehouse {
    /// The topics that were declared to stand side by side with the others of their table, and those of them that were replaced.
    ///
    /// # Errors
    /// The server is gone, or `migrate` has not run.
    pub fn side_by_side(&self) -> Result<Declared> {
        let sql = format!(
            "SELECT topic, max(replaced) AS was_replaced FROM {}.side_by_side WHERE topic != '' GROUP BY topic ORDER BY topic",
            self.ops
        );
        let topics: Vec<Topic> = self.rows("asking which topics stand side by side", &sql)?;
        let (replaced, topics): (Vec<Topic>, Vec<Topic>) = topics.into_iter().partition(|row| row.was_replaced > 0);
        let names = |rows: Vec<Topic>| rows.into_iter().map(|row| row.topic).collect();
        Ok(Declared { topics: names(topics), replaced: names(replaced) })
    }

    /// Notes down which topics stand side by side, and which do no more: jobs that are not told must know it, too.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn declare_side_by_side(&self, said: &Declared, run_id: &str) -> Result<()> {
        let declared_at = Utc::now().timestamp_millis();
        let row = |topic, replaced| Said { topic, replaced, run_id, declared_at };
        let standing = said.topics.iter().map(|topic| row(topic, 0));
        let rows: Vec<Said<'_>> = standing.chain(said.replaced.iter().map(|topic| row(topic, 1))).collect();
        if rows.is_empty() {
            return Ok(());
        }
        self.insert::<Said<'static>>(&self.ops, "side_by_side", &format!("{run_id}/side_by_side"), rows.iter())
    }
}
