//! Where events stand.

use crate::cdc::Generation;

/// A partition of a topic as it was when it was read: a topic that was made anew has the same name and another id, and one that got more
/// partitions has another number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicPartition<'a> {
    /// The topic's name.
    pub topic: &'a str,
    /// Its id.
    pub topic_id: &'a str,
    /// Its number among the topics of its table.
    pub generation: Generation,
    /// The partition.
    pub partition: i32,
}
