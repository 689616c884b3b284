//! `check-freshness`: how long has the oldest change been waiting that is not in the warehouse? A source in which nothing changes is
//! fresh.

use anyhow::{Context, Result};
use chrono::Utc;
use clickhouse::Row;
use postgres::error::SqlState;
use serde::Deserialize;

use crate::cli::needs_person;
use crate::jobs::checks::checker::Checker;
use crate::jobs::checks::results::{Finding, Status};
use crate::jobs::checks::settings::Lateness;
use crate::jobs::lag::measure::{self, Target};
use crate::tables::TableFacts;
use crate::warehouse::quote;

/// The check's name.
pub const NAME: &str = "freshness";

/// What the connector has not taken out of PostgreSQL.
struct Capture {
    seconds: u64,
    text: String,
}

#[derive(Row, Deserialize)]
struct LastSuccess {
    ended: i64,
}

/// Checks a table.
///
/// # Errors
/// A server is gone or refuses; there is no such slot (78).
pub fn check(checker: &mut Checker<'_>, table: &TableFacts) -> Result<Vec<Finding>> {
    let Lateness { warn_after, fail_after } = checker.settings.lateness(table.source);
    let capture = capture(checker)?;
    let target = Target { topic: table.topic(&checker.args.prefix), group: table.group(&checker.args.prefix) };
    let mut measured = measure::all(&checker.args.kafka, &checker.warehouse, &[target]);
    let topic = measured.remove(0).found?;
    let offsets: u64 = topic.partitions.iter().map(|partition| partition.lag).sum();
    let in_kafka = topic.partitions.iter().filter_map(|partition| partition.lag_seconds).max().unwrap_or(0);
    let seconds = capture.seconds.max(in_kafka);

    let mut finding = Finding::new(NAME, table.source, format!("at most {} s", warn_after.as_secs()));
    finding.measured = seconds as f64;
    finding.status = match seconds {
        late if late > fail_after.as_secs() => Status::of_no(checker.settings.severity(NAME, table.source)),
        late if late > warn_after.as_secs() => Status::Warn,
        _ => Status::Pass,
    };
    finding.detail = format!(
        "PostgreSQL to Kafka {}; Kafka to ClickHouse {offsets} offsets, the oldest waits {in_kafka} s; {}",
        capture.text,
        last_success(checker, table)?
    );
    Ok(vec![finding])
}

/// The connector writes to its heartbeat table every second, and reads that back. As long as the slot has not passed what is in the
/// log, the heartbeat's age says how long it has been standing still.
fn capture(checker: &mut Checker<'_>) -> Result<Capture> {
    let slot = checker.args.slot.clone();
    let client = checker.source()?;
    let sql = "SELECT active, coalesce(confirmed_flush_lsn < pg_current_wal_lsn(), true) FROM pg_replication_slots WHERE slot_name = $1";
    let row = client.query_opt(sql, &[&slot]).context("asking how far the replication slot is")?;
    let row =
        row.ok_or_else(|| needs_person(format!("there is no replication slot {slot} (--slot, northwind doctor)")))?;
    let (is_active, is_behind): (bool, bool) = (row.get(0), row.get(1));
    let beat = "SELECT greatest(extract(epoch FROM now() - max(ts)), 0)::int8 FROM northwind_cdc.heartbeat";
    let age = match client.query_one(beat, &[]) {
        Ok(row) => row.get::<_, Option<i64>>(0).and_then(|age| u64::try_from(age).ok()),
        Err(error)
            if [Some(&SqlState::UNDEFINED_TABLE), Some(&SqlState::INSUFFICIENT_PRIVILEGE)].contains(&error.code()) =>
        {
            None
        }
        Err(error) => return Err(error).context("reading the connector's heartbeat"),
    };
    Ok(match (is_active, is_behind, age) {
        (_, false, _) => Capture { seconds: 0, text: "up to date".to_owned() },
        (_, true, Some(age)) => Capture { seconds: age, text: format!("{age} s behind") },
        (true, true, None) => Capture { seconds: 0, text: "running".to_owned() },
        (false, true, None) => {
            let text = "the connector is not connected, and there is no heartbeat table that could be read, so nobody knows since when";
            return Err(needs_person(format!("{text} (northwind doctor)")));
        }
    })
}

fn last_success(checker: &Checker<'_>, table: &TableFacts) -> Result<String> {
    let sql = format!(
        "SELECT toUnixTimestamp64Milli(max(updated_at)) AS ended
         FROM (SELECT updated_at FROM {}.runs WHERE job = {} AND status IN ('done', 'nothing-to-do') ORDER BY started_at DESC LIMIT 1)",
        checker.warehouse.ops,
        quote(&table.ingest_job())
    );
    let LastSuccess { ended } = checker.warehouse.row("asking for the last run", &sql)?;
    Ok(match ended {
        ..=0 => format!("{} has never ended well", table.ingest_job()),
        ended => format!("{} ended well {} s ago", table.ingest_job(), (Utc::now().timestamp_millis() - ended) / 1000),
    })
}
