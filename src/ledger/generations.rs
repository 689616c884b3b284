//! The books of generations: which lineage of topics a warehouse table was read from, under which number.
//!
//! A lineage is a topic id with a number of partitions: another id is another log, and with other partitions keys stand elsewhere.
//! Groups play no part: two groups that read one topic write the same rows, so they must write the same versions.

use anyhow::Result;
use clickhouse::Row;
use serde::{Deserialize, Serialize};

use crate::cdc::{Generation, Version};
use crate::cli::SideBySideArgs;
use crate::exit::try_again;
use crate::warehouse::{Warehouse, quote};

/// So often a number's row may have been deleted, before whoever wants it gives up.
const MOST_ROUNDS: u32 = 1_000;

/// A row of `{ops}.generations`.
#[derive(Debug, Clone, PartialEq, Eq, Row, Serialize, Deserialize)]
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

/// A table's generations, as one of its topics sees them: what its truncates go by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kin {
    /// The topic's own: its number, and those that it had with fewer partitions.
    pub own: Vec<Generation>,
    /// Those of topics that stand side by side with it.
    pub beside: Vec<Generation>,
    /// Those below its own that are neither.
    pub earlier: Vec<Generation>,
    /// Is the topic declared to stand side by side with others, whether the books know their numbers or not?
    pub may_be_beside: bool,
    /// Under one number, in older books: rows that a truncate of the topic removes in one way, and rows of another topic, for which it is another.
    pub mixed: Vec<Mixed>,
}

/// A number under which several topics have written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mixed {
    /// The number.
    pub generation: Generation,
    /// Their names, each with its id.
    pub topics: Vec<String>,
}

/// What a lineage is to a topic of its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Own,
    Beside,
    Other,
}

impl Kin {
    /// Those of the topic with this name, id and number.
    pub fn of(
        lineages: &Lineages,
        topic: &str,
        topic_id: &str,
        generation: Generation,
        declared: &SideBySideArgs,
    ) -> Kin {
        let relation = |lineage: &Lineage| match lineage.topic_id == topic_id {
            true => Relation::Own,
            false if declared.has(topic, &lineage.topic) => Relation::Beside,
            false => Relation::Other,
        };
        let all = || lineages.taken.iter().chain(&lineages.former);
        let numbers = |wanted: Relation| all().filter(move |lineage| relation(lineage) == wanted).map(|l| l.generation);
        let mut own: Vec<Generation> = numbers(Relation::Own).chain([generation]).collect();
        own.sort_unstable();
        own.dedup();
        let newest = own.last().copied().unwrap_or_default();
        let beside: Vec<Generation> = numbers(Relation::Beside).collect();
        let is_earlier = |number: &Generation| *number < newest && !own.contains(number) && !beside.contains(number);
        let earlier = numbers(Relation::Other).filter(is_earlier).collect();
        let mut mixed: Vec<Mixed> = Vec::new();
        for former in lineages.former.iter().filter(|former| former.generation <= newest) {
            let writers: Vec<&Lineage> = all().filter(|other| other.generation == former.generation).collect();
            let is_known = mixed.iter().any(|mixed| mixed.generation == former.generation);
            if !is_known && writers.iter().any(|writer| relation(writer) != relation(writers[0])) {
                let topics =
                    writers.iter().map(|writer| format!("{} (id {})", writer.topic, writer.topic_id)).collect();
                mixed.push(Mixed { generation: former.generation, topics });
            }
        }
        Kin { own, beside, earlier, may_be_beside: declared.names(topic), mixed }
    }

    /// The topic's number.
    pub fn newest(&self) -> Generation {
        self.own.last().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lineage(generation: Generation, topic: &str, topic_id: &str, partitions: u32) -> Lineage {
        Lineage {
            target: "dim_customers".into(),
            generation,
            topic: topic.into(),
            topic_id: topic_id.into(),
            partitions,
            starts: Vec::new(),
            run_id: "run".into(),
            taken_at: 0,
        }
    }

    fn taken(taken: Vec<Lineage>) -> Lineages {
        Lineages { taken, former: Vec::new() }
    }

    #[test]
    fn a_number_of_several_topics_is_mixed_unless_a_truncate_means_the_same_for_all_of_them() {
        let known = Lineages {
            taken: vec![lineage(1, "a", "x", 1), lineage(2, "b", "y", 1), lineage(3, "c", "z", 1)],
            former: vec![lineage(1, "b", "y", 1)],
        };
        let none = SideBySideArgs::default();
        let mixed = |topic, id, generation, declared: &SideBySideArgs| {
            let kin = Kin::of(&known, topic, id, generation, declared);
            kin.mixed.iter().map(|mixed| (mixed.generation, mixed.topics.len())).collect::<Vec<_>>()
        };
        assert_eq!(mixed("a", "x", 1, &none), [(1, 2)]);
        assert_eq!(mixed("b", "y", 2, &none), [(1, 2)]);
        assert_eq!(mixed("c", "z", 3, &none), [], "both are earlier ones");
        let declared = SideBySideArgs { side_by_side: vec!["b".into(), "c".into()] };
        assert_eq!(mixed("c", "z", 3, &declared), [(1, 2)]);
        assert_eq!(Kin::of(&known, "b", "y", 2, &none).own, [1, 2]);
    }

    #[test]
    fn a_lineage_is_an_id_with_a_number_of_partitions() {
        let known = taken(vec![lineage(1, "a", "x", 1), lineage(2, "a", "x", 3), lineage(3, "b", "y", 1)]);
        assert_eq!(
            (known.of("x", 1), known.of("x", 3), known.of("x", 4), known.of("z", 1)),
            (Some(1), Some(2), None, None)
        );
        let another = |topic, id| known.know_another(topic, id);
        assert_eq!((another("b", "x"), another("a", "x"), another("c", "x")), (true, false, false));
        assert_eq!(known.newest(), Some(3));
        assert_eq!(known.after(1).map(|lineage| lineage.generation).collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn a_topic_keeps_the_numbers_that_it_had() {
        let known = taken(vec![lineage(1, "a", "x", 1), lineage(2, "b", "y", 1), lineage(3, "a", "x", 3)]);
        let declared = SideBySideArgs { side_by_side: vec!["a".into(), "b".into()] };
        let kin = Kin::of(&known, "a", "x", 3, &declared);
        assert_eq!((&kin.own[..], &kin.beside[..], kin.newest()), (&[1, 3][..], &[2][..], 3));
        let kin = Kin::of(&known, "a", "x", 3, &SideBySideArgs::default());
        assert_eq!((&kin.beside[..], &kin.earlier[..], kin.may_be_beside), (&[][..], &[2][..], false));
        let kin = Kin::of(&Lineages::default(), "a", "x", 1, &declared);
        assert!(kin.own == [1] && kin.may_be_beside, "the books are lost, and what stands beside it with them");
    }
}
