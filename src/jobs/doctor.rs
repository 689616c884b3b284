//! `doctor`: names the dependency that is broken, and what to do about it. It reads, and changes nothing.

mod capture;
mod clickhouse;
mod connect;
mod encryption;
mod generations;
mod kafka;
mod postgres;
mod report;
mod settings;
mod types;
mod wanted;
mod warehouse_tables;

use std::sync::Arc;

use anyhow::Result;

use crate::cli::Call;
use crate::cli::Report;
use crate::cli::say::say;
use crate::exit::Exit;
use crate::health::finding::{Finding, ok, warn};
use crate::jobs::doctor::wanted::{DoctorArgs, SourceFacts, Wanted};
use crate::jobs::{Job, Kind, some_tables};
use crate::tables::Pipeline;
use report::{DoctorReport, Server};

/// The job.
pub fn job(pipeline: &'static Pipeline) -> Job {
    let examples = format!(
        "  doctor\n  doctor{}\n  doctor --connect-url http://connect:8083 --connector my-connector",
        some_tables(pipeline, 1)
    );
    super::job(pipeline, "doctor", "Say which dependency is broken, and how to mend it", &examples, Kind::Tool, run)
}

fn run(call: &Call<'_>, args: DoctorArgs) -> Result<Report> {
    let wanted = Arc::new(wanted(call.pipeline, args)?);
    let report = DoctorReport::default();
    // The connector first: its configuration names the slot and the publication that PostgreSQL should have.
    let connector = report.with_timeout(Server::Connect, &wanted, connect::check).flatten();
    let asked = connector.clone();
    let source = report
        .with_timeout(Server::Postgres, &wanted, move |report, wanted| postgres::check(report, wanted, asked.as_ref()));
    let SourceFacts { has_rows, clock_ms, locks } = source.unwrap_or_default();
    report.with_timeout(Server::Kafka, &wanted, move |report, wanted| {
        kafka::check(report, wanted, connector.as_ref(), &has_rows)
    });
    let ask = move |report: &DoctorReport, wanted: &Wanted| clickhouse::check(report, wanted, locks.as_ref());
    let warehouse_clock_ms = report.with_timeout(Server::ClickHouse, &wanted, ask).flatten();
    if call.stop.asked() {
        return Ok(Report { exit: Exit::Stopped, ..report.summary() });
    }
    if let Some(finding) = clocks(clock_ms, warehouse_clock_ms) {
        report.put(Server::Clocks, "clocks", finding);
    }
    say!("{}", report.table());
    Ok(report.summary())
}

fn wanted(pipeline: &'static Pipeline, args: DoctorArgs) -> Result<Wanted> {
    let tables = pipeline.chosen(&args.tables.table)?;
    Ok(Wanted { args, pipeline, tables })
}

/// Freshness is measured across machines: their clocks have to agree.
fn clocks(source_ms: Option<i64>, warehouse_ms: Option<i64>) -> Option<Finding> {
    const TOLERATED_MS: i64 = 2_000;
    let clocks = [("PostgreSQL", source_ms), ("ClickHouse", warehouse_ms)];
    let known: Vec<(&str, i64)> = clocks.into_iter().filter_map(|(name, ms)| Some((name, ms?))).collect();
    let offsets = || known.iter().map(|(_, ms)| *ms).chain([0]);
    let apart = offsets().max()? - offsets().min()?;
    let each: Vec<String> = known.iter().map(|(name, ms)| format!("{name} {ms:+} ms")).collect();
    let text = format!("against this machine: {}", each.join(", "));
    match known.len() {
        0 => None,
        _ if apart <= TOLERATED_MS => Some(ok(text)),
        _ => Some(warn(
            format!("{text}: ages and lags will be wrong by as much"),
            "synchronise the clocks: timedatectl set-ntp true (or chrony)",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::doctor::wanted::dial;

    #[test]
    fn clocks_are_compared_with_each_other_too() {
        assert_eq!(clocks(None, None), None);
        assert!(
            clocks(Some(3), Some(-1))
                .is_some_and(|f| f == ok("against this machine: PostgreSQL +3 ms, ClickHouse -1 ms"))
        );
        let apart = clocks(Some(1_500), Some(-1_500));
        assert!(apart.is_some_and(|f| f != ok("")), "each is near us, but they are 3 s apart");
    }

    #[test]
    fn a_refused_connection_says_where() {
        // Port 1 is tcpmux: nobody listens.
        assert!(dial("127.0.0.1", 1).is_err_and(|why| why.contains("127.0.0.1:1")));
    }
}
