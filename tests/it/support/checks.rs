//! Running checks in a world, and reading what they stored.

use std::process::Child;

use super::{Outcome, World, outcome, wait_until_frozen};

/// A world whose tables were captured by Debezium and ingested.
pub struct Checked {
    pub world: World,
    /// Name of the connector, and of its slot.
    pub connector: String,
}

impl Checked {
    pub fn new(test: &str, tables: &[&str]) -> Checked {
        let mut world = World::new(test);
        let connector = world.capture(&[]);
        let checked = Checked { world, connector };
        checked.ingest(tables);
        checked
    }

    pub fn ingest(&self, tables: &[&str]) {
        for table in tables {
            self.world.ingest_table(table, &[]).expect_exit(0);
        }
    }

    /// Runs a check.
    pub fn run(&self, job: &str, args: &[&str]) -> Outcome {
        outcome(self.start(job, args))
    }

    /// Starts a check.
    pub fn start(&self, job: &str, args: &[&str]) -> Child {
        let of_world = ["--prefix", &self.world.name, "--slot", &self.connector];
        self.world.command(job, &[&of_world, args].concat()).spawn().expect("starting the check")
    }

    /// A check that has stopped itself at `point`.
    pub fn frozen_at(&self, point: &str, job: &str, args: &[&str]) -> Child {
        let mut child = self.start(job, &[args, &["--stop-at", point]].concat());
        wait_until_frozen(&mut child, point);
        child
    }

    pub fn reconcile(&self, args: &[&str]) -> Outcome {
        self.run("check-reconcile", args)
    }

    /// Changes the source, and waits until Debezium has it in Kafka.
    pub fn change(&self, sql: &str) {
        self.world.change(sql);
        self.world.wait_for_capture(&self.connector);
    }

    /// Changes a table of the source without the connector seeing it.
    pub fn unseen(&self, table: &str, sql: &str) {
        self.world.change(&format!("ALTER PUBLICATION northwind_publication DROP TABLE {table}"));
        self.change(sql);
        self.change(&format!("ALTER PUBLICATION northwind_publication ADD TABLE {table}"));
    }

    /// Changes rows of the warehouse behind the pipeline's back.
    pub fn tamper(&self, sql: &str) {
        self.world.clickhouse(&format!("{sql} SETTINGS mutations_sync = 2"));
    }

    /// A file with settings; returns its path.
    pub fn config(&self, text: &str) -> String {
        super::observe::settings(&self.world, text)
    }

    /// `check table status`, one a line, of a run.
    pub fn statuses(&self, outcome: &Outcome) -> String {
        self.stored(outcome, "check_name, table, status", "check_results")
    }

    pub fn detail(&self, outcome: &Outcome, table: &str) -> String {
        let sql =
            format!("detail FROM northwind_ops.check_results WHERE table = '{table}' AND run_id = '{}'", outcome.run());
        self.world.clickhouse(&format!("SELECT {sql} ORDER BY check_name FORMAT TSVRaw"))
    }

    /// What a run blamed whom for.
    pub fn failures(&self, outcome: &Outcome, columns: &str) -> String {
        self.stored(outcome, columns, "check_failures")
    }

    fn stored(&self, outcome: &Outcome, columns: &str, table: &str) -> String {
        let sql = format!("SELECT {columns} FROM northwind_ops.{table} WHERE run_id = '{}'", outcome.run());
        self.world.clickhouse(&format!("{sql} ORDER BY ALL FORMAT TSVRaw")).replace('\t', " ")
    }
}

impl World {
    /// What a check of one table found.
    pub fn found(&self, outcome: &Outcome) -> String {
        let run = outcome.run();
        self.clickhouse(&format!("SELECT detail FROM northwind_ops.check_results WHERE run_id = '{run}' FORMAT TSVRaw"))
    }
}
