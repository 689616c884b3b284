//! Which alarms are news. A look each minute must not say the same each minute: what was said within the last hour is not said again
//! unless there is twice as much of it, and what lies and waits for a person is an alarm once a day. The exit code stays what it is for
//! as long as the alarm lasts; of a reminder it is that once.

use std::collections::HashMap;

use super::look::{CLICKHOUSE, Look};
use super::notes::Level;
use crate::health::finding::broken;
use crate::ledger::{AlarmRow, LastSaid};

/// Marks the notes that are news, by what was said before. If that is not known, everything is news.
pub fn mark(look: &mut Look) {
    let settings = &look.settings;
    let (repeat_ms, remind_ms) = (settings.repeat_after.ms(), settings.remind_after.ms());
    let said = match look.warehouse.last_said(look.at_ms() - repeat_ms.max(remind_ms)) {
        Ok(said) => said,
        Err(error) => return look.notes.unseen("what was said before", &broken(&error, CLICKHOUSE)),
    };
    let said: HashMap<(&str, &str), &LastSaid> =
        said.iter().map(|said| ((said.alarm.as_str(), said.subject.as_str()), said)).collect();
    let at_ms = look.at.started_ms();
    for note in look.notes.notes.iter_mut().filter(|note| note.level == Level::Alarm) {
        let Some(said) = said.get(&(note.alarm.name(), note.subject.as_str())) else { continue };
        let again_ms = if note.alarm.is_reminder() { remind_ms } else { repeat_ms };
        let is_more = note.size > 0 && note.size >= 2 * said.size.max(1);
        note.is_news = is_more || at_ms - said.said_ms >= again_ms;
        if !note.is_news && note.alarm.is_reminder() {
            note.level = Level::Problem;
        }
    }
}

/// As they are stored: alarms, and what could not be asked.
pub fn rows(look: &Look) -> Vec<AlarmRow> {
    let of_interest = |note: &&super::notes::Note| note.level != Level::Problem;
    let row = |note: &super::notes::Note| AlarmRow {
        run_id: look.id.clone(),
        observed_at: look.at_ms(),
        dag_run_id: look.dag_run_id.clone(),
        alarm: note.alarm.name().to_owned(),
        subject: note.subject.clone(),
        size: note.size,
        said: note.level == Level::Alarm && note.is_news,
        sentence: note.sentence.clone(),
    };
    look.notes.notes.iter().filter(of_interest).map(row).collect()
}
