//! The lags as a table for people.

use crate::cli::{TextTable, age, printed};
use crate::health::lag::{Lag, PartitionLag, TopicLag};

/// One line per partition; what is remarkable stands below it.
pub fn table(lags: &[Lag], max_records: Option<u64>) -> String {
    let mut table = TextTable::default();
    table.row(["topic", "part", "committed", "log end", "lag", "age", "plan to", "ledger end"]);
    for Lag { target, found } in lags {
        match found {
            Err(error) => note(&mut table, &format!("{}: {error:#}", target.topic)),
            Ok(found) if !found.exists => {
                table.line(format!("{} no topic yet: Debezium makes it with the table's first row", target.topic));
            }
            Ok(found) => topic(&mut table, &target.topic, found, max_records),
        }
    }
    printed(&table.lines_with_numbers(&[1, 2, 3, 4, 5, 6, 7]))
}

fn topic(table: &mut TextTable, name: &str, found: &TopicLag, max_records: Option<u64>) {
    for partition in &found.partitions {
        let PartitionLag { partition: number, committed, log, lag, plan_end, ledger_end, .. } = partition;
        let offset = |offset: &Option<i64>| offset.map_or("-".to_owned(), |offset| offset.to_string());
        let ledger_end = if found.ledger_error.is_some() { "?".to_owned() } else { offset(ledger_end) };
        let age = partition.lag_seconds.map_or("?".to_owned(), age);
        let [number, log_end, lag] = [number.to_string(), log.end.to_string(), lag.to_string()];
        table.row([name, &number, &offset(committed), &log_end, &lag, &age, &offset(plan_end), &ledger_end]);
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
        table.line(format!("     runs to drain with --max-records {n}: {}", found.runs(n)));
    }
}

fn note(table: &mut TextTable, text: &str) {
    table.line(format!("  !  {text}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_the_unit_that_people_use() {
        assert_eq!([0, 119, 120, 7_200, 172_800].map(age), ["0 s", "119 s", "2 min", "2 h", "2 d"]);
    }
}
