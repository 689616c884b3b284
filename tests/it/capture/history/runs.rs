//! The jobs of three tables at random: small runs of small windows, ranges that are read again, kills at every point.

use super::Log;
use crate::support::random::Random;
use crate::support::{World, freezes, kill, outcome};

pub const TABLES: [&str; 3] = ["customers", "orders", "order_details"];

/// Where a run is killed; see the crash table of `docs/DESIGN.md`.
const POINTS: [&str; 13] = [
    "opened",
    "locked",
    "origin-written",
    "plan-committed",
    "read",
    "validated",
    "rejected-inserted",
    "rows-inserted",
    "truncates-stored",
    "truncates-applied",
    "quarantine-resolved",
    "ledger-written",
    "committed",
];

pub struct Runs<'w> {
    world: &'w World,
    partitions: i32,
    random: Random,
    log: Log,
    pub kills: usize,
    pub repetitions: usize,
}

impl<'w> Runs<'w> {
    pub fn new(world: &'w World, seed: u64, partitions: i32, log: &Log) -> Runs<'w> {
        Runs { world, partitions, random: Random::new(seed), log: log.clone(), kills: 0, repetitions: 0 }
    }

    /// One run of one table's job; perhaps over a range that was read before, perhaps killed.
    pub fn step(&mut self) {
        let table = self.random.of(&TABLES);
        let mut args = match self.random.below(6) {
            0 => self.range_again(table),
            1 => self.all_again(table),
            _ => None,
        };
        self.repetitions += usize::from(args.is_some());
        let args = args.get_or_insert_with(|| vec!["--max-records".to_owned(), self.up_to(80)]);
        args.extend(self.windows(3));
        if self.random.once_in(2) {
            self.killed(table, args);
        } else {
            self.finished(table, args);
        }
    }

    /// Runs a table's job until it finds nothing more.
    pub fn drain(&mut self, table: &str) {
        let args = self.windows(30);
        while self.finished(table, &args) > 0 {}
    }

    /// Reads everything again that the group has read.
    pub fn all_again(&mut self, table: &str) -> Option<Vec<String>> {
        let read: i64 = (0..self.partitions).map(|partition| self.committed(table, partition)).sum();
        (read > 0).then(|| vec!["--from-beginning".to_owned()])
    }

    fn range_again(&mut self, table: &str) -> Option<Vec<String>> {
        let partition = self.random.below(self.partitions as usize) as i32;
        let committed = self.committed(table, partition) as usize;
        if committed == 0 {
            return None;
        }
        let start = self.random.below(committed);
        let end = start + 1 + self.random.below(committed - start);
        Some(vec!["--offsets".to_owned(), format!("{partition}:{start}..{end}")])
    }

    fn committed(&self, table: &str, partition: i32) -> i64 {
        self.world.committed_of(table, partition).map_or(0, |(offset, _)| offset)
    }

    /// Windows of so many records, or of up to ten more.
    fn windows(&mut self, least: usize) -> [String; 2] {
        ["--window-records".to_owned(), (least + self.random.below(11)).to_string()]
    }

    fn up_to(&mut self, most: usize) -> String {
        (1 + self.random.below(most)).to_string()
    }

    /// How many windows the run did.
    pub fn finished(&mut self, table: &str, args: &[String]) -> i64 {
        self.log.say(format!("{table} {}", args.join(" ")));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let outcome = self.world.ingest_table(table, &args).expect_exit(0);
        if !args.iter().any(|arg| ["--offsets", "--from-beginning"].contains(arg)) {
            assert_eq!(outcome.count("redelivered"), 0, "the connector was never restarted: {outcome:#?}");
        }
        outcome.count("windows")
    }

    fn killed(&mut self, table: &str, args: &[String]) {
        let point = format!("{}:{}", self.random.of(&POINTS), self.up_to(2));
        let mut args: Vec<&str> = args.iter().map(String::as_str).collect();
        args.extend(["--verify", "--stop-at", &point]);
        self.log.say(format!("{table} {}", args.join(" ")));
        let mut child = self.world.command(&format!("ingest-{}", table.replace('_', "-")), &args).spawn().unwrap();
        if freezes(&mut child, &point) {
            self.log.say("    killed there".to_owned());
            kill(child);
            self.kills += 1;
        } else {
            outcome(child).expect_exit(0);
        }
    }
}
