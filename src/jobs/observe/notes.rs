//! What is to be said of a look: problems that were seen, and servers that could not be asked.

use crate::cli::Exit;
use crate::jobs::finding::{Finding, Verdict};

/// The problems so far.
#[derive(Debug, Default)]
pub struct Notes {
    /// Each one sentence: what, where, what to do.
    pub problems: Vec<String>,
    /// Those because of which something was not seen.
    unseen: Vec<(Verdict, String)>,
}

impl Notes {
    /// Notes a finding down unless all is well.
    pub fn seen(&mut self, what: &str, finding: &Finding) {
        if finding.verdict != Verdict::Ok {
            self.problem(format!("{what}: {}", finding.sentence()));
        }
    }

    /// Notes a problem down.
    pub fn problem(&mut self, sentence: String) {
        tracing::warn!("{sentence}");
        self.problems.push(sentence);
    }

    /// Notes down that something could not be asked.
    pub fn unseen(&mut self, what: &str, why: &Finding) {
        let sentence = format!("{what}: {}", why.sentence());
        self.unseen.push((why.verdict, sentence.clone()));
        self.problems.push(sentence);
    }

    /// Why something was not seen, in one line.
    pub fn error(&self) -> Option<String> {
        let sentences: Vec<&str> = self.unseen.iter().map(|(_, sentence)| sentence.as_str()).collect();
        (!sentences.is_empty()).then(|| sentences.join(" | "))
    }

    /// 0 if everything was seen, 75 if it may be seen later, 78 if something is not there at all.
    pub fn exit(&self) -> Exit {
        match &self.unseen[..] {
            [] => Exit::Done,
            unseen if unseen.iter().all(|(verdict, _)| *verdict == Verdict::Unreachable) => Exit::TryAgain,
            _ => Exit::NeedsPerson,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::finding::{fail, ok, unreachable, warn};

    #[test]
    fn only_what_could_not_be_asked_fails_the_look() {
        let mut notes = Notes::default();
        notes.seen("a", &ok("well"));
        assert_eq!((notes.problems.len(), notes.exit()), (0, Exit::Done));
        notes.seen("b", &warn("hm", "look"));
        notes.seen("c", &fail("broken", "mend"));
        assert_eq!((notes.problems.len(), notes.exit(), notes.error()), (2, Exit::Done, None));
        notes.unseen("d", &unreachable("away", "wait"));
        assert_eq!((notes.exit(), notes.error().as_deref()), (Exit::TryAgain, Some("d: away; fix: wait")));
        notes.unseen("e", &fail("not there", "name it"));
        assert_eq!((notes.problems.len(), notes.exit()), (4, Exit::NeedsPerson));
    }
}
