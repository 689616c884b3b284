//! `check-freshness`: up to when is the warehouse complete, and how long ago is that, by the source's clock? A source in which nothing
//! changes is fresh.

use std::time::Duration;

use anyhow::Result;
use chrono::Utc;
use clickhouse::Row;
use serde::Deserialize;
use serde_json::json;

use crate::checks::checker::Checker;
use crate::checks::results::{CheckResult, CheckStatus};
use crate::exit::{needs_person, try_again};
use crate::health::freshness::Lateness;
use crate::health::lag::{self, Target};
use crate::health::lateness::clock::{self, Clock};
use crate::health::lateness::{self, Captured, time};
use crate::tables::Table;
use crate::warehouse::quote;

/// The check's name.
pub const NAME: &str = "freshness";

/// How long a slot may take to confirm what the source has, if there is no heartbeat to go by.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Row, Deserialize)]
struct LastSuccess {
    ended: i64,
}

/// Checks a table.
///
/// # Errors
/// A server is gone or refuses; nobody knows how far the connector is (78).
pub fn check(checker: &mut Checker<'_>, table: &Table) -> Result<Vec<CheckResult>> {
    let Lateness { warn_after, fail_after } = checker.settings.freshness.of(table.name);
    let captured = captured(checker)?;
    if let Captured::Unknown(why) = captured {
        return Err(needs_person(why));
    }
    let prefix = &checker.args.prefix.prefix;
    let target = Target { source: Some(table.name), topic: table.topic(prefix), group: table.group(prefix) };
    let mut lags = lag::all(&checker.args.kafka, &checker.warehouse, &[target]);
    // The clocks come last: what is late becomes no younger by having been looked at.
    let source = Clock::of_source(checker.source()?)?;
    let warehouse = Clock::of_warehouse(&checker.warehouse)?;
    lateness::measure(&mut lags, Some(&captured), source.now_ms);
    let topic = lags.remove(0).found?;
    let up_to = captured.complete_up_to(&topic, source.now_ms).map_err(try_again)?;
    let seconds = lateness::seconds(source.now_ms, up_to);
    let offsets: u64 = topic.partitions.iter().map(|partition| partition.lag).sum();
    let in_kafka = topic.partitions.iter().filter_map(|partition| partition.lag_seconds).max().unwrap_or(0);

    let mut result = CheckResult::new(NAME, table.name, format!("at most {} s", warn_after.as_secs()));
    result.measured = seconds as f64;
    result.fence = json!({"complete_up_to": time(up_to), "source_clock": time(source.now_ms)});
    result.status = match seconds {
        late if late > fail_after.as_secs() => CheckStatus::of_failure(checker.settings.severity(NAME, table)),
        late if late > warn_after.as_secs() => CheckStatus::Warn,
        _ => CheckStatus::Pass,
    };
    result.detail = format!(
        "complete up to {}, {seconds} s ago; PostgreSQL to Kafka {}; Kafka to ClickHouse {offsets} offsets, the oldest waits {in_kafka} s; {}",
        time(up_to),
        captured.text(source.now_ms),
        last_success(checker, table)?
    );
    if let Some(skew) = clock::skew(source, warehouse) {
        result.status = result.status.max(CheckStatus::Warn);
        result.detail = format!("{}; {}", result.detail, skew.sentence());
    }
    Ok(vec![result])
}

fn captured(checker: &mut Checker<'_>) -> Result<Captured> {
    let (kafka, slot, prefix) =
        (checker.args.kafka.clone(), checker.args.slot.clone(), checker.args.prefix.prefix.clone());
    let pipeline = checker.pipeline;
    let client = checker.source()?;
    let mut source = lateness::Source { pipeline, client, slot: &slot, prefix: &prefix, patience: PATIENCE };
    source.captured(&kafka)
}

fn last_success(checker: &Checker<'_>, table: &Table) -> Result<String> {
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
