//! Which records of the quarantine are meant.

use chrono::{DateTime, Utc};

use crate::warehouse::quote;

/// Which records are meant. What is empty or `None` does not matter.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Source tables.
    pub tables: Vec<String>,
    /// Topic.
    pub topic: Option<String>,
    /// Partition and offset.
    pub at: Option<(i32, i64)>,
    /// Rules that they broke, the last time.
    pub rules: Vec<String>,
    /// The run that refused or closed them.
    pub run: Option<String>,
    /// Refused or closed at this time or later …
    pub since: Option<DateTime<Utc>>,
    /// … and before this one.
    pub until: Option<DateTime<Utc>>,
    /// Tried at least so often …
    pub attempts: Option<u32>,
    /// … and less often than this.
    pub attempts_below: Option<u32>,
    /// open, resolved or superseded.
    pub statuses: Vec<&'static str>,
    /// Those that belong to one of these.
    pub portions: Vec<Portion>,
}

/// Records that broke a rule: those that were tried less often, and some or all of those that were tried so often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portion {
    /// The rule.
    pub rule: String,
    /// How often.
    pub attempt: u32,
    /// Of these only those below this offset.
    pub below: Option<i64>,
}

impl Portion {
    fn sql(&self) -> String {
        let (rule, attempt) = (quote(&self.rule), self.attempt);
        let below = self.below.map_or(String::new(), |offset| format!(" AND rejected.`offset` < {offset}"));
        format!("(rejected.rule = {rule} AND (rejected.attempt < {attempt} OR rejected.attempt = {attempt}{below}))")
    }
}

impl Selection {
    /// As SQL. Columns are named with their table: ClickHouse prefers an alias to a column.
    pub(super) fn sql(&self) -> String {
        let list = |texts: &mut dyn Iterator<Item = &str>| texts.map(quote).collect::<Vec<_>>().join(", ");
        let ms = |time: &DateTime<Utc>| format!("fromUnixTimestamp64Milli({}, 'UTC')", time.timestamp_millis());
        let mut conditions = vec!["1".to_owned()];
        let mut add = |condition: Option<String>| conditions.extend(condition);
        let names = |column: &str, names: &mut dyn Iterator<Item = &str>| {
            Some(list(names)).filter(|list| !list.is_empty()).map(|list| format!("rejected.{column} IN ({list})"))
        };
        add(names("`table`", &mut self.tables.iter().map(String::as_str)));
        add(names("rule", &mut self.rules.iter().map(String::as_str)));
        add(names("status", &mut self.statuses.iter().copied()));
        add(self.topic.as_ref().map(|topic| format!("rejected.topic = {}", quote(topic))));
        add(self
            .at
            .map(|(partition, offset)| format!("rejected.partition = {partition} AND rejected.`offset` = {offset}")));
        add(self.run.as_ref().map(|run| format!("rejected.run_id = {}", quote(run))));
        add(self.since.as_ref().map(|since| format!("rejected.rejected_at >= {}", ms(since))));
        add(self.until.as_ref().map(|until| format!("rejected.rejected_at < {}", ms(until))));
        add(self.attempts.map(|n| format!("rejected.attempt >= {n}")));
        add(self.attempts_below.map(|n| format!("rejected.attempt < {n}")));
        let portions: Vec<String> = self.portions.iter().map(Portion::sql).collect();
        add(Some(portions.join(" OR ")).filter(|any| !any.is_empty()).map(|any| format!("({any})")));
        conditions.join(" AND ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_asked_for_is_everything() {
        assert_eq!(Selection::default().sql(), "1");
        let selection = Selection { rules: vec!["it's".to_owned()], attempts_below: Some(3), ..Selection::default() };
        assert_eq!(selection.sql(), r"1 AND rejected.rule IN ('it\'s') AND rejected.attempt < 3");
        let portion = |rule: &str, below| Portion { rule: rule.to_owned(), attempt: 2, below };
        let selection = Selection { portions: vec![portion("a", None), portion("b", Some(7))], ..Selection::default() };
        assert_eq!(
            selection.sql(),
            "1 AND ((rejected.rule = 'a' AND (rejected.attempt < 2 OR rejected.attempt = 2)) OR \
             (rejected.rule = 'b' AND (rejected.attempt < 2 OR rejected.attempt = 2 AND rejected.`offset` < 7)))"
        );
    }
}
