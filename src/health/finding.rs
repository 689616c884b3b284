//! What is to be said of a server: a sentence, how serious it is, and what to do about it.

use crate::exit::{Exit, told};

/// What a check says: a sentence, and what to do if it is not ok.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How serious it is.
    pub verdict: Verdict,
    /// What was seen, and where.
    pub text: String,
    /// What to do; empty if all is well.
    pub fix: String,
}

/// How serious it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All is well.
    Ok,
    /// The jobs run, but somebody should look at it.
    Warn,
    /// Nobody answers: the same command may find it well later.
    Unreachable,
    /// The jobs cannot run, or would do the wrong thing.
    Fail,
    /// Not checked.
    Skipped,
}

/// All is well.
pub fn ok(text: impl Into<String>) -> Finding {
    Finding { verdict: Verdict::Ok, text: text.into(), fix: String::new() }
}

/// The jobs run, but somebody should look at it.
pub fn warn(text: impl Into<String>, fix: impl Into<String>) -> Finding {
    Finding { verdict: Verdict::Warn, text: text.into(), fix: fix.into() }
}

/// The jobs cannot run, or would do the wrong thing.
pub fn fail(text: impl Into<String>, fix: impl Into<String>) -> Finding {
    Finding { verdict: Verdict::Fail, text: text.into(), fix: fix.into() }
}

/// The server does not answer.
pub fn unreachable(text: impl Into<String>, fix: impl Into<String>) -> Finding {
    Finding { verdict: Verdict::Unreachable, text: text.into(), fix: fix.into() }
}

/// An error of a client as a finding: whether it may pass by itself is judged as everywhere else.
pub fn broken(error: &anyhow::Error, fix: impl Into<String>) -> Finding {
    let text = told(error).lines().collect::<Vec<_>>().join(" ");
    if Exit::of(error) == Exit::TryAgain { unreachable(text, fix) } else { fail(text, fix) }
}

impl Finding {
    /// Does it stop the checks that build on this one?
    pub fn failed(&self) -> bool {
        matches!(self.verdict, Verdict::Fail | Verdict::Unreachable)
    }

    /// As tables and summaries say it.
    pub fn mark(&self) -> &'static str {
        match self.verdict {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Unreachable | Verdict::Fail => "FAIL",
            Verdict::Skipped => "skip",
        }
    }

    /// What it says and what to do, in one line.
    pub fn sentence(&self) -> String {
        if self.fix.is_empty() { self.text.clone() } else { format!("{}; fix: {}", self.text, self.fix) }
    }
}

/// At most 300 characters of somebody else's text, on one line.
pub fn clip(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= 300 { line } else { line.chars().take(300).chain(['…']).collect() }
}
