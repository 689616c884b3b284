//! What a topic is to the others of its table: which rows a truncate of it may remove goes by that.

use crate::cdc::Generation;
use crate::cli::SideBySideArgs;
use crate::ledger::generations::{Lineage, Lineages};

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
        Lineage { generation, topic: topic.into(), topic_id: topic_id.into(), partitions, ..Lineage::default() }
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
