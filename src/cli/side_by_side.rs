//! Topics of one table that stand side by side.

use clap::Args;

/// Which topics of one table have no key in common.
#[derive(Debug, Clone, Default, Args)]
pub struct SideBySideArgs {
    /// Topics that are read into one table side by side because no key is in two of them (one database per country, say); without
    /// this, a topic that is newer replaces the older one. Said once, every job knows it (northwind_ops.side_by_side). May be repeated
    #[arg(long, value_name = "TOPIC", env = "SIDE_BY_SIDE", value_delimiter = ',')]
    pub side_by_side: Vec<String>,
}

impl SideBySideArgs {
    /// Adds what the books know, and says what they do not know yet.
    pub fn learn(&mut self, known: Vec<String>) -> Vec<String> {
        let new: Vec<String> = self.side_by_side.iter().filter(|topic| !known.contains(topic)).cloned().collect();
        self.side_by_side = [known, new.clone()].concat();
        new
    }

    /// Does `other` stand beside `topic`? One of the same name has come in its place.
    pub fn has(&self, topic: &str, other: &str) -> bool {
        topic != other && self.side_by_side.iter().any(|named| named == other)
    }
}
