//! Why a text is no rule: where, what, and how to say it instead.

use std::fmt;

/// A rule's text was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Line in the text, from 1.
    pub line: u64,
    /// Character in that line, from 1.
    pub column: u64,
    /// What is wrong, and what to write.
    pub message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for Refusal {}
