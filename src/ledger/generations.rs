//! The books of generations: which lineage of topics a warehouse table was read from, under which number.
//!
//! A lineage is a topic id with a number of partitions: another id is another log, and with other partitions keys stand elsewhere.
//! Groups play no part: two groups that read one topic write the same rows, so they must write the same versions.

use anyhow::Result;
use clickhouse::Row;
use serde::{Deserialize, Serialize};

use crate::cdc::{Generation, Version};
use crate::exit::try_again;
use crate::warehouse::{Warehouse, quote};

/// So often a number's row may have been deleted, before whoever wants it gives up.
const MOST_ROUNDS: u32 = 1_000;

/// A row of `{ops}.generations`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Row, Serialize, Deserialize)]
pub struct Lineage {
    /// Warehouse table.
    pub target: String,
    /// Its number.
    pub generation: Generation,
    /// The topic's name, for people, and for "side by side".
    pub topic: String,
    /// The topic's id.
    pub topic_id: String,
    /// How many partitions it has.
    pub partitions: u32,
    /// By partition: offsets below have the number that the topic had with fewer of them.
    pub starts: Vec<(i32, i64)>,
    /// Who took the number.
    pub run_id: String,
    /// When, in milliseconds since the epoch.
    pub taken_at: i64,
}

impl Lineage {
    /// Where the offsets of a partition begin that have this number.
    pub fn start_of(&self, partition: i32) -> i64 {
        self.starts.iter().filter(|(p, _)| *p == partition).map(|(_, start)| *start).max().unwrap_or(0)
    }
}

/// Every lineage of one warehouse table, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lineages {
    /// Those whose number it is.
    pub taken: Vec<Lineage>,
    /// Those whose rows stand under a number that is not theirs, in older books.
    pub former: Vec<Lineage>,
}

impl Lineages {
    /// The number of a topic as it is now.
    pub fn of(&self, topic_id: &str, partitions: u32) -> Option<Generation> {
        let same = |lineage: &&Lineage| lineage.topic_id == topic_id && lineage.partitions == partitions;
        self.taken.iter().filter(same).map(|lineage| lineage.generation).max()
    }

    /// The last number of a topic, by its id or its name.
    pub fn last_of(&self, topic_id: &str, topic: &str) -> Option<Generation> {
        let same = |lineage: &&Lineage| lineage.topic_id == topic_id || lineage.topic == topic;
        self.taken.iter().filter(same).map(|lineage| lineage.generation).max()
    }

    /// The highest number.
    pub fn newest(&self) -> Option<Generation> {
        self.taken.iter().map(|lineage| lineage.generation).max()
    }

    /// Was there another topic of this name before?
    pub fn know_another(&self, topic: &str, topic_id: &str) -> bool {
        self.taken.iter().any(|lineage| lineage.topic == topic && lineage.topic_id != topic_id)
    }

    /// Those that came after a number.
    pub fn after(&self, generation: Generation) -> impl Iterator<Item = &Lineage> {
        self.taken.iter().filter(move |lineage| lineage.generation > generation)
    }
}

#[derive(Row, Deserialize)]
struct Highest {
    version: Option<u64>,
}

#[derive(Row, Deserialize)]
struct Found {
    version: u64,
}

impl Warehouse {
    /// What the books know of a table.
    ///
    /// # Errors
    /// The server is gone, or `migrate` has not run.
    pub fn lineages(&self, target: &str) -> Result<Lineages> {
        let of = |which: &str| {
            let sql = format!(
                "SELECT target, generation, topic, topic_id, partitions, starts, run_id, toUnixTimestamp64Milli(taken_at) AS taken_at
                 FROM {}.generations WHERE target = {} AND {which} ORDER BY generation, generations.taken_at, run_id",
                self.ops,
                quote(target)
            );
            self.rows("reading the generations", &sql)
        };
        Ok(Lineages { taken: of("NOT former")?, former: of("former")? })
    }

    /// Takes a number, if nobody else has: compare and set. Two inserts with one token are one insert; whoever reads its own run
    /// back has won. Nobody's row: somebody has deleted it, and the server still knows its token; once more with another.
    ///
    /// # Errors
    /// The row is lost again and again (75); the server is gone or refuses.
    pub fn take_generation(&self, lineage: &Lineage) -> Result<bool> {
        let Lineage { target, generation, run_id, topic_id, .. } = lineage;
        for round in 0..MOST_ROUNDS {
            let token =
                if round == 0 { format!("{target}/{generation}") } else { format!("{target}/{generation}/{round}") };
            self.insert::<Lineage>(&self.ops, "generations", &token, [lineage].into_iter())?;
            let stored = self.lineages(target)?;
            if let Some(winner) = stored.taken.iter().find(|stored| stored.generation == *generation) {
                return Ok(winner.run_id == *run_id && winner.topic_id == *topic_id);
            }
        }
        Err(try_again(format!("number {generation} of {target} was taken and deleted {MOST_ROUNDS} times; run again")))
    }

    /// The highest generation among a table's rows. No metadata knows it: this reads the whole column, so it is asked for new
    /// lineages only.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn generation_in_table(&self, target: &str) -> Result<Option<Generation>> {
        let sql = format!("SELECT maxOrNull(_version) AS version FROM {}.{target}", self.db);
        let highest: Vec<Highest> = self.rows("asking for the highest generation", &sql)?;
        Ok(highest.first().and_then(|highest| highest.version).map(Version::generation_of))
    }

    /// Does the table show a row of a generation? This reads the table: it is asked of numbers that several topics have, before a truncate.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn shows_generation(&self, target: &str, generation: Generation) -> Result<bool> {
        let (from, to) = (Version::floor(generation).get(), Version::floor(generation + 1).get());
        let sql = format!(
            "SELECT _version AS version FROM {}.{target} FINAL WHERE _version >= {from} AND _version < {to} LIMIT 1
             SETTINGS use_skip_indexes_if_final = 0",
            self.db
        );
        Ok(!self.rows::<Found>("looking for rows of a generation", &sql)?.is_empty())
    }

    /// A version above a generation's, if the table has one: the minmax index `newest` says so without reading rows.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn version_above(&self, target: &str, generation: Generation) -> Result<Option<u64>> {
        self.version_from(target, Version::floor(generation + 1).get())
    }

    /// As [`Warehouse::version_above`]: a version from this one on.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn version_from(&self, target: &str, from: u64) -> Result<Option<u64>> {
        let sql = format!("SELECT _version AS version FROM {}.{target} WHERE _version >= {from} LIMIT 1", self.db);
        let found: Vec<Found> = self.rows("looking for rows that the books do not know", &sql)?;
        Ok(found.first().map(|found| found.version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lineage(generation: Generation, topic: &str, topic_id: &str, partitions: u32) -> Lineage {
        Lineage { generation, topic: topic.into(), topic_id: topic_id.into(), partitions, ..Lineage::default() }
    }

    #[test]
    fn a_lineage_is_an_id_with_a_number_of_partitions() {
        let known = Lineages {
            taken: vec![lineage(1, "a", "x", 1), lineage(2, "a", "x", 3), lineage(3, "b", "y", 1)],
            ..Lineages::default()
        };
        assert_eq!(
            (known.of("x", 1), known.of("x", 3), known.of("x", 4), known.of("z", 1)),
            (Some(1), Some(2), None, None)
        );
        let another = |topic, id| known.know_another(topic, id);
        assert_eq!((another("b", "x"), another("a", "x"), another("c", "x")), (true, false, false));
        assert_eq!(known.newest(), Some(3));
        assert_eq!(known.after(1).map(|lineage| lineage.generation).collect::<Vec<_>>(), [2, 3]);
    }
}
