//! What a job hands back: its exit code and its summary.

use serde_json::{Map, Value};

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
