//! The lags as a table for people.

use std::fmt::Write as _;

use crate::cli::age;
use crate::health::lag::{Lag, PartitionLag, TopicLag};

/// One line per partition; what is remarkable stands below it.
pub fn table(lags: &[Lag], max_records: Option<u64>) -> String {
    let width = lags.iter().map(|lag| lag.target.topic.len()).max().unwrap_or(0).max("topic".len());
    let mut table = String::new();
    let _ = writeln!(
        table,
        "{:<width$} {:>4} {:>12} {:>12} {:>10} {:>8} {:>12} {:>12}",
        "topic", "part", "committed", "log end", "lag", "age", "plan to", "ledger end"
    );
    for lag in lags {
        match &lag.found {
            Err(error) => note(&mut table, &format!("{}: {error:#}", lag.target.topic)),
            Ok(found) if !found.exists => {
                let _ = writeln!(
                    table,
                    "{:<width$} no topic yet: Debezium makes it with the table's first row",
                    lag.target.topic
                );
            }
            Ok(found) => topic(&mut table, &lag.target.topic, width, found, max_records),
        }
    }
    table
}

fn topic(table: &mut String, name: &str, width: usize, found: &TopicLag, max_records: Option<u64>) {
    for partition in &found.partitions {
        let PartitionLag { partition: number, committed, log, lag, plan_end, ledger_end, .. } = partition;
        let offset = |offset: &Option<i64>| offset.map_or("-".to_owned(), |offset| offset.to_string());
        let ledger = if found.ledger_error.is_some() { "?".to_owned() } else { offset(ledger_end) };
        let age = partition.lag_seconds.map_or("?".to_owned(), age);
        let _ = writeln!(
            table,
            "{name:<width$} {number:>4} {:>12} {:>12} {lag:>10} {age:>8} {:>12} {ledger:>12}",
            offset(committed),
            log.end,
            offset(plan_end)
        );
        if let Some(why) = &partition.stop_reason {
            note(table, &format!("ledger and committed offset disagree, the next run will stop (exit 78): {why}"));
        }
    }
    if let Some(error) = &found.ledger_error {
        note(table, &format!("the ledger could not be read: {error}"));
    }
    if let Some(why) = &found.late_unknown {
        note(table, &format!("how late the table is cannot be said: {why}"));
    }
    if let Some(n) = max_records {
        let _ = writeln!(table, "     runs to drain with --max-records {n}: {}", found.runs(n));
    }
}

fn note(table: &mut String, text: &str) {
    let _ = writeln!(table, "  !  {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_the_unit_that_people_use() {
        assert_eq!([0, 119, 120, 7_200, 172_800].map(age), ["0 s", "119 s", "2 min", "2 h", "2 d"]);
    }
}
