//! What a job hands back: its exit code and its summary.

use serde_json::{Map, Value};

use crate::cli::{TextTable, printed};
use crate::exit::{Exit, told};

/// What a job hands back: how it ended and the fields of its one-line summary.
#[derive(Debug, Clone)]
pub struct Report {
    /// How the job ended.
    pub exit: Exit,
    /// Fields for the summary, in addition to `schema`, `job`, `status` and `exit`.
    pub fields: Map<String, Value>,
}

impl Report {
    /// The summary: one line of JSON.
    pub fn line(&self, job: &str) -> String {
        let mut line = Map::new();
        line.insert("schema".to_owned(), Value::from(1));
        line.insert("job".to_owned(), Value::from(job));
        line.insert("status".to_owned(), Value::from(self.exit.status()));
        line.insert("exit".to_owned(), Value::from(self.exit.code()));
        line.extend(self.fields.clone());
        Value::Object(line).to_string()
    }
}

/// Counts that people want to know, in the order in which they are told, with what is said of them.
const COUNTS: [(&str, &str); 19] = [
    ("written", "written"),
    ("rejected", "rejected"),
    ("replayed", "replayed"),
    ("resolved", "resolved"),
    ("tombstones", "tombstones"),
    ("truncates", "truncates"),
    ("deleted", "deleted"),
    ("gaps", "offsets missing in the log"),
    ("repaired", "repaired"),
    ("not_repaired", "not repaired"),
    ("pruned", "pruned"),
    ("remaining", "still to be read"),
    ("tables", "tables"),
    ("columns", "columns"),
    ("pass", "checks pass"),
    ("warn", "warn"),
    ("inconclusive", "could not look"),
    ("fail", "fail"),
    ("errors", "ended with an error"),
];

impl Report {
    /// The summary for people: a sentence, and a line for each rule that something was refused by.
    pub fn told(&self, job: &str) -> String {
        let number = |name: &str| self.fields.get(name).and_then(Value::as_u64).filter(|number| *number > 0);
        let counts = COUNTS.iter().filter_map(|(name, called)| Some(format!("{} {called}", number(name)?)));
        let counts = counts.collect::<Vec<_>>().join(", ");
        let nothing = if self.fields.contains_key("written") { "nothing to do" } else { "done" };
        let counts = match (counts.is_empty(), self.exit) {
            (false, _) => format!(": {counts}"),
            (true, Exit::Done) => format!(": {nothing}"),
            (true, _) => String::new(),
        };
        let time = number("duration_ms").map(|ms| format!(" in {:.1} s", ms as f64 / 1000.0)).unwrap_or_default();
        let mut text = match self.exit {
            Exit::Done => format!("{job}{counts}{time}\n"),
            // The log has said why, just above.
            exit => format!("{job}: {} (exit code {}){counts}{time}\n", exit.status(), exit.code()),
        };
        let mut table = TextTable::default();
        for by_rule in ["rejected_by_rule", "warned_by_rule"] {
            for (rule, count) in self.fields.get(by_rule).and_then(Value::as_object).into_iter().flatten() {
                table.row(["", &count.to_string(), by_rule.trim_end_matches("_by_rule"), rule]);
            }
        }
        text += &printed(&table.lines_with_numbers(&[1]));
        if number("rejected").is_some() {
            text += "which records, and why: lockstep rejected\n";
        }
        text
    }
}

impl Report {
    /// The report of a job that failed before it could say more.
    pub fn of_error(error: &anyhow::Error) -> Report {
        let fields = Map::from_iter([("error".to_owned(), Value::from(told(error)))]);
        Report { exit: Exit::of(error), fields }
    }

    /// The error, as one sentence.
    pub fn error(&self) -> Option<&str> {
        self.fields.get("error").and_then(Value::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(exit: Exit, fields: Value) -> String {
        Report { exit, fields: fields.as_object().cloned().unwrap_or_default() }.told("ingest-customers")
    }

    #[test]
    fn people_are_told_what_was_done_in_a_sentence() {
        let fields = json!({"written": 91, "rejected": 3, "truncates": 0, "rejected_by_rule": {"decode": 1, "order-exists": 2}, "duration_ms": 1234});
        insta::assert_snapshot!(told(Exit::Done, fields), @r"
        ingest-customers: 91 written, 3 rejected in 1.2 s
          1 rejected decode
          2 rejected order-exists
        which records, and why: lockstep rejected
        ");
        assert_eq!(told(Exit::Done, json!({"written": 0})), "ingest-customers: nothing to do\n");
        assert_eq!(told(Exit::Done, json!({})), "ingest-customers: done\n");
        let away = told(Exit::TryAgain, json!({"error": "PostgreSQL is away", "written": 2}));
        assert_eq!(away, "ingest-customers: try-again (exit code 75): 2 written\n");
    }
}
