//! Topics of one table that stand side by side.

use anyhow::Result;
use clap::Args;

use crate::exit::{needs_person, usage};

/// Which topics of one table have no key in common.
#[derive(Debug, Clone, Default, Args)]
pub struct SideBySideArgs {
    /// Topics that are read into one table side by side because no key is in two of them (one database per country, say); without
    /// this, a topic that is newer replaces the older one. Said once, every job knows it (side_by_side in the books). May be repeated
    #[arg(long, value_name = "TOPIC", env = "SIDE_BY_SIDE", value_delimiter = ',')]
    pub side_by_side: Vec<String>,
}

/// What the books know of topics that stand side by side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declared {
    /// Those that do.
    pub topics: Vec<String>,
    /// Those that did, until another topic came in their place.
    pub replaced: Vec<String>,
}

impl Declared {
    /// Takes these topics out: another one, that of the run, came in their place. Returns those that the books did not know as replaced.
    ///
    /// # Errors
    /// It is the run's own topic, or one that was never declared.
    pub fn replace(&mut self, topics: &[String], own: &str) -> Result<Vec<String>> {
        let named = || topics.iter().map(|topic| topic.trim()).filter(|topic| !topic.is_empty());
        if named().any(|topic| topic == own) {
            return Err(usage(format!(
                "--replaced {own}: this is the topic that is read here; name the one in whose place it came"
            )));
        }
        if let Some(topic) = named().find(|topic| ![&self.topics, &self.replaced].iter().any(|known| has(known, topic)))
        {
            let known = self.topics.join(", ");
            return Err(usage(format!(
                "--replaced {topic}: it was never declared side by side with others; these are: {known}"
            )));
        }
        let new: Vec<String> = named().filter(|topic| !has(&self.replaced, topic)).map(str::to_owned).collect();
        self.topics.retain(|topic| !has(&new, topic));
        self.replaced.extend(new.clone());
        Ok(new)
    }
}

fn has(topics: &[String], topic: &str) -> bool {
    topics.iter().any(|known| known == topic)
}

impl SideBySideArgs {
    /// What the books know.
    pub fn of(known: Declared) -> SideBySideArgs {
        SideBySideArgs { side_by_side: known.topics }
    }

    /// Adds what the books know, and says what they do not know yet.
    ///
    /// # Errors
    /// Exit 78: a topic was replaced, and cannot be declared anew.
    pub fn learn(&mut self, known: Declared) -> Result<Vec<String>> {
        let said = self.side_by_side.iter().map(|topic| topic.trim()).filter(|topic| !topic.is_empty());
        let said: Vec<String> = said.map(str::to_owned).collect();
        if let Some(topic) = said.iter().find(|topic| known.replaced.contains(topic)) {
            return Err(needs_person(format!(
                "--side-by-side names {topic}, which has been replaced (--replaced): another topic came in its place. Nothing was read. Take it \
                 out of the list (SIDE_BY_SIDE), and end its job; a database that comes back needs a new topic (topic.prefix)"
            )));
        }
        let new: Vec<String> = said.into_iter().filter(|topic| !known.topics.contains(topic)).collect();
        self.side_by_side = [known.topics, new.clone()].concat();
        Ok(new)
    }

    /// Does `topic` stand side by side with others?
    pub fn names(&self, topic: &str) -> bool {
        has(&self.side_by_side, topic)
    }

    /// Does `other` stand beside `topic`? Both have to be declared; one of the same name has come in its place.
    pub fn has(&self, topic: &str, other: &str) -> bool {
        topic != other && self.names(topic) && self.names(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(topics: &[&str]) -> SideBySideArgs {
        SideBySideArgs { side_by_side: topics.iter().map(|topic| (*topic).to_owned()).collect() }
    }

    fn declared(topics: &[&str], replaced: &[&str]) -> Declared {
        Declared { topics: args(topics).side_by_side, replaced: args(replaced).side_by_side }
    }

    #[test]
    fn only_what_was_declared_stands_beside_what_was_declared() {
        let args = args(&["eu", "us"]);
        assert!(args.has("eu", "us") && args.has("us", "eu"));
        assert!(!args.has("eu", "eu") && !args.has("new", "us") && !args.has("us", "new"));
    }

    #[test]
    fn what_the_books_know_is_added_and_blanks_do_not_count() {
        let mut args = args(&["", " us", "eu "]);
        assert_eq!(args.learn(declared(&["eu"], &[])).unwrap(), ["us"]);
        assert_eq!(args.side_by_side, ["eu", "us"]);
    }

    #[test]
    fn only_another_topic_that_stood_beside_can_be_replaced() {
        let replace = |topics: &[&str]| declared(&["eu", "us"], &["old"]).replace(&args(topics).side_by_side, "eu2");
        assert_eq!(replace(&["old", " eu"]).unwrap(), ["eu"]);
        assert!(replace(&["eu2"]).unwrap_err().to_string().contains("the topic that is read here"));
        assert!(replace(&["ue"]).unwrap_err().to_string().contains("these are: eu, us"));
    }

    #[test]
    fn what_was_replaced_is_not_declared_anew() {
        let error = args(&["eu", "us"]).learn(declared(&["us", "eu2"], &["eu"])).unwrap_err();
        assert!(error.to_string().contains("names eu, which has been replaced"), "{error}");
        assert_eq!(args(&["us"]).learn(declared(&["us", "eu2"], &["eu"])).unwrap(), [""; 0]);
    }
}
