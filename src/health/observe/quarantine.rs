//! The open records of the quarantine, by table and rule: how many, since when, and which of them nobody will try again.

use serde_json::{Value, json};

use super::alarm::Alarm;
use super::look::{CLICKHOUSE, Look};
use crate::cli::{TextTable, age};
use crate::health::finding::broken;
use crate::ledger::{OpenRecords, QuarantineRow};

/// Rules that the summary names, which has to stay one short line.
const SUMMARISED: usize = 20;

/// Looks at the quarantine.
pub fn observe(look: &mut Look) -> Option<Vec<OpenRecords>> {
    let limits = look.settings.quarantine.clone();
    match look.warehouse.open_records(limits.attempts) {
        Ok(open) => {
            open.iter().for_each(|open| tell(look, open));
            grows(look, &open);
            Some(open)
        }
        Err(error) => {
            look.notes.unseen("quarantine", &broken(&error, CLICKHOUSE));
            None
        }
    }
}

fn tell(look: &mut Look, open: &OpenRecords) {
    let limits = look.settings.quarantine.clone();
    let OpenRecords { table, rule, records, exhausted, .. } = open;
    let (subject, show) = (format!("{table}/{rule}"), format!("rejected --table {table} --rule {rule}"));
    if *records > limits.most_open {
        let sentence = format!("quarantine: {records} open records of {table} break {rule}; see: {show}");
        look.notes.seen(Alarm::QuarantineSize, &subject, *records, sentence);
    }
    let seconds = (look.at_ms() - open.oldest_ms) / 1000;
    if seconds * 1000 > limits.oldest.ms() {
        let time = age(u64::try_from(seconds).unwrap_or(0));
        let sentence = format!(
            "quarantine: {records} open records of {table} break {rule}, and nobody has tried the oldest for {time}; see: {show}"
        );
        look.notes.seen(Alarm::QuarantineAge, &subject, 0, sentence);
    }
    if *exhausted > 0 {
        let sentence = format!(
            "quarantine: {exhausted} records of {table} that break {rule} were tried {} times, and are not tried again; \
             mend what they miss, then: replay-rejected --table {table} --only-rule {rule}",
            limits.attempts
        );
        look.notes.seen(Alarm::QuarantineExhausted, &subject, *exhausted, sentence);
    }
}

/// Were there more and more of them at every look for so long?
fn grows(look: &mut Look, open: &[OpenRecords]) {
    let for_ms = look.settings.quarantine.grows_for.ms();
    let trends = match look.warehouse.quarantine_trends(look.at_ms() - for_ms) {
        Ok(trends) => trends,
        Err(error) => return look.notes.unseen("how the quarantine was before", &broken(&error, CLICKHOUSE)),
    };
    for trend in trends.iter().filter(|trend| trend.never_fell) {
        let is_it = |open: &&OpenRecords| open.table == trend.table && open.rule == trend.rule;
        let Some(now) = open.iter().find(is_it).filter(|now| now.records > trend.first && now.records >= trend.last)
        else {
            continue;
        };
        let time = age(u64::try_from(for_ms / 1000).unwrap_or(0));
        let sentence = format!(
            "quarantine: the open records of {} that break {} have only grown for {time}, from {} to {}; see: rejected --table {0} --rule {1}",
            now.table, now.rule, trend.first, now.records
        );
        look.notes.seen(Alarm::QuarantineGrows, &format!("{}/{}", now.table, now.rule), now.records, sentence);
    }
}

/// As it is stored: a row for each table and rule, and one for the look itself, by which one can see that there was nothing else.
pub fn rows(look: &Look, open: &[OpenRecords]) -> Vec<QuarantineRow> {
    let row = |table: &str, rule: &str, records: u64, exhausted: u64| QuarantineRow {
        run_id: look.id.clone(),
        observed_at: look.at_ms(),
        dag_run_id: look.dag_run_id.clone(),
        table: table.to_owned(),
        rule: rule.to_owned(),
        records,
        exhausted,
    };
    let all = row("", "", open.iter().map(|o| o.records).sum(), open.iter().map(|o| o.exhausted).sum());
    open.iter().map(|open| row(&open.table, &open.rule, open.records, open.exhausted)).chain([all]).collect()
}

/// For the summary: the rules with the most records.
pub fn json(open: &[OpenRecords]) -> Value {
    let one = |open: &OpenRecords| json!({"table": open.table, "rule": open.rule, "open": open.records, "exhausted": open.exhausted});
    open.iter().take(SUMMARISED).map(one).collect()
}

/// For people.
pub fn lines(open: &[OpenRecords]) -> Vec<String> {
    let mut table = TextTable::default();
    for open in open {
        table.row([&open.table, &open.rule, &format!("{} open", open.records)]);
    }
    table.lines()
}
