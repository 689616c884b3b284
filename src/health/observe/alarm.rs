//! What a look can find, by name.

use serde::Deserialize;
use strum::{IntoStaticStr, VariantArray};

use crate::health::severity::Severity;

/// Something that may need a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, IntoStaticStr, VariantArray)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Alarm {
    /// Connector or task has FAILED and is not started again, or somebody has halted it.
    Connector,
    /// The slot is lost, about to be, or nobody reads it.
    Slot,
    /// The slot keeps much WAL.
    SlotKeepsWal,
    /// A job's last run needs a person.
    RunFailed,
    /// A job's last run ended without a word.
    RunLost,
    /// A job has not ended well for so many times in a row.
    TriesInARow,
    /// A job that used to run has not been started for too long.
    SilentJob,
    /// Commits and ledger do not fit: the next run will stop.
    BooksDisagree,
    /// A table does not have the rows that the books say were written to it.
    RowsMissing,
    /// The warehouse is later than check-freshness lets it be.
    Late,
    /// Offsets without a record, in a topic from which nothing takes records away.
    Gaps,
    /// A check or a build has not taken up the ledger for long, and keeps its old rows.
    ConsumerBehind,
    /// The servers' clocks differ.
    ClockSkew,
    /// Too many open records.
    QuarantineSize,
    /// Open records that nobody has dealt with for too long.
    QuarantineAge,
    /// More and more open records.
    QuarantineGrows,
    /// Records that were tried for the last time.
    QuarantineExhausted,
    /// Rows of a derived table that do not fit, and are not shown.
    DerivedRejected,
    /// Something could not be asked.
    Unseen,
}

impl Alarm {
    /// As `checks.toml` and `observed_alarms` name it.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// What it is worth unless `checks.toml` says otherwise.
    pub fn severity(self) -> Severity {
        match self {
            // The next run goes on by itself; WAL, clocks and old rows of the ledger are for when there is time.
            Alarm::RunLost | Alarm::SlotKeepsWal | Alarm::ConsumerBehind | Alarm::ClockSkew => Severity::Warn,
            _ => Severity::Fail,
        }
    }

    /// Of what lies and waits for a person, an alarm without end would hide all others: it is one once a day.
    pub fn is_reminder(self) -> bool {
        matches!(self, Alarm::QuarantineAge | Alarm::QuarantineExhausted | Alarm::DerivedRejected)
    }
}
