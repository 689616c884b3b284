//! Names, one type for each kind of them: what is easy to mix up cannot be.

use std::borrow::Borrow;
use std::fmt;

use super::problem::Report;
use super::text::{At, Located};

/// Which texts are names of a kind.
pub(super) struct NameRule {
    /// What is named.
    what: &'static str,
    /// What such a name is made of, for people.
    made_of: &'static str,
    first: fn(char) -> bool,
    others: fn(char) -> bool,
    /// Most bytes.
    longest: usize,
}

impl NameRule {
    fn accepts(&self, name: &str) -> bool {
        let mut chars = name.chars();
        chars.next().is_some_and(self.first) && chars.all(self.others) && name.len() <= self.longest
    }

    /// Reports a text that is no name of this kind.
    pub fn check(&self, name: &str, at: &At, report: &Report<'_>) -> bool {
        let accepted = self.accepts(name);
        if !accepted {
            let instead = format!("write {}, at most {} bytes", self.made_of, self.longest);
            report.say(at, format!("{name:?} is no name for {}", self.what), instead);
        }
        accepted
    }
}

fn lower(c: char) -> bool {
    c.is_ascii_lowercase()
}

fn snake(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'
}

fn kebab(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
}

fn word_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

fn word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn topic(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// A name of PostgreSQL may be nearly anything, if it is quoted. With control characters it would break the lines of SQL files.
fn anything(c: char) -> bool {
    !c.is_control()
}

const SNAKE: &str = "lower-case letters, digits and _, beginning with a letter";
const WORD: &str = "letters, digits and _, beginning with a letter or _";
const ANYTHING: &str = "the name as PostgreSQL's catalogue has it, without quotes or control characters";

macro_rules! names {
    ($($(#[$doc:meta])* $Name:ident: $what:literal, $made_of:expr, $first:ident, $others:ident, $longest:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $Name(String);

        impl $Name {
            pub(super) const RULE: NameRule =
                NameRule { what: $what, made_of: $made_of, first: $first, others: $others, longest: $longest };

            /// The text, if it is such a name.
            pub fn new(text: &str) -> Option<$Name> {
                Self::RULE.accepts(text).then(|| $Name(text.to_owned()))
            }

            /// The text; one that is no such name is reported.
            pub(super) fn read(text: Located<String>, report: &Report<'_>) -> Option<Located<$Name>> {
                Self::RULE.check(&text, &text.at, report).then(|| text.map($Name))
            }

            /// The name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl Borrow<str> for $Name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $Name {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }

        impl PartialEq<&str> for $Name {
            fn eq(&self, other: &&str) -> bool {
                self.0 == *other
            }
        }
    )*};
}

names! {
    /// The pipeline: the first part of its consumer groups' names, and of its DAGs'.
    PipelineName: "a pipeline", SNAKE, lower, snake, 40;
    /// The first part of the topics' names.
    TopicPrefix: "topics", "letters, digits, _, - and ., beginning with a letter or _", word_start, topic, 100;
    /// A table, as this pipeline calls it: in job names (`ingest-<name>`), flags and messages.
    TableName: "a table", SNAKE, lower, snake, 60;
    /// A table in the warehouse.
    TargetName: "a table of the warehouse", WORD, word_start, word, 120;
    /// A database of the warehouse.
    DatabaseName: "a database of ClickHouse", WORD, word_start, word, 120;
    /// A schema, table, column, role or publication of PostgreSQL, as its catalogue has it.
    SourceName: "anything of PostgreSQL", ANYTHING, anything, anything, 63;
    /// A column, the same in source and warehouse.
    ColumnName: "a column", ANYTHING, anything, anything, 63;
    /// A column of a derived table, a name that needs no quotes in SQL.
    DerivedColumnName: "a column of a derived table", SNAKE, lower, snake, 63;
    /// A replication slot.
    SlotName: "a replication slot", "lower-case letters, digits and _", snake, snake, 63;
    /// A connector of Kafka Connect.
    ConnectorName: "a connector", "letters, digits, _, - and ., beginning with a letter or _", word_start, topic, 100;
    /// A reference, by which rules name the row that is referenced: `product.unit_price`.
    ReferenceName: "a reference", SNAKE, lower, snake, 60;
    /// A rule, in summaries and in the quarantine.
    RuleName: "a rule", "lower-case letters, digits and -, beginning with a letter", lower, kebab, 60;
    /// A limit, by which rules name its value: `:discount`.
    LimitName: "a limit", SNAKE, lower, snake, 60;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_name_has_its_letters() {
        assert!(TableName::new("order_details").is_some());
        for bad in ["", "Orders", "1st", "order-details", "ü", &"x".repeat(61)] {
            assert_eq!(TableName::new(bad), None, "{bad}");
        }
        assert!(ColumnName::new("Größe (m²)").is_some());
        assert_eq!(ColumnName::new("a\n"), None);
        assert!(RuleName::new("open-line-inventory").is_some());
        assert_eq!(RuleName::new("open_line"), None);
    }
}
