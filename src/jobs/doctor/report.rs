//! What was found: one line per check, the fix below it.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use serde_json::{Map, Value, json};
use strum::IntoStaticStr;

use super::wanted::Wanted;
use crate::cli::{Report, TextTable, printed};
use crate::exit::Exit;
use crate::health::finding::{Finding, Verdict, broken, unreachable};

/// No server may keep the doctor waiting for longer, whatever it does.
const TIMEOUT: Duration = Duration::from_secs(6);

/// The servers, in the order in which the data passes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Server {
    /// The source.
    Postgres,
    /// Kafka Connect and the connector in it.
    Connect,
    /// The brokers.
    Kafka,
    /// The warehouse.
    ClickHouse,
    /// All of them and this machine.
    Clocks,
}

impl Server {
    fn name(self) -> &'static str {
        self.into()
    }
}

/// The findings so far. Copies share one list, so that what a check wrote before it hung is not lost.
#[derive(Debug, Clone, Default)]
pub struct DoctorReport(Arc<Mutex<Vec<Line>>>);

/// Server, name of the check, finding.
type Line = (Server, &'static str, Finding);

impl DoctorReport {
    /// Enters a finding; says whether the checks that build on it make sense.
    pub fn put(&self, server: Server, check: &'static str, finding: Finding) -> bool {
        let passed = !finding.failed();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((server, check, finding));
        passed
    }

    /// Enters the result of a check that asks a server.
    pub fn check(&self, server: Server, check: &'static str, result: Result<Finding>) -> bool {
        let fix = "look at this server's log; run `doctor` again";
        self.put(server, check, result.unwrap_or_else(|error| broken(&error, fix)))
    }

    /// Enters that checks were not made, because of the failure that is on the report already.
    pub fn skip(&self, server: Server, checks: &[&'static str], why: &str) {
        for check in checks {
            let finding =
                Finding { verdict: Verdict::Skipped, text: format!("not checked: {why}"), fix: String::new() };
            self.put(server, check, finding);
        }
    }

    /// Makes a server's checks, but not for ever: a server that is frozen takes connections and never answers.
    pub fn with_timeout<T: Send + 'static>(
        &self,
        server: Server,
        wanted: &Arc<Wanted>,
        checks: impl FnOnce(&DoctorReport, &Wanted) -> T + Send + 'static,
    ) -> Option<T> {
        let (done, answer) = channel();
        let (report, wanted) = (self.clone(), Arc::clone(wanted));
        // Not joined: a thread that hangs ends with the process.
        std::thread::spawn(move || done.send(checks(&report, &wanted)));
        match answer.recv_timeout(TIMEOUT) {
            Ok(answer) => Some(answer),
            Err(why) => {
                let text = match why {
                    RecvTimeoutError::Timeout => {
                        format!("takes connections, but does not answer in {} s", TIMEOUT.as_secs())
                    }
                    RecvTimeoutError::Disconnected => "the checks ended with a panic, see above".to_owned(),
                };
                self.put(
                    server,
                    "answers",
                    unreachable(text, "is it frozen or overloaded? Look at its log, or start it again"),
                );
                None
            }
        }
    }

    fn sorted(&self) -> Vec<Line> {
        let mut findings = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        findings.sort_by_key(|(server, ..)| *server);
        findings
    }

    /// The table for people.
    pub fn table(&self) -> String {
        let mut table = TextTable::default();
        for (server, check, finding) in self.sorted() {
            table.row([finding.mark(), server.name(), check, &finding.text]);
            if !finding.fix.is_empty() {
                table.row(["", "", "", &format!("fix: {}", finding.fix)]);
            }
        }
        printed(&table.lines())
    }

    /// The summary: exit 0 without failures, 75 if servers did not answer and nothing else is wrong, else 78.
    pub fn summary(&self) -> Report {
        let findings = self.sorted();
        let count = |verdicts: &[Verdict]| findings.iter().filter(|(.., f)| verdicts.contains(&f.verdict)).count();
        let failed = count(&[Verdict::Fail, Verdict::Unreachable]);
        let exit = match (failed, count(&[Verdict::Fail])) {
            (0, _) => Exit::Done,
            (_, 0) => Exit::TryAgain,
            _ => Exit::NeedsPerson,
        };
        let mut fields = Map::new();
        fields.insert("checks".to_owned(), json!(findings.len()));
        fields.insert("failed".to_owned(), json!(failed));
        fields.insert("warnings".to_owned(), json!(count(&[Verdict::Warn])));
        fields.insert("skipped".to_owned(), json!(count(&[Verdict::Skipped])));
        let notable = findings.iter().filter(|(.., f)| f.failed() || f.verdict == Verdict::Warn);
        let described = notable.map(|(server, check, f)| {
            json!({"server": server.name(), "check": check, "verdict": f.mark().to_lowercase(), "text": f.text, "fix": f.fix})
        });
        fields.insert("findings".to_owned(), Value::Array(described.collect()));
        if let Some((server, check, first)) = findings.iter().find(|(.., f)| f.failed()) {
            fields.insert("error".to_owned(), json!(format!("{}, {check}: {}", server.name(), first.sentence())));
        }
        Report { exit, fields }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::finding::{fail, ok, warn};

    fn exit_of(findings: &[Finding]) -> Exit {
        let report = DoctorReport::default();
        for finding in findings {
            report.put(Server::Kafka, "test", finding.clone());
        }
        report.summary().exit
    }

    #[test]
    fn only_failures_that_may_pass_by_themselves_mean_try_again() {
        assert_eq!(exit_of(&[ok("a"), warn("b", "c")]), Exit::Done);
        assert_eq!(exit_of(&[ok("a"), unreachable("b", "c")]), Exit::TryAgain);
        assert_eq!(exit_of(&[unreachable("a", "b"), fail("c", "d")]), Exit::NeedsPerson);
    }

    #[test]
    fn the_table_follows_the_data_and_has_the_fix_below_the_finding() {
        let report = DoctorReport::default();
        report.put(Server::Kafka, "reachable", ok("1 broker"));
        report.put(Server::Postgres, "login", fail("wrong password", "set POSTGRES_PASSWORD"));
        insta::assert_snapshot!(report.table(), @r"
        FAIL postgres login     wrong password
                                fix: set POSTGRES_PASSWORD
        ok   kafka    reachable 1 broker
        ");
    }
}
