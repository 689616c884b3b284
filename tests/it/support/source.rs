//! What happens in the source, and what `sync-schema` says of it.

use super::{Outcome, World};

impl World {
    /// Changes the source, in one transaction.
    #[track_caller]
    pub fn change(&self, sql: &str) {
        self.postgres().batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Changes the source, each statement in a transaction of its own.
    #[track_caller]
    pub fn alter(&self, sql: &str) {
        let mut client = self.postgres();
        for statement in sql.split(';').filter(|statement| !statement.trim().is_empty()) {
            client.batch_execute(statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }

    /// The source has these customers from now on.
    pub fn insert_customers(&self, ids: &[&str]) {
        for id in ids {
            self.change(&format!("INSERT INTO customers (customer_id, company_name) VALUES ('{id}', 'x')"));
        }
    }
}

/// What the job says about a table, in one of its lists.
pub fn said(outcome: &Outcome, table: &str, list: &str) -> Vec<String> {
    let tables = outcome.summary["tables"].as_array().unwrap();
    let Some(found) = tables.iter().find(|found| found["table"] == table) else { return Vec::new() };
    found[list].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}
