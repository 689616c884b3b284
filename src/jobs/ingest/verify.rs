//! `--verify`: is what was written what the table shows?
//!
//! A version that is at least as high says little: a row of another log may have it, and a row with the right version may have other
//! values. So the row itself is looked at: either it is the one that was written, column by column, or the books explain why a
//! newer one stands there.

use anyhow::Result;

use crate::cdc::Version;
use crate::exit::{Exit, fault};
use crate::jobs::ingest::fingerprints::Fingerprint;
use crate::jobs::ingest::pending::Pending;
use crate::jobs::ingest::run::Run;
use crate::kafka;
use crate::warehouse::{ShownRow, newest_rows};

impl Run {
    /// Looks at the window's keys in the table, and at its refused records in quarantine. (Rows cannot be counted there: versions
    /// collapse inside one insert.)
    ///
    /// # Errors
    /// Exit 1: something else is shown.
    pub fn verify(&self, pending: &Pending) -> Result<()> {
        if !self.args.verify {
            return Ok(());
        }
        let place = format!("{}, partition {}, offsets {}", self.topic, pending.partition, pending.span);
        let keys: Vec<&str> = pending.verify.rows.keys().map(String::as_str).collect();
        for chunk in pending.verify.runs(&keys) {
            let shown = newest_rows(&self.warehouse, self.table, chunk)?;
            for key in chunk {
                let written = &pending.verify.rows[*key];
                let offset = Version::offset_of(written.version);
                let wrong = match shown.get(*key) {
                    None => Some("the table has no row of it".to_owned()),
                    Some(shown) => self.difference(pending, written, shown)?,
                };
                if let Some(wrong) = wrong {
                    let what = format!("{} {key:?} was written from offset {offset}, but {wrong}", self.table.name);
                    return Err(bug(format!("{place}: {what}")));
                }
            }
        }
        let quarantined = self.warehouse.quarantined(pending.topic_partition(&self.topic), pending.span)?;
        match pending.rejected_offsets.iter().find(|offset| !quarantined.contains_key(offset)) {
            None => Ok(()),
            Some(offset) => Err(bug(format!("{place}: offset {offset} was rejected, but is not in quarantine"))),
        }
    }

    /// What is wrong with the row that is shown for a key, if anything is.
    fn difference(&self, pending: &Pending, written: &Fingerprint, shown: &ShownRow) -> Result<Option<String>> {
        if shown.version < written.version {
            return Ok(Some(format!("the newest row that the table has is of version {}", shown.version)));
        }
        if shown.version == written.version {
            let differs = written.differs(self.table, shown);
            return Ok(differs.map(|(name, value)| format!("the table shows another value in column {name}: {value}")));
        }
        self.unexplained(pending, written.version, shown)
    }

    /// Why a newer row stands there: a mark or a repair of the same event; a later event, which the log has; a later topic, which the books
    /// know. Anything else is a row of another log.
    fn unexplained(&self, pending: &Pending, written: u64, shown: &ShownRow) -> Result<Option<String>> {
        let (generation, offset) = (Version::generation_of(shown.version), Version::offset_of(shown.version));
        if Version::same_event(shown.version, written) || generation > pending.generation {
            return Ok(None);
        }
        // A mark stands where the truncate's window stands; its version is that of the event.
        let partition = if Version::is_event(shown.version) { shown.partition } else { pending.partition };
        let ends = kafka::log_spans(&self.consumer, &self.topic, &[partition])?;
        if ends.iter().any(|log| offset < log.end) {
            return Ok(None);
        }
        Ok(Some(format!(
            "the table shows a row of offset {offset} of partition {partition}, which this topic does not have: it is from another log"
        )))
    }
}

fn bug(what: String) -> anyhow::Error {
    fault(Exit::Bug, format!("{what}; the window stays open"))
}
