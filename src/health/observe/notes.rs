//! What is to be said of a look: problems that were seen, and servers that could not be asked.

use crate::exit::Exit;
use crate::health::finding::{Finding, Verdict};
use crate::health::observe::alarm::Alarm;
use crate::health::observe::settings::Observe;
use crate::health::severity::Severity;

/// What a note means for the look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// It is said.
    Problem,
    /// It may be asked again later: 75.
    Later,
    /// It needs a person: 78.
    Alarm,
}

/// A sentence: what, where, what to do.
#[derive(Debug, Clone)]
pub struct Note {
    /// What it is.
    pub alarm: Alarm,
    /// Of what; the same from look to look.
    pub subject: String,
    /// In words.
    pub sentence: String,
    /// How much of it there is; 0 of what has no size.
    pub size: u64,
    /// What it means for the look.
    pub level: Level,
    /// Has it not been said lately?
    pub is_news: bool,
}

/// The notes so far.
#[derive(Debug, Default)]
pub struct Notes {
    settings: Observe,
    /// All of them.
    pub notes: Vec<Note>,
}

impl Notes {
    /// None yet.
    pub fn new(settings: Observe) -> Notes {
        Notes { settings, notes: Vec::new() }
    }

    /// Notes down what was seen, unless it is of no interest.
    pub fn seen(&mut self, alarm: Alarm, subject: &str, size: u64, sentence: String) {
        match self.settings.severity(alarm) {
            Severity::Off => {}
            Severity::Warn => self.note(alarm, subject, size, sentence, Level::Problem),
            Severity::Fail => self.note(alarm, subject, size, sentence, Level::Alarm),
        }
    }

    /// Notes down what is being mended, or may pass.
    pub fn passing(&mut self, alarm: Alarm, subject: &str, sentence: String) {
        if self.settings.severity(alarm) != Severity::Off {
            self.note(alarm, subject, 0, sentence, Level::Problem);
        }
    }

    /// Notes down that something could not be asked.
    pub fn unseen(&mut self, what: &str, why: &Finding) {
        let level = if why.verdict == Verdict::Unreachable { Level::Later } else { Level::Alarm };
        self.note(Alarm::Unseen, what, 0, format!("{what}: {}", why.sentence()), level);
    }

    fn note(&mut self, alarm: Alarm, subject: &str, size: u64, sentence: String, level: Level) {
        tracing::warn!("{}: {sentence}", alarm.name());
        let subject = subject.to_owned();
        self.notes.push(Note { alarm, subject, sentence, size, level, is_news: true });
    }

    /// Every sentence.
    pub fn problems(&self) -> Vec<&str> {
        self.notes.iter().map(|note| note.sentence.as_str()).collect()
    }

    /// Those that need a person.
    pub fn alarms(&self) -> impl Iterator<Item = &Note> {
        self.notes.iter().filter(|note| note.level == Level::Alarm)
    }

    /// Those because of which something was not seen.
    pub fn unseens(&self) -> impl Iterator<Item = &Note> {
        self.notes.iter().filter(|note| note.alarm == Alarm::Unseen)
    }

    /// Why the look does not end well, in one line.
    pub fn error(&self) -> Option<String> {
        let bad = self.notes.iter().filter(|note| note.level != Level::Problem);
        let sentences: Vec<&str> = bad.map(|note| note.sentence.as_str()).collect();
        (!sentences.is_empty()).then(|| sentences.join(" | "))
    }

    /// 78 if something needs a person, 75 if something could not be asked, else 0.
    pub fn exit(&self) -> Exit {
        let any = |level: Level| self.notes.iter().any(|note| note.level == level);
        match () {
            () if any(Level::Alarm) => Exit::NeedsPerson,
            () if any(Level::Later) => Exit::TryAgain,
            () => Exit::Done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::finding::{fail, unreachable};

    #[test]
    fn what_needs_a_person_is_78_and_what_may_pass_is_not() {
        let mut notes = Notes::new(toml::from_str("[severity]\nlate = \"off\"\n").unwrap());
        notes.seen(Alarm::Late, "a", 0, "not of interest".to_owned());
        assert_eq!((notes.problems().len(), notes.exit()), (0, Exit::Done));
        notes.seen(Alarm::ClockSkew, "b", 0, "hm".to_owned());
        notes.passing(Alarm::Connector, "c", "is started again".to_owned());
        assert_eq!((notes.problems().len(), notes.exit(), notes.error()), (2, Exit::Done, None));
        notes.unseen("d", &unreachable("away", "wait"));
        assert_eq!((notes.exit(), notes.error().as_deref()), (Exit::TryAgain, Some("d: away; fix: wait")));
        notes.seen(Alarm::Slot, "e", 0, "lost".to_owned());
        assert_eq!((notes.exit(), notes.error().as_deref()), (Exit::NeedsPerson, Some("d: away; fix: wait | lost")));
        notes.unseen("f", &fail("not there", "name it"));
        assert_eq!((notes.alarms().count(), notes.unseens().count()), (2, 2));
    }
}
